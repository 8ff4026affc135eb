"""Values that remember how they were built: one mechanism for identity, ``repr``, pickle and saving."""

import functools
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple


class Origin(NamedTuple):
    """The call that built a value, ``constructor(*args, **kwargs)``, without arguments at their defaults."""

    constructor: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Built:
    """A value made by a ``constructor``: equal calls give the same object."""

    __slots__ = ("__weakref__", "module", "name", "origin")

    def __init__(self, name: str, module: str = ""):
        self.name = name
        self.module = module
        self.origin: Origin | None = None

    def renamed(self, name: str) -> "Built":
        """Give a copy under another name."""
        raise NotImplementedError

    def __copy__(self) -> "Built":
        return self

    def __deepcopy__(self, memo: dict) -> "Built":
        return self

    def __reduce__(self) -> Any:
        if self.origin is not None:
            constructor, args, kwargs = self.origin
            return _rebuild, (constructor, _each(_portable, args), _each(_portable, kwargs))
        if getattr(sys.modules.get(self.module), self.name, None) is self:
            return _find, (self.module, self.name)
        raise pickle.PicklingError(
            f"{self.name}: a {type(self).__name__.lower()} made inside a function cannot be pickled; "
            "decorate the function that makes it with nn.constructor"
        )

    def __repr__(self) -> str:
        if self.origin is None:
            return self.name
        shown = [_show(value) for value in self.origin.args]
        shown += [f"{name}={_show(value)}" for name, value in self.origin.kwargs.items()]
        return f"{self.origin.constructor.__name__}({', '.join(shown)})"


def _show(value: Any) -> str:
    name = None if isinstance(value, Built) else getattr(value, "__name__", None)
    return name if callable(value) and name is not None else repr(value)


class _Public(NamedTuple):
    """A function of JAX under its public name, for one does not pickle by the module it says it is from."""

    module: str
    name: str

    def __reduce__(self) -> Any:
        return _find, tuple(self)


def _find(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def _portable(value: Any) -> Any:
    name = getattr(value, "__name__", None)
    for module in ("jax.numpy", "jax.nn"):
        if isinstance(name, str) and getattr(sys.modules.get(module), name, None) is value:
            return _Public(module, name)
    return value


def _each(function: Callable[[Any], Any], value: Any) -> Any:
    """Map over nested lists, tuples and dicts."""
    if type(value) in (list, tuple):
        return type(value)(_each(function, item) for item in value)
    if type(value) is dict:
        return {name: _each(function, item) for name, item in value.items()}
    return function(value)


def _rebuild(constructor: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    return constructor(*args, **kwargs)


_made: weakref.WeakValueDictionary = weakref.WeakValueDictionary()
_constructors: weakref.WeakSet = weakref.WeakSet()
_lock = threading.RLock()


def constructor(build: Callable[..., Any]) -> Callable[..., Any]:
    """Make calls of ``build`` with equal arguments give the same object.

    The object then hashes and compares as itself, so a rebuilt model hits every ``jit`` cache; it prints as
    the call, pickles as the call, and copies to itself. Arguments are compared with their types (``1`` is not
    ``1.0``). A call with an argument that cannot be hashed (an array, a traced value) makes a new object.

    >>> from jdl import nn
    >>> @nn.constructor
    ... def head(classes):
    ...     return nn.chain(nn.dense(32), nn.relu, nn.dense(classes))
    >>> head(3) is head(3), head(3)
    (True, head(3))
    """
    signature = inspect.signature(build)

    @functools.wraps(build)
    def construct(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = _shortest(signature.bind(*args, **kwargs))
        try:
            identity = (construct, _typed(args), _typed(kwargs))
            hash(identity)
        except TypeError:
            return _remember(build, construct, args, kwargs)
        with _lock:
            made = _made.get(identity)
            if made is None:
                made = _made[identity] = _remember(build, construct, args, kwargs)
        return made

    _constructors.add(construct)
    return construct


def is_constructor(value: Any) -> bool:
    """Whether ``value`` is a function that ``constructor`` made."""
    return inspect.isfunction(value) and value in _constructors


def _remember(build: Callable[..., Any], construct: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
    made = build(*args, **kwargs)
    if not isinstance(made, Built):
        raise TypeError(
            f"{build.__name__}: a constructor gives a layer or an initializer, found {type(made).__name__}; "
            "make a plain function a layer with nn.function"
        )
    # A copy, because ``build`` may return a value that another call made and that keeps its own origin.
    made = made.renamed(build.__name__)
    made.origin = Origin(construct, args, kwargs)
    return made


def _shortest(bound: inspect.BoundArguments) -> tuple[tuple, dict]:
    """Write a call in one way however it was spelled: without defaults, and what has a default by name.

    Lists and dicts are copied, so that the caller may change them later.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    given = {name: _each(lambda item: item, value) for name, value in bound.arguments.items()}
    parameters = bound.signature.parameters
    spread = any(parameters[name].kind is inspect.Parameter.VAR_POSITIONAL for name in given)
    for name, parameter in parameters.items():
        default, kind = parameter.default, parameter.kind
        value = given.get(name, default)
        if kind is parameter.VAR_POSITIONAL:
            args += given.get(name, ())
        elif kind is parameter.VAR_KEYWORD:
            kwargs |= given.get(name, {})
        elif kind is not parameter.KEYWORD_ONLY and (
            spread or default is parameter.empty or kind is parameter.POSITIONAL_ONLY
        ):
            args.append(value)
        elif _typed(value) != _typed(default):
            kwargs[name] = value
    return tuple(args), kwargs


def _typed(value: Any) -> Any:
    if isinstance(value, float):
        return type(value), value.hex()
    if isinstance(value, tuple | list):
        return type(value), tuple(_typed(item) for item in value)
    if isinstance(value, dict):
        return dict, tuple((_typed(name), _typed(item)) for name, item in value.items())
    return type(value), value
