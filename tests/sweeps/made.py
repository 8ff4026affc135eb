"""Sweeps whose members were not trained but made: linear networks of known weights."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

import jdl
from jdl.sweeps import Facts, Fold, Runs
from jdl.sweeps.member import Trained
from jdl.sweeps.sweep import product
from jdl.train import Run

COLUMNS = {"numbers": 2, "age": 0}


def joined(row):
    return jnp.concatenate([row["numbers"], row["age"][None]])


def of_numbers(hyper):
    network = jdl.nn.chain(joined, jdl.nn.dense(1))
    return jdl.Recipe(
        network,
        jdl.losses.squared_error,
        jdl.optim.sgd(hyper["rate"]),
        8,
        3,
        metrics={"mse": jdl.metrics.mse()},
    )


def of_classes(hyper):
    network = jdl.nn.chain(joined, jdl.nn.dense(3))
    metrics = {"accuracy": jdl.metrics.accuracy()}
    return jdl.Recipe(
        network,
        jdl.losses.cross_entropy,
        jdl.optim.sgd(hyper["rate"]),
        8,
        3,
        metrics=metrics,
        monitor="accuracy",
    )


def rows(count: int, seed: int) -> dict:
    """Draw rows, among them a tree with an array that has no columns."""
    rng = np.random.default_rng(seed)
    numbers, age = (rng.normal(size=shape).astype(np.float32) for shape in ((count, 2), count))
    return {"numbers": numbers, "age": age, "none": np.zeros((count, 0, 2), np.int32)}


def flat(x: dict) -> np.ndarray:
    return np.concatenate([x["numbers"], x["age"][:, None]], 1)


def folds(count: int, number: int) -> tuple[Fold, ...]:
    at, none = np.arange(count, dtype=np.int32), np.zeros(0, np.int32)
    return tuple(Fold(at[at % number != i], none, at[at % number == i]) for i in range(number))


def made(recipe, weights: Sequence[np.ndarray], data: dict, cut: Sequence[Fold], seeds: int = 1) -> Runs:
    """Make a sweep: configuration ``i`` has ``weights[i]``, ``(3, outputs)``; shifts tell members apart."""
    configs = [{"rate": 0.1 * (i + 1)} for i in range(len(weights))]
    example = recipe(configs[0])
    row = jax.tree.map(lambda leaf: leaf[0], data["x"])
    params, state = example.network.init(jax.random.key(0), row)
    members = product(len(configs), len(cut), seeds)
    results = {}
    for number, (config, fold, seed) in enumerate(members):
        shift = 0.1 * fold + 0.01 * seed
        own = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), params)
        own = jdl.tree.map_by_path(
            lambda path, leaf: (weights[config] if leaf.ndim == 2 else leaf + shift).astype(np.float32),  # noqa: B023
            own,
        )
        held = cut[fold].held
        outputs = flat(data["x"])[held] @ weights[config] + shift
        target = data["y"][held]
        if example.monitor == "accuracy":
            scores = {"loss": np.float32(1), "accuracy": (outputs.argmax(1) == target).mean()}
        else:
            scores = {
                "loss": ((outputs[:, 0] - target) ** 2).mean(),
                "mse": ((outputs[:, 0] - target) ** 2).mean(),
            }
        history = {"loss": np.array([3.0, 2.0, np.nan]) + shift, "best_epoch": np.int32(1)}
        run = Run(own, state, None, history)
        results[number] = Trained(run, scores, outputs.astype(np.float32))
    facts = Facts(0.0, 0.0, 0, (), "")
    return Runs(recipe, configs, tuple(cut), seeds, members, results, jax.random.key(0), data, facts)
