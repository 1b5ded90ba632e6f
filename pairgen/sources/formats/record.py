"""What a reader of a format takes and yields."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.errors import SourceError, WrongColumns

Row = dict[str, Any]

Records = Iterator[tuple[int, int, Row | str]]
"""For each row: bytes of the file read so far, the number of the row or line, and the row or what is wrong with it."""


class Columns(NamedTuple):
    """Columns to read: those that every row must have, and others that are used if present."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        return self.required | self.optional


class Format(NamedTuple):
    """A file format.

    ``unit`` names what its reader counts (from 1) to locate a row. A reader may yield further columns.
    """

    read: Callable[[Path, Columns], Records]
    unit: str = "row"
    may_be_compressed: bool = False


def check_columns(path: Path, found: list[str], columns: Columns) -> None:
    """Raise WrongColumns, naming the columns found and those required, unless all required ones are present."""
    if not columns.required <= set(found):
        raise WrongColumns(
            f"{path}: has the columns {', '.join(map(str, found)) or '(none)'}, but "
            f"{', '.join(sorted(columns.required))} are required; check that the file fits this dataset"
        )


def unreadable_after(where: str, problem: str) -> SourceError:
    """The error for a fault after which no next row can be found, so that it cannot be skipped."""
    return SourceError(f"{where} {problem}; nothing after it can be read, so fix it or get the file again")
