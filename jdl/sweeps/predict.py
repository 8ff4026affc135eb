"""What the members of a sweep predict of new rows, by the parameters that are kept."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from jdl.nn.layer import batch_size
from jdl.sweeps.groups import column
from jdl.train.hyper import identified, of_identity, parted
from jdl.train.predict import chunks, outputs
from jdl.train.recipe import Recipe, Run

if TYPE_CHECKING:
    from jdl.sweeps.runs import Runs

CHUNK = 4096  # rows predicted at once at most
CACHED = 16  # programs kept


class Bunch(NamedTuple):
    """Trained members that one program serves: stacked runs without history, and traced hyper-parameters."""

    numbers: list[int]
    fixed: tuple
    traced: dict[str, Any]
    runs: Run


def bunches(runs: "Runs", numbers: Sequence[int]) -> Iterator[Bunch]:
    """Bunch trained members by their fixed hyper-parameters and the shapes of what they learned."""
    alike: dict[Any, list[int]] = {}
    for number in numbers:
        fixed, _ = parted(runs.configs[runs.members[number, 0]])
        learned = _learned(runs, number)
        shapes = tuple((np.shape(leaf), np.asarray(leaf).dtype.name) for leaf in jax.tree.leaves(learned))
        alike.setdefault((identified(fixed), jax.tree.structure(learned), shapes), []).append(int(number))
    for (fixed, _, _), same in alike.items():
        configs = runs.members[same, 0]
        traced = parted(runs.configs[configs[0]])[1]
        values = {name: column(name, runs.configs, configs) for name in traced}
        several = [_learned(runs, number) for number in same]
        yield Bunch(same, fixed, values, jax.tree.map(lambda *leaves: np.stack(leaves), *several))


def _learned(runs: "Runs", number: int) -> Run:
    return runs.results[number].run._replace(history={})


def member_outputs(runs: "Runs", numbers: Sequence[int], x: Any) -> dict[int, NDArray]:
    """Give what members predict of new rows, ``{number: (m, …)}``: logits where the target holds classes.

    A program is compiled for each set of fixed hyper-parameters, once: rows go through it in chunks of one
    size, the last one filled up.

    Args:
        runs: a sweep.
        numbers: of members that are trained.
        x: rows as the sweep's data has them.
    """
    rows = batch_size(x, "x")
    size = min(CHUNK, 1 << (rows - 1).bit_length())
    found: dict[int, NDArray] = {}
    for bunch in bunches(runs, numbers):
        call = _forward(runs.recipe, bunch.fixed)
        given = jax.device_put((bunch.traced, bunch.runs))
        parts = [call(*given, part) for part in chunks(x, size)]
        whole = np.concatenate(jax.device_get(parts), 1)[:, :rows]
        found |= dict(zip(bunch.numbers, whole, strict=True))
    return found


@lru_cache(CACHED)
def _forward(recipe: Callable[[dict], Recipe], identity: tuple) -> Callable[..., Any]:
    fixed = of_identity(identity)

    def one(traced: dict, run: Run, x: Any) -> Any:
        return outputs(recipe(fixed | traced), run, x)

    return jax.jit(lambda traced, run, x: jax.lax.map(lambda each: one(each[0], each[1], x), (traced, run)))


def fold_predictions(runs: "Runs", config: int, x: Any) -> NDArray[np.float32]:
    """Give what each fold's members of a configuration predict of new rows, ``(folds, m, …)``.

    Probabilities where the target holds classes; averaged over seeds.
    """
    outputs = member_outputs(runs, list(runs.of(config)), x)
    by_fold: list[list[NDArray]] = [[] for _ in runs.folds]
    for number, values in outputs.items():
        by_fold[runs.members[number, 1]].append(runs.predicted(values))
    return np.stack([np.mean(values, 0) for values in by_fold]).astype(np.float32)
