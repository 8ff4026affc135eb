"""The core: a layer is a value holding two pure functions, written as one function of its parts and inputs.

    init(key, *inputs)                       -> (params, state)
    apply(params, state, *inputs, key=None)  -> (outputs, state)

A layer sees one example; ``batched`` is the one place that maps it over a batch. A key makes the pass
stochastic (training); without one it is deterministic prediction. State is a tree of its own.

A layer's function gets a scope, ``my`` that reads the trees of one pass and collects from it (``scope.py``).
Initialising is the same pass, traced once without arrays, in which the scope notes what is asked for; then
every entry is drawn from the key and its path (``spec.py``).
"""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jdl.nn.batch import batch_size as batch_size
from jdl.nn.batch import batched as batched
from jdl.nn.constructor import Built, constructor, is_constructor
from jdl.nn.scope import BATCH, RESERVED, Call, Pass, Scope, call, join_path
from jdl.nn.scope import inline as inline
from jdl.nn.spec import LayerError as LayerError
from jdl.nn.spec import Spec, draw, partition
from jdl.nn.spec import fold as fold
from jdl.nn.trees import nest, replaced


class Layer(Built):
    """A network: ``init`` and ``apply`` derived from one private forward function.

    Called as ``layer(params, *inputs)`` it predicts, for a network without state.
    """

    __slots__ = ("_forward", "inputs", "parts")

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        name: str,
        module: str = "",
        parts: Mapping[str, "Layer"] | None = None,
        inputs: frozenset[str] = frozenset(),
    ):
        super().__init__(name, module)
        self._forward = forward
        self.parts = dict(parts or {})
        self.inputs = inputs  # the keyword inputs it declares

    def renamed(self, name: str) -> "Layer":
        return Layer(self._forward, name=name, parts=self.parts, inputs=self.inputs)

    def __repr__(self) -> str:
        return kind(self) if is_function(self) else super().__repr__()

    def init(self, key: jax.Array, *inputs: Any, **keywords: Any) -> tuple[dict, dict]:
        """Make ``(params, state)``; of ``inputs`` (arrays or ShapeDtypeStructs) only shapes are read.

        The tree is found by one abstract trace of the training pass on one example; then every entry is
        drawn from ``key`` and its own path, so inserting a named part leaves the others' values unchanged.
        """
        specs = self.specs(*inputs, **keywords)
        return nest(draw(specs["params"], key)), nest(draw(specs["state"], key))

    def specs(self, *inputs: Any, **keywords: Any) -> dict[str, dict[str, Spec]]:
        """Give ``{"params": {path: Spec}, "state": {path: Spec}}`` without allocating an array."""
        return abstract_pass(self, inputs, keywords).specs

    def init_cache(self, *inputs: Any, **keywords: Any) -> dict:
        """Make an empty decoding cache for one example, of ``inputs`` as long as any to be decoded.

        Given to ``apply`` as ``cache=`` with the new positions alone, it stands for those before.

        >>> import jax, jax.numpy as jnp
        >>> from jdl import nn
        >>> net, x = nn.attention(1, causal=True), jnp.ones((3, 2))
        >>> params, state = net.init(jax.random.key(0), x)
        >>> cache = net.init_cache(x)
        >>> (first, cache), state = net.apply(params, state, x[:1], cache=cache)
        >>> (rest, cache), state = net.apply(params, state, x[1:], cache=cache)
        >>> jnp.allclose(jnp.concatenate([first, rest]), net(params, x)).item()
        True
        """
        return nest(
            draw(abstract_pass(self, inputs, keywords, caching=True).specs["cache"], jax.random.key(0))
        )

    def apply(
        self, params: Any, state: Any, *inputs: Any, key: Any = None, cache: Any = None, **keywords: Any
    ) -> tuple[Any, Any]:
        """Run one example: ``(outputs, state)``. With ``key`` the pass is stochastic, else prediction.

        With ``cache`` (from ``init_cache``) ``inputs`` continue those before: ``((outputs, cache), state)``.
        """
        run = Pass(params, state, key, cache=cache)
        outputs = call(run, self, "", inputs, keywords)
        return run.with_cache(outputs), replaced(state, run.updates)

    def __call__(self, params: Any, *inputs: Any, cache: Any = None, **keywords: Any) -> Any:
        run = Pass(params, None, cache=cache)
        return run.with_cache(call(run, self, "", inputs, keywords))


class Traced(NamedTuple):
    """What initialising found: the entries by kind (params, state) and path, and the calls as they ended."""

    specs: dict[str, dict[str, Spec]]
    calls: list[Call]


def abstract_pass(net: Layer, inputs: tuple, keywords: Mapping[str, Any], *, caching: bool = False) -> Traced:
    """Trace the training pass of one example under a batch axis of one, without an array."""
    kinds = ("params", "state", "cache") if caching else ("params", "state")
    specs: dict[str, dict[str, Spec]] = {kind: {} for kind in kinds}
    calls: list[Call] = []
    arrays, merge = partition(keywords)

    def one(key: Any, inputs: tuple, arrays: Any) -> None:
        call(Pass(None, None, key, specs=specs, calls=calls), net, "", inputs, dict(merge(arrays)))

    def of_one(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((1, *jnp.shape(leaf)), jnp.result_type(leaf))

    batch = jax.tree.map(of_one, (jax.eval_shape(jax.random.key, 0), inputs, arrays))
    jax.eval_shape(jax.vmap(one, axis_name=BATCH), *batch)
    called = {made.path for made in calls}
    for made in calls:
        for path in (join_path(made.path, name) for name in made.layer.parts):
            if path not in called:
                raise LayerError(f"{path}: a part of {made.layer.name} that is never called")
    return Traced(specs, calls)


def layer(function: Callable[..., Any] | None = None, /, **parts: Any) -> Any:
    """Make a layer of one function ``f(my, *inputs)``; other layers are its named parts.

    ``my`` gives the parts (``my.attn(x)``), ``my.param``, ``my.state``, ``my.update``, ``my.key``,
    ``my.stochastic``, ``my.batch_mean``, ``my.loss``, ``my.cache`` and ``my.store``. Parameters of
    ``function`` that have a default, or that are keyword-only, are its keyword inputs.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> @nn.layer
    ... def scale(my, x):
    ...     return x * my.param("s", x.shape, nn.init.ones)
    >>> params, state = scale.init(jax.random.key(0), jnp.zeros(3))
    >>> scale(params, jnp.arange(3.0)).tolist()
    [0.0, 1.0, 2.0]
    """
    if function is None:
        return lambda function: layer(function, **parts)
    named = _named(function.__name__, parts)
    return Layer(
        function,
        name=function.__name__,
        module=function.__module__,
        parts=named,
        inputs=_keyword_inputs(function, named),
    )


def _named(owner: str, parts: Mapping[str, Any]) -> dict[str, Layer]:
    for name in parts:
        if name in RESERVED or name.startswith("_") or not name.isidentifier():
            raise LayerError(
                f"{name!r} cannot name a part of {owner}; needs an identifier without a leading underscore, "
                f"none of {sorted(RESERVED)}"
            )
    return {name: as_layer(part) for name, part in parts.items()}


def _keyword_inputs(function: Callable[..., Any], parts: Mapping[str, Layer]) -> frozenset[str]:
    try:
        signature = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return frozenset()
    named = {p.name for p in signature if p.default is not p.empty and p.kind is not p.POSITIONAL_ONLY}
    named |= {p.name for p in signature if p.kind is p.KEYWORD_ONLY}
    if named & {"key", "weight", "cache"}:
        raise LayerError(
            f"{getattr(function, '__name__', function)}: 'key', 'weight' and 'cache' cannot name keyword "
            "inputs; they are those of the pass, and a layer draws its keys with my.key()"
        )
    if any(p.kind is p.VAR_KEYWORD for p in signature):
        named |= all_inputs(parts)
    return frozenset(named)


@constructor
def function(f: Callable[..., Any]) -> Layer:
    """Make a layer of a plain function ``f(*inputs)``: ``jnp.tanh``, ``jax.nn.gelu``, a lambda.

    >>> import jax.numpy as jnp
    >>> from jdl import nn
    >>> nn.function(jnp.tanh)({}, jnp.zeros(2)).tolist()
    [0.0, 0.0]
    """

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        return f(*inputs, **keywords)

    return Layer(forward, name="function", inputs=_keyword_inputs(f, {}))


def as_layer(part: Any) -> Layer:
    """Give ``part`` itself when it is a layer, or the layer of a plain function."""
    if isinstance(part, Layer):
        return part
    if is_constructor(part):
        raise LayerError(f"needs a layer, found the function that makes one: call it, {part.__name__}(…)")
    if callable(part):
        return function(part)
    raise LayerError(f"needs a layer or a function, found {type(part).__name__}: {part!r}")


def is_function(part: Layer) -> bool:
    """Whether ``part`` is a plain function made a layer."""
    return part.origin is not None and part.origin.constructor is function


def kind(part: Layer) -> str:
    """Give the name by which ``chain`` calls an unnamed part."""
    named = part.origin.args[0] if part.origin and is_function(part) else part
    name = getattr(named, "__name__", getattr(named, "name", type(named).__name__))
    return "function" if name == "<lambda>" else name


def numbered(owner: str, parts: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Layer]:
    """Name parts by kind (``dense``, ``dense_1``, …); those that have a name come last."""
    seen: Counter = Counter()
    steps = {}
    for part in map(as_layer, parts):
        name = kind(part).strip("_")
        steps[f"{name}_{seen[name]}" if seen[name] else name] = part
        seen[name] += 1
    if len(steps) < len(parts) or steps.keys() & named.keys():
        raise LayerError(f"{owner}: two parts of one name among {[*steps, *named]}; name them apart")
    return _named(owner, {**steps, **named})


def all_inputs(parts: Mapping[str, Layer]) -> frozenset[str]:
    """Give the keyword inputs that any of ``parts`` declares."""
    return frozenset().union(*(part.inputs for part in parts.values()))


def use(my: Scope, name: str, inputs: tuple, keywords: Mapping[str, Any]) -> Any:
    """Call a part by name, with those of the keyword inputs that it declares."""
    part = my._layer.parts[name]
    return getattr(my, name)(*inputs, **{key: value for key, value in keywords.items() if key in part.inputs})


@constructor
def chain(*parts: Any, **named: Any) -> Layer:
    """Run parts one after the other; unnamed parts are numbered by kind, named ones come last.

    The first part gets all inputs. Keyword inputs go to the parts that declare them. One object given twice
    is two parts with their own parameters.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.chain(nn.dense(8), jnp.tanh, head=nn.dense(2))
    >>> params, state = net.init(jax.random.key(0), jnp.zeros(3))
    >>> sorted(params), net(params, jnp.ones(3)).shape
    (['dense', 'head'], (2,))
    """
    steps = numbered("chain", parts, named)
    if not steps:
        raise LayerError("chain: needs at least one part")

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        for name in steps:
            inputs = (use(my, name, inputs, keywords),)
        return inputs[0]

    return Layer(forward, name="chain", parts=steps, inputs=all_inputs(steps))
