"""Readers of files of rows. A new format is one function, and one line in ``FORMATS``."""

from collections.abc import Iterator
from pathlib import Path

from pairgen.errors import InvalidRow, UsageError, WrongColumns
from pairgen.sources.formats.arrow import read_arrow, read_parquet, shards
from pairgen.sources.formats.json_list import read_json_list
from pairgen.sources.formats.record import Columns, Format, Row, check_columns
from pairgen.sources.formats.text import open_bytes, read_csv, read_json_lines, read_tsv

FORMATS = {
    ".jsonl": Format(read_json_lines, unit="line", may_be_compressed=True),
    ".ndjson": Format(read_json_lines, unit="line", may_be_compressed=True),
    ".json": Format(read_json_list, may_be_compressed=True),
    ".csv": Format(read_csv, unit="line", may_be_compressed=True),
    ".tsv": Format(read_tsv, unit="line", may_be_compressed=True),
    ".parquet": Format(read_parquet),
    ".arrow": Format(read_arrow),
}


def format_of(path: Path) -> Format:
    """The format of a file, by its extension; a ``.json`` file that is not a list is read as JSON Lines.

    Raises:
        UsageError: an unsupported extension.
        SourceError: a compressed file that cannot be decompressed.
    """
    *_, first, last = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    is_compressed = last == ".gz"
    suffix = first if is_compressed else last
    if suffix not in FORMATS or (is_compressed and not FORMATS[suffix].may_be_compressed):
        compressed = ", ".join(f"{name}.gz" for name, entry in FORMATS.items() if entry.may_be_compressed)
        raise UsageError(f"{path}: unsupported file extension; supported are {', '.join(FORMATS)}, {compressed}")
    if suffix == ".json" and not _starts_with_bracket(path):
        return FORMATS[".jsonl"]
    return FORMATS[suffix]


def _starts_with_bracket(path: Path) -> bool:
    with open_bytes(path) as (file, _):
        return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["


def read(path: Path, columns: Columns, skip_invalid: bool = False) -> Iterator[tuple[int, Row | InvalidRow]]:
    """Bytes of the file read so far, with the next row that has every required column.

    Args:
        skip_invalid: yield an InvalidRow for a row that cannot be used instead of raising it.

    Raises:
        InvalidRow: a row cannot be parsed, or lacks a required column.
        WrongColumns: the first row, or the header, lacks a required column.
        SourceError: the file is damaged or ends too early, so that no row after the fault can be read.
    """
    format_ = format_of(path)
    required = columns.required
    is_first = True
    for position, number, row in format_.read(path, columns):
        if type(row) is dict:
            if required <= row.keys():
                yield position, row
                is_first = False
                continue
            if is_first and not skip_invalid:
                check_columns(path, list(row), columns)
            problem = f"has no {', '.join(sorted(required - row.keys()))}"
        else:
            problem = str(row)
        error = InvalidRow(f"{path}: {format_.unit} {number}", problem)
        if not skip_invalid:
            raise error
        yield position, error


__all__ = ["FORMATS", "Columns", "Format", "Row", "WrongColumns", "check_columns", "format_of", "read", "shards"]
