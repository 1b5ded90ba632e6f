"""Parquet and Arrow files, and the folders that ``save_to_disk`` writes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.errors import SourceError
from pairgen.sources.formats.record import Columns, Records, check_columns

BATCH_ROWS = 1024


@contextlib.contextmanager
def _arrow_errors(path: Path) -> Iterator[None]:
    """Raise a SourceError of one line in place of the errors of pyarrow."""
    try:
        yield
    except (pa.lib.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({str(error).partition(chr(10))[0]}); get it again") from error


def read_parquet(path: Path, columns: Columns) -> Records:
    """Read row group by row group. Positions are estimated from the number of rows read."""
    with _arrow_errors(path), pq.ParquetFile(path) as file:
        check_columns(path, file.schema_arrow.names, columns)
        names = [name for name in file.schema_arrow.names if name in columns.names]
        size = path.stat().st_size
        number = 0
        for batch in file.iter_batches(BATCH_ROWS, columns=names):
            position = size * (number + batch.num_rows) // file.metadata.num_rows
            for row in batch.to_pylist():
                number += 1
                yield position, number, row


def read_arrow(path: Path, columns: Columns) -> Records:
    """Read an Arrow stream, as ``datasets`` writes it, batch by batch."""
    with _arrow_errors(path), pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        check_columns(path, reader.schema.names, columns)
        names = [name for name in reader.schema.names if name in columns.names]
        number = 0
        for batch in reader:
            position = source.tell()
            for start in range(0, batch.num_rows, BATCH_ROWS):
                for row in batch.select(names).slice(start, BATCH_ROWS).to_pylist():
                    number += 1
                    yield position, number, row


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
            raise SourceError(f"{file}: listed in state.json but missing; get the folder again")
    return files
