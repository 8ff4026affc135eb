"""A model as one StableHLO artefact, preparation included, that JAX runs without jdl."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
from jax import export as jax_export
from numpy.typing import ArrayLike

from jdl import disk
from jdl.data import WORDS, ngrams
from jdl.data.columns import MISSING_DAY, Category, Number
from jdl.data.encode import LARGEST
from jdl.io.errors import ModelError
from jdl.io.model import Model

PLATFORMS = ("cpu", "cuda", "tpu")
BYTES = 64  # of a level's text at most that are told apart
_BASES = (16777619, 1000003)  # of the two hashes by which texts are compared


def export(model: Model, path: str | os.PathLike, platforms: Sequence[str] = PLATFORMS) -> None:
    """Write a model as one file that ``jax.export.deserialize`` reads: raw columns in, predictions out.

    The function takes a dict of columns, ``{name: values}``, of any number of rows:

    * numbers, booleans, times and durations (in seconds) as float32 ``(n,)``, NaN where missing; those far
      from 0, which float32 has too few digits for, as two of them ``(n, 2)``, see ``as_pairs``;
    * categories as their UTF-8 bytes, uint8 ``(n, 64)``, zeros behind them, see ``as_bytes``: texts are
      compared as they are, byte by byte, and one that is no level counts as missing;
    * dates as int32 ``(n, 2)``, see ``as_days``;
    * free texts as the ids of their words, int32 ``(n, 32)``, see ``as_ids``.

    It gives ``{"prediction": …, "probability": …}``: the number of the class ``(n,)`` and the probabilities
    ``(n, classes)``, or the predicted numbers alone, ``(n,)`` or ``(n, k)``. The names of classes and columns
    are in ``path`` with ``.json`` behind it, and the numbers that come in two under ``longer``.

    Raises:
        ModelError: a number that needs more digits or a wider range than two float32 have, or a level of more
            than 64 bytes.

    >>> import tempfile, jdl
    >>> frame = jdl.data.read_table({"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "a", "b", "b"]})
    >>> schema = jdl.data.infer_schema(frame, "y")
    >>> recipe, hyper = jdl.models.recipe(schema, rows=4, network="linear")
    >>> data = {"x": schema.encode(frame), "y": schema.encode_target(frame)}
    >>> model = Model.of(schema, "linear", hyper, jdl.run(recipe, hyper, jax.random.key(0), data))
    >>> path = tempfile.mkdtemp() + "/model.stablehlo"
    >>> export(model, path)
    >>> called = jax.export.deserialize(Path(path).read_bytes()).call
    >>> called({"x": np.zeros(3, np.float32)})["probability"].shape
    (3, 2)
    """
    for number in model.schema.numbers:
        _check_digits(number)
    _check_levels(model)
    (rows,) = jax_export.symbolic_shape("n")
    of = lambda shape, dtype: jax.ShapeDtypeStruct((rows, *shape), dtype)
    columns = {n.name: of((2,) if n.offset else (), jnp.float32) for n in model.schema.numbers}
    columns |= {c.name: of((BYTES,), jnp.uint8) for c in model.schema.categories}
    columns |= {date.name: of((2,), jnp.int32) for date in model.schema.dates}
    columns |= {text.name: of((WORDS,), jnp.int32) for text in model.schema.texts}
    call = jax.jit(lambda columns: _predict(model, columns))
    content = jax_export.export(call, platforms=tuple(platforms))(columns).serialize()
    file = Path(path)
    disk.put(file, bytes(content))
    longer = [number.name for number in model.schema.numbers if number.offset]
    disk.put(file.with_name(file.name + ".json"), description(model, longer))


def as_bytes(texts: Sequence[str | None]) -> np.ndarray:
    """Give texts as an exported model takes them: UTF-8 bytes ``(n, 64)``, zeros behind them.

    >>> as_bytes(["ab", None])[:, :3].tolist()
    [[97, 98, 0], [0, 0, 0]]
    """
    rows = [(text or "").encode()[:BYTES].ljust(BYTES, b"\0") for text in texts]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), BYTES)


def as_pairs(values: ArrayLike) -> np.ndarray:
    """Give numbers as an exported model takes those far from 0: float32 ``(n, 2)``, whose sum they are.

    The first is the number rounded, the second what the rounding left: together 48 binary digits.

    >>> as_pairs([1e9 + 7]).tolist()
    [[1000000000.0, 7.0]]
    """
    exact = np.asarray(values, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # infinity counts as missing, as its NaN does
        rounded = exact.astype(np.float32)
        return np.stack([rounded, (exact - rounded).astype(np.float32)], -1)


def as_days(moments: ArrayLike) -> np.ndarray:
    """Give dates as an exported model takes them: int32 ``(n, 2)``, the day and the second of that day.

    ``moments`` are of numpy's ``datetime64``, in UTC. Days count from 1970-01-01; a missing one is -2³¹.

    >>> as_days(np.array(["1970-01-02T00:01", "NaT"], "datetime64[s]")).tolist()
    [[1, 60], [-2147483648, 0]]
    """
    exact = np.asarray(moments, "datetime64[s]")
    days = exact.astype("datetime64[D]")
    found = np.stack([days.astype(np.int64), (exact - days).astype(np.int64)], -1)
    return np.where(np.isnat(exact)[:, None], [MISSING_DAY, 0], found).astype(np.int32)


def as_ids(texts: Sequence[str | None]) -> np.ndarray:
    """Give free texts as an exported model takes them: ids of words, pairs and parts, int32 ``(n, 32)``.

    ``jdl.data.ngrams`` says how they are made, by the CRC-32 that any language has. A missing text has zeros.

    >>> as_ids(["Big dog", None])[:, :3].tolist()
    [[1409016393, 19675517, 1542666284], [0, 0, 0]]
    """
    return ngrams.ids(pl.Series(texts, dtype=pl.String))


def _check_digits(number: Number) -> None:
    """Require that what two float32 lose is less than a millionth of the range of the training rows."""
    low, high = number.low or 0.0, number.high or 0.0
    largest = max(abs(low), abs(high))
    few = number.offset and largest * 2.0**-48 > 1e-6 * (high - low)
    if few or largest > LARGEST or number.scale < 2.0**-100:
        raise ModelError(
            f"export: column {number.name!r} needs more digits or a wider range than two float32 have (its "
            f"values lie between {low:g} and {high:g}); subtract or divide them in the table and fit again, "
            "or export to ONNX, which takes float64"
        )


def _check_levels(model: Model) -> None:
    for category in model.schema.categories:
        for level in category.levels:
            if len(level.encode()) > BYTES:
                raise ModelError(
                    f"export: column {category.name!r}: level {level!r} has {len(level.encode())} bytes, "
                    f"needs at most {BYTES}"
                )


def _predict(model: Model, columns: Mapping[str, Any]) -> dict[str, Any]:
    count = next(iter(columns.values())).shape[0]
    codes = _codes(model.schema.categories, columns, count)
    numbers = {number.name: _shifted(columns[number.name], number) for number in model.schema.numbers}
    return predicted(model, {**columns, **numbers}, codes)


def _shifted(values: Any, number: Number) -> Any:
    """Read a column as the schema does, ``(value - offset) / scale``, from one float32 or from two."""
    if number.offset:
        high, low = (np.float32(part) for part in as_pairs([number.offset])[0])
        values = (values[:, 0] - high) + (values[:, 1] - low)
    return values / np.float32(number.scale) if number.scale != 1 else values


def predicted(model: Model, columns: Mapping[str, Any], codes: Any) -> dict[str, Any]:
    """Predict numbers as the schema shifts them, dates, ids, and numbers of categories' levels ``(n, q)``."""
    schema, count = model.schema, codes.shape[0]
    numbers = [columns[number.name] for number in schema.numbers]
    days = [columns[date.name] * np.array([1, date.kind == "datetime"], np.int32) for date in schema.dates]
    ids = [columns[text.name] for text in schema.texts]
    rows = {
        "numbers": jnp.stack(numbers, 1) if numbers else jnp.zeros((count, 0), jnp.float32),
        "categories": codes,
        "dates": jnp.stack(days, 1) if days else jnp.zeros((count, 0, 2), jnp.int32),
        "texts": jnp.stack(ids, 1) if ids else jnp.zeros((count, 0, WORDS), jnp.int32),
    }
    rows["numbers"] = jnp.where(jnp.isfinite(rows["numbers"]), rows["numbers"], jnp.nan)
    found = jax.vmap(model.predict)(rows)
    if schema.task == "classification":
        return {"prediction": jnp.argmax(found, 1), "probability": found}
    if schema.task == "multilabel":
        return {"prediction": (found > 0.5).astype(jnp.int32), "probability": found}
    scale, offset = (np.array([getattr(t, name) for t in schema.targets]) for name in ("scale", "offset"))
    if found.ndim == 1:
        scale, offset = scale[0], offset[0]
    return {"prediction": found * np.float32(scale) + np.float32(offset)}


def _codes(categories: Sequence[Category], columns: Mapping[str, Any], count: Any) -> Any:
    """Find texts among the levels by two hashes of 32 bits each: the levels' numbers, or 0, ``(n, q)``.

    All columns are hashed at once: for one row the number of operations is what takes the time.
    """
    if not categories:
        return jnp.zeros((count, 0), jnp.int32)
    found = _hashed(jnp.stack([columns[category.name] for category in categories], 1), jnp)
    codes = []
    for i, category in enumerate(categories):
        known = _hashed(as_bytes(category.levels), np)  # here and now, not at every call
        place = jnp.all(found[:, i, None, :] == known[None, :, :], -1)
        codes.append(jnp.max(jnp.where(place, 1 + np.arange(len(known)), 0), 1, initial=0))
    return jnp.stack(codes, 1).astype(jnp.int32)


def _hashed(texts: Any, xp: Any) -> Any:
    """Give polynomials of the bytes modulo 2³², at two bases ``(…, 2)``, by numpy or by its like in JAX."""
    powers = [[pow(base, i, 2**32) for i in range(1, BYTES + 1)] for base in _BASES]
    return (texts.astype(xp.uint32)[..., None, :] * np.array(powers, np.uint32)).sum(-1, dtype=xp.uint32)


def description(model: Model, longer: Sequence[str]) -> bytes:
    """Name the columns, targets and classes of a model, and the numbers that come in more digits, as JSON."""
    schema = model.schema
    said = {
        "task": schema.task,
        "targets": [part.name for part in schema.targets],
        "classes": list(schema.classes),
        "numbers": [number.name for number in schema.numbers],
        "longer": list(longer),
        "categories": {category.name: list(category.levels) for category in schema.categories},
        "dates": [date.name for date in schema.dates],
        "texts": [text.name for text in schema.texts],
    }
    return json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n"
