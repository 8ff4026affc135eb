"""Files of any kind that holds tables as Parquet files, a block at a time."""

from collections.abc import Collection
from pathlib import Path

import pyarrow.parquet as pa_parquet

from jdl.data.files import ending, is_old_feather, read_file, reading, record_batches, scanned_json_lines
from jdl.data.stream_csv import GROUP_ROWS, to_parquet
from jdl.data.stream_files import ENDINGS


def as_parquet(path: Path, folder: str, text: Collection[str]) -> Path:
    """Give a table's file as a Parquet file: itself where it is one, else one in ``folder``.

    Raises ``DataError`` as ``read_table`` does.
    """
    kind = ending(path)
    if kind in ENDINGS:
        return path
    if kind in (".csv", ".tsv"):
        return to_parquet(path, folder, text)
    into = Path(folder) / f"{len(list(Path(folder).iterdir()))}.parquet"
    with reading(path):
        if kind in (".jsonl", ".ndjson"):
            with scanned_json_lines(path, text) as table:
                table.sink_parquet(into, row_group_size=GROUP_ROWS)
        elif kind is None or is_old_feather(path):
            read_file(path, text).write_parquet(into)
        else:
            _write_batches(path, into)
    return into


def _write_batches(path: Path, into: Path) -> None:
    batches = record_batches(path)
    with pa_parquet.ParquetWriter(into, next(batches).schema) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=GROUP_ROWS)
