"""A JSON list, one element at a time, so that memory holds one block of the file and not the list."""

import io
import json
import zlib
from pathlib import Path
from typing import IO, Any

import orjson

from pairgen.errors import SourceError
from pairgen.sources.formats import text
from pairgen.sources.formats.text import Numbered, Row


def read_list(path: Path, start: int, stop: int, wanted: frozenset[str]) -> Numbered:
    """The elements of the list. A broken one ends the reading: nothing says where the next one would begin.

    Raises:
        SourceError: broken JSON, or a file that ends too early or is no UTF-8.
    """
    del start, stop, wanted
    with text.open_bytes(path) as raw, io.TextIOWrapper(raw, "utf-8-sig") as file:
        scanner = _Scanner(path, file)
        scanner.next_sign()
        scanner.position += 1  # the opening bracket, which `kind_of` saw
        while (sign := scanner.next_sign()) != "]":
            if scanner.number:
                if sign != ",":
                    raise scanner.no_way_on(scanner.number, "is not followed by a comma or the end of the list")
                scanner.position += 1
            row = scanner.next_element()
            yield scanner.number, _whole(row)
            scanner.number += 1


class _Scanner:
    """A window on the file: ``buffer`` is what was read of it and not yet used up, from ``position`` on."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path, self.file = path, file
        self.buffer, self.position, self.number = "", 0, 0
        self._decode = json.JSONDecoder().raw_decode

    def more(self) -> bool:
        """Read on, as much again as there is; False at the end of the file."""
        try:
            block = self.file.read(max(text.READ_BYTES, len(self.buffer) - self.position))
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{self.path}: row {self.number + 1} or a later one is no UTF-8 ({error.reason})"
            ) from error
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{self.path}: ends too early or is damaged ({error}); get the file again") from error
        self.buffer, self.position = self.buffer[self.position :] + block, 0
        return bool(block)

    def next_sign(self) -> str:
        """The next character that is no white space, not yet used up; empty at the end of the file."""
        while True:
            while self.position < len(self.buffer) and self.buffer[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.buffer):
                return self.buffer[self.position]
            if not self.more():
                return ""

    def next_element(self) -> Any:
        """The next value, whatever it is."""
        while True:
            sign = self.next_sign()
            try:
                row, self.position = self._decode(self.buffer, self.position)
                return row
            except json.JSONDecodeError as error:
                if not (sign and _may_be_cut(error) and self.more()):
                    raise self.no_way_on(self.number + 1, f"is broken JSON ({text.short(error)})") from error
            except RecursionError as error:
                raise self.no_way_on(self.number + 1, "is broken JSON (nested too deeply)") from error

    def no_way_on(self, row: int, problem: str) -> SourceError:
        """The error for a fault in or behind a row."""
        return text.no_way_on(f"{self.path}: row {row}", problem)


def _may_be_cut(error: json.JSONDecodeError) -> bool:
    """Whether more of the file could mend an error: it is at the end of what was read, or in a string without end."""
    return error.pos > len(error.doc) - 20 or error.msg.startswith("Unterminated string")


def _whole(row: Any) -> Row | str:
    r"""The row, or what is wrong with it: Python's parser takes half a surrogate pair (``"\ud83d"``)."""
    if type(row) is not dict:
        return "is no JSON object"
    try:
        orjson.dumps(row)
    except orjson.JSONEncodeError as error:
        if "surrogates" in str(error):
            return "holds half a surrogate pair, which is no valid Unicode"
    return row
