"""Parquet and Arrow files, and the folders that ``save_to_disk`` writes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.errors import SourceError
from pairgen.sources.formats.text import Numbered


@contextlib.contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Say in one sentence what pyarrow found wrong with a file."""
    try:
        yield
    except (pa.lib.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read ({str(error).partition(chr(10))[0]}); get it again") from error


def read_parquet(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    with arrow_errors(path), pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name in wanted]
        number = sum(file.metadata.row_group(index).num_rows for index in range(start))
        for batch in file.iter_batches(1024, list(range(start, stop)), columns=names):
            yield from enumerate(batch.to_pylist(), number)
            number += batch.num_rows


def read_arrow(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    with arrow_errors(path), pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        names = [name for name in reader.schema.names if name in wanted]
        number = 0
        for index, batch in enumerate(reader):
            if index >= stop:
                return
            if index >= start:
                yield from enumerate(batch.select(names).to_pylist(), number)
            number += batch.num_rows


def shards(folder: Path) -> list[Path]:
    """The Arrow files of a folder that ``save_to_disk`` wrote, in order.

    Raises:
        SourceError: ``state.json`` is broken, or names a file that is not there.
    """
    try:
        state = orjson.loads((folder / "state.json").read_bytes())
        files = [folder / Path(entry["filename"]).name for entry in state["_data_files"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{folder / 'state.json'}: is not what save_to_disk writes ({error!r})") from error
    for file in files:
        if not file.is_file():
            raise SourceError(f"{file}: named in state.json but not there; get the folder again")
    return files
