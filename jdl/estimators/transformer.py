"""Learned features as a scikit-learn transformer."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import type_of_target

from jdl import features, losses, nn
from jdl.data import Schema
from jdl.data.columns import Target
from jdl.estimators import target as targets
from jdl.estimators.base import Estimator, Rows, weights_of
from jdl.estimators.columns import TARGET, skeleton, table_of
from jdl.estimators.recipes import Chosen, check_known
from jdl.estimators.rows import bucket
from jdl.models.mlp import defaults as of_mlp
from jdl.models.task import Hyper, cosine_adamw, robust, task
from jdl.nn.layer import Scope
from jdl.train.recipe import Recipe


class Transformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    r"""Learn features of a table's rows: the last hidden layer of a network, ``(n, size)``.

    With y the network predicts it, classes or numbers. Without, it is an autoencoder: it learns to give the
    prepared row back, :math:`\min E\,\lVert d(e(x)) - x \rVert^2`, through ``size`` numbers.

    Args:
        size: how many features.
        widths: hidden layers before them (and, of an autoencoder, behind them in reverse).
        hyper: ``learning_rate``, ``weight_decay``, ``dropout``, ``batch_size``, where they are not to be the
            defaults of ``models.mlp``.
        epochs: passes over the rows.
        validation: the part of the rows that is held out to choose the best epoch; 0 keeps the last.
        device: as of ``Classifier``.
        random_state: a seed.

    >>> import jdl
    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> jdl.Transformer(2, random_state=0, epochs=5).fit_transform(x, y).shape
    (150, 2)
    """

    model, cv, search, time_budget = "auto", None, None, None

    def __init__(
        self,
        size: int = 16,
        *,
        widths: tuple[int, ...] = (128,),
        hyper: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        validation: float = 0.1,
        device: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.size = size
        self.widths = widths
        self.hyper = hyper
        self.epochs = epochs
        self.validation = validation
        self.device = device
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Say to scikit-learn what the estimator takes."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Transformer":
        """Train on rows, with their targets where there are any.

        Raises:
            ValueError: lengths that differ, targets that are missing.
        """
        frame, plain = table_of(self, X, reset=True)
        parts, coded = _coded(y, frame.height)
        weight = weights_of(self, sample_weight, frame, coded)
        self._unsupervised = y is None
        self._n_features_out = self.size
        return self._fitted(frame, plain, parts, lambda schema: Rows(schema.encode(frame), coded, weight))

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Give the features of rows, ``(n, size)``."""
        return self._outputs(X)

    def _chosen(self, schema: Schema, rows: int) -> Chosen:
        defaults = of_mlp(bucket(rows), schema)
        given = dict(self.hyper or {}) | ({} if self.epochs is None else {"epochs": self.epochs})
        check_known("hyper", given, [name for name in defaults if name != "widths"])
        hyper = defaults | given | {"widths": tuple(self.widths), "size": self.size}
        return _recipe_of(skeleton(schema), self._unsupervised), hyper


def _coded(y: Any, rows: int) -> tuple[tuple[Target, ...], NDArray]:
    """Give targets and codes: classes, numbers, or a number that nothing asks for."""
    if y is None:
        return (Target(TARGET, "regression"),), np.zeros(rows, np.float32)
    if type_of_target(y, input_name="y").startswith("continuous"):
        values = targets.numbers(y)
        parts = targets.number_targets(values)
        return parts, targets.scaled(parts, values)
    found = targets.labels(y)
    classes = targets.classes_of(found)
    return targets.class_targets(classes, found), targets.codes(classes, found)


@lru_cache(64)
def _recipe_of(schema: Schema, unsupervised: bool) -> Any:
    """Make the recipe function of a network that gives its last hidden layer beside its outputs."""
    prepare = features.table(schema, numbers=robust(), categories=features.one_hot())
    about = task(schema)
    loss = losses.squared_error if unsupervised else about.loss

    def recipe(hyper: Hyper) -> Recipe:
        widths, dropout = hyper["widths"], hyper["dropout"]
        before = _stack(widths, dropout) + [nn.dense(hyper["size"])]
        behind = [nn.relu, *_stack(widths[::-1], dropout)] if unsupervised else [nn.relu]

        @nn.layer(encoder=nn.chain(*before), decoder=nn.chain(*behind))
        def network(my: Scope, row: dict[str, Any]) -> Any:
            x = jnp.concatenate([row["numbers"], row["flat"]])
            code = my.encoder(x)
            hidden = my.decoder(code)
            width = len(x) if unsupervised else about.outputs
            w = my.param("w", (hidden.shape[-1], width), nn.init.lecun_normal())
            outputs = hidden @ w + my.param("b", (width,), nn.init.zeros)
            return {"code": code, "outputs": outputs, "row": x}

        def of_outputs(found: Any, target: Any) -> Any:
            return loss(found["outputs"], found["row"] if unsupervised else target)

        return Recipe(
            network,
            of_outputs,
            cosine_adamw(hyper),
            hyper["batch_size"],
            hyper["epochs"],
            prepare=prepare,
            predict=lambda found: found["code"],
        )

    return recipe


def _stack(widths: tuple[int, ...], dropout: Any) -> list[Any]:
    return [part for width in widths for part in (nn.dense(width), nn.relu, nn.dropout(dropout))]
