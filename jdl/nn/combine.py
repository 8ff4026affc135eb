"""Combinators that run their parts in the pass itself: side by side, summed, cast, listened to."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jdl import tree
from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer, all_inputs, as_layer, numbered, use
from jdl.nn.scope import Scope, inline
from jdl.nn.spec import LayerError, convert


@constructor
def residual(part: Any) -> Layer:
    """Add a part's output to its first input: :math:`y = x + f(x)` (He et al. 2016).

    Raises:
        LayerError: the part changes its input's shape.

    >>> from jdl import nn
    >>> nn.residual(nn.chain(nn.dense(8), nn.relu, nn.dense(8)))
    residual(chain(dense(8), relu, dense(8)))
    """
    part = as_layer(part)

    def forward(my: Scope, x: Any, *others: Any, **keywords: Any) -> Any:
        y = inline(my, part, (x, *others), keywords)
        if jnp.shape(y) != jnp.shape(x):
            raise LayerError(
                f"{my._where()}: a residual part must keep its input's shape; "
                f"found {jnp.shape(y)}, needs {jnp.shape(x)}"
            )
        return x + y

    return Layer(forward, name="residual", parts=part.parts, inputs=part.inputs)


@constructor
def parallel(*parts: Any, **named: Any) -> Layer:
    """Run parts side by side on the same inputs: the outputs are a tuple, in order.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.parallel(nn.dense(2), mean=nn.dense(1))
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros(3))
    >>> [y.shape for y in net(params, jnp.zeros(3))]
    [(2,), (1,)]
    """
    branches = numbered("parallel", parts, named)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        return tuple(use(my, name, inputs, keywords) for name in branches)

    return Layer(forward, name="parallel", parts=branches, inputs=all_inputs(branches))


@constructor
def concat(*parts: Any, axis: int = -1, **named: Any) -> Layer:
    """Run parts side by side on the same inputs, and join their outputs along ``axis``.

    Raises:
        LayerError: outputs whose other axes differ.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.concat(nn.dense(2), jnp.square)
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros(3))
    >>> net(params, jnp.zeros(3)).shape
    (5,)
    """
    return _joined("concat", jnp.concatenate, axis, parts, named)


@constructor
def stack(*parts: Any, axis: int = 0, **named: Any) -> Layer:
    """Run parts side by side on the same inputs, and stack their outputs along a new ``axis``.

    For parts of one kind ``nn.ensemble`` does it in one program, several times faster.

    Raises:
        LayerError: outputs of different shapes.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.stack(jnp.sin, jnp.cos)({}, jnp.zeros(3)).tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    return _joined("stack", jnp.stack, axis, parts, named)


def _joined(
    name: str, join: Callable[..., Any], axis: int, parts: tuple[Any, ...], named: dict[str, Any]
) -> Layer:
    branches = numbered(name, parts, named)
    if not branches:
        raise LayerError(f"{name}: needs at least one part")

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        outputs = [use(my, branch, inputs, keywords) for branch in branches]
        try:
            return join(outputs, axis)
        except (TypeError, ValueError) as error:
            found = dict(zip(branches, map(jnp.shape, outputs), strict=True))
            raise LayerError(
                f"{my._where()}: cannot {name} outputs of the shapes {found}: {error}"
            ) from error

    return Layer(forward, name=name, parts=branches, inputs=all_inputs(branches))


@constructor
def without_key(part: Any) -> Layer:
    """Run a part deterministically also in a stochastic pass: no dropout, running statistics, no update.

    >>> from jdl import nn
    >>> nn.without_key(nn.chain(nn.batch_norm(), nn.dropout(0.5)))
    without_key(chain(batch_norm(), dropout(0.5)))
    """
    part = as_layer(part)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        return inline(my, part, inputs, keywords, key=None)

    return Layer(forward, name="without_key", parts=part.parts, inputs=part.inputs)


@constructor
def cast(part: Any, dtype: Any = jnp.bfloat16) -> Layer:
    """Compute a part in ``dtype``; parameters stay float32, outputs come back as float32.

    Inside another ``cast`` the outputs come back in that one's dtype. Norms, softmax and losses compute in
    float32 whatever the dtype, and so does what a layer asks for with ``my.param(…, dtype=jnp.float32)``.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.cast(nn.dense(4), jnp.bfloat16)
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros(3))
    >>> params["w"].dtype, net(params, jnp.zeros(3)).dtype
    (dtype('float32'), dtype('float32'))
    """
    part = as_layer(part)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        inputs, keywords = convert((inputs, keywords), dtype)
        outputs = inline(my, part, inputs, keywords, dtype=dtype)
        return convert(outputs, my._live().dtype or jnp.float32)

    return Layer(forward, name="cast", parts=part.parts, inputs=part.inputs)


@constructor
def intermediates(net: Any, pattern: str = "*") -> Layer:
    """Give ``(outputs, {path: output})``: also the outputs of the parts whose path fits ``pattern``.

    Paths are those below ``net``. A part called again is listed as ``path#2``; inside ``nn.repeat``,
    ``nn.map`` and ``nn.ensemble`` outputs are stacked on a leading axis.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.chain(nn.dense(4), nn.relu, nn.dense(2))
    >>> params, _ = net.init(jax.random.key(0), jnp.zeros(3))
    >>> y, inside = nn.intermediates(net, "relu")(params, jnp.zeros(3))
    >>> inside["relu"].shape
    (4,)
    """
    net = as_layer(net)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        run, above = my._live(), my._live().watch
        taps: dict[str, Any] = {}

        def below(path: str) -> str:
            return path.removeprefix(my._path).strip("/")

        def mine(path: str) -> bool:
            return tree.matches(pattern, below(path).partition("#")[0])

        def watch(path: str) -> bool:
            return mine(path) or (above is not None and above(path))

        outputs = inline(my, net, inputs, keywords, taps=taps, watch=watch)
        for path, value in taps.items():
            if above is not None and above(path):
                run.add_tap(path, value)
        return outputs, {below(path): value for path, value in taps.items() if mine(path)}

    return Layer(forward, name="intermediates", parts=net.parts, inputs=net.inputs)


@constructor
def with_losses(net: Any) -> Layer:
    """Give ``(outputs, {path: value})``: also the auxiliary losses that the parts add with ``my.loss``.

    Paths are those below ``net``. Each is a scalar; inside ``nn.repeat`` and ``nn.ensemble`` they are
    stacked, inside ``nn.map`` averaged. What is given here is not added to the objective.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> @nn.layer
    ... def quiet(my, x):
    ...     my.loss("energy", jnp.sum(x**2))
    ...     return x
    >>> nn.with_losses(quiet)({}, jnp.ones(3))[1]["energy"].item()
    3.0
    """
    net = as_layer(net)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        losses: dict[str, Any] = {}
        outputs = inline(my, net, inputs, keywords, losses=losses)
        return outputs, {path.removeprefix(my._path).strip("/"): value for path, value in losses.items()}

    return Layer(forward, name="with_losses", parts=net.parts, inputs=net.inputs)
