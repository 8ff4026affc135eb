"""Combinators that run a part under a JAX transform: ``repeat``, ``remat``, ``map`` and ``ensemble``.

Each runs its part as a branch of the pass: a pure function that JAX can transform. Parameters and state are
split off before; updates, losses and watched outputs come back as its results and are joined after.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl import tree
from jdl.nn.batch import batch_size
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, as_layer
from jdl.nn.product import under_batch
from jdl.nn.scope import Scope, at_home, inline, join_path, trace_now
from jdl.nn.spec import LayerError, shapes
from jdl.nn.trees import replaced, subtree


class Collected(NamedTuple):
    """What a branch collects, by path: see ``Pass``."""

    updates: dict[str, Any]
    stored: dict[str, Any]
    losses: dict[str, Any]
    taps: dict[str, Any]


Branch = Callable[[Any, Any, Any, tuple], tuple[Any, Collected]]


def branch(
    my: Scope, part: Layer, keywords: Mapping[str, Any], *, stack: tuple[int, ...] = (), batched: bool = False
) -> tuple[Any, Any, Branch]:
    """Split a part off the pass: its parameters, its state and cache, and ``run(params, held, i, inputs)``.

    Run *i* draws its keys from ``fold_in(key, i)`` (None: there is one run). Where no key may be drawn, the
    runs may draw none either. ``stack`` are leading axes of the part's entries. ``batched``: the transform
    maps nothing, so the batch axis is still the next one out.
    """
    outer, path = my._live(), my._path
    barred = outer.key is not None and (outer.barred or trace_now() != outer.trace)
    key = outer.key if barred else my.key()
    batched = batched and under_batch(my)

    def relative(path: str) -> str:
        return path.removeprefix(outer.root).strip("/")

    def now(entries: Any, changed: dict[str, Any]) -> Any:
        """Give the part's entries as they are at this point of the pass."""
        changed = {relative(name): value for name, value in changed.items()}
        return None if entries is None else subtree(replaced(entries, changed), relative(path))

    def run(params: Any, held: tuple[Any, Any], i: Any, inputs: tuple) -> tuple[Any, Collected]:
        collected = Collected({}, {}, {}, {})
        state, cache = held
        outputs = inline(
            my,
            part,
            inputs,
            keywords,
            params=params,
            state=state,
            cache=cache,
            key=key if key is None or i is None else jax.random.fold_in(key, i),
            root=path,
            stack=outer.stack + stack,
            **collected._asdict(),
            uses=Counter(),
            barred=barred,
            batched=batched,
            trace=trace_now(),
            home=trace_now(),
        )
        return outputs, collected

    held = now(outer.state, outer.updates), now(outer.cache, outer.stored)
    return subtree(outer.params, relative(path)), held, run


def collect(my: Scope, collected: Collected) -> None:
    """Join what a branch collected to the pass."""
    run = my._live()
    for path, value in collected.updates.items():
        at_home(run, path, "updates state")
        run.updates[path] = value
    for path, value in collected.stored.items():
        at_home(run, path, "stores into the cache")
        run.stored[path] = value
    for path, value in collected.losses.items():
        at_home(run, path, "adds a loss")
        run.add_loss(path, value)
    for path, value in collected.taps.items():
        at_home(run, path, "is watched by nn.intermediates")
        run.add_tap(path, value)


def _need_leading(my: Scope, n: int, *trees: Any) -> None:
    for path, leaf in (item for each in trees for item in tree.items(each)):
        shape = jnp.shape(leaf)
        if shape[:1] != (n,):
            raise LayerError(f"{join_path(my._path, path)}: has shape {shape}, needs {(n, *shape[1:])}")


@constructor
def repeat(n: int, block: Any, *, unroll: int = 1) -> Layer:
    r"""Run ``n`` blocks of the same kind, each with its own parameters: :math:`x_{i+1} = f_{\theta_i}(x_i)`.

    The blocks are one ``lax.scan`` over parameters and state stacked on a leading axis of ``n``, so tracing
    and compiling cost as much as for one block. The first input is carried and must keep its shape and dtype;
    further inputs and keyword inputs are given to every block. Block *i* draws from ``fold_in(key, i)``.
    Auxiliary losses and intermediate values come out stacked, one for each block. ``unroll`` blocks are laid
    out one after the other per scan step: faster for small blocks.

    Raises:
        LayerError: the block's output has another shape or dtype than its first input.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.repeat(12, nn.residual(nn.chain(nn.layer_norm(), nn.dense(8), nn.gelu)))
    >>> params, state = net.init(jax.random.key(0), jnp.zeros(8))
    >>> params["dense"]["w"].shape
    (12, 8, 8)
    """
    block = as_layer(block)
    _need_count("repeat", n)

    def forward(my: Scope, x: Any, *others: Any, **keywords: Any) -> Any:
        params, held, run = branch(my, block, keywords, stack=(n,), batched=True)
        if my._live().specs is not None:  # one block stands for all
            y, collected = run(params, held, 0, (x, *others))
            _need_same(my, y, x)
            collect(my, jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (n, *jnp.shape(leaf))), collected))
            return y
        _need_leading(my, n, params, *held)

        def step(x: Any, its: Any) -> Any:
            params, held, i = its
            return run(params, held, i, (x, *others))

        x, collected = jax.lax.scan(step, x, (params, held, jnp.arange(n)), unroll=unroll)
        collect(my, collected)
        return x

    return Layer(forward, name="repeat", parts=block.parts, inputs=block.inputs)


def _need_count(name: str, n: Any) -> None:
    if not isinstance(n, int) or n < 1:
        raise LayerError(f"{name}: found n = {n!r}, needs a number of at least 1")


def _need_same(my: Scope, found: Any, needed: Any) -> None:
    if shapes(found) != shapes(needed):
        raise LayerError(
            f"{my._where()}: a repeated block must give back the shape and dtype of its first input; "
            f"found {shapes(found)}, needs {shapes(needed)}"
        )


@constructor
def ensemble(net: Any, n: int) -> Layer:
    """Run ``n`` members of one kind, each with its own parameters, on the same inputs: outputs ``(n, …)``.

    Parameters, state, auxiliary losses and intermediate values have a leading axis of ``n``. Member *i*
    begins, and draws its keys, from ``fold_in(key, i)``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.ensemble(nn.dense(2), 5)
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros(3))
    >>> params["w"].shape, net(params, jnp.zeros(3)).shape
    ((5, 3, 2), (5, 2))
    """
    net = as_layer(net)
    _need_count("ensemble", n)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        return members(my, net, n, inputs, keywords)

    return Layer(forward, name="ensemble", parts=net.parts, inputs=net.inputs)


def members(
    my: Scope, net: Layer, n: int, inputs: tuple, keywords: Mapping[str, Any], *, axis: int | None = None
) -> Any:
    """Run ``n`` members of one kind, on the same inputs or, along ``axis``, each on its own."""
    params, held, run = branch(my, net, keywords, stack=(n,))
    _need_leading(my, n, params, *held)
    outputs, collected = jax.vmap(run, in_axes=(0, 0, 0, axis))(params, held, jnp.arange(n), inputs)
    collect(my, collected)
    return outputs


POLICIES = {
    "nothing": jax.checkpoint_policies.nothing_saveable,
    "dots": jax.checkpoint_policies.dots_saveable,
    "dots_no_batch": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "everything": jax.checkpoint_policies.everything_saveable,
}


@constructor
def remat(part: Any, policy: str = "nothing") -> Layer:
    """Recompute a part's intermediate values in the backward pass instead of keeping them.

    ``policy`` names what is kept all the same: ``"nothing"``, ``"dots"`` (every matrix product),
    ``"dots_no_batch"`` (those without a batch dimension) or ``"everything"``. See ``jax.checkpoint``.

    Raises:
        LayerError: another policy.

    >>> from jdl import nn
    >>> nn.remat(nn.dense(8), policy="dots")
    remat(dense(8), policy='dots')
    """
    part = as_layer(part)
    if policy not in POLICIES:
        raise LayerError(f"remat: unknown policy {policy!r}; choose one of {sorted(POLICIES)}")

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        params, held, run = branch(my, part, keywords, batched=True)
        outputs, collected = jax.checkpoint(
            lambda params, held, inputs: run(params, held, None, inputs), policy=POLICIES[policy]
        )(params, held, inputs)
        collect(my, collected)
        return outputs

    return Layer(forward, name="remat", parts=part.parts, inputs=part.inputs)


@constructor
def map(part: Any) -> Layer:  # noqa: A001  (nn.map, beside lax.map)
    """Run a part on every element of its inputs' leading axis, with shared parameters.

    Element *i* draws its keys from ``fold_in(key, i)``; state updates and auxiliary losses are averaged over
    the axis, intermediate values are stacked. Keyword inputs are given whole to every element.

    Raises:
        LayerError: inputs of different lengths.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.map(nn.dense(4))
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros((7, 3)))
    >>> params["w"].shape, net(params, jnp.zeros((7, 3))).shape
    ((3, 4), (7, 4))
    """
    part = as_layer(part)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        params, held, run = branch(my, part, keywords)
        length = batch_size(inputs, my._where())
        element = lambda i, inputs: run(params, held, i, inputs)
        outputs, collected = jax.vmap(element)(jnp.arange(length), inputs)
        for path in collected.stored:
            raise LayerError(
                f"{path}: stores into a cache inside nn.map, whose elements have none of their own"
            )
        mean = lambda leaf: jnp.mean(leaf, axis=0).astype(leaf.dtype)
        updates, losses = jax.tree.map(mean, (collected.updates, collected.losses))
        collect(my, collected._replace(updates=updates, losses=losses))
        return outputs

    return Layer(forward, name="map", parts=part.parts, inputs=part.inputs)
