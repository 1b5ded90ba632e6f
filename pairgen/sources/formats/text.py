"""JSON Lines and CSV, row by row; how a text file is opened, packed or not."""

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import orjson

from pairgen.errors import SourceError

READ_BYTES = 1 << 20

Row = dict[str, Any]
Numbered = Iterator[tuple[int, Row | str]]
"""Row numbers, counted from the start of the cut, with the row, or with what is wrong with it."""


def open_bytes(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb", buffering=READ_BYTES)


def lines_before(path: Path, stop: int) -> int:
    """Lines in the first ``stop`` bytes; counted only when a row is broken."""
    lines = 0
    with open_bytes(path) as file:
        while stop > 0 and (block := file.read(min(stop, READ_BYTES))):
            lines += block.count(b"\n")
            stop -= len(block)
    return lines


def read_lines(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    del wanted
    loads = orjson.loads
    with open_bytes(path) as file:
        file.seek(start)
        left = stop - start if stop >= 0 else 1 << 62
        try:
            for number, line in enumerate(file):
                left -= len(line)
                try:
                    row = loads(line)
                    yield number, (row if type(row) is dict else "is no JSON object")
                except orjson.JSONDecodeError as error:
                    if number == 0 and start == 0 and line[:3] == b"\xef\xbb\xbf":
                        if line[3:].strip():
                            yield number, _row_or_problem(line[3:])
                    elif line.strip():
                        yield number, f"is broken JSON ({short(error)})"
                if left <= 0:
                    break
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path}: ends too early or is damaged ({error}); get the file again") from error


def _row_or_problem(line: bytes) -> Row | str:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"is broken JSON ({short(error)})"
    return row if type(row) is dict else "is no JSON object"


def no_way_on(where: str, problem: str) -> SourceError:
    """For a fault behind which no next row can be found, so that it cannot be skipped."""
    return SourceError(f"{where} {problem}; nothing behind it can be read, mend it or get the file again")


def short(error: Exception) -> str:
    return str(error).split(": line ")[0]


def read_csv(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    """Cells that hold a JSON list or object, as columns of choices do, are read as such; all others are text."""
    del start, stop
    with open_csv(path) as reader:
        names: list[str] = next(reader, [])
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                yield reader.line_num, f"has {len(cells)} cells, the header has {len(names)}"
                continue
            row = {name: _cell(cell) for name, cell in zip(names, cells, strict=True) if name in wanted}
            yield reader.line_num, row


@contextlib.contextmanager
def open_csv(path: Path) -> Iterator[Any]:
    """The lines of a CSV file, cut into cells; what is wrong with it in one sentence."""
    csv.field_size_limit(1 << 27)
    dialect = "excel-tab" if ".tsv" in [ending.lower() for ending in path.suffixes] else "excel"
    with open_bytes(path) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as file:
        reader = csv.reader(file, dialect, strict=True)
        try:
            yield reader
        except csv.Error as error:
            raise no_way_on(f"{path}: line {reader.line_num}", f"is broken CSV ({error})") from error
        except UnicodeDecodeError as error:
            where = f"{path}: line {reader.line_num + 1} or a later one"
            raise no_way_on(where, f"is no UTF-8 ({error.reason})") from error
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path}: ends too early or is damaged ({error}); get the file again") from error


def _cell(cell: str) -> Any:
    if cell[:1] in ("[", "{"):
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            return cell
    return cell
