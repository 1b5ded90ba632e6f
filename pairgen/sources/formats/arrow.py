"""Parquet and Arrow files, and the folders that ``save_to_disk`` writes."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.errors import SourceError
from pairgen.sources.formats.record import Block, Blocks, Columns, Part, Records, Row, check_columns
from pairgen.sources.formats.text import check_content
from pairgen.sources.urls import AnyFile

MAX_BLOCK_ROWS = 1024

_Batch = tuple[pa.RecordBatch, int]


@contextlib.contextmanager
def _arrow_errors(path: AnyFile) -> Iterator[None]:
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


def read_parquet(path: AnyFile, columns: Columns, block_bytes: int) -> Blocks:
    """Read row group by row group. Positions are estimated from the number of rows read."""
    yield from read_row_groups(path, columns, (0, None), 1, block_bytes)


def cut_parquet(path: AnyFile, columns: Columns, part_bytes: int) -> Iterator[Part]:
    """Parts of whole row groups, from the metadata of the file."""
    with _arrow_errors(path), pq.ParquetFile(path if isinstance(path, Path) else path.open("rb")) as file:
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    for start, stop, first in _cut([(group.num_rows, group.total_byte_size) for group in groups], part_bytes):
        yield partial(read_row_groups, path, columns, (start, stop), first)


def read_row_groups(
    path: AnyFile, columns: Columns, groups: tuple[int, int | None], first: int, block_bytes: int
) -> Blocks:
    """The rows of row groups from one up to another (None: all). ``first`` is the number of the first row."""
    with _arrow_errors(path), pq.ParquetFile(path if isinstance(path, Path) else path.open("rb")) as file:
        names = _column_names(path, file.schema_arrow, columns)
        metadata = file.metadata
        row_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        rows = _block_rows(block_bytes, row_bytes, metadata.num_rows)
        chosen = range(metadata.num_row_groups)[slice(*groups)]
        for batch in file.iter_batches(rows, row_groups=[*chosen], columns=names):
            position = path.stat().st_size * (first - 1 + batch.num_rows) // metadata.num_rows
            yield Block(position, first, (batch, columns.required), parse_batch)
            first += batch.num_rows


def read_arrow(path: AnyFile, columns: Columns, block_bytes: int) -> Blocks:
    """Read an Arrow stream, as ``datasets`` writes it, or an Arrow file, batch by batch."""
    yield from read_batches(path, columns, (0, None), 1, block_bytes)


def cut_arrow(path: AnyFile, columns: Columns, part_bytes: int) -> Iterator[Part]:
    """Parts of whole record batches. Their sizes are read, not their values, as the file is mapped into memory. One by
    URL is one part: it cannot be mapped.
    """
    if not isinstance(path, Path):
        yield partial(read_arrow, path, columns)
        return
    with _open_arrow(path) as (_, batches):
        sizes = [(batch.num_rows, batch.nbytes) for batch, _ in batches(0, None)]
    for start, stop, first in _cut(sizes, part_bytes):
        yield partial(read_batches, path, columns, (start, stop), first)


def read_batches(
    path: AnyFile, columns: Columns, numbers: tuple[int, int | None], first: int, block_bytes: int
) -> Blocks:
    """The rows of record batches from one up to another (None: all). ``first`` is the number of the first row."""
    with _open_arrow(path) as (schema, batches):
        names = _column_names(path, schema, columns)
        for whole, position in batches(*numbers):
            batch = whole.select(names)
            rows = _block_rows(block_bytes, batch.nbytes, batch.num_rows)
            for start in range(0, batch.num_rows, rows):
                # Unlike a slice, ``take`` copies: pickle writes the whole buffers of a slice.
                part = batch.take(np.arange(start, min(start + rows, batch.num_rows)))
                yield Block(position, first + start, (part, columns.required), parse_batch)
            first += batch.num_rows


def _source_of(path: AnyFile) -> Any:
    """A file as pyarrow reads it: mapped into memory, if it is on disk."""
    return pa.memory_map(str(path)) if isinstance(path, Path) else pa.PythonFile(path.open("rb"), "r")


@contextlib.contextmanager
def _open_arrow(path: AnyFile) -> Iterator[tuple[pa.Schema, Callable[[int, int | None], Iterator[_Batch]]]]:
    """The schema, and what yields record batches from one up to another with the bytes of the file read by then."""
    with _arrow_errors(path), _source_of(path) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)

        def batches(start: int, stop: int | None) -> Iterator[_Batch]:
            if not is_file:
                yield from islice(((batch, source.tell()) for batch in reader), start, stop)
                return
            count = reader.num_record_batches
            for number in range(count)[start:stop]:
                yield reader.get_batch(number), path.stat().st_size * (number + 1) // count

        yield reader.schema, batches


def _cut(sizes: Sequence[tuple[int, int]], part_bytes: int) -> Iterator[tuple[int, int, int]]:
    """Consecutive pieces joined to parts of at least ``part_bytes``: the first piece, the one after the last, and the
    number of the first row. ``sizes`` are the rows and bytes of each piece.
    """
    start, first, size, rows = 0, 1, 0, 0
    for number, (piece_rows, piece_bytes) in enumerate(sizes, 1):
        size, rows = size + piece_bytes, rows + piece_rows
        if size >= part_bytes or number == len(sizes):
            yield start, number, first
            start, first, size, rows = number, first + rows, 0, 0


def _column_names(path: AnyFile, schema: pa.Schema, columns: Columns) -> list[str]:
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
