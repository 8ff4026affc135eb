"""ModernNCA: a row's prediction is that of the training rows near it, in a space that is learned."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jdl import features, nn
from jdl.models.candidates import with_candidates
from jdl.models.embedded import embedded
from jdl.models.levels import levels
from jdl.models.row import Row, flat
from jdl.models.task import Hyper, assembled, cosine_adamw, course, ranked, task
from jdl.nn.layer import Layer, LayerError, Scope
from jdl.nn.linear import positive
from jdl.train.recipe import Recipe, RecipeError

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

STRIDES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
FAR = -1e30  # the logit of a candidate that may not be looked at; finite, so that no gradient is NaN


@nn.constructor
def modern_nca(
    outputs: int,
    width: int = 128,
    *,
    cardinalities: tuple[int, ...] = (),
    classes: bool = True,
    sampled: int = 1024,
    temperature: Any = 1.0,
    numbers: str = "periodic",
    embedding: int = 16,
    **waves: Any,
) -> Layer:
    r"""Predict a row by the training rows near it: :math:`\hat y = \sum_i w_i y_i`,
    :math:`w = \mathrm{softmax}_i(-\lVert z - z_i \rVert / T)`.

    A row ``{"numbers": (p,), "categories": (q,), "flat": (f,)}`` goes to :math:`z`, ``width`` numbers: its
    numbers embedded (``numbers``, ``embedding``, ``waves`` as in ``tabm``), its categories laid out by
    ``levels``, then one affine map. The preparation ``with_candidates`` gives with it the ``candidates``
    :math:`(z_i, y_i)`. In training a row looks at ``sampled`` of them, others in every step, and never at
    itself or at one that is the same in all columns; in prediction at all. ``temperature`` may be traced.

    With ``classes`` the output is :math:`\log(\hat y + 10^{-7})` of one-hot targets, ``(outputs,)``; without,
    :math:`\hat y` in the target's own units. State: ``step``, which counts the steps for the sampling.

    Source: Ye, Yin, Zhan and Chao 2024, "Revisiting Nearest Neighbor for Tabular Data: A Deep Tabular
    Baseline Two Decades Later", https://arxiv.org/abs/2407.03257, without blocks after the affine map, as by
    default in its code.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.zeros(0, int), "mark": jnp.zeros(2, jnp.uint32)}
    >>> others = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), row)
    >>> row["candidates"] = others | {"rows": others, "target": jnp.array([1.0, 3.0]), "weight": jnp.ones(2)}
    >>> net = models.modern_nca(1, 8, classes=False)
    >>> params, state = net.init(jax.random.key(0), row)
    >>> print(net.apply(params, state, row)[0])
    [2.]
    """
    dense = nn.dense(width, init=nn.init.variance_scaling(1 / 3, "fan_in", "uniform"))
    positive("modern_nca: sampled", sampled)

    @nn.layer(numbers=embedded(numbers, embedding, **waves), categories=levels(cardinalities), dense=dense)
    def place(my: Scope, row: Row) -> Any:
        parts = [my.numbers(row).reshape(-1), my.categories(row["categories"]), flat(row)]
        return my.dense(jnp.concatenate(parts))

    @nn.layer(place=nn.map(place))
    def modern_nca(my: Scope, row: Row) -> Any:
        if "candidates" not in row:
            raise LayerError(f"{my._where()}: the row has no candidates: prepare it with with_candidates")
        others, step = row["candidates"], my.state("step", (), nn.init.zeros, jnp.int32)
        if my.stochastic:
            my.update(step=step + 1)
            others = _some(others, step, sampled)
        own = {name: row[name][None] for name in others["rows"] if name in row}
        z, places = my.place(own)[0], my.place(others["rows"])
        logit = -_distance(z, places) / temperature + jnp.log(jnp.maximum(others["weight"], 1e-30))
        seen = others["weight"] > 0
        if my.stochastic:
            seen &= jnp.any(others["mark"] != row["mark"], -1)
        share = jax.nn.softmax(jnp.where(seen, logit, FAR))
        target = others["target"]
        if classes:
            return jnp.log(share @ (target[:, None] == jnp.arange(outputs)).astype(share.dtype) + 1e-7)
        return share @ target.reshape(-1, outputs)

    return modern_nca


def _distance(z: Any, places: Any) -> Any:
    """Give the distances of a vector from many, by one product; where it is 0, so is the gradient."""
    square = jnp.sum(z**2) + jnp.sum(places**2, -1) - 2 * places @ z
    apart = square > 1e-12
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)


def _some(others: Any, step: Any, count: int) -> Any:
    """Give ``count`` of the candidates, the same for a whole batch: a stride through their random order."""
    have = others["weight"].shape[0]
    if have <= count:
        return others
    strides = jnp.array([stride for stride in STRIDES if have % stride], jnp.int32)
    first, which = jax.random.bits(jax.random.fold_in(jax.random.key(0), step), (2,), jnp.uint32)
    stride = strides[which % len(strides)]
    chosen = ((first % have).astype(jnp.int32) + stride * jnp.arange(count)) % have
    return jax.tree.map(lambda leaf: leaf[chosen], others)


def defaults(rows: int, schema: "Schema") -> Hyper:
    """Give the hyper-parameters for a table of ``rows`` training rows."""
    return course(rows, 1400, 64, 512) | {
        "width": 128,
        "candidates": 8192,
        "sampled": 1024,
        "temperature": 1.0,
        "embedding": 16,
        "frequencies": 32,
        "lowest": 0.05,
        "highest": 1.0,
        "learning_rate": 3e-3,
        "weight_decay": 2e-4,
    }


def recipe(schema: "Schema", hyper: Hyper) -> Recipe:
    """Make the recipe of a ``modern_nca``, which keeps up to ``candidates`` training rows with the model.

    Its predictions are means of targets, so a number needs no standardising.

    Raises:
        RecipeError: several labels at once (multilabel).
    """
    about = task(schema)
    if about.name == "multilabel":
        raise RecipeError(
            "modern_nca: found a multilabel task, needs classes that exclude each other or numbers"
        )
    names = ("width", "sampled", "temperature", "embedding", "frequencies", "lowest", "highest")
    net = modern_nca(
        about.outputs,
        cardinalities=features.cardinalities(schema),
        classes=about.name == "classification",
        **{name: hyper[name] for name in names},
    )
    prepare = with_candidates(features.table(schema, ranked()), hyper["candidates"])
    return assembled(about._replace(name="as it is"), net, prepare, cosine_adamw(hyper), hyper)
