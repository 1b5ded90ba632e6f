"""CSV and TSV."""

import csv
import itertools
import re
from collections import deque
from collections.abc import Iterator

from pairgen.sources.formats.record import Blocks, Columns, Records, Row, check_columns, grouped, unreadable_after
from pairgen.sources.formats.text import TextFile, open_text
from pairgen.sources.urls import AnyFile

csv.field_size_limit(1 << 27)

QUOTED_CELL = re.compile(r'"(?:[^"]|"")*"')
MAX_RECORD_LINES = 1000
"""Lines that a quoted cell of a TSV file may extend over."""


def read_csv(path: AnyFile, columns: Columns, block_bytes: int) -> Blocks:
    """Comma-separated cells, quoted as in RFC 4180."""
    with open_text(path) as file:
        reader = csv.reader(_lines(path, file), strict=True)
        try:
            header = next(reader, [])
            check_columns(path, header, columns)
            read = columns.read_of(header)
            records = ((reader.line_num, _row(cells, header, read)) for cells in reader if cells)
            yield from grouped(records, file.position, block_bytes, "line")
        except csv.Error as error:
            raise unreadable_after(f"{path}: line {reader.line_num}:", f"invalid CSV ({error})") from error


def read_tsv(path: AnyFile, columns: Columns, block_bytes: int) -> Blocks:
    """Cells separated by tabs, with or without quotes.

    A line with as many cells as the header is a row by itself, so that a quotation mark in an unquoted file never joins
    rows. Other lines are read as CSV is, with the lines that follow them and are not rows by themselves.
    """
    with open_text(path) as file:
        lines = enumerate(_lines(path, file), 1)
        _, first = next(lines, (1, ""))
        header, _ = _record([first], len(_cells(first)))
        check_columns(path, header, columns)
        yield from grouped(_tsv_records(lines, header, columns.read_of(header)), file.position, block_bytes, "line")


def _lines(path: AnyFile, file: TextFile) -> Iterator[str]:
    """Lines with their ends. Raises SourceError for a line that is not UTF-8."""
    for number in itertools.count(1):
        line = file.readline()
        if not line:
            return
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise unreadable_after(f"{path}: line {number}", f"is not UTF-8 ({error.reason})") from error


def _row(cells: list[str], header: list[str], read: list[str]) -> Row | str:
    if len(cells) != len(header):
        count = f"{len(cells)} cell" + "s" * (len(cells) != 1)
        return f"has {count}, but the header has {len(header)}"
    return {name: cell for name, cell in zip(header, cells, strict=True) if name in read}


def _tsv_records(lines: Iterator[tuple[int, str]], header: list[str], read: list[str]) -> Records:
    waiting: deque[tuple[int, str]] = deque()
    while waiting or (waiting := deque(itertools.islice(lines, 1))):
        if '"' in waiting[0][1]:
            waiting.extend(itertools.islice(lines, MAX_RECORD_LINES - len(waiting)))
        cells, count = _record([line for _, line in waiting], len(header))
        number, line = waiting[0]
        for _ in range(count):
            waiting.popleft()
        if line.strip("\r\n"):
            yield number, _row(cells, header, read)


def _record(lines: list[str], width: int) -> tuple[list[str], int]:
    """The cells of the record that begins with the first line, and its number of lines."""
    plain = _cells(lines[0])
    if '"' not in lines[0]:
        return plain, 1
    reader = csv.reader(lines, "excel-tab", strict=True)
    try:
        quoted = next(reader)
    except csv.Error:
        return plain, 1
    count = reader.line_num
    first, *inner = map(_cells, lines[:count])
    joins_rows = (inner and len(first) == len(inner[-1]) == width) or any(_is_row(cells, width) for cells in inner[:-1])
    if len(quoted) != width or joins_rows:
        return plain, 1
    needs_quotes = len(first) != width or inner or '""' in lines[0]
    return (quoted if needs_quotes or all(map(QUOTED_CELL.fullmatch, plain)) else plain), count


def _is_row(cells: list[str], width: int) -> bool:
    """Whether a line inside a quoted record is a row by itself: it has all cells, and none ends the quotes."""
    return len(cells) == width and not any(cell.endswith('"') and not QUOTED_CELL.fullmatch(cell) for cell in cells)


def _cells(line: str) -> list[str]:
    return line.rstrip("\r\n").split("\t")
