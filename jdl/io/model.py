"""What a user keeps of a training run."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl

from jdl import models, nn
from jdl.data import Schema, read_table
from jdl.data.one_row import reader
from jdl.data.parts import ROWS, counted_from, read_parts
from jdl.data.targets import decoded_rows
from jdl.train import Run
from jdl.train.objective import network as prepared
from jdl.train.predict import CACHED, chunk, chunks


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained model of a table: its schema, its recipe by name, and what training found.

    Args:
        schema: what the columns of the table are.
        network: a name in ``models.NETWORKS``, or a ``models.Network`` of one's own.
        hyper: the recipe's hyper-parameters: numbers and tuples of numbers.
        params: the parameters.
        state: the network's state.
        stats: what the preparation learned from the training rows.
        history: one row of values for each epoch.
        metrics: scores, to be shown and saved.
        data: a description of the rows that trained it, to be shown and saved.

    >>> import tempfile, jax, jdl
    >>> frame = read_table({"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "a", "b", "b"]})
    >>> schema = jdl.data.infer_schema(frame, "y")
    >>> recipe, hyper = models.recipe(schema, rows=4, network="mlp")
    >>> data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    >>> model = Model.of(schema, "mlp", hyper, jdl.run(recipe, hyper, jax.random.key(0), data))
    >>> model
    Model(mlp: classification of y from 1 columns, 17,026 parameters)
    >>> folder = tempfile.mkdtemp() + "/model"
    >>> jdl.io.save(model, folder)
    >>> jdl.io.load(folder).predict_table({"x": [0.0]}).columns
    ['prediction', 'probability_a', 'probability_b']
    >>> list(model.predict_one({"x": 0.0}))
    ['prediction', 'probability_a', 'probability_b']
    """

    schema: Schema
    network: str | models.Network
    hyper: Mapping[str, Any]
    params: Any = field(repr=False)
    state: Any = field(repr=False)
    stats: Any = field(repr=False)
    history: tuple[dict[str, float], ...] = field(default=(), repr=False)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say what is predicted from what by which network, and how well."""
        goal = ", ".join(part.name for part in self.schema.targets)
        found = "".join(f", {name} {value:.4g}" for name, value in self.metrics.items() if value is not None)
        what = f"{self.network_name}: {self.schema.task} of {goal} from {len(self.schema.columns)} columns"
        return f"Model({what}, {nn.count(self.params):,} parameters{found})"

    @property
    def network_name(self) -> str:
        """What the network is called."""
        return self.network if isinstance(self.network, str) else self.network.name

    @classmethod
    def of(cls, schema: Schema, network: str | models.Network, hyper: Mapping[str, Any], run: Run) -> "Model":
        """Make a model of a training run; its arrays come to the host."""
        params, state, stats, history = jax.device_get(tuple(run))
        return cls(schema, network, dict(hyper), params, state, stats, _by_epoch(history))

    def predict(self, row: Mapping[str, Any]) -> jax.Array:
        """Predict one row as ``schema.encode`` gives it, without a batch axis; to be jitted and vmapped.

        Gives the probability of each class ``(classes,)``, or for a regression the number as the schema codes
        it, ``(value - offset) / scale``, ``()``; of k targets numbers or labels' probabilities ``(k,)``.
        ``schema.decode`` makes a table of any.
        """
        return _predict(self.schema, self.network, self.hyper, self._arrays, dict(row))

    def predict_rows(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Give ``predict`` of rows stacked on a leading axis, as ``schema.encode`` gives them."""
        count = len(rows["numbers"])
        size = chunk(count)
        if count == size:
            return np.asarray(self._program(dict(rows)))
        parts = [self._program(part) for part in chunks(dict(rows), size)]
        return np.concatenate(jax.device_get(parts))[:count]

    def predict_one(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Predict one row of raw values by column, as ``predict_table`` does a table of this row, but sooner.

        The first call compiles; each other one takes a fraction of a millisecond. Give several rows to
        ``predict_table``.

        Raises:
            DataError: a missing column, or a value of the wrong type.
        """
        return decoded_rows(self.schema, self.predict_rows(self.read_row(row)))[0]

    def predict_table(self, table: Any) -> pl.DataFrame:
        """Predict every row: ``prediction``, then ``probability_<class>`` for each class.

        ``table`` is whatever ``data.read_table`` reads: a data frame, a dict of columns, a path.

        Raises:
            DataError: a table without rows, a missing column, or a value of the wrong type, with its row.
        """
        frame = read_table(table, self.schema.text_columns)
        return self.schema.decode(self.predict_rows(self.schema.encode(frame)))

    def predict_parts(self, source: Any, rows: int = ROWS) -> Iterator[pl.DataFrame]:
        """Give ``predict_table`` of a table in parts, so that one larger than memory can be predicted.

        Of a file no more than ``rows`` rows are in memory at once (of Parquet no more than a row group, of
        Arrow than a record batch); see ``data.read_parts``.

        Raises:
            DataError: as ``predict_table``; rows are counted in the whole table.
        """
        names = [column.name for column in self.schema.columns]
        for first, frame in read_parts(source, self.schema.text_columns, names, rows):
            with counted_from(first):
                encoded = self.schema.encode(frame)
            yield self.schema.decode(self.predict_rows(encoded))

    @cached_property
    def read_row(self) -> Callable[[Mapping[str, Any]], dict[str, np.ndarray]]:
        """The function that turns a row of raw values into arrays, as ``schema.encode`` does a table."""
        return reader(self.schema)

    def __getstate__(self) -> dict[str, Any]:
        """Give the fields alone: programs and what lies on a device are made again."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @cached_property
    def _program(self) -> Callable[[Any], jax.Array]:
        fixed = tuple(sorted(self.hyper.items()))
        return partial(_program(self.schema, self.network, fixed), jax.device_put(self._arrays))

    @property
    def _arrays(self) -> tuple[Any, Any, Any]:
        return self.params, self.state, self.stats


def _predict(
    schema: Schema, network: str | models.Network, hyper: Mapping[str, Any], arrays: Any, row: Any
) -> jax.Array:
    params, state, stats = jax.tree.map(jnp.asarray, arrays)
    recipe = models.tabular(schema, network)(dict(hyper))
    outputs, _ = prepared(recipe, stats).apply(params, state, row)
    outputs = recipe.predict(outputs)
    if schema.task == "classification":
        return jax.nn.softmax(outputs)
    if schema.task == "multilabel":
        return jax.nn.sigmoid(outputs)
    return outputs if len(schema.targets) > 1 else outputs[0]


@lru_cache(CACHED)
def _program(schema: Schema, network: str | models.Network, hyper: tuple) -> Callable[[Any, Any], jax.Array]:
    """Compile once for all models of one schema and recipe, whose arrays differ."""
    one = partial(_predict, schema, network, dict(hyper))
    return jax.jit(lambda arrays, rows: jax.vmap(partial(one, arrays))(rows))


def _by_epoch(history: Mapping[str, Any]) -> tuple[dict[str, float], ...]:
    columns = {name: values for name, values in history.items() if np.ndim(values) == 1}
    epochs = len(next(iter(columns.values()), ()))  # none after passes over parts of the rows
    return tuple({name: float(values[i]) for name, values in columns.items()} for i in range(epochs))
