"""What a trained network says of rows, by a program that is compiled once."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jdl.nn.layer import batch_size, batched
from jdl.train.hyper import identified, of_identity, parted
from jdl.train.objective import network
from jdl.train.prepared import applied, settled
from jdl.train.recipe import Recipe, Run

SIZES = (1, 8, 64, 1024)  # rows at once; the last ones are filled up, so that few programs serve any number
CACHED = 32  # programs kept


def predict(recipe: Callable[[dict], Recipe], hyper: Mapping[str, Any], run: Run, x: Any) -> NDArray:
    """Give a trained network's outputs for rows ``x``, as ``Recipe.predict`` reads them: ``(n, …)``.

    Rows are prepared by what the run's preparation learned. They go through one program in chunks, so any
    number of them fits. A row's outputs do not depend on the others; their last digits may on how many there
    are, as programs of four sizes are kept.

    Args:
        recipe: the function that the run was trained by.
        hyper: the hyper-parameters it was trained with.
        run: what ``jdl.run``, ``jdl.fit`` or ``Runs.refit`` gave.
        x: rows, any tree of arrays of one leading axis, as the training data had them.

    >>> import jax, jax.numpy as jnp, jdl
    >>> def recipe(hyper):
    ...     return jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(hyper["lr"]), 8, 20)
    >>> x = jnp.linspace(-1, 1, 32)[:, None]
    >>> run = jdl.run(recipe, {"lr": 0.1}, jax.random.key(0), {"x": x, "y": 3 * x})
    >>> jdl.train.predict(recipe, {"lr": 0.1}, run, x[:5]).shape
    (5, 1)
    """
    fixed, traced = parted(hyper)
    call = _program(recipe, identified(fixed))
    given = jax.device_put((traced, run._replace(history={})))
    parts = [call(*given, part) for part in chunks(x, chunk(batch_size(x, "x")))]
    return np.concatenate(jax.device_get(parts))[: batch_size(x)]


def chunk(rows: int) -> int:
    """Give the number of rows that go through a program at once, where there are so many.

    >>> [chunk(rows) for rows in (1, 2, 64, 5000)]
    [1, 8, 64, 1024]
    """
    return next((size for size in SIZES if rows <= size), SIZES[-1])


def chunks(x: Any, size: int) -> Iterator[Any]:
    """Cut rows into parts of one size; where they run out the last row is repeated."""
    rows = batch_size(x, "x")
    for first in range(0, rows, size):
        at = np.minimum(np.arange(first, first + size), rows - 1)
        yield jax.tree.map(lambda leaf: np.asarray(leaf)[at], x)  # noqa: B023


def outputs(recipe: Recipe, run: Run, x: Any) -> Any:
    """Give the same of a recipe within a transform, all rows at once."""
    data = applied(recipe, run.stats, {"x": x, "y": jnp.zeros(batch_size(x))})
    found, _ = batched(network(settled(recipe), run.stats))(run.params, run.state, data["x"])
    return jax.vmap(recipe.predict)(found)


@lru_cache(CACHED)
def _program(recipe: Callable[[dict], Recipe], identity: tuple) -> Callable[..., Any]:
    fixed = of_identity(identity)
    return jax.jit(lambda traced, run, x: outputs(recipe(fixed | traced), run, x))
