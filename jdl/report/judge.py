"""How sure one can be of scores: intervals over rows drawn again, and differences between two models."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jdl.data import Schema
from jdl.data.columns import Column
from jdl.report.resampled import scores
from jdl.report.scores import errors, score

ROOM = 2**14  # rows predicted together
WEIGHTS = 2**21  # of rows drawn again, held at once
DRAWS = 200  # sets of rows drawn again


class Interval(NamedTuple):
    """A score and its 95 % interval."""

    value: float
    low: float
    high: float


def losses(schema: Schema, outputs: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Give each row's loss ``(n,)``: log-loss of classes and labels, the squared error of numbers."""
    outputs = outputs.astype(np.float64)
    if schema.task == "classification":
        return -np.log(np.maximum(outputs[np.arange(len(target)), target], 1e-12))
    if schema.task == "multilabel":
        right = np.where(target > 0, outputs, 1 - outputs)
        return -np.log(np.maximum(right, 1e-12)).mean(1)
    return (errors(schema, outputs, target) ** 2).mean(1)


def right(schema: Schema, outputs: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Give what a row adds to the score that a slice is judged by: 1 where right, or the absolute error."""
    if schema.task == "classification":
        return (outputs.argmax(1) == target).astype(np.float64)
    if schema.task == "multilabel":
        return ((outputs > 0.5) == (target > 0)).mean(1)
    return errors(schema, outputs, target).mean(1)


def intervals(schema: Schema, outputs: NDArray, target: NDArray, draws: int = DRAWS) -> dict[str, Interval]:
    """Give every score with the central 95 % of its values over rows drawn with replacement.

    Source: Efron 1979, https://doi.org/10.1214/aos/1176344552.
    """
    found = score(schema, outputs, target)
    drawn, each = _drawn(len(target), draws), max(WEIGHTS // len(target), 1)
    again = []
    for _ in range(0, draws, each):
        some = [np.bincount(rows, minlength=len(target)) for rows in islice(drawn, each)]
        again.append(scores(schema, outputs, target, np.stack(some)))
    values = {name: np.concatenate([part[name] for part in again]) for name in found}
    ends = {name: np.nanpercentile(values[name], [2.5, 97.5]) for name in found}
    return {name: Interval(value, *map(float, ends[name])) for name, value in found.items()}


def difference(first: NDArray, second: NDArray, draws: int = 10 * DRAWS) -> Interval:
    """Give the mean of ``first - second``, values of the same rows, with its interval."""
    gap = first - second
    means = [gap[rows].mean() for rows in _drawn(len(gap), draws)]
    return Interval(float(gap.mean()), *map(float, np.percentile(means, [2.5, 97.5])))


def importance(
    predict: Callable[[dict[str, NDArray]], NDArray],
    schema: Schema,
    rows: dict[str, NDArray],
    target: NDArray,
    repeats: int = 3,
) -> list[tuple[str, float, float]]:
    """Give for each column by how much the loss grows where it is permuted: name, mean, standard error.

    Source: Breiman 2001, https://doi.org/10.1023/A:1010933404324.
    """
    before = losses(schema, predict(rows), target).mean()
    kinds: tuple[tuple[str, tuple[Column, ...]], ...] = (
        ("numbers", schema.numbers), ("categories", schema.categories),
        ("dates", schema.dates), ("texts", schema.texts),
    )  # fmt: skip
    places = [(kind, i, column.name) for kind, columns in kinds for i, column in enumerate(columns)]
    asked = [(kind, i) for kind, i, _ in places for _ in range(repeats)]
    grown = np.concatenate(
        [
            losses(schema, predict(permuted), np.concatenate([target] * len(part)))
            .reshape(len(part), -1)
            .mean(1)
            for part, permuted in _permuted(rows, asked, len(target))
        ]
    ).reshape(-1, repeats)
    error = grown.std(1, ddof=1) / repeats**0.5
    found = [(name, float(grown[n].mean() - before), float(error[n])) for n, (*_, name) in enumerate(places)]
    return sorted(found, key=lambda one: -one[1])


def _permuted(
    rows: dict[str, NDArray], asked: list[tuple[str, int]], count: int
) -> Iterator[tuple[list[tuple[str, int]], dict[str, NDArray]]]:
    """Give the rows with one column after another permuted, as many together as ``ROOM`` allows."""
    rng = np.random.default_rng(0)
    each = max(ROOM // count, 1)
    for first in range(0, len(asked), each):
        part = asked[first : first + each]
        found = {name: np.concatenate([values] * len(part)) for name, values in rows.items()}
        for n, (kind, i) in enumerate(part):
            here = slice(n * count, (n + 1) * count)
            found[kind][here, i] = rows[kind][rng.permutation(count), i]
        yield part, found


def _drawn(rows: int, draws: int) -> Iterator[NDArray]:
    rng = np.random.default_rng(0)
    return (rng.integers(rows, size=rows) for _ in range(draws))
