"""Flax modules as layers: Linen and NNX. Flax is imported at the first use."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.constructor import constructor
from jdl.nn.layer import Layer
from jdl.nn.scope import BATCH, Scope, held, own
from jdl.nn.spec import STATIC, LayerError, convert, shapes

# Arguments by which Flax modules are told what a pass is for, and their value in a stochastic one.
SWITCHES = {
    "train": True,
    "training": True,
    "is_training": True,
    "deterministic": False,
    "use_running_average": False,
}
ENTRY = "flax"  # the name of the module's trees in params and in state


@constructor
def from_flax(module: Any, *, stochastic: str | None = None, deterministic: str | None = None) -> Layer:
    """Use a Flax module as a layer: its parameters in ``params``, all its other variables in ``state``.

    ``module`` is a Linen module, an NNX module (its values are the initial ones), or a function
    ``rngs -> NNX module``, from which ``init`` draws. It is called with a leading axis of one on every array.

    A module learns that the pass is stochastic, or not, from whichever of ``train``, ``training``,
    ``is_training``, ``deterministic`` and ``use_running_average`` its ``__call__`` takes. Where they are
    called otherwise, ``stochastic`` names the argument that is True in training, ``deterministic`` the one
    that is True in prediction. NNX modules are also put in evaluation mode (``module.eval()``) to predict.
    Other arguments of ``__call__`` with a default are keyword inputs. Random numbers come from ``my.key()``.

    A batch norm needs ``axis_name="batch"``: it would otherwise see one example. Flax knows no weights: rows
    of weight zero, in whose place it gets copies of another row, count in its statistics.

    Raises:
        LayerError: a batch norm without ``axis_name="batch"``, by its path in the module; an argument named
            that ``__call__`` does not take; an output without the leading axis.

    >>> import flax.linen, jax, jax.numpy as jnp
    >>> from jdl import nn
    >>> net = nn.chain(nn.from_flax(flax.linen.Dense(4)), nn.relu, nn.dense(2))
    >>> params, state = net.init(jax.random.key(0), jnp.zeros(3))
    >>> params["from_flax"]["flax"]["kernel"].shape, net(params, jnp.zeros(3)).shape
    ((3, 4), (2,))
    """
    from flax import linen, nnx

    called: Any = module
    if isinstance(module, linen.Module):
        foreign = partial(_linen, module)
    elif isinstance(module, nnx.Module) or callable(module):
        make = (lambda rngs: module) if isinstance(module, nnx.Module) else module
        called = module if isinstance(module, nnx.Module) else _abstract(module)
        foreign = partial(_nnx, make, called)
    else:
        raise LayerError(
            "from_flax: needs a Linen module, an NNX module, or a function of rngs that makes one; "
            f"found {module!r}"
        )
    switches, others = _arguments(called, stochastic, deterministic)

    def forward(my: Scope, *inputs: Any, **keywords: Any) -> Any:
        inputs, keywords = _map_arrays(lambda leaf: jnp.asarray(leaf)[None], (inputs, keywords))
        keywords |= {name: value == my.stochastic for name, value in switches.items()}
        try:
            outputs = foreign(my, inputs, keywords)
        except NameError as error:
            if BATCH not in str(error):
                raise
            raise LayerError(
                f"{my._where()}: a Flax batch norm needs the batch axis in a stochastic pass; "
                "run the network through nn.batched(net)(params, state, xs, key=…)"
            ) from None
        return jax.tree.map(partial(_first, my), outputs)

    return Layer(forward, name="from_flax", inputs=others)


def _arguments(
    module: Any, stochastic: str | None, deterministic: str | None
) -> tuple[dict[str, bool], frozenset[str]]:
    """Give the module's switches, with their values in a stochastic pass, and its other keyword arguments."""
    taken = inspect.signature(module.__call__).parameters
    named = {name: value for name, value in ((stochastic, True), (deterministic, False)) if name is not None}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    for name in named:
        if name not in taken and not open_ended:
            kind = type(module).__name__
            raise LayerError(f"from_flax: {kind}.__call__ takes no {name!r}; it takes {sorted(taken)}")
    # A switch that is already set as an attribute may not be given again.
    free = [name for name in SWITCHES if name in taken and getattr(module, name, None) is None]
    switches = named or {name: SWITCHES[name] for name in free}
    optional = {name for name, p in taken.items() if p.default is not p.empty or p.kind is p.KEYWORD_ONLY}
    return switches, frozenset(optional - switches.keys() - SWITCHES.keys())


def _map_arrays(function: Callable[[Any], Any], values: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf if isinstance(leaf, STATIC) else function(leaf), values)


def _first(my: Scope, y: Any) -> Any:
    if jnp.shape(y)[:1] != (1,):
        raise LayerError(
            f"{my._where()}: the module gave an output of shape {jnp.shape(y)}, needs (1, …): "
            "it must keep the leading axis of its inputs"
        )
    return y[0]


def _params(my: Scope, tree: Any, init: Callable[..., Any]) -> Any:
    """Read the module's parameters, which are one entry."""
    if not jax.tree.leaves(tree):
        return tree
    run = my._claim(ENTRY)
    params = (run.read or own)(my, ENTRY, tree, init, None)
    return params if run.dtype is None else convert(params, run.dtype)


def _state(my: Scope, tree: Any, init: Callable[..., Any]) -> Any:
    return held(my, ENTRY, tree, init, None) if jax.tree.leaves(tree) else tree


def _keep(my: Scope, old: Any, new: Any) -> None:
    """Set the state for the next step."""
    if my.stochastic and jax.tree.leaves(old):
        new = jax.lax.stop_gradient(new)
        my.update(**{ENTRY: jax.tree.map(lambda before, after: after.astype(before.dtype), old, new)})


def _refuse_batch_norm(my: Scope, path: str, axis_name: Any) -> None:
    """Refuse a batch norm that does not run over every axis the batch has."""
    names = (axis_name,) if isinstance(axis_name, str) else tuple(axis_name or ())
    needed = my._live().axes
    if set(names) != set(needed):
        needs = repr(needed[0]) if len(needed) == 1 else repr(needed)
        raise LayerError(
            f"{my._where()}: the Flax batch norm {path} has axis_name={axis_name!r}, "
            f"needs axis_name={needs}: one example is not the batch"
        )


# --- Linen -------------------------------------------------------------------------------------------------


def _linen(module: Any, my: Scope, inputs: tuple, keywords: Mapping[str, Any]) -> Any:
    from flax import linen

    given = shapes((inputs, dict(keywords)))

    def start(key: Any) -> tuple[Any, Any]:
        inputs, keywords = _map_arrays(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), given)
        variables = dict(module.init(key, *inputs, **keywords))
        return variables.pop("params", {}), variables

    def check(call: Callable[..., Any], args: tuple, kwargs: dict, context: Any) -> Any:
        norm = context.module
        if my.stochastic and isinstance(norm, linen.BatchNorm) and context.method_name == "__call__":
            by_call = args[1] if len(args) > 1 else kwargs.get("use_running_average")
            if not (norm.use_running_average if by_call is None else by_call):
                _refuse_batch_norm(my, "/".join(norm.path), norm.axis_name)
        return call(*args, **kwargs)

    with linen.intercept_methods(check):
        params, state = jax.eval_shape(start, jax.random.key(0))
        params = _params(my, params, lambda key, shape, dtype: start(key)[0])
        state = _state(my, state, lambda key, shape, dtype: start(key)[1])
        variables = {"params": params, **state}
        if not my.stochastic:
            return module.apply(variables, *inputs, **keywords)
        outputs, after = module.apply(variables, *inputs, **keywords, rngs=my.key(), mutable=list(state))
    _keep(my, state, after)
    return outputs


# --- NNX ---------------------------------------------------------------------------------------------------


def _nnx(
    make: Callable[..., Any], example: Any, my: Scope, inputs: tuple, keywords: Mapping[str, Any]
) -> Any:
    from flax import nnx

    graph, *kinds = _parts(example)
    params, rngs, state = shapes([_pure(kind) for kind in kinds])

    def start(key: Any) -> list[Any]:
        return [_pure(kind) for kind in _parts(make(rngs=nnx.Rngs(key)))[1:]]

    params = _params(my, params, lambda key, shape, dtype: start(key)[0])
    state = _state(my, state, lambda key, shape, dtype: start(key)[2])
    trees = params, _streams(my.key(), rngs), state
    model = nnx.merge(graph, *[_filled(kind, tree) for kind, tree in zip(kinds, trees, strict=True)])
    if my.stochastic:
        _check_nnx(my, model)
    else:
        model.eval()
    outputs = model(*inputs, **keywords)
    _keep(my, state, _pure(_parts(model)[3]))
    return outputs


def _abstract(make: Callable[..., Any]) -> Any:
    """Make an NNX module of shapes."""
    from flax import nnx

    model = nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0)))
    if not isinstance(model, nnx.Module):
        raise LayerError(f"from_flax: needs a function of rngs that makes an NNX module; it made {model!r}")
    return model


def _parts(model: Any) -> tuple[Any, Any, Any, Any]:
    """Split an NNX module: its graph, parameters, random streams, and other variables but what it sows."""
    from flax import nnx

    graph, params, *rest = nnx.split(model, nnx.Param, nnx.RngState, nnx.Intermediate, ...)
    rngs, _, state = rest
    return graph, params, rngs, state


def _pure(kind: Any) -> Any:
    """Give a part of an NNX module as nested dicts of arrays by name."""
    from flax import nnx

    def named(tree: Any) -> Any:
        return {str(key): named(tree[key]) for key in tree} if isinstance(tree, Mapping) else tree

    return named(nnx.to_pure_dict(kind))


def _filled(kind: Any, tree: Any) -> Any:
    """Give a part of an NNX module with the arrays of ``tree``."""
    from flax import nnx

    kind = jax.tree.map(lambda leaf: leaf, kind)  # a copy: what comes next is in place
    nnx.replace_by_pure_dict(kind, tree)
    return kind


def _streams(key: Any, rngs: Any) -> Any:
    """Start every random stream of an NNX module from ``key``."""
    leaves, structure = jax.tree.flatten(rngs)
    key = jax.random.key(0) if key is None else key  # in prediction no stream is drawn from

    def one(i: int, leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jnp.zeros(leaf.shape, leaf.dtype)  # how often it has been drawn from
        own_key = jax.random.fold_in(key, i)
        return jax.random.split(own_key, leaf.shape) if leaf.shape else own_key

    return jax.tree.unflatten(structure, [one(i, leaf) for i, leaf in enumerate(leaves)])


def _check_nnx(my: Scope, model: Any) -> None:
    from flax import nnx

    for path, part in nnx.iter_graph(model):
        if isinstance(part, nnx.BatchNorm) and not part.use_running_average:
            _refuse_batch_norm(my, "/".join(map(str, path)), part.axis_name)
