"""JSON Lines, CSV and TSV, row by row; how a text file is opened, compressed or not."""

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson

from pairgen.errors import SourceError
from pairgen.sources.formats.record import Columns, Records, Row, check_columns, unreadable_after

READ_BYTES = 1 << 20
NOT_AN_OBJECT = "is not a JSON object"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The decompressed file, and how many bytes of the file on disk have been read.

    Raises:
        SourceError: the file is damaged or ends too early.
    """
    with path.open("rb", buffering=READ_BYTES) as raw:
        file = gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw
        try:
            yield cast(IO[bytes], file), raw.tell
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path}: is damaged or ends too early ({error}); get the file again") from error


def read_json_lines(path: Path, columns: Columns) -> Records:
    """One object per line; blank lines are ignored."""
    del columns
    with open_bytes(path) as (file, position):
        for number, line in enumerate(file, 1):
            text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            try:
                row = orjson.loads(text)
                yield position(), number, (row if type(row) is dict else NOT_AN_OBJECT)
            except orjson.JSONDecodeError as error:
                if text.strip():
                    yield position(), number, f"invalid JSON ({without_position(error)})"


def without_position(error: Exception) -> str:
    """The message of a JSON error without its line and column, which count within one row."""
    return str(error).split(": line ")[0]


def read_csv(path: Path, columns: Columns) -> Records:
    """Cells that hold a JSON list or object, as columns of choices do, are parsed; all others are text."""
    return _read_cells(path, columns, "excel")


def read_tsv(path: Path, columns: Columns) -> Records:
    """As ``read_csv``, with cells separated by tabs."""
    return _read_cells(path, columns, "excel-tab")


def _read_cells(path: Path, columns: Columns, dialect: str) -> Records:
    csv.field_size_limit(1 << 27)
    with open_bytes(path) as (raw, position), io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        reader = csv.reader(file, dialect, strict=True)
        try:
            header: list[str] = next(reader, [])
            check_columns(path, header, columns)
            for cells in reader:
                if cells:
                    yield position(), reader.line_num, _row(cells, header, columns)
        except csv.Error as error:
            raise unreadable_after(f"{path}: line {reader.line_num}:", f"invalid CSV ({error})") from error
        except UnicodeDecodeError as error:
            where = f"{path}: line {reader.line_num + 1} or a later one"
            raise unreadable_after(where, f"is not UTF-8 ({error.reason})") from error


def _row(cells: list[str], header: list[str], columns: Columns) -> Row | str:
    if len(cells) != len(header):
        return f"has {len(cells)} cells, but the header has {len(header)}"
    return {name: _parsed(cell) for name, cell in zip(header, cells, strict=True) if name in columns.names}


def _parsed(cell: str) -> Any:
    if cell[:1] in ("[", "{"):
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            return cell
    return cell
