"""JSON text: lists of objects, a table written as one object, or an object per line (see ``json_lines``)."""

import codecs
import json
import re
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import orjson

from pairgen.errors import SourceError
from pairgen.sources.formats.json_lines import (
    NOT_AN_OBJECT,
    checked_value,
    cut_lines,
    line_blocks,
    parse_line,
    reason_of,
)
from pairgen.sources.formats.record import Block, Blocks, Columns, Part, Records, grouped, unreadable_after
from pairgen.sources.formats.text import TextFile, is_compressed, open_text
from pairgen.sources.urls import AnyFile

SPACE = b" \t\r\n"
_LIST_OF_OBJECTS = re.compile(rb"\s*\[\s*\{")
_BOUNDARY = re.compile(rb"\}\s*(,)\s*\{")


def read_json_lines(path: AnyFile, columns: Columns, block_bytes: int) -> Blocks:
    """One object per line; blank lines are ignored. A file that begins with ``[{`` is a list under a wrong name."""
    del columns
    with open_text(path) as file:
        if _LIST_OF_OBJECTS.match(file.peek(4096)):
            yield from _list_blocks(path, file, block_bytes)
        else:
            yield from line_blocks(file, b"", block_bytes)


def read_json(path: AnyFile, columns: Columns, block_bytes: int) -> Blocks:
    """A list of objects, an object per line, or a table that is written as one object.

    Raises:
        SourceError: invalid JSON, after which no row can be found, or a file that is not UTF-8.
    """
    with open_text(path) as file:
        if _begins_with_bracket(file):
            yield from _list_blocks(path, file, block_bytes)
            return
        blank, line = _first_line(file)
        if _is_one_of_many(file, line):
            yield from line_blocks(file, blank + line, block_bytes)
            return
        values = list(_Scanner(path, file, line, 0).values(in_list=False))
        rows = rows_of_table(values[0], columns) if len(values) == 1 else values
        yield from grouped(_checked(enumerate(rows, 1)), file.position, block_bytes)


def cut_json_lines(path: AnyFile, columns: Columns, part_bytes: int) -> Iterator[Part]:
    """Parts of whole lines. A list under a wrong name is one part, and so is a compressed file."""
    with open_text(path) as file:
        in_lines = not is_compressed(path) and not _LIST_OF_OBJECTS.match(file.peek(4096))
    yield from cut_lines(path, part_bytes) if in_lines else [partial(read_json_lines, path, columns)]


def cut_json(path: AnyFile, columns: Columns, part_bytes: int) -> Iterator[Part]:
    """Parts of whole lines, if there is an object per line; one part otherwise."""
    with open_text(path) as file:
        in_lines = not is_compressed(path) and not _begins_with_bracket(file)
        in_lines = in_lines and _is_one_of_many(file, _first_line(file)[1])
    yield from cut_lines(path, part_bytes) if in_lines else [partial(read_json, path, columns)]


def _begins_with_bracket(file: TextFile) -> bool:
    return file.peek(4096).lstrip(SPACE).startswith(b"[")


def _first_line(file: TextFile) -> tuple[bytes, bytes]:
    """Blank lines, and the first one that is not."""
    blank, line = b"", file.readline()
    while line.isspace():
        blank, line = blank + line, file.readline()
    return blank, line


def _is_one_of_many(file: TextFile, line: bytes) -> bool:
    """Whether a line is an object, and not the last one."""
    return bool(file.peek(1)) and isinstance(parse_line(line), dict)


def _checked(values: Iterator[tuple[int, Any]]) -> Records:
    return ((number, checked_value(value)) for number, value in values)


# ---------------------------------------------------------------- lists of objects


def _list_blocks(path: AnyFile, file: TextFile, block_bytes: int) -> Blocks:
    """The elements of a list, read in blocks, so that memory holds one block instead of the list.

    Further lists or objects may follow. Nothing after an invalid value can be read: where the next one begins is
    unknown.
    """
    number = 0
    data = file.read(block_bytes).lstrip(SPACE)
    while not data:
        data = file.read(block_bytes).lstrip(SPACE)
    data = data[1:]  # without the bracket
    while (split := _last_boundary(data, block_bytes)) is not None:
        elements, data, count = split
        yield Block(file.position(), number + 1, elements, parse_elements)
        number += count
        data += file.read(block_bytes)
    scanner = _Scanner(path, file, data, number)
    rows = ((scanner.number, value) for value in scanner.values(in_list=True))
    yield from grouped(_checked(rows), file.position, block_bytes)


def _last_boundary(data: bytes, block_bytes: int) -> tuple[bytes, bytes, int] | None:
    """The elements before the last boundary between two objects, as a list, what follows it, and their number.

    A boundary inside a string or a nested list makes the part before it invalid. Then, and where there is no boundary,
    as at the end of the file, the result is None: the slower ``_Scanner`` takes over.
    """
    boundaries = deque(_BOUNDARY.finditer(data, max(0, len(data) - (block_bytes >> 1))), maxlen=1)
    if not boundaries:
        return None
    boundary = boundaries.pop()
    elements = b"[%b]" % data[: boundary.start(1)]
    try:
        return elements, data[boundary.end(1) :], len(orjson.loads(elements))
    except orjson.JSONDecodeError:
        return None


def parse_elements(data: bytes, first: int) -> Records:
    """The rows of a valid list."""
    for number, row in enumerate(orjson.loads(data), first):
        yield number, (row if type(row) is dict else NOT_AN_OBJECT)


class _Scanner:
    """Parses value by value. ``buffer`` holds what was read and is not parsed yet, from ``position`` on."""

    def __init__(self, path: AnyFile, file: TextFile, data: bytes, number: int) -> None:
        self.path, self.file, self.number = path, file, number
        self.buffer, self.position = "", 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._parse = json.JSONDecoder().raw_decode
        self._append(data)

    def values(self, in_list: bool) -> Iterator[Any]:
        """The elements of lists, and the values between them. ``number`` counts them.

        Args:
            in_list: the text begins with an element of a list, whose bracket was read before.
        """
        is_first = True
        while character := self._next_character():
            if character == ("]" if in_list else "["):
                self.position += 1
                in_list, is_first = not in_list, True
                continue
            if in_list and not is_first:
                if character != ",":
                    raise self._error("is not followed by a comma or the end of the list")
                self.position += 1
            elif not in_list and character != "{":
                raise self._error("is followed by text that is neither a JSON object nor a list")
            is_first = False
            self.number += 1
            yield self._next_value()
        if in_list:
            self.number += is_first
            raise self._error(
                "is invalid JSON (the file ends)" if is_first else "is not followed by a comma or the end of the list"
            )

    def _next_value(self) -> Any:
        while True:
            character = self._next_character()
            try:
                value, self.position = self._parse(self.buffer, self.position)
                return value
            except (ValueError, RecursionError) as error:
                if not (character and _may_be_incomplete(error) and self._read_more()):
                    raise self._error(f"is invalid JSON ({reason_of(error)})") from error

    def _next_character(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            while self.position < len(self.buffer) and self.buffer[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.buffer):
                return self.buffer[self.position]
            if not self._read_more():
                return ""

    def _read_more(self) -> bool:
        """Double the buffer; False at the end of the file."""
        data = self.file.read(max(1 << 16, len(self.buffer) - self.position))
        self._append(data)
        return bool(data)

    def _append(self, data: bytes) -> None:
        try:
            decoded = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{self.path}: row {self.number + 1} or a later one is not UTF-8 ({error.reason})"
            ) from error
        self.buffer, self.position = self.buffer[self.position :] + decoded, 0

    def _error(self, problem: str) -> SourceError:
        return unreadable_after(f"{self.path}: row {self.number}", problem)


def _may_be_incomplete(error: Exception) -> bool:
    """Whether reading more could resolve an error: it is at the end of the buffer, or a string is not terminated."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos > len(error.doc) - 20 or error.msg.startswith("Unterminated string")


# ---------------------------------------------------------------- a table in one object


def rows_of_table(value: Any, columns: Columns) -> list[Any]:
    """The rows of a table that is written as one object, in any of the layouts of pandas' ``to_json``.

    ``{"data": [{..}, ..]}`` (also under another name), ``{"columns": [..], "data": [[..], ..]}``,
    ``{"query": {"0": .., ..}, ..}``, ``{"query": [..], ..}`` and ``{"0": {"query": ..}, ..}``. Any other object is one
    row.
    """
    if not isinstance(value, dict) or not columns.required:
        return [value]
    cells: list[Any] = [value.get(name) for name in columns.required]
    if all(isinstance(cell, dict) for cell in cells):
        by_key = {name: column for name, column in value.items() if isinstance(column, dict)}
        return [{name: column.get(key) for name, column in by_key.items()} for key in dict.fromkeys(chain(*cells))]
    if all(isinstance(cell, list) and len(cell) == len(cells[0]) for cell in cells):
        lists = {name: value[name] for name in columns.read_of(list(value)) if isinstance(value[name], list)}
        return [dict(zip(lists, row, strict=True)) for row in zip_longest(*lists.values())]

    def is_row(row: Any) -> bool:
        return isinstance(row, dict) and columns.required <= row.keys()

    names, data = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(names, row, strict=False)) for row in data]
    tables = [table for table in value.values() if isinstance(table, list) and any(map(is_row, table))]
    if len(tables) == 1:
        return tables[0]
    return list(value.values()) if value and all(map(is_row, value.values())) else [value]
