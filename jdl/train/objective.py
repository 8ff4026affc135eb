"""Network and loss as one pure function of a batch."""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp

from jdl.nn.combine import cast
from jdl.nn.layer import Layer, Scope, batched, inline
from jdl.train.recipe import Recipe, RecipeError

Batch = dict[str, Any]


def objective(recipe: Recipe, stats: Any = None, class_weight: Any = None) -> Callable[..., Any]:
    r"""Make ``f(params, state, batch, key=None) -> (loss, (state, metrics))`` of a recipe.

    The loss is the weighted mean over the batch, :math:`\sum w_i \ell_i / \sum w_i`, with
    :math:`w_i` the example's weight times its class's. ``metrics`` holds mergeable statistics:
    ``metrics["loss"] = (sum, weight)`` and one for each of the recipe's, which no class weight changes.

    >>> import jax, jax.numpy as jnp, jdl
    >>> recipe = jdl.Recipe(jdl.nn.dense(1), jdl.losses.squared_error, jdl.optim.sgd(0.1), 4, 1)
    >>> params, state = recipe.network.init(jax.random.key(0), jnp.zeros(2))
    >>> batch = {"x": jnp.zeros((4, 2)), "y": jnp.ones((4, 1))}
    >>> loss, (state, metrics) = jdl.train.objective(recipe)(params, state, batch)
    >>> loss.item()
    1.0
    """
    summed = sum_of_losses(recipe, stats, class_weight)

    def evaluate(params: Any, state: Any, batch: Batch, key: Any = None) -> Any:
        total, (state, metrics) = summed(params, state, batch, key)
        mass = metrics["loss"][1]
        return total / jnp.where(mass > 0, mass, 1.0), (state, metrics)

    return evaluate


def sum_of_losses(
    recipe: Recipe, stats: Any, class_weight: Any, across: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """Make the objective as a sum, which parts of a batch, on several devices too, add up to."""
    one = batched(scored(recipe, stats), across=across)

    def evaluate(params: Any, state: Any, batch: Batch, key: Any = None) -> Any:
        weight = example_weight(batch)
        rows = [batch[name] for name in rows_of(batch)]
        (losses, outputs), state = one(params, state, *rows, key=key, weight=weight)
        if weight is None:
            weight = jnp.ones(losses.shape[0])
        factor = weight if class_weight is None else weight * _by_class(class_weight, batch["y"])
        total = jnp.sum(losses * factor)
        seen = jax.lax.stop_gradient(outputs)  # metrics need not be differentiable
        metrics = {
            name: metric.update(metric.init(), seen, batch["y"], weight)
            for name, metric in recipe.metrics.items()
        }
        metrics["loss"] = (total, jnp.sum(factor))
        return total, (state, metrics)

    return evaluate


def empty_metrics(recipe: Recipe) -> Any:
    """Give the metrics of no batch at all."""
    metrics = {name: metric.init() for name, metric in recipe.metrics.items()}
    return {"loss": (jnp.float32(0), jnp.float32(0)), **metrics}


def merge_metrics(recipe: Recipe, left: Any, right: Any) -> Any:
    """Merge two batches' metrics."""
    merged = {name: metric.merge(left[name], right[name]) for name, metric in recipe.metrics.items()}
    merged["loss"] = jax.tree.map(jnp.add, left["loss"], right["loss"])
    return merged


def device_number(across: tuple[str, ...]) -> Any:
    """The number of this device among those a batch is spread over."""
    return jax.lax.axis_index(across) if across else 0


def merge_across(recipe: Recipe, metrics: Any, across: tuple[str, ...]) -> Any:
    """Merge the metrics of all devices, in their order, so that all have the same."""
    if not across:
        return metrics
    gathered = jax.lax.all_gather(metrics, across)
    parts = [jax.tree.map(lambda leaf: leaf[i], gathered) for i in range(jax.lax.axis_size(across))]  # noqa: B023
    return reduce(partial(merge_metrics, recipe), parts)


def compute_metrics(recipe: Recipe, metrics: Any) -> dict[str, Any]:
    """Turn mergeable statistics into values: the mean loss (NaN of no rows) and the recipe's metrics."""
    total, mass = metrics["loss"]
    values = {name: metric.compute(metrics[name]) for name, metric in recipe.metrics.items()}
    return {"loss": total / mass, **values}


def rows_of(batch: Batch) -> list[str]:
    """Name what a batch holds of its rows: inputs, target, and the inner fold where preparation reads it."""
    return [name for name in ("x", "y", "fold") if name in batch]


def example_weight(batch: Batch) -> Any:
    """Give the weights of a batch's examples as numbers, or None where all are one."""
    weight = batch.get("weight")
    return None if weight is None else jnp.asarray(weight, jnp.float32)


def class_weights(recipe: Recipe, target: Any, weight: Any, classes: int) -> Any:
    """Give the weight of each class: the recipe's, or inverse to the classes' weight in the training rows.

    ``"balanced"`` is scikit-learn's rule, total / (classes * count); a class without training weight gets 0.
    """
    if recipe.class_weight is None:
        return None
    if jnp.ndim(target) != 1 or jnp.issubdtype(target.dtype, jnp.inexact):
        raise RecipeError(
            f"Recipe.class_weight: y is {target.dtype} of shape {target.shape}; needs one integer class a row"
        )
    if not isinstance(recipe.class_weight, str):
        given = jnp.asarray(recipe.class_weight, jnp.float32)
        if given.shape != (classes,):
            raise RecipeError(f"Recipe.class_weight: has shape {given.shape}, needs ({classes},)")
        return given
    mass = jnp.ones(target.shape) if weight is None else weight
    counts = jnp.zeros(classes).at[target.astype(jnp.int32)].add(mass)
    return jnp.where(counts > 0, jnp.sum(mass) / (classes * counts), 0.0)


def _by_class(class_weight: Any, target: Any) -> Any:
    """Look up weights by class; a row that does not count may hold a class that does not exist."""
    return class_weight.at[target.astype(jnp.int32)].get(mode="clip")


def network(recipe: Recipe, stats: Any = None) -> Layer:
    """Give a recipe's network as it is trained: after preparation, in the recipe's precision."""
    net = recipe.network
    if recipe.precision is not None:
        net = cast(net, jnp.dtype(recipe.precision))
    if recipe.prepare is None:
        return net
    apply = recipe.prepare.apply

    def forward(my: Scope, row: Any, fold: Any = None, **keywords: Any) -> Any:
        return inline(my, net, (apply(stats, row, fold=fold, key=my.key()),), keywords)

    return Layer(forward, name="prepared", parts=net.parts, inputs=net.inputs)


def scored(recipe: Recipe, stats: Any) -> Layer:
    """Give the layer of an example and its target: ``(loss, what is predicted)``."""
    net, predict = network(recipe, stats), recipe.predict

    def forward(my: Scope, x: Any, y: Any, *fold: Any) -> Any:
        outputs = inline(my, net, (x, *fold), {})
        loss = recipe.loss(outputs, y)
        if jnp.shape(loss) != ():
            raise RecipeError(
                f"loss: gave shape {jnp.shape(loss)} for outputs {jnp.shape(outputs)} and target "
                f"{jnp.shape(y)}; needs a scalar for one example"
            )
        added = [jnp.sum(value) for value in jax.tree.leaves(my._run.losses)]
        return sum(added, loss.astype(jnp.float32)), predict(outputs)

    return Layer(forward, name="objective", parts=net.parts)
