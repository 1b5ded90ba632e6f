"""Readers of files of rows. A new format is one function, and one line in ``FORMATS``."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from pairgen.errors import UsageError
from pairgen.sources.formats.arrow import cut_arrow, cut_parquet, read_arrow, read_parquet, shards
from pairgen.sources.formats.delimited import read_csv, read_tsv
from pairgen.sources.formats.json_values import cut_json, cut_json_lines, read_json, read_json_lines
from pairgen.sources.formats.record import (
    Block,
    Blocks,
    Columns,
    Cutter,
    Part,
    Reader,
    Records,
    Row,
    check_columns,
    cut,
)
from pairgen.sources.urls import AnyFile


class Format(NamedTuple):
    """A file format."""

    read: Reader
    cut: Cutter | None = None
    """Cuts a file into parts; None if rows are found only by reading all before them."""
    may_be_compressed: bool = True


FORMATS = {
    ".jsonl": Format(read_json_lines, cut_json_lines),
    ".ndjson": Format(read_json_lines, cut_json_lines),
    ".json": Format(read_json, cut_json),
    ".csv": Format(read_csv),
    ".tsv": Format(read_tsv),
    ".parquet": Format(read_parquet, cut_parquet, may_be_compressed=False),
    ".arrow": Format(read_arrow, cut_arrow, may_be_compressed=False),
}

BLOCK_BYTES = 1 << 20
"""Bytes that are parsed at once."""


def read(path: AnyFile, columns: Columns, block_bytes: int = BLOCK_BYTES) -> Blocks:
    """The rows of a file, in blocks of about as many bytes.

    Raises:
        UsageError: an unsupported extension.
        WrongColumns: the file names its columns, and a required one is missing or one that is read occurs twice.
        SourceError: the file is damaged or ends too early, so that no row after the fault can be read.
    """
    return format_of(path).read(path, columns, block_bytes)


def parts(path: AnyFile, columns: Columns, part_bytes: int) -> Iterator[Part]:
    """What reads the rows of a file part by part, in processes that need not be the same: parts of about as many
    bytes, or one if rows are found only by reading all before them. Their rows are those that ``read`` yields.

    Raises what ``read`` raises.
    """
    cut = format_of(path).cut
    yield from cut(path, columns, part_bytes) if cut else [partial(read, path, columns)]


def rows(path: AnyFile, columns: Columns) -> Iterator[tuple[str, Row | str]]:
    """For each row of a file: where it is, and the row or what is wrong with it. Raises what ``read`` raises."""
    for block in read(path, columns):
        for number, row in block.rows():
            yield f"{path}: {block.unit} {number}", row


def check_rows(path: AnyFile, columns: Columns) -> None:
    """Read the start of a file. Raises what ``read`` raises, and WrongColumns if no row has the required columns."""
    first = next(iter(read(path, columns, 1 << 16)), None)
    found = [row for _, row in first.rows() if isinstance(row, dict)] if first else []
    if found and not any(columns.required <= row.keys() for row in found):
        check_columns(path, list(found[0]), columns)


def format_of(path: AnyFile) -> Format:
    """The format of a file, by its extension. Raises UsageError for an unsupported one."""
    *_, first, last = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    is_compressed = last == ".gz"
    found = FORMATS.get(first if is_compressed else last)
    if found is None or (is_compressed and not found.may_be_compressed):
        compressed = ", ".join(f"{name}.gz" for name, entry in FORMATS.items() if entry.may_be_compressed)
        raise UsageError(f"{path}: unsupported file extension; supported are {', '.join(FORMATS)}, {compressed}")
    return found


__all__ = [
    "BLOCK_BYTES",
    "FORMATS",
    "Block",
    "Columns",
    "Part",
    "Records",
    "Row",
    "check_rows",
    "cut",
    "format_of",
    "parts",
    "read",
    "rows",
    "shards",
]
