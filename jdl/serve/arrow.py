"""Arrow streams in and out, read as what strangers send."""

import struct
from typing import Any

import flatbuffers.number_types as kinds
import polars as pl
import pyarrow as pa
from flatbuffers.table import Table

from jdl.data import Schema
from jdl.data.frames import from_arrow
from jdl.serve.refused import Refused, bad_value

_BATCH, _DICTIONARY = 3, 2  # types of a message's header

# Where a field stands in its table, by Arrow's own Message.fbs.
_HEADER_TYPE, _HEADER, _COMPRESSION, _DATA = 6, 8, 10, 6

_FIRST, _LAST = -719_162, 2_932_896  # days since 1970 of the years 1 to 9999
_PER_DAY = {"d": 1, "ms": 86_400_000, "us": 86_400_000_000}  # nanoseconds end in the year 2262


def read(content: bytes, schema: Schema, most: int) -> pl.DataFrame:
    """Read an Arrow stream: the model's columns, of 1 to ``most`` rows.

    Raises:
        Refused: 400 for what is no Arrow stream or one with compressed buffers (which may hold any amount),
            422 for a missing column, one of nested values, or too many rows.
    """
    try:
        if any(_is_compressed(message) for message in pa.ipc.MessageReader.open_stream(content)):
            raise Refused(400, "the body: compressed Arrow buffers; write the stream without compression")
        frame = from_arrow(_known_columns(_table(content, most), schema), "the body")
    except (pa.ArrowException, OSError, ValueError, IndexError, struct.error) as error:
        raise Refused(400, f"the body: not an Arrow stream ({str(error)[:200]})") from None
    for column in frame:
        _check_years(column)
    return frame


def _table(content: bytes, most: int) -> Any:
    batches, rows = [], 0
    with pa.ipc.open_stream(content) as stream:
        for batch in stream:
            rows += batch.num_rows
            if rows > most:
                raise Refused(422, f"found more than {most} rows, needs 1 to {most}")
            batch.validate(full=True)
            batches.append(batch)
        if rows < 1:
            raise Refused(422, f"found {rows} rows, needs 1 to {most}")
        return pa.Table.from_batches(batches, stream.schema)


def _known_columns(table: Any, schema: Schema) -> Any:
    names = table.column_names
    for part in schema.columns:
        if (count := names.count(part.name)) != 1:
            raise bad_value("is missing" if count == 0 else f"occurs {count} times", part.name, None)
        _check_type(table.schema.field(part.name))
    return table.select([part.name for part in schema.columns])


def write(frame: pl.DataFrame) -> bytes:
    """Write a table as an Arrow stream."""
    table = frame.to_arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _check_type(field: Any) -> None:
    kind = field.type
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner)
    number = pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)
    if kind is inner and (number or pa.types.is_temporal(inner) or pa.types.is_null(inner)):
        return
    if not text:
        raise bad_value(f"holds {kind}; needs numbers, text, booleans, dates or times", field.name, None)


def _check_years(column: pl.Series) -> None:
    """Refuse moments that no calendar has: to write them, polars panics."""
    unit = _PER_DAY.get("d" if column.dtype == pl.Date else getattr(column.dtype, "time_unit", ""))
    if unit is None or column.dtype == pl.Duration:
        return
    wrong = ~column.to_physical().is_between(_FIRST * unit, (_LAST + 1) * unit - 1).fill_null(True)
    if wrong.any():
        row = (wrong.arg_max() or 0) + 1
        raise bad_value("found a date outside of the years 1 to 9999", column.name, row)


def _is_compressed(message: Any) -> bool:
    """Tell whether a record batch says that its buffers are compressed."""
    content = message.metadata.to_pybytes()
    root = Table(content, struct.unpack_from("<I", content)[0])
    at = root.Offset(_HEADER_TYPE)
    kind = root.Get(kinds.Uint8Flags, root.Pos + at) if at else 0
    if kind not in (_BATCH, _DICTIONARY):
        return False
    batch = _part(root, _HEADER)
    if kind == _DICTIONARY:
        batch = _part(batch, _DATA)
    return bool(batch.Offset(_COMPRESSION))


def _part(table: Table, field: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(field)))
