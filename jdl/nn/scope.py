"""One forward pass, and the scope through which a layer's function sees it as ``my``."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state

from jdl.nn.spec import LayerError, Spec, fitted, fold, match, shapes, stacked, zeros
from jdl.nn.trees import replaced

if TYPE_CHECKING:
    from jdl.nn.layer import Layer

BATCH = "batch"  # the name of the mapped axis inside ``batched``


class Call(NamedTuple):
    """One use of a part, as initialising saw it: shapes in place of arrays."""

    path: str
    layer: "Layer"
    inputs: tuple
    keywords: dict[str, Any]
    outputs: Any


def trace_now() -> Any:
    """Identify the JAX transform being traced, to notice a part called under a foreign one."""
    return get_opaque_trace_state(convention="jdl")


@dataclass
class Pass:
    """What one forward pass reads and collects. Trees are nested by name; collections are keyed by path."""

    params: Any
    state: Any
    key: Any = None
    weight: Any = None
    cache: Any = None  # what decoding keeps of the positions seen, for this one example
    axes: tuple[str, ...] = (BATCH,)  # the mapped axes that make up the batch
    root: str = ""  # ``params`` and ``state`` begin at this path
    # Collected while initialising: entries by kind ("params", "state"; "cache" for ``init_cache``) and path,
    # and the calls as they end.
    specs: dict[str, dict[str, Spec]] | None = None
    calls: list[Call] = field(default_factory=list)
    # Collected in every pass.
    updates: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    taps: dict[str, Any] = field(default_factory=dict)
    uses: Counter = field(default_factory=Counter)
    # What combinators change for the parts below them.
    stack: tuple[int, ...] = ()  # the leading axes that entries have here
    dtype: Any = None  # what parameters are converted to for computing
    read: Callable[..., Any] | None = None  # how ``my.param`` gets its value
    watch: Callable[[str], bool] | None = None  # whether the output at a path goes to ``taps``
    barred: bool = False  # keys may not be drawn
    trace: Any = field(default_factory=trace_now)  # where keys may be drawn
    home: Any = field(default_factory=trace_now)  # where updates, losses and taps are collected
    batched: bool = False  # at ``home`` the batch axis is mapped, and only our own combinators lie in between

    def with_cache(self, outputs: Any) -> Any:
        """Give the outputs, and with them the cache as it now is where the pass has one."""
        return outputs if self.cache is None else (outputs, replaced(self.cache, self.stored))

    def add_loss(self, path: str, value: Any) -> None:
        self.losses[path] = self.losses[path] + value if path in self.losses else value

    def add_tap(self, path: str, value: Any) -> None:
        """Keep an output; that of a part called again as ``path#2``."""
        part = path.partition("#")[0]
        before = sum(other.partition("#")[0] == part for other in self.taps)
        self.taps[f"{part}#{before + 1}" if before else part] = value


def join_path(*names: str) -> str:
    """Join names, some of which may be empty, to a path."""
    return "/".join(name for name in names if name)


class Scope:
    """What a layer's function gets as ``my``: its parts by name, parameters, state, keys and batch means."""

    def __init__(self, run: Pass, layer: "Layer", path: str):
        self._run, self._layer, self._path = run, layer, path
        self._asked: set[str] = set()
        self._held: dict[str, Spec] = {}
        self._kept: dict[str, Spec] = {}
        self._open = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        part = self._layer.parts.get(name)
        if part is None:
            parts = sorted(self._layer.parts)
            raise AttributeError(f"{self._where()}: has no part {name!r}; its parts: {parts}")

        def use(*inputs: Any, key: Any = None, **keywords: Any) -> Any:
            run = self._live(name)
            if key is not None:  # its own key: drawn from in the transform where the part is called
                run = replace(run, key=key, uses=Counter(), barred=False, trace=trace_now())
            return call(run, part, join_path(self._path, name), inputs, keywords)

        return use

    @property
    def stochastic(self) -> bool:
        """Whether this pass was given a key."""
        return self._run.key is not None

    def param(self, name: str, shape: tuple[int, ...], init: Callable[..., Any], dtype: Any = None) -> Any:
        """Give the parameter ``name``; ``init(key, shape, dtype)`` makes it. Ask where its shape is known.

        It is float32, and inside ``nn.cast`` comes in the dtype to compute in; with ``dtype`` given, it is
        and stays that.
        """
        run = self._claim(name)
        read = run.read or own
        value = read(self, name, tuple(shape), init, jnp.float32 if dtype is None else dtype)
        return value if dtype is not None or run.dtype is None else value.astype(run.dtype)

    def state(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], dtype: Any = jnp.float32
    ) -> Any:
        """Give the state entry ``name``: a running statistic, the same for every example of a batch."""
        self._claim(name)
        return held(self, name, tuple(shape), init, dtype)

    def update(self, **values: Any) -> None:
        """Set state entries for the next step; each keeps its shape and dtype."""
        for name, value in values.items():
            path = self._where(name)
            if name not in self._held:
                raise LayerError(f"{path}: updated, but not asked for with my.state")
            run = self._live()
            at_home(run, path, "updates state")
            run.updates[join_path(self._path, name)] = fitted(path, value, self._held[name])

    def cache(
        self, name: str, shape: tuple[int, ...], init: Callable[..., Any], dtype: Any = jnp.float32
    ) -> Any:
        """Give the cache entry ``name``, kept of the positions before, or None in a pass without a cache.

        ``shape``, ``init`` and ``dtype`` are read only by ``init_cache``, whose inputs are as long as any to
        come; while decoding, the inputs hold the new positions alone.
        """
        run = self._claim(name)
        if run.cache is None and "cache" not in (run.specs or {}):
            return None
        path = join_path(self._path, name)
        value = (
            run.stored[path] if path in run.stored else _entry(self, "cache", name, Spec(init, shape, dtype))
        )
        self._kept[name] = Spec(init, jnp.shape(value), jnp.result_type(value))
        return value

    def store(self, **values: Any) -> None:
        """Set cache entries for the positions to come; does nothing in a pass without a cache."""
        run = self._live()
        if run.cache is None:
            return
        for name, value in values.items():
            path = self._where(name)
            if name not in self._kept:
                raise LayerError(f"{path}: stored, but not asked for with my.cache")
            at_home(run, path, "stores into the cache")
            run.stored[join_path(self._path, name)] = fitted(path, value, self._kept[name])

    def key(self) -> Any:
        """Give a fresh key at each call, or None in a deterministic pass."""
        run = self._live()
        if run.key is None:
            return None
        if run.barred or trace_now() != run.trace:
            raise LayerError(
                f"{self._where()}: draws a key under a JAX transform, where every step or row would get the "
                "same; use nn.repeat or nn.map, or give the part its own key: my.part(x, key=…)"
            )
        run.uses[self._path] += 1
        return fold(run.key, f"{self._path}#{run.uses[self._path]}")

    def batch_mean(self, x: Any) -> Any:
        """Give the weighted mean of ``x`` over the batch: the same array for every example."""
        run = self._live()
        try:
            if run.weight is None:
                return jax.lax.pmean(x, run.axes)
            total = jax.lax.psum(run.weight, run.axes)
            return jax.lax.psum(run.weight * x, run.axes) / jnp.where(total > 0, total, 1.0)
        except NameError:
            raise LayerError(
                f"{self._where()}: needs the batch axis in a stochastic pass; "
                "run the network through nn.batched(net)(params, state, xs, key=…)"
            ) from None

    def loss(self, name: str, value: Any) -> None:
        """Add an auxiliary loss, a scalar such as a mixture's balance; uses of one name add up."""
        run, path = self._live(), join_path(self._path, name)
        match(path, jnp.shape(value), ())
        at_home(run, path, "adds a loss")
        run.add_loss(path, value)

    def _where(self, name: str = "") -> str:
        return join_path(self._path, name) or self._layer.name

    def _live(self, name: str = "") -> Pass:
        if not self._open:
            raise LayerError(f"{self._where(name)}: called outside its layer's function")
        return self._run

    def _claim(self, name: str) -> Pass:
        if name in self._asked:
            raise LayerError(f"{self._where(name)}: asked for twice; keep the value of the first call")
        if name in self._layer.parts or not name or "/" in name:
            raise LayerError(f"{self._where(name)}: cannot name an entry; needs one without '/', of no part")
        self._asked.add(name)
        return self._live(name)


RESERVED = frozenset(name for name in vars(Scope) if not name.startswith("_"))


def at_home(run: Pass, path: str, does: str) -> None:
    """Refuse to collect what is made under a foreign transform: it could not leave it."""
    if trace_now() != run.home:
        raise LayerError(
            f"{path}: {does} under a JAX transform, from which it cannot leave; use nn.repeat or nn.map"
        )


def own(my: Scope, name: str, shape: Any, init: Callable[..., Any], dtype: Any) -> Any:
    """Read a parameter from the pass's parameters: what ``my.param`` does where no combinator changes it."""
    return _entry(my, "params", name, Spec(init, shape, dtype))


def held(my: Scope, name: str, shape: Any, init: Callable[..., Any], dtype: Any) -> Any:
    """Read a state entry: the value updated in this pass, else the one given."""
    run, path = my._run, join_path(my._path, name)
    if run.specs is None and run.state is None:
        raise LayerError(f"{path}: the network holds state; call net.apply(params, state, x)")
    my._held[name] = spec = Spec(init, shape, dtype)
    return run.updates[path] if path in run.updates else _entry(my, "state", name, spec)


def _entry(my: Scope, kind: str, name: str, spec: Spec) -> Any:
    run, path = my._run, join_path(my._path, name)
    if run.specs is not None:
        whole = stacked(spec, run.stack)
        match(path, run.specs[kind].setdefault(path, whole).shape, whole.shape)
        return zeros(spec)
    value = getattr(run, kind)
    for step in path.removeprefix(run.root).strip("/").split("/"):
        if not isinstance(value, Mapping) or step not in value:
            maker = "init_cache" if kind == "cache" else "init"
            raise LayerError(
                f"{path}: missing in {kind}, needs shape {spec.shape}; give what net.{maker} returned"
            )
        value = value[step]
    if spec.dtype is not None and kind != "cache":
        match(path, jnp.shape(value), spec.shape)
    return value


def call(run: Pass, layer: "Layer", path: str, inputs: tuple, keywords: Mapping[str, Any]) -> Any:
    """Run ``layer`` at ``path`` of a pass, and collect what the pass watches."""
    unknown = sorted(set(keywords) - layer.inputs)
    if unknown:
        takes = sorted(layer.inputs)
        raise LayerError(f"{path or layer.name}: unknown keyword input {unknown}; it takes {takes}")
    try:
        outputs = _forward(Scope(run, layer, path), inputs, keywords)
    except Exception as error:
        if path and not any(note.startswith("in layer") for note in getattr(error, "__notes__", ())):
            error.add_note(f"in layer {path}: {layer!r}")
        raise
    if run.specs is not None:
        run.calls.append(Call(path, layer, shapes(inputs), shapes(dict(keywords)), shapes(outputs)))
    if run.watch is not None and run.watch(path):
        at_home(run, path, "is watched by nn.intermediates")
        run.add_tap(path, outputs)
    return outputs


def inline(my: Scope, layer: "Layer", inputs: tuple, keywords: Mapping[str, Any], **changes: Any) -> Any:
    """Run ``layer`` in place of the caller, at the same path: for combinators that add no name."""
    run = replace(my._live(), **changes) if changes else my._live()
    return _forward(Scope(run, layer, my._path), inputs, keywords)


def _forward(my: Scope, inputs: tuple, keywords: Mapping[str, Any]) -> Any:
    try:
        return my._layer._forward(my, *inputs, **keywords)
    finally:
        my._open = False
