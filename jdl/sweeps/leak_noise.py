"""Targets that have nothing to do with the rows: what is learned of them is not to show on rows held out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jdl import tree
from jdl.sweeps import engine
from jdl.sweeps.leak_rows import Leak
from jdl.sweeps.runs import Runs
from jdl.sweeps.schedule import Plan
from jdl.sweeps.splits import Fold, classes
from jdl.sweeps.sweep import carried_out, product
from jdl.train.prepared import prepare
from jdl.train.recipe import Recipe, RecipeError

ERRORS = 3.0  # standard errors from chance
OWN = 6.0  # times chance, as which a feature may go with its row's own noise label
KINDS = ("noise labels", "permuted target")


class Noise(NamedTuple):
    """Rows with one target after the other, and the folds of each of these copies."""

    data: dict[str, Any]
    folds: tuple[Fold, ...]
    repeats: int  # of each kind


def noisy(
    pipeline: Callable[[Any], dict[str, Any]], target: NDArray, folds: Sequence[Fold], repeats: int, key: Any
) -> Noise:
    """Make copies of the rows, the target of each drawn or permuted, of which each has its own folds."""
    rng = np.random.default_rng(int(jax.random.bits(jax.random.fold_in(key, 1), dtype=np.uint32)))
    targets = [draw(target, rng) for draw in (_drawn, _permuted) for _ in range(repeats)]
    copies = [pipeline(one) for one in targets]
    if all(np.array_equal(copies[0]["y"], one["y"]) for one in copies[1:]):
        raise RecipeError("data: 'y' is the same whatever target it is given, needs one made of the target")
    rows = len(copies[0]["y"])
    shifted = [Fold(*(part + i * rows for part in fold)) for i in range(2 * repeats) for fold in folds]
    return Noise(jax.tree.map(lambda *leaves: np.concatenate(leaves), *copies), tuple(shifted), repeats)


def trained(
    recipe: Callable[[dict], Recipe], hyper: Mapping[str, Any], noise: Noise, key: Any, plan: Plan
) -> Runs:
    """Train on every fold of every copy, as one sweep."""
    members = product(1, len(noise.folds), 1)
    return carried_out(engine.Study(recipe, (hyper,), members, noise.folds, key, noise.data), plan, 1)


def measured(runs: Runs, noise: Noise) -> dict[str, tuple[float, float]]:
    r"""Compare what is predicted of rows held out with their labels: it is not to go with them.

    Each copy scores the mean rank correlation :math:`\rho` of prediction and target within its folds, for
    classes of each class's probability and indicator; without a leak its mean is 0 exactly. Gives the mean
    and its standard error over the copies of each kind.
    """
    scores = np.full(len(noise.folds), np.nan)
    for number, found in runs.results.items():
        target = runs.data["y"][noise.folds[number].held]
        scores[number] = _correlation(runs.predicted(found.outputs), target, runs.classes)
    if np.isnan(scores).all():
        raise RecipeError("recipe: training fails on noise labels: no run gave finite predictions")
    by_copy = np.nanmean(scores.reshape(2, noise.repeats, -1), 2)
    mean = np.nanmean(by_copy, 1)
    error = np.nanstd(by_copy, 1, ddof=1) / np.sqrt(noise.repeats)
    return {kind: (float(mean[i]), float(error[i])) for i, kind in enumerate(KINDS)}


def above_chance(scores: Mapping[str, tuple[float, float]], repeats: int) -> Iterator[Leak]:
    """Find kinds of noise that are predicted."""
    for kind, (mean, error) in scores.items():
        if mean > ERRORS * error and mean > 1e-6:
            yield Leak(
                kind,
                f"rows held out are predicted with a rank correlation of {mean:.3f} ± {error:.3f} "
                f"over {repeats} repeats, where chance is 0",
                "prepare rows within Recipe.prepare, which is fitted on a fold's training rows alone",
            )


def own_labels(
    recipe: Callable[[dict], Recipe], hyper: Mapping[str, Any], noise: Noise, key: Any
) -> Iterator[Leak]:
    r"""Find prepared features that hold a training row's own label, such as a mean target that includes it.

    Without it, :math:`(n - 1) r^2` of feature and noise label is about 1, and about 2 where each row is
    prepared by the labels of others; a mean of the labels of L levels has about L.
    """
    made = recipe(dict(hyper))
    if made.prepare is None or made.prepare.each_step:
        return
    count = len(noise.folds) // (2 * noise.repeats)
    numbers = np.stack([noise.folds[i * count].train for i in range(noise.repeats)])
    rows = jax.tree.map(lambda leaf: leaf[numbers], noise.data)
    features = jax.jit(jax.vmap(lambda some: prepare(made, key, some, None)[1]["x"]))(rows)
    found: dict[str, float] = {}
    for path, leaf in tree.items({"x": features}):
        flat = np.nan_to_num(np.asarray(leaf, np.float64).reshape(*numbers.shape, -1))
        ratios = [_squared(each, goal) for each, goal in zip(flat, _goals(rows["y"]), strict=True)]
        mean = np.mean(ratios, 0).max(1, initial=0.0)  # (features,): by the target it goes with best
        found |= {f"{path}[{j}]": float(mean[j]) for j in np.flatnonzero(mean > OWN)}
    if found:
        named = ", ".join(f"{name} ({value:.0f} times chance)" for name, value in found.items())
        yield Leak(
            "own labels",
            f"prepared features of training rows hold the row's own noise label: {named}",
            "prepare a row by the labels of others: give Prepare.folds, as features.target_encoding does",
        )


def _drawn(target: NDArray, rng: np.random.Generator) -> NDArray:
    """Draw a target of the same kind: any class alike; of numbers, each column's own, with replacement."""
    if classes(target):
        labels = np.unique(target)
        return labels[rng.integers(len(labels), size=len(target))]
    flat = target.reshape(len(target), -1)
    drawn = [column[rng.integers(len(column), size=len(column))] for column in flat.T]
    return np.stack(drawn, 1).reshape(target.shape)


def _permuted(target: NDArray, rng: np.random.Generator) -> NDArray:
    return rng.permutation(target)


def _goals(target: NDArray) -> NDArray[np.float64]:
    """Give targets as numbers, ``(copies, n, k)``: an indicator for each class."""
    if target.ndim == 2 and classes(target[0]):
        return (target[..., None] == np.unique(target)).astype(np.float64)
    return target.reshape(*target.shape[:2], -1).astype(np.float64)


def _squared(features: NDArray, goals: NDArray) -> NDArray[np.float64]:
    """Give ``(n - 1) r²`` of each feature and goal, ``(features, goals)``."""
    return (len(goals) - 1) * _pearson(features[:, :, None], goals[:, None, :]) ** 2


def _correlation(outputs: NDArray, target: NDArray, of_classes: bool) -> float:
    from scipy.stats import rankdata  # takes a second to import

    outputs = np.asarray(outputs, np.float64).reshape(len(target), -1)
    if not np.isfinite(outputs).all():
        return np.nan
    if of_classes:
        goals = (target[:, None] == np.arange(outputs.shape[1])).astype(np.float64)
    else:
        goals = target.reshape(len(target), -1).astype(np.float64)
        if goals.shape[1] not in (1, outputs.shape[1]):
            found = f"{outputs.shape[1]} outputs and {goals.shape[1]} targets a row"
            raise RecipeError(f"recipe: has {found}, needs as many, or one target; see Recipe.predict")
    return float(np.mean(_pearson(rankdata(outputs, axis=0), rankdata(goals, axis=0))))


def _pearson(left: NDArray, right: NDArray) -> NDArray[np.float64]:
    """Correlate along the first axis; what does not vary has none."""
    left, right = left - left.mean(0), right - right.mean(0)
    scale = np.sqrt(np.sum(left**2, 0) * np.sum(right**2, 0))
    return np.where(scale > 1e-12, np.sum(left * right, 0) / np.where(scale > 1e-12, scale, 1), 0.0)
