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


def read(content: bytes, schema: Schema, most: int) -> pl.DataFrame:
    """Read an Arrow stream: the model's columns, of 1 to ``most`` rows.

    Raises:
        Refused: 400 for what is no Arrow stream or one with compressed buffers (which may hold any amount),
            422 for a missing column, one of nested values, or too many rows.
    """
    try:
        if any(_is_compressed(message) for message in pa.ipc.MessageReader.open_stream(content)):
            raise Refused(400, "the body: compressed Arrow buffers; write the stream without compression")
        batches, rows = [], 0
        with pa.ipc.open_stream(content) as stream:
            for batch in stream:
                rows += batch.num_rows
                if rows > most:
                    break
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, stream.schema)
    except (pa.ArrowException, OSError, ValueError, IndexError, struct.error) as error:
        raise Refused(400, f"the body: not an Arrow stream ({str(error)[:200]})") from None
    if not 1 <= rows <= most:
        raise Refused(422, f"found {rows if rows <= most else f'more than {most}'} rows, needs 1 to {most}")
    for part in schema.columns:
        count = table.column_names.count(part.name)
        if count != 1:
            raise bad_value("is missing" if count == 0 else f"occurs {count} times", part.name, None)
        _check_type(table.schema.field(part.name))
    return from_arrow(table.select([part.name for part in schema.columns]), "the body")


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


def _is_compressed(message: Any) -> bool:
    """Tell whether a record batch says that its buffers are compressed."""
    content = message.metadata.to_pybytes()
    root = Table(content, struct.unpack_from("<I", content)[0])
    kind = (
        root.Get(kinds.Uint8Flags, root.Pos + root.Offset(_HEADER_TYPE)) if root.Offset(_HEADER_TYPE) else 0
    )
    if kind not in (_BATCH, _DICTIONARY):
        return False
    batch = _part(root, _HEADER)
    if kind == _DICTIONARY:
        batch = _part(batch, _DATA)
    return bool(batch.Offset(_COMPRESSION))


def _part(table: Table, field: int) -> Table:
    return Table(table.Bytes, table.Indirect(table.Pos + table.Offset(field)))
