"""Recipes for a table by the network's name: from its schema to everything that defines a training run."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from jdl.models.task import Hyper
from jdl.train.recipe import Recipe, RecipeError

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

# The registry of networks. A saved model names one of them; each is a module of this package with
# `defaults(rows, schema) -> hyper-parameters` and `recipe(schema, hyper) -> Recipe`.
NETWORKS = (
    "linear",
    "mlp",
    "mlp_plr",
    "realmlp",
    "resnet",
    "tabm",
    "tabm_mini",
    "ft_transformer",
    "dcn_v2",
    "modern_nca",
)
DEFAULT = "mlp_plr"


class Network(NamedTuple):
    """A network of one's own for tables, which goes wherever the name of one of ``NETWORKS`` does.

    Args:
        name: what a saved model calls it; ``jdl.io.load(folder, registry=[network])`` finds it again.
        defaults: ``defaults(rows, schema) -> hyper-parameters``: plain numbers, texts and tuples, among them
            ``batch_size``, ``epochs`` and ``rows``.
        recipe: ``recipe(schema, hyper) -> jdl.Recipe``.

    >>> short = lambda rows, schema: defaults(rows, schema, "mlp") | {"epochs": 5}
    >>> mine = Network("mine", short, lambda schema, hyper: tabular(schema, "mlp")(hyper))
    >>> from jdl.data import Number, Schema, Target
    >>> function, hyper = recipe(Schema(Target("y", "regression"), numbers=(Number("x"),)), 100, mine)
    >>> function(hyper).epochs
    5
    """

    name: str
    defaults: Callable[[int, "Schema"], Hyper]
    recipe: Callable[["Schema", Hyper], Recipe]


def recipe(
    schema: "Schema", rows: int, network: str | Network = DEFAULT
) -> tuple[Callable[[Hyper], Recipe], Hyper]:
    """Give a good start for a table: ``(recipe function, hyper-parameters)`` for ``jdl.run`` or ``jdl.fit``.

    ``rows`` counts the training rows. See ``tabular`` and ``defaults``.

    >>> from jdl.data import Number, Schema, Target
    >>> schema = Schema(Target("y", "classification", classes=("no", "yes")), numbers=(Number("age"),))
    >>> function, hyper = recipe(schema, rows=1000)
    >>> function(hyper | {"epochs": 5}).batch_size
    32
    """
    return tabular(schema, network), defaults(rows, schema, network)


def defaults(rows: int, schema: "Schema", network: str | Network = DEFAULT) -> Hyper:
    """Give the hyper-parameters that ``tabular(schema, network)`` takes, for a number of training rows.

    They are plain numbers, texts and tuples. ``rows`` itself is one: schedules span
    ``epochs * ceil(rows / batch_size)`` steps.

    Raises:
        RecipeError: an unknown network.
    """
    return _module(network).defaults(rows, schema)


def tabular(schema: "Schema", network: str | Network = DEFAULT) -> Callable[[Hyper], Recipe]:
    """Make the recipe function of a schema; the same schema gives the same function.

    ``network`` is a name in ``models.NETWORKS``, whose module tells how it is trained, or a ``Network``.
    Everything that is learned from rows, the spread of a numeric target included, is learned inside the run.

    Raises:
        RecipeError: an unknown network; in the function, an unknown or missing hyper-parameter.
    """
    return _tabular(schema, network)


@lru_cache(maxsize=64)
def _tabular(schema: "Schema", network: str | Network) -> Callable[[Hyper], Recipe]:
    module = _module(network)
    known = module.defaults(1, schema).keys()

    def recipe(hyper: Hyper) -> Recipe:
        _check(hyper, known)
        return module.recipe(schema, hyper)

    return recipe


def check_network(name: str | Network) -> None:
    """Raise a RecipeError unless a network has this name, or is one."""
    if not isinstance(name, Network) and name not in NETWORKS:
        raise RecipeError(f"network: found {name!r}, needs one of {', '.join(NETWORKS)}")


def _module(network: str | Network) -> Any:
    check_network(network)
    if isinstance(network, Network):
        return network
    return import_module(f"jdl.models.{network}")


def _check(hyper: Mapping[str, Any], known: Collection[str]) -> None:
    for name in hyper:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"needs {', '.join(known)}"
            raise RecipeError(f"hyper-parameter {name!r} is unknown; {hint}")
    missing = [name for name in known if name not in hyper]
    if missing:
        raise RecipeError(
            f"hyper-parameter {missing[0]!r} is missing; start from models.defaults(rows, schema, network)"
        )
    for name in ("batch_size", "epochs", "rows"):
        if not isinstance(hyper[name], int) or hyper[name] < 1:
            raise RecipeError(
                f"hyper-parameter {name!r}: found {hyper[name]!r}, needs an integer of at least 1"
            )
