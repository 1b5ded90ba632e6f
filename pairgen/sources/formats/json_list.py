"""A JSON list, read in blocks, so that memory holds one block of the file instead of the list."""

import codecs
import json
import re
from collections import deque
from pathlib import Path
from typing import IO, Any

import orjson

from pairgen.errors import SourceError
from pairgen.sources.formats import text
from pairgen.sources.formats.record import Columns, Records, Row, unreadable_after

_BOUNDARY = re.compile(rb"\}\s*(,)\s*\{")


def read_json_list(path: Path, columns: Columns) -> Records:
    """The elements of the list. Nothing after an invalid one can be read: where the next one begins is unknown.

    Raises:
        SourceError: invalid JSON, or a file that is damaged, ends too early or is not UTF-8.
    """
    del columns
    with text.open_bytes(path) as (file, position):
        number = 0
        data = file.read(text.READ_BYTES).removeprefix(text.BYTE_ORDER_MARK).lstrip()[1:]  # without the bracket
        while (rows := _parse_block(data)) is not None:
            for row in rows[0]:
                number += 1
                yield position(), number, (row if type(row) is dict else text.NOT_AN_OBJECT)
            data = rows[1] + file.read(text.READ_BYTES)
        scanner = _Scanner(path, file, data, number)
        while scanner.has_next():
            row = scanner.next_element()
            problem = "contains half a surrogate pair, which is not valid Unicode" if _has_surrogates(row) else row
            yield position(), scanner.number, (problem if type(row) is dict else text.NOT_AN_OBJECT)


def _parse_block(data: bytes) -> tuple[list[Any], bytes] | None:
    """The elements up to the last boundary between two objects, and the data after it.

    A boundary inside a string or a nested list makes the part before it invalid. Then, and where there is no boundary,
    as at the end of the file, the result is None: the slower ``_Scanner`` takes over.
    """
    boundaries = deque(_BOUNDARY.finditer(data, max(0, len(data) - (text.READ_BYTES >> 1))), maxlen=1)
    if not boundaries:
        return None
    boundary = boundaries.pop()
    try:
        return orjson.loads(b"[%b]" % data[: boundary.start(1)]), data[boundary.end(1) :]
    except orjson.JSONDecodeError:
        return None


class _Scanner:
    """Parses element by element. ``buffer`` holds what was read and is not parsed yet, from ``position`` on."""

    def __init__(self, path: Path, file: IO[bytes], data: bytes, number: int) -> None:
        self.path, self.file, self.number = path, file, number
        self.buffer, self.position = "", 0
        self._is_first = True
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._parse = json.JSONDecoder().raw_decode
        self._append(data)

    def has_next(self) -> bool:
        """Whether another element follows; moves to it."""
        character = self._next_character()
        if character == "]":
            return False
        if not self._is_first:
            if character != ",":
                raise self._error("is not followed by a comma or the end of the list")
            self.position += 1
        self._is_first = False
        self.number += 1
        return True

    def next_element(self) -> Any:
        """The next value, of any type."""
        while True:
            character = self._next_character()
            try:
                row, self.position = self._parse(self.buffer, self.position)
                return row
            except json.JSONDecodeError as error:
                if not (character and _may_be_incomplete(error) and self._read_more()):
                    raise self._error(f"is invalid JSON ({text.without_position(error)})") from error
            except RecursionError as error:
                raise self._error("is invalid JSON (nested too deeply)") from error

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
        data = self.file.read(max(text.READ_BYTES, len(self.buffer) - self.position))
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


def _may_be_incomplete(error: json.JSONDecodeError) -> bool:
    """Whether reading more could resolve an error: it is at the end of the buffer, or a string is not terminated."""
    return error.pos > len(error.doc) - 20 or error.msg.startswith("Unterminated string")


def _has_surrogates(row: Row) -> bool:
    r"""Whether a text holds half a surrogate pair (``"\ud83d"``), which Python's parser accepts."""
    try:
        orjson.dumps(row)
    except orjson.JSONEncodeError as error:
        return "surrogates" in str(error)
    return False
