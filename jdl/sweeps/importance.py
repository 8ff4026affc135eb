"""Permutation importance of columns, on the rows that each member was not trained on."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jdl import tree
from jdl.sweeps.member import Part, evaluated, rows_at, stacked
from jdl.sweeps.predict import bunches
from jdl.sweeps.program import member_key
from jdl.train.hyper import of_identity
from jdl.train.recipe import Recipe, RecipeError, Run, check_count, check_key

if TYPE_CHECKING:  # takes a while to import
    import polars as pl

    from jdl.sweeps.runs import Runs

CACHED = 8  # programs kept
ROOM = 2**24  # values of permuted rows in memory at once, about


def importance(
    runs: "Runs", key: Any, config: int | None = None, name: str | None = None, repeats: int = 5
) -> "pl.DataFrame":
    """Say by how much the held-out score of the best (or another) configuration worsens without a column.

    Breiman (2001): a column's values are permuted among the rows that a fold holds out, and what its members
    score is compared with what they scored. Of each array in ``x`` the second axis are columns, named by
    path: ``numbers/3``; an array ``(n,)`` is one column.

    Args:
        runs: a sweep.
        key: a JAX key.
        config: the number of a configuration.
        name: of a score, ``monitor`` unless given.
        repeats: permutations of each column in each member.

    Returns:
        A frame of one row a column, the most important first: ``column``, ``importance`` (how much worse the
        score is, averaged over repeats, seeds and folds) and ``se``, the standard error over folds.

    Raises:
        RecipeError: the configuration was not wholly trained, there is no such score, ``repeats`` below 1.
    """
    import polars as pl

    check_key(key)
    check_count("repeats", repeats)
    name = runs.monitor if name is None else name
    config = runs.best() if config is None else config
    base = runs.scores(name)[config]
    names = columns(runs.data["x"])
    found = np.full((*base.shape, len(names), repeats), np.nan)
    for number, scores in _scores(runs, list(runs.of(config)), key, name, repeats).items():
        found[tuple(runs.members[number, 1:])] = scores
    worse = (base[..., None, None] - found) * (1 if runs.upwards(name) else -1)
    by_fold = worse.mean((1, 3))
    error = (
        by_fold.std(0, ddof=1) / np.sqrt(len(by_fold)) if len(by_fold) > 1 else np.full(len(names), np.nan)
    )
    frame = pl.DataFrame({"column": names, "importance": by_fold.mean(0), "se": error})
    return frame.sort("importance", descending=True, nulls_last=True)


def columns(x: Any) -> list[str]:
    """Name the columns of a tree of arrays, in the order of its leaves.

    >>> columns({"numbers": np.zeros((5, 2)), "age": np.zeros(5)})
    ['age', 'numbers/0', 'numbers/1']
    """
    names = []
    for path, leaf in tree.items(x):
        if np.ndim(leaf) < 2:
            names.append(path)
        else:
            names += [f"{path}/{i}".lstrip("/") for i in range(np.shape(leaf)[1])]
    return names


def without(x: Any, column: Any, order: Any) -> Any:
    """Permute the rows of one column, whose number may be traced; ``order`` is ``(n,)``."""
    leaves, kind = jax.tree.flatten(x)
    found, first = [], 0
    for leaf in leaves:
        width = leaf.shape[1] if leaf.ndim > 1 else 1
        own = jnp.arange(width) == column - first
        own = own.reshape(1, width, *[1] * (leaf.ndim - 2)) if leaf.ndim > 1 else own
        found.append(jnp.where(own, leaf[order], leaf))
        first += width
    return jax.tree.unflatten(kind, found)


def _scores(runs: "Runs", numbers: list[int], key: Any, name: str, repeats: int) -> dict[int, NDArray]:
    """Give each member's scores ``(columns, repeats)``: members of one shape by one program."""
    count = len(columns(runs.data["x"]))
    found: dict[int, NDArray] = {}
    for bunch in bunches(runs, numbers):
        ids = runs.members[bunch.numbers]
        folds = [runs.folds[fold] for fold in ids[:, 1]]
        held = stacked([fold._replace(train=fold.held, stop=fold.held) for fold in folds]).held
        if held is None:
            raise RecipeError("importance: the folds hold out no rows")
        values = sum(np.size(leaf) for leaf in jax.tree.leaves(runs.data["x"])) / len(runs.data["y"])
        width = int(min(max(ROOM // (values * held.index.shape[1]), 1), count * repeats))
        call = _program(runs.recipe, bunch.fixed, name, count, repeats, width)
        scores = np.asarray(call(key, ids, bunch.traced, bunch.runs, held, runs.data))
        found |= dict(zip(bunch.numbers, scores, strict=True))
    return found


@lru_cache(CACHED)
def _program(
    recipe: Callable[[dict], Recipe], identity: tuple, name: str, count: int, repeats: int, width: int
) -> Callable[..., Any]:
    fixed = of_identity(identity)
    pairs = -(-count * repeats // width) * width  # whole rounds: the last ones' surplus is dropped

    def one(key: Any, data: Any, given: tuple[Any, dict, Run, Part]) -> Any:
        ids, traced, run, held = given
        own, made, rows = member_key(key, ids), recipe(fixed | traced), rows_at(data, held)

        def score(pair: Any) -> Any:
            drawn = jax.random.uniform(jax.random.fold_in(own, pair), held.index.shape)
            if held.weight is not None:
                drawn = jnp.where(held.weight > 0, drawn, 2.0)  # padding stays where it is: behind
            permuted = without(rows["x"], pair // repeats, jnp.argsort(drawn))
            return evaluated(made, run, rows | {"x": permuted})[0][name]

        scores = jax.lax.map(jax.vmap(score), jnp.arange(pairs).reshape(-1, width))
        return scores.reshape(-1)[: count * repeats].reshape(count, repeats)

    def all_members(key: Any, ids: Any, traced: dict, stacked_runs: Run, held: Part, data: Any) -> Any:
        return jax.lax.map(lambda given: one(key, data, given), (ids, traced, stacked_runs, held))

    return jax.jit(all_members)
