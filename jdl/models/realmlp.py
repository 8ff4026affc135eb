"""RealMLP: a multi-layer perceptron of a table's rows with good defaults."""

from functools import partial
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jdl import features, losses, nn, optim
from jdl.models.few_levels import robust_levels
from jdl.models.start import start_from_rows
from jdl.models.task import assembled, robust, steps_of, task
from jdl.nn.layer import Layer, Scope
from jdl.train.recipe import Recipe

if TYPE_CHECKING:  # readers of tables are not needed to train on one
    from jdl.data.schema import Schema

NETWORK = ("activation", "dropout", "embedding", "frequencies", "sigma", "level_width")
ACTIVATIONS = {"mish": nn.mish, "relu": nn.relu, "selu": nn.selu, "silu": nn.silu}


@nn.constructor
def realmlp(
    outputs: int,
    widths: tuple[int, ...] = (256, 256, 256),
    *,
    cardinalities: tuple[int, ...] = (),
    activation: str = "mish",
    dropout: Any = 0.15,
    steps: Any = 1000,
    embedding: int = 4,
    frequencies: int = 16,
    sigma: Any = 0.1,
    level_width: int = 8,
) -> Layer:
    """Make RealMLP of one row ``{"numbers": (p,), "categories": (q,), "flat": (f,)}``: output ``(outputs,)``.

    Numbers, robustly scaled, are embedded by ``nn.periodic_densenet(embedding, …)``, or taken as they are
    where ``embedding`` is 1; each category is embedded in ``level_width`` numbers; ``flat`` is taken as it
    is. A factor for each of these features, then hidden layers ``nn.ntk_dense``, ``nn.parametric`` of the
    ``activation`` ("mish", "relu", "selu" or "silu") and ``nn.fading_dropout(dropout, steps)``, then a linear
    head. ``steps`` are those of training. ``dropout``, ``steps`` and ``sigma`` may be traced.

    Source: RealMLP-TD of Holzmüller, Grinsztajn and Steinwart 2024, "Better by default: Strong pre-tuned MLPs
    and boosted trees on tabular data", https://arxiv.org/abs/2407.04491, and its package pytabkit.

    >>> import jax, jax.numpy as jnp
    >>> from jdl import models
    >>> row = {"numbers": jnp.zeros(2), "categories": jnp.array([1]), "flat": jnp.zeros(3)}
    >>> net = models.realmlp(3, (16,), cardinalities=(4,))
    >>> params, state = net.init(jax.random.key(0), row)
    >>> net.apply(params, state, row)[0].shape, params["body"]["ntk_dense"]["w"].shape
    ((3,), (19, 16))
    """
    if activation not in ACTIVATIONS:
        raise nn.LayerError(f"realmlp: activation is {activation!r}, needs one of {', '.join(ACTIVATIONS)}")
    hidden = [
        part
        for width in widths
        for part in (
            nn.ntk_dense(width),
            nn.parametric(ACTIVATIONS[activation]),
            nn.fading_dropout(dropout, steps),
        )
    ]
    waves = nn.periodic_densenet(embedding, frequencies=frequencies, sigma=sigma) if embedding > 1 else None
    inputs = row_features(waves, cardinalities, level_width)

    @nn.layer(features=inputs, body=nn.chain(nn.scale(), *hidden, head=nn.ntk_dense(outputs)))
    def realmlp(my: Scope, row: dict[str, Any]) -> Any:
        return my.body(my.features(row))

    return realmlp


@nn.constructor
def row_features(waves: Layer | None, cardinalities: tuple[int, ...], level_width: int) -> Layer:
    """Lay a row out as one vector: numbers through ``waves``, then ``flat``, then embedded categories."""
    sizes = np.array(cardinalities, int)
    starts = np.cumsum(sizes) - sizes
    parts = {} if waves is None else {"numbers": waves}
    if cardinalities:
        parts["categories"] = nn.embed(int(sizes.sum()), level_width, init=nn.init.normal(1.0))

    @nn.layer(**parts)
    def row_features(my: Scope, row: dict[str, Any]) -> Any:
        numbers = row["numbers"] if waves is None else my.numbers(row["numbers"]).reshape(-1)
        pieces = [numbers, row["flat"]]
        if cardinalities:
            pieces.append(my.categories(row["categories"] + starts).reshape(-1))
        return jnp.concatenate(pieces)

    return row_features


def defaults(rows: int, schema: "Schema") -> dict[str, Any]:
    """Give the hyper-parameters of RealMLP-TD for a table of ``rows`` training rows.

    They are those of the paper, tuned on 118 tables, one set for classification and one for regression.
    ``rows`` itself is one: the schedules span ``epochs * ceil(rows / batch_size)`` steps.
    """
    regression = schema.task == "regression"
    return {
        "widths": (256, 256, 256),
        "activation": "mish" if regression else "selu",
        "dropout": 0.15,
        "embedding": 4,
        "frequencies": 16,
        "sigma": 0.1,
        "one_hot": 8,
        "level_width": 8,
        "learning_rate": 0.2 if regression else 0.04,
        "weight_decay": 0.02,
        "label_smoothing": 0.0 if regression else 0.1,
        "scale_factor": 6.0,
        "bias_factor": 0.1,
        "activation_factor": 0.1,
        "number_factor": 0.1,
        "batch_size": 256,
        "epochs": 256,
        "rows": rows,
    }


def recipe(schema: "Schema", hyper: dict[str, Any]) -> Recipe:
    """Make the recipe of RealMLP-TD for a table, with the hyper-parameters of ``defaults``.

    Its three schedules follow training's progress: the learning rate goes up and down four times
    (``optim.coslog``), weight decay and dropout fall from the middle on (``optim.flat_cosine``). Factors
    ``…_factor`` multiply the learning rate of the features' scales, biases, activations and numbers'
    embeddings. Weights and biases begin as ``start_from_rows`` says. The best epoch is that of the highest
    accuracy or the lowest squared error; a predicted number stays within the training rows' range.
    """
    about = task(schema)
    levels = features.by_cardinality(robust_levels(), features.ordinal(), threshold=hyper["one_hot"])
    prepare = features.table(schema, numbers=robust(), categories=levels)
    net, steps = network(about.outputs, features.cardinalities(schema, levels), hyper)
    by_task: dict[str, Any] = {"start": start_from_rows(net)}
    if about.name == "regression":
        by_task = {"start": start_from_rows(net, ("net",)), "clamp": True}
    elif about.name == "classification":
        loss = partial(losses.cross_entropy, label_smoothing=hyper["label_smoothing"])
        by_task |= {"loss": loss, "monitor": "accuracy"}
    return assembled(about, net, prepare, optimizer(hyper, steps), hyper, **by_task)


def network(outputs: int, cardinalities: tuple[int, ...], hyper: dict[str, Any]) -> tuple[Layer, int]:
    """Give the network of the hyper-parameters, and the steps of its training."""
    steps = steps_of(hyper)
    own = {name: hyper[name] for name in NETWORK}
    net = realmlp(outputs, tuple(hyper["widths"]), cardinalities=cardinalities, steps=steps, **own)
    return net, steps


def optimizer(hyper: dict[str, Any], steps: Any) -> Any:
    """Give Adam with the schedules and the factors by path.

    The package shrinks a parameter by its learning rate times the weight decay and once more times the
    factor of its learning rate; so does this, because the tuned numbers go with it.
    """
    factors = {
        "*/scale/scale": hyper["scale_factor"],
        "*/body/*/b": hyper["bias_factor"],
        "*/mix": hyper["activation_factor"],
    }
    if hyper["embedding"] > 1:
        factors["*/features/numbers/*"] = hyper["number_factor"]
    decay = optim.flat_cosine(hyper["weight_decay"], steps)
    rate = optim.coslog(hyper["learning_rate"], steps)
    adam = optim.adamw(rate, 0.9, 0.95, weight_decay=decay, decay={**factors, "*/body/*/b": 0.0})
    return optim.chain(adam, optim.scale_by_path(factors))
