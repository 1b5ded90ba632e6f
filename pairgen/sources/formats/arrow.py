"""Parquet and Arrow files, and the folders that ``save_to_disk`` writes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.errors import SourceError
from pairgen.sources.formats.record import Block, Blocks, Columns, Records, Row, check_columns
from pairgen.sources.formats.text import check_content

MAX_BLOCK_ROWS = 1024


@contextlib.contextmanager
def _arrow_errors(path: Path) -> Iterator[None]:
    """Raise a SourceError of one line in place of the errors of pyarrow."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
        check_content(path, start, {".parquet": b"PAR1", ".arrow": b"ARROW1"}.get(path.suffix.lower(), b""))
        yield
    except (pa.lib.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}: cannot be read ({str(error).partition(chr(10))[0]}); download or copy it again"
        ) from error


def read_parquet(path: Path, columns: Columns, block_bytes: int) -> Blocks:
    """Read row group by row group. Positions are estimated from the number of rows read."""
    with _arrow_errors(path), pq.ParquetFile(path) as file:
        names = _column_names(path, file.schema_arrow, columns)
        metadata = file.metadata
        row_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        rows = _block_rows(block_bytes, row_bytes, metadata.num_rows)
        first = 1
        for batch in file.iter_batches(rows, columns=names):
            position = path.stat().st_size * (first - 1 + batch.num_rows) // metadata.num_rows
            yield Block(position, first, (batch, columns.required), parse_batch)
            first += batch.num_rows


def read_arrow(path: Path, columns: Columns, block_bytes: int) -> Blocks:
    """Read an Arrow stream, as ``datasets`` writes it, or an Arrow file, batch by batch."""
    with _arrow_errors(path), pa.memory_map(str(path)) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        names = _column_names(path, reader.schema, columns)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else reader
        first = 1
        for number, batch in enumerate(batches, 1):
            position = path.stat().st_size * number // reader.num_record_batches if is_file else source.tell()
            batch = batch.select(names)
            rows = _block_rows(block_bytes, batch.nbytes, batch.num_rows)
            for start in range(0, batch.num_rows, rows):
                # Unlike a slice, ``take`` copies: pickle writes the whole buffers of a slice.
                part = batch.take(np.arange(start, min(start + rows, batch.num_rows)))
                yield Block(position, first + start, (part, columns.required), parse_batch)
            first += batch.num_rows


def _column_names(path: Path, schema: pa.Schema, columns: Columns) -> list[str]:
    check_columns(path, schema.names, columns)
    return columns.read_of(schema.names)


def _block_rows(block_bytes: int, total_bytes: int, rows: int) -> int:
    return max(1, min(MAX_BLOCK_ROWS, block_bytes * rows // max(total_bytes, 1)))


def parse_batch(data: tuple[pa.RecordBatch, frozenset[str]], first: int) -> Records:
    """The rows of a record batch. A value that Python cannot represent is missing, or makes the row unreadable if it is
    required.
    """
    batch, required = data
    try:
        yield from enumerate(batch.to_pylist(), first)
    except Exception:  # UnicodeDecodeError, OverflowError of a timestamp, ...: not one base class
        for index in range(batch.num_rows):
            yield first + index, _row(batch, index, required)


def _row(batch: pa.RecordBatch, index: int, required: frozenset[str]) -> Row | str:
    row = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            row[name] = column[index].as_py()
        except Exception as error:
            if name in required:
                return f"{name} cannot be read ({str(error).partition(chr(10))[0]})"
    return row


def shards(folder: Path) -> list[Path]:
    """The Arrow files of a folder that ``save_to_disk`` wrote, in order.

    Raises:
        SourceError: ``state.json`` is invalid, or lists a file that does not exist.
    """
    try:
        state = orjson.loads((folder / "state.json").read_bytes())
        files = [folder / Path(entry["filename"]).name for entry in state["_data_files"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{folder / 'state.json'}: was not written by save_to_disk ({error!r})") from error
    for file in files:
        if not file.is_file():
            raise SourceError(f"{file}: listed in state.json but missing; download or copy the folder again")
    return files
