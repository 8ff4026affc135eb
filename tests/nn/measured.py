"""What ``test_catalogue.py`` checks of a layer, computed by two compiled programs.

The first, in float64, gives values, gradients and second derivatives, members and wrapped layers, all from
the same inputs; called again with another key, weight or point it answers what should and should not change.
The second is in float32 and bfloat16.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jdl import nn
from tests.nn.catalogue import Case
from tests.quick import compiled

ROWS, STEP = 3, 1e-6
KEY, OTHER_KEY = jax.random.key(1), jax.random.key(2)


class Point(NamedTuple):
    """What a layer is differentiated by: its parameters, and those of a batch's inputs that are floats."""

    params: Any
    floats: list[Any]


class Rest(NamedTuple):
    """The other arrays of a pass."""

    state: Any
    others: list[Any]  # None in the place of a float
    keywords: dict[str, Any]
    key: Any
    weight: Any


class Start(NamedTuple):
    """A layer as initialised, a batch for it, a second member, and a direction to move in."""

    example: tuple
    params: Any
    state: Any
    point: Point
    rest: Rest
    member: Any
    direction: Point


def start(case: Case) -> Start:
    """Initialise in float32; give the batch, and parameters away from zeros and ones, in float64."""
    rng = np.random.default_rng(0)
    example = tuple(
        rng.normal(size=given).astype(np.float32) if isinstance(given, tuple) else given
        for given in case.inputs
    )
    init = lambda key: case.net.init(key, *example, **case.keywords)
    params, state = jax.device_get(compiled(init, jax.random.key(0))(jax.random.key(0)))
    batch = [_rows(rng, value) for value in example]
    others = [None if is_float(value) else value for value in batch]
    keywords = {name: _rows(rng, value) for name, value in case.keywords.items()}
    near = lambda leaf: np.float64(leaf) + 0.1 * rng.normal(size=leaf.shape)
    point = Point(jax.tree.map(near, params), [value for value in batch if is_float(value)])
    direction = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), point)
    rest = Rest(floats_to(np.float64, state), others, keywords, KEY, np.ones(ROWS))
    return Start(example, params, state, point, rest, jax.tree.map(near, params), direction)


def is_float(value: Any) -> bool:
    """Whether an array holds floats."""
    return jnp.issubdtype(value.dtype, jnp.floating)


def floats_to(dtype: Any, values: Any) -> Any:
    """Convert the floats in a tree of NumPy arrays."""
    one = lambda leaf: leaf.astype(dtype) if is_float(leaf) else leaf
    return jax.tree.map(one, values)


def _rows(rng: np.random.Generator, value: np.ndarray) -> np.ndarray:
    if is_float(value):
        return rng.normal(size=(ROWS, *value.shape))
    if value.ndim == 0:  # a length, say
        return value - np.arange(ROWS)
    return np.stack([value, *(rng.permuted(value) for _ in range(ROWS - 1))])


def predict(net: nn.Layer, point: Point, rest: Rest) -> tuple[Any, Any]:
    """Run a batch: outputs and state."""
    floats = iter(point.floats)
    inputs = [next(floats) if other is None else other for other in rest.others]
    run = nn.batched(net)
    return run(point.params, rest.state, *inputs, key=rest.key, weight=rest.weight, **rest.keywords)


def weighed(outputs: Any, weight: Any) -> Any:
    """Give one number of all outputs, to which each contributes differently."""
    floats = filter(is_float, jax.tree.leaves(outputs))
    rows = sum(jnp.cos(1.0 + jnp.arange(leaf[0].size)) @ leaf.reshape(ROWS, -1).T for leaf in floats)
    return weight @ rows


def loss(net: nn.Layer, point: Point, rest: Rest) -> tuple[Any, tuple[Any, Any]]:
    """Give a number that depends on all outputs; beside it, outputs and state."""
    outputs, state = predict(net, point, rest)
    return weighed(outputs, rest.weight), (outputs, state)


def dot(one: Any, other: Any) -> Any:
    """Multiply two trees, and sum."""
    return sum(jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), one, other)))


def main(case: Case, point: Point, rest: Rest, member: Any, direction: Point) -> dict[str, Any]:
    """Compute everything that needs float64."""
    net, number = case.net, lambda net, point, rest=rest: loss(net, point, rest)[0]
    (value, (outputs, state)), gradient = jax.value_and_grad(loss, 1, has_aux=True)(net, point, rest)
    along = lambda f: lambda point: jax.jvp(f, (point,), (direction,))[1]
    slope_at, gradient_at = along(partial(number, net)), jax.grad(partial(number, net))
    members = jax.tree.map(lambda *leaves: jnp.stack(leaves), point.params, member)
    by_params = jax.value_and_grad(lambda params: number(net, Point(params, point.floats)))
    return {
        "value": value,
        "outputs": outputs,
        "state": state,
        "gradient": gradient,
        "slope": slope_at(point),
        "curvature": along(slope_at)(point),
        "hessian by direction": jax.grad(lambda point: dot(gradient_at(point), direction))(point),
        "members": jax.vmap(by_params, axis_size=2)(members),
        "remat": rematerialised(case, number, point, rest),
        "repeat": repeated(net, point, rest, members),
    }


def rematerialised(case: Case, number: Any, point: Point, rest: Rest) -> list[Any]:
    """Give value and gradient within ``nn.remat`` and, for a noisy layer in prediction, without it."""
    # A wrapped part draws other keys than the part alone, so noise is kept out of the comparison.
    quiet = rest._replace(key=None) if case.noisy else rest
    nets = [nn.remat(case.net), case.net][: 2 if case.noisy else 1]
    return [jax.value_and_grad(number, argnums=1)(net, point, quiet) for net in nets]


def repeated(net: nn.Layer, point: Point, rest: Rest, members: Any) -> tuple[Any, Any]:
    """Give what two members sum to in prediction: in ``nn.repeat``, and one after the other."""

    @nn.layer(part=net)
    def block(my: Any, total: Any, *inputs: Any, **keywords: Any) -> Any:
        return total + summed(my.part(*inputs, **keywords))

    rest = rest._replace(key=None)
    twice = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), rest.state)
    stacked = rest._replace(state={"part": twice}, others=[None, *rest.others])
    total = jnp.zeros(ROWS)
    together, _ = predict(nn.repeat(2, block), Point({"part": members}, [total, *point.floats]), stacked)
    alone = lambda params: jax.vmap(summed)(predict(net, Point(params, point.floats), rest)[0])
    return together, jnp.sum(jax.vmap(alone, axis_size=2)(members), 0)


def summed(outputs: Any) -> Any:
    """Sum all outputs of one example."""
    return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(outputs))


class Measured(NamedTuple):
    """A layer's results: in float64 at four points of the same program, in float32 and in bfloat16."""

    case: Case
    start: Start
    at: dict[str, dict[str, Any]]
    single: Any
    half: Any


def measure(case: Case) -> Measured:
    """Compile and run."""
    begin = start(case)
    point, rest, direction = begin.point, begin.rest, begin.direction
    moved = lambda by: jax.tree.map(lambda leaf, way: leaf + by * way, point, direction)
    calls = {
        "here": (point, rest),
        "again": (point, rest),
        "other key": (point, rest._replace(key=OTHER_KEY)),
        "ahead": (moved(STEP), rest),
        "behind": (moved(-STEP), rest),
        "member": (Point(begin.member, point.floats), rest),
        "row without weight": spoilt(begin, 0.5),
        "row without weight, NaN": spoilt(begin, np.nan),
    }
    with jax.enable_x64(True):
        run = compiled(partial(main, case), point, rest, begin.member, direction)
        at = {name: jax.device_get(run(*given, begin.member, direction)) for name, given in calls.items()}
    return Measured(case, begin, at, *narrow(case.net, begin))


def spoilt(begin: Start, value: float) -> tuple[Point, Rest]:
    """Give the last row no weight, and ``value`` for every float (integers outside every table)."""

    def last(leaf: np.ndarray) -> np.ndarray:
        leaf = leaf.copy()
        leaf[-1] = value if is_float(leaf) else -1
        return leaf

    point, rest = begin.point, begin.rest
    weight = np.array([1.0] * (ROWS - 1) + [0.0])
    others, keywords = jax.tree.map(last, (rest.others, rest.keywords))
    floats = list(map(last, point.floats))
    return point._replace(floats=floats), rest._replace(weight=weight, others=others, keywords=keywords)


def narrow(net: nn.Layer, begin: Start) -> tuple[Any, Any]:
    """Predict in float32, and in bfloat16 through ``nn.cast``."""

    def both(point: Point, rest: Rest) -> tuple[Any, Any]:
        return predict(net, point, rest)[0], predict(nn.cast(net), point, rest)[0]

    given = floats_to(np.float32, (begin.point, begin.rest._replace(key=None)))
    return jax.device_get(compiled(both, *given)(*given))
