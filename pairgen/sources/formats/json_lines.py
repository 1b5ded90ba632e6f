"""An object per line: rows that can be found without parsing, because no line end is inside a JSON value."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson

from pairgen.errors import SourceError
from pairgen.sources.formats.record import Block, Blocks, Part, Records, Row
from pairgen.sources.formats.text import TextFile, open_text
from pairgen.sources.urls import AnyFile

NOT_AN_OBJECT = "is not a JSON object"

_COUNTED_BYTES = 1 << 16
"""Bytes in which lines are counted at once."""


def line_blocks(file: TextFile, data: bytes, block_bytes: int) -> Blocks:
    """The rest of a file in blocks of whole lines. ``data`` is the beginning, if some lines were read before."""
    first = 1
    while data := data + file.read(block_bytes):
        data += file.readline()
        yield Block(file.position(), first, data, parse_lines, "line")
        first += data.count(b"\n")
        data = b""


def cut_lines(path: AnyFile, part_bytes: int) -> Iterator[Part]:
    """Parts of whole lines of a file that is not compressed. All of it is read, to count the lines before each part."""
    with open_text(path) as file:
        start, first = file.position(), 1
        for block in line_blocks(file, b"", min(part_bytes, _COUNTED_BYTES)):
            if block.position - start >= part_bytes:
                yield partial(read_part, path, start, block.position, first)
                start, first = block.position, block.first + block.data.count(b"\n")
        if start < file.position():
            yield partial(read_part, path, start, file.position(), first)


def read_part(path: AnyFile, start: int, stop: int, first: int, block_bytes: int) -> Blocks:
    """The lines from the byte ``start`` up to the byte ``stop``, both of which begin a line. ``first`` is the number
    of the first one.
    """
    with open_text(path, start) as file:
        while (left := stop - file.position()) > 0:
            data = file.read(min(block_bytes, left))
            if not data:
                raise SourceError(f"{path}: became shorter while it was read; try again")
            data += file.readline() if len(data) < left else b""
            yield Block(file.position(), first, data, parse_lines, "line")
            first += data.count(b"\n")


def parse_lines(data: bytes, first: int) -> Records:
    """The rows of whole lines."""
    for number, line in enumerate(data.split(b"\n"), first):
        try:
            row = orjson.loads(line)
            yield number, (row if type(row) is dict else NOT_AN_OBJECT)
        except orjson.JSONDecodeError:
            if line and not line.isspace():
                yield number, parse_line(line)


def parse_line(line: bytes) -> Row | str:
    """The object in a line, or what is wrong. Python's parser accepts NaN, which other columns may hold."""
    try:
        return checked_value(json.loads(line.decode()))
    except UnicodeDecodeError as error:
        return f"is not UTF-8 ({error.reason})"
    except (ValueError, RecursionError) as error:
        return f"invalid JSON ({reason_of(error)})"


def reason_of(error: ValueError | RecursionError) -> str:
    """Why JSON is invalid, without line and column, which count within one row."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return reason[:1].lower() + reason[1:]


def checked_value(value: Any) -> Row | str:
    r"""The object, or what is wrong: Python's parser also accepts half a surrogate pair (``"\ud83d"``)."""
    if type(value) is not dict:
        return NOT_AN_OBJECT
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "surrogates" in str(error):
            return "contains half a surrogate pair, which is not valid Unicode"
    return value
