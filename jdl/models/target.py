"""A numeric target standardised inside the run, by its training rows alone."""

from typing import Any

import jax
import jax.numpy as jnp

from jdl import nn
from jdl.features import Prepare, Summary
from jdl.features.moments import mean_and_std, merge, moments_of
from jdl.features.stats import moments
from jdl.nn.layer import Layer, Scope


def with_target(prepare: Prepare, *, limits: bool = False) -> Prepare:
    """Add the mean and spread of the training rows' target (of each of several) to what ``prepare`` makes.

    With ``limits`` also the lowest and the highest. They are statistics like any other: fitted inside each
    fold, made of parts of a table where ``prepare`` is, and kept with the model.
    """

    def fit(key: Any, rows: Any, target: Any, weight: Any) -> dict[str, Any]:
        mass = jnp.ones(len(target), target.dtype) if weight is None else weight
        describe = lambda column: _described(column, mass, limits)
        stats = jax.vmap(describe, 1)(target) if target.ndim > 1 else describe(target)
        return {"rows": prepare.fit(key, rows, target, weight), "target": stats}

    def apply(stats: dict[str, Any], row: Any, fold: Any = None, key: Any = None) -> dict[str, Any]:
        return {**prepare.apply(stats["rows"], row, fold, key), "target": stats["target"]}

    summary = None if prepare.summary is None else _in_parts(prepare.summary, limits)
    return Prepare(fit, apply, summary, prepare.folds, prepare.each_step)


def _in_parts(inner: Summary, limits: bool) -> Summary:
    def part(key: Any, rows: Any, target: Any, weight: Any, first: Any = 0) -> dict[str, Any]:
        mass = jnp.ones(len(target), target.dtype) if weight is None else weight
        own = moments_of(target.reshape(len(target), -1), mass)
        if target.ndim == 1:
            own = jax.tree.map(lambda leaf: leaf[0], own)
        return {"rows": inner.part(key, rows, target, weight, first), "target": own}

    def joined(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        rows = inner.merge(left["rows"], right["rows"])
        return {"rows": rows, "target": merge(left["target"], right["target"])}

    def finish(parts: dict[str, Any]) -> dict[str, Any]:
        mean, std = mean_and_std(parts["target"])
        ends = {"low": parts["target"].low, "high": parts["target"].high} if limits else {}
        return {"rows": inner.finish(parts["rows"]), "target": {"mean": mean, "std": std, **ends}}

    return Summary(part, joined, finish)


def _described(column: Any, mass: Any, limits: bool) -> dict[str, Any]:
    mean, std = moments(column, mass)
    if not limits:
        return {"mean": mean, "std": std}
    low = jnp.min(column, initial=jnp.inf, where=mass > 0)
    return {"mean": mean, "std": std, "low": low, "high": jnp.max(column, initial=-jnp.inf, where=mass > 0)}


@nn.constructor
def in_units_of_target(net: Layer, *, clamp: bool = False) -> Layer:
    r"""Let ``net`` predict a standardised target: :math:`y = \mu + \sigma\,\mathrm{net}(x)`.

    With ``clamp`` a deterministic pass keeps it within the ``limits`` of the training rows.

    >>> import jax.numpy as jnp
    >>> row = {"target": {"mean": jnp.array(10.0), "std": jnp.array(2.0)}, "x": jnp.ones(1)}
    >>> print(in_units_of_target(lambda row: row["x"])({}, row))
    [12.]
    """

    @nn.layer(net=net)
    def in_units_of_target(my: Scope, row: dict[str, Any]) -> Any:
        target = row["target"]
        y = target["mean"] + target["std"] * my.net(row)
        return jnp.clip(y, target["low"], target["high"]) if clamp and not my.stochastic else y

    return in_units_of_target
