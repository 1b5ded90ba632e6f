"""Readers of row files. Each format has a cutter, which says where a file can be cut, and a reader of one cut.

A cut is ``(start, stop, size)``: bytes for JSON Lines, row groups for Parquet, record batches for Arrow; formats that
can only be read from the front are one cut. ``size`` is in bytes, for progress bars.
"""

import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.errors import InvalidRow, SourceError, UsageError, WrongColumns
from pairgen.sources.formats.arrow import arrow_errors, read_arrow, read_parquet, shards
from pairgen.sources.formats.json_list import read_list
from pairgen.sources.formats.text import Numbered, Row, lines_before, open_bytes, open_csv, read_csv, read_lines

CUT_BYTES = 8 << 20

Cut = tuple[int, int, int]

ENDINGS = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "list",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}


def kind_of(path: Path) -> str:
    """The reader for a file, by its ending; a ``.json`` file of one object a line counts as JSON Lines.

    Raises:
        UsageError: an ending nobody reads.
    """
    endings = [ending.lower() for ending in path.suffixes]
    packed = endings[-1:] == [".gz"]
    ending = (endings[:-1] if packed else endings)[-1:]
    kind = ENDINGS.get(ending[0] if ending else "")
    if kind is None or (packed and kind in ("parquet", "arrow")):
        raise UsageError(f"{path}: its ending says nothing; rows are read from {', '.join(ENDINGS)} and .gz of texts")
    if kind == "list" and not _starts_with_bracket(path):
        return "lines"
    return kind


def _starts_with_bracket(path: Path) -> bool:
    with open_bytes(path) as file:
        try:
            return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{path}: cannot be unpacked ({error}); get the file again") from error


# ---------------------------------------------------------------- cutting


def _cut_lines(path: Path, columns: frozenset[str]) -> list[Cut]:
    """Byte ranges of about ``CUT_BYTES`` that end where lines end."""
    del columns
    size = path.stat().st_size
    if path.suffix.lower() == ".gz":
        return [(0, -1, size)]
    marks = [0]
    with path.open("rb") as file:
        while marks[-1] + CUT_BYTES < size:
            file.seek(marks[-1] + CUT_BYTES)
            file.readline()
            marks.append(min(file.tell(), size))
    if marks[-1] < size:
        marks.append(size)
    return [(start, stop, stop - start) for start, stop in itertools.pairwise(marks)]


def _one_cut(path: Path, columns: frozenset[str]) -> list[Cut]:
    del columns
    return [(0, -1, path.stat().st_size)]


def _cut_csv(path: Path, columns: frozenset[str]) -> list[Cut]:
    with open_csv(path) as reader:
        check_columns(path, next(reader, []), columns)
    return _one_cut(path, columns)


def _cut_parquet(path: Path, columns: frozenset[str]) -> list[Cut]:
    with arrow_errors(path), pq.ParquetFile(path) as file:
        check_columns(path, file.schema_arrow.names, columns)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        return [(index, index + 1, group.total_byte_size) for index, group in enumerate(groups) if group.num_rows]


def _cut_arrow(path: Path, columns: frozenset[str]) -> list[Cut]:
    """Ranges of record batches of about ``CUT_BYTES``; finding them touches no row."""
    cuts, start, size = [], 0, 0
    with arrow_errors(path), pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        check_columns(path, reader.schema.names, columns)
        index = -1
        for index, batch in enumerate(reader):
            size += batch.nbytes
            if size >= CUT_BYTES:
                cuts.append((start, index + 1, size))
                start, size = index + 1, 0
        if start <= index:
            cuts.append((start, index + 1, size))
    return cuts


CUTTERS: dict[str, Callable[[Path, frozenset[str]], list[Cut]]] = {
    "lines": _cut_lines,
    "list": _one_cut,
    "csv": _cut_csv,
    "parquet": _cut_parquet,
    "arrow": _cut_arrow,
}


# ---------------------------------------------------------------- reading


def read(
    kind: str,
    path: Path,
    start: int,
    stop: int,
    columns: frozenset[str],
    optional: frozenset[str],
    skipped: list[str] | None,
) -> Iterator[Row]:
    """The rows of one cut that are whole and have every column of ``columns``; see ``sources.rows``."""
    wanted = columns | optional
    first_checked = False
    for number, row in READERS[kind](path, start, stop, wanted):
        if type(row) is dict:
            if columns <= row.keys():
                yield row
                first_checked = True
                continue
            if not first_checked and skipped is None:
                check_columns(path, list(row), columns)
            problem = f"has no {', '.join(sorted(columns - row.keys()))}"
        else:
            problem = str(row)
        broken = InvalidRow(_where(kind, path, start, number), problem)
        if skipped is None:
            raise broken
        skipped.append(f"{broken.where}: {problem}")


def check_columns(path: Path, found: list[str], wanted: frozenset[str]) -> None:
    """Raise WrongColumns, naming what was found and what was wanted, unless every wanted column is there."""
    if not wanted <= set(found):
        raise WrongColumns(
            f"{path}: has the columns {', '.join(map(str, found)) or '(none)'}; "
            f"{', '.join(sorted(wanted))} are needed: is it the right file for this dataset?"
        )


def _where(kind: str, path: Path, start: int, number: int) -> str:
    if kind == "lines":
        return f"{path}: line {lines_before(path, start) + number + 1}"
    if kind == "csv":
        return f"{path}: line {number}"
    return f"{path}: row {number + 1}"


READERS: dict[str, Callable[[Path, int, int, frozenset[str]], Numbered]] = {
    "lines": read_lines,
    "list": read_list,
    "csv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
}

__all__ = ["CUTTERS", "ENDINGS", "READERS", "check_columns", "kind_of", "read", "shards"]
