"""The preparation of a table's rows: one step for each kind of column, and what comes out of them."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jdl.features.categories import CategoryStep, Columns, ordinal
from jdl.features.dates import DateStep, calendar
from jdl.features.numbers import impute_constant, standard
from jdl.features.prepare import Prepare, Summary, chain, same_folds
from jdl.features.texts import ngrams

if TYPE_CHECKING:  # readers of tables are not needed to prepare them
    from jdl.data.schema import Schema

Row = dict[str, jax.Array]

LARGEST = 1e6
"""Prepared numbers are cut here, so that no row can overflow the network."""


def table(
    schema: "Schema",
    numbers: Prepare | None = None,
    categories: CategoryStep | None = None,
    dates: DateStep | None = None,
    texts: Prepare | None = None,
    pieces: Prepare | None = None,
) -> Prepare:
    """Make the preparation of the rows of ``schema.encode``, of one step for each kind of column.

    ``apply`` gives ``{"numbers": (p,) float32, "categories": (q,) int32, "flat": (f,) float32}``:

    * ``numbers`` are those of the step ``numbers``, cut at ``±LARGEST``; unless given,
      ``chain(standard(), impute_constant(0.0))``. A step that imputes nothing leaves NaN in them, for a
      network that has an answer of its own to it; nothing else here is ever NaN. Numbers of dates follow.
    * ``categories`` are the codes of the step ``categories``, unless given ``ordinal()``; ``cardinalities``
      gives their sizes.
    * ``flat`` is what a network takes as it is: an indicator (1 where missing) for each number in which the
      schema saw missing values; what the steps for categories make that is no code; parts of the calendar, by
      the step ``dates``, unless given ``calendar()``; and ``texts``, unless given ``ngrams()``.
    * ``pieces``, of ``(p, bins)``, is what the step of this name makes of the numbers as they were read:
      ``piecewise(48)``, say. The key is there only where the step is given.

    ``fit`` takes rows stacked on a leading axis, and ``weight`` (n,) or None for ones; rows of weight zero
    have no part in it, whatever they hold. A step for categories is a function of ``Columns``, one for dates
    of the kinds of the columns: what they make depends on the schema.

    >>> from jdl.data import Number, Schema, Target
    >>> prepare = table(Schema(Target("y", "regression"), (Number("age", missing=1),)))
    >>> rows = {"numbers": jnp.array([[1.0], [3.0], [jnp.nan]]), "categories": jnp.zeros((3, 0), int)}
    >>> stats = prepare.fit(None, rows, None, None)
    >>> found = jax.vmap(lambda row: prepare.apply(stats, row))(rows)
    >>> found["numbers"][:, 0].tolist(), found["flat"][:, 0].tolist()
    ([-1.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    """
    gaps = np.array([i for i, number in enumerate(schema.numbers) if number.missing], int)
    kinds = tuple(date.kind for date in schema.dates)
    steps = {
        "numbers": chain(standard(), impute_constant(0.0)) if numbers is None else numbers,
        "categories": (categories or ordinal())(_columns(schema)).prepare,
    }
    if kinds:
        steps["dates"] = (dates or calendar())(kinds)
    if schema.texts:
        steps["texts"] = ngrams() if texts is None else texts
    if pieces is not None:
        steps["pieces"] = pieces
    source = {name: "numbers" if name == "pieces" else name for name in steps}

    def fit(key: Any, rows: Row, target: Any, weight: Any) -> dict[str, Any]:
        return {name: step.fit(key, rows[source[name]], target, weight) for name, step in steps.items()}

    def apply(stats: dict[str, Any], row: Row, fold: Any = None, key: Any = None) -> Row:
        made = {name: step.apply(stats[name], row[source[name]], fold, key) for name, step in steps.items()}
        indicators = ~jnp.isfinite(row["numbers"])[gaps]
        flat = [indicators, made["categories"]["flat"]]
        scaled = [made["numbers"]]
        if "dates" in made:
            scaled, flat = [*scaled, made["dates"]["numbers"]], [*flat, made["dates"]["flat"]]
        if "texts" in made:
            flat = [*flat, made["texts"]]
        found = {
            "numbers": jnp.clip(jnp.concatenate(scaled), -LARGEST, LARGEST),
            "categories": made["categories"]["categories"],
            "flat": jnp.concatenate(flat, dtype=jnp.float32),
        }
        return found | {"pieces": made["pieces"]} if "pieces" in made else found

    each_step = any(step.each_step for step in steps.values())
    return Prepare(fit, apply, _summary(steps, source), same_folds(*steps.values()), each_step)


def cardinalities(schema: "Schema", categories: CategoryStep | None = None) -> tuple[int, ...]:
    """Give the numbers of codes of the categories that ``table`` makes with the same step.

    >>> from jdl.data import Category, Schema, Target
    >>> from jdl import features
    >>> schema = Schema(Target("y", "regression"), categories=(Category("c", ("a", "b", "c")),))
    >>> cardinalities(schema), cardinalities(schema, features.ordinal(most=1))
    ((4,), (3,))
    """
    return (categories or ordinal())(_columns(schema)).sizes


def _columns(schema: "Schema") -> Columns:
    """Say what a step for categories is to know; of several targets each is a number of its own."""
    return Columns(schema.cardinalities, len(schema.classes) if len(schema.targets) == 1 else 0)


def _summary(steps: dict[str, Prepare], source: dict[str, str]) -> Summary | None:
    """Sum up each kind of column by its own step; None where one of them needs all rows at once."""
    parts = {name: step.summary for name, step in steps.items() if step.summary is not None}
    if len(parts) < len(steps):
        return None

    def part(key: Any, rows: Row, target: Any, weight: Any, first: Any = 0) -> dict[str, Any]:
        return {name: one.part(key, rows[source[name]], target, weight, first) for name, one in parts.items()}

    def merge(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        return {name: one.merge(left[name], right[name]) for name, one in parts.items()}

    def finish(found: dict[str, Any]) -> dict[str, Any]:
        return {name: one.finish(found[name]) for name, one in parts.items()}

    return Summary(part, merge, finish)
