"""Our networks compute what the published packages do; ``record_packages.py`` recorded them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

from jdl import models, nn
from jdl.models.members import mean_of_members

CARDINALITIES = (3, 5)
RECORDED = load_file(Path(__file__).with_name("packages.safetensors"))


class Recorded:
    """One network of the packages: its output, inputs and weights."""

    def __init__(self, name: str):
        self.name, self.output = name, RECORDED[f"{name}/output"]
        self.numbers = RECORDED[f"{name}/input/0"]
        self.codes = RECORDED.get(f"{name}/input/1", np.zeros((len(self.numbers), 0), int))

    def __call__(self, key: str) -> np.ndarray:
        return RECORDED[f"{self.name}/weight/{key}"]

    def affine(self, key: str) -> dict[str, np.ndarray]:
        return {"w": self(f"{key}.weight").T, "b": self(f"{key}.bias")}

    def norm(self, key: str) -> dict[str, np.ndarray]:
        return {"scale": self(f"{key}.weight"), "bias": self(f"{key}.bias")}


def agree(net: nn.Layer, params: Any, state: Any, inputs: tuple, output: np.ndarray) -> None:
    """The parameters are all there are, and give the recorded output."""
    inputs = jax.tree.map(jnp.asarray, inputs)
    shapes = lambda tree: jax.tree.map(jnp.shape, tree)
    example = jax.tree.map(lambda leaf: leaf[0], inputs)
    assert shapes(jax.eval_shape(net.init, jax.random.key(0), *example)) == shapes((params, state))
    found, _ = jax.jit(nn.batched(net))(params, state, *inputs)
    np.testing.assert_allclose(found, output, atol=1e-5, rtol=1e-5)


def check(
    name: str, net: nn.Layer, params: Callable[[Recorded], Any], state: Any = None, **others: Any
) -> None:
    found = Recorded(name)
    row = {"numbers": found.numbers, "categories": found.codes, "flat": np.zeros((len(found.numbers), 0))}
    agree(net, params(found), state or {}, (row | others,), found.output)


def test_linear_embeddings() -> None:
    found = Recorded("lines")
    params = {"w": found("linear.weight"), "b": found("linear.bias")}
    agree(nn.linear_embedding(3, activation=jax.nn.relu), params, {}, (found.numbers,), found.output)


def test_periodic_embeddings() -> None:
    found = Recorded("periodic")
    params = {"f": found("periodic.weight"), "w": found("linear.weight"), "b": found("linear.bias")}
    agree(nn.periodic(3, frequencies=2), params, {}, (found.numbers,), found.output)


def test_piecewise_linear_embeddings() -> None:
    places, found = RECORDED["places"], Recorded("pieces_a")
    params = {"w": found("linear.weight"), "b": found("linear.bias")}
    net = nn.piecewise_linear(3, activation=jax.nn.relu, line=False)
    agree(net, params, {}, (places,), found.output)
    found = Recorded("pieces_b")
    params = {"w": found("linear.weight"), "v": found("linear0.weight"), "b": found("linear0.bias")}
    agree(nn.piecewise_linear(3, activation=jax.nn.relu), params, {}, (places, found.numbers), found.output)


def ensemble(blocks: int, numbers: dict[str, str]) -> Callable[[Recorded], Any]:
    def params(found: Recorded) -> Any:
        layers = {
            f"block_{i}": {
                "w": found(f"backbone.blocks.{i}.0.weight").T,
                **{name: found(f"backbone.blocks.{i}.0.{name}") for name in "rs"},
                "b": found(f"backbone.blocks.{i}.0.bias"),
            }
            for i in range(blocks)
        }
        return with_numbers(layers | {"head": head(found)}, found, numbers)

    return params


def head(found: Recorded) -> dict[str, np.ndarray]:
    return {"w": found("output.weight"), "b": found("output.bias")}


def with_numbers(params: dict[str, Any], found: Recorded, names: dict[str, str]) -> dict[str, Any]:
    embedded = {"of": {ours: found(f"num_module.{theirs}") for ours, theirs in names.items()}}
    return params | ({"numbers": embedded} if names else {})


def test_tabm() -> None:
    net = models.tabm(2, 6, 3, 3, cardinalities=CARDINALITIES, numbers="plain")
    check("tabm_plain", net, ensemble(3, {}))
    net = models.tabm(2, 6, 2, 3, cardinalities=CARDINALITIES, embedding=3)
    names = {"w": "linear.weight", "v": "linear0.weight", "b": "linear0.bias"}
    check("tabm_pieces", net, ensemble(2, names), pieces=RECORDED["places"])


def test_tabm_mini() -> None:
    def params(found: Recorded) -> Any:
        layers = {f"block_{i}": found.affine(f"backbone.blocks.{i}.0") for i in range(2)}
        layers |= {"r": found("backbone.affine.weight"), "head": head(found)}
        return with_numbers(layers, found, {"w": "linear.weight", "b": "linear.bias"})

    net = models.tabm_mini(2, 6, 2, 3, cardinalities=CARDINALITIES, numbers="linear", embedding=3)
    check("tabm_mini_lines", net, params)


def test_ft_transformer() -> None:
    def params(found: Recorded) -> Any:
        tables = [found(f"cat_embeddings.embeddings.{i}.weight") for i in range(2)]
        made = {"tokens": {
            "cls": found("cls_embedding.weight"),
            "w": found("cont_embeddings.weight"),
            "b": found("cont_embeddings.bias"),
            "table": {"w": np.concatenate(tables)},
            "column": found("cat_embeddings.bias"),
        }}  # fmt: skip
        for i in range(3):
            path = f"backbone.blocks.{i}"
            made[f"block_{i}"] = {
                "attention": {name: found.affine(f"{path}.attention.W_{name}") for name in "qkv"}
                | {"out": found.affine(f"{path}.attention.W_out")},
                "norm2": found.norm(f"{path}.ffn_normalization"),
                "feed_forward": {
                    "up": found.affine(f"{path}.ffn.linear1"),
                    "down": found.affine(f"{path}.ffn.linear2"),
                },
            } | ({"norm1": found.norm(f"{path}.attention_normalization")} if i else {})
        return made | {
            "norm": found.norm("backbone.output.normalization"),
            "head": found.affine("backbone.output.linear"),
        }

    none = {"attention_dropout": 0.0, "dropout": 0.0}
    net = models.ft_transformer(2, 8, 3, 2, 5, cardinalities=CARDINALITIES, **none)
    check("ft_transformer", net, params)


def test_resnet() -> None:
    norms = {"norm": "output.normalization"} | {f"block_{i}": f"blocks.{i}.normalization" for i in range(2)}
    found = Recorded("resnet")
    state = {}
    for path, name in norms.items():
        running = {"mean": found(f"{name}.running_mean"), "var": found(f"{name}.running_var")}
        state[path] = {"norm": running} if path.startswith("block") else running

    def params(found: Recorded) -> Any:
        made = {
            f"block_{i}": {
                "norm": found.norm(f"blocks.{i}.normalization"),
                "up": found.affine(f"blocks.{i}.linear1"),
                "down": found.affine(f"blocks.{i}.linear2"),
            }
            for i in range(2)
        }
        made |= {"enter": found.affine("input_projection"), "head": found.affine("output.linear")}
        return made | {"norm": found.norm("output.normalization")}

    check("resnet", models.resnet(2, 6, 2, 7, dropout=0.0), params, state)


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_members_are_averaged_as_probabilities(task: str) -> None:
    outputs = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    probabilities = jax.nn.softmax if task == "classification" else jax.nn.sigmoid
    found = probabilities(mean_of_members(task)(outputs))
    np.testing.assert_allclose(found, np.mean(probabilities(outputs), 0), rtol=1e-5)
