"""What a reader of a format takes and yields."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pairgen.errors import SourceError, WrongColumns
from pairgen.sources.urls import AnyFile

Row = dict[str, Any]

Records = Iterable[tuple[int, Row | str]]
"""For each row: its number in the file, and the row or what is wrong with it."""


class Columns(NamedTuple):
    """Columns to read: those that every row must have, and others that are used if present (None: all)."""

    required: frozenset[str]
    optional: frozenset[str] | None = frozenset()
    roles: Mapping[str, str] | None = None
    """What each required column is used as, if ``--columns`` can name others; None if it cannot."""

    def read_of(self, found: Sequence[str]) -> list[str]:
        """Those of the columns of a file that are read."""
        return [name for name in found if self.optional is None or name in self.required or name in self.optional]


class Block(NamedTuple):
    """Consecutive rows of a source. They are parsed where they are used: workers receive blocks."""

    position: int
    """Bytes of the file read so far."""
    first: int
    """Number of the first row, from 1."""
    data: Any
    parse: Callable[[Any, int], Records]
    """Rows from ``data`` and ``first``. A function that pickle finds by its name."""
    unit: str = "row"
    """What is numbered: a row or a line."""

    def rows(self) -> Records:
        return self.parse(self.data, self.first)


Blocks = Iterator[Block]
Reader = Callable[[AnyFile, Columns, int], Blocks]
"""Reads a file in blocks of about as many bytes. Rows may have more columns than asked for."""
Part = Callable[[int], Blocks]
"""Reads some consecutive rows of a file as ``Reader`` does. It is small, and can be sent to another process."""
Cutter = Callable[[AnyFile, Columns, int], Iterator[Part]]
"""Cuts a file into parts of about as many bytes, in order. Nothing but what tells where rows begin is kept of it."""


def grouped(records: Records, position: Callable[[], int], block_bytes: int, unit: str = "row") -> Blocks:
    """Blocks of rows that had to be parsed to find where they end."""
    group: list[tuple[int, Row | str]] = []
    size = 0
    for number, row in records:
        group.append((number, row))
        size += 100 + (sum(len(value) for value in row.values() if type(value) is str) if type(row) is dict else 0)
        if size >= block_bytes:
            yield Block(position(), group[0][0], group, parsed, unit)
            group, size = [], 0
    if group:
        yield Block(position(), group[0][0], group, parsed, unit)


def cut(block: Block, rows: int) -> tuple[Block, int]:
    """The first rows of a block, and their number. They are parsed to count them."""
    count = sum(1 for _ in block.rows())
    if count <= rows:
        return block, count
    return block._replace(data=list(islice(block.rows(), rows)), parse=parsed), rows


def parsed(records: list[tuple[int, Row | str]], first: int) -> Records:
    """Rows that are already parsed and numbered."""
    del first
    return records


def check_columns(path: AnyFile, found: list[str], columns: Columns) -> None:
    """Raise WrongColumns unless each required column occurs, and none that is read occurs twice."""
    names = ", ".join(map(str, found)) or "(none)"
    if missing := sorted(columns.required - set(found)):
        advice = "check that the file fits this dataset"
        if columns.roles is not None:
            roles = ",".join(f"{columns.roles.get(name, name)}=NAME" for name in missing)
            advice = f"if the file has them under other names, add --columns {roles}"
        raise WrongColumns(f"{path}: has the columns {names}, but not {', '.join(missing)}; {advice}")
    for name in columns.read_of(found):
        if found.count(name) > 1:
            raise WrongColumns(f"{path}: has {found.count(name)} columns named {name}; rename or remove all but one")


def unreadable_after(where: str, problem: str) -> SourceError:
    """The error for a fault after which no next row can be found, so that it cannot be skipped."""
    return SourceError(
        f"{where} {problem}; nothing after it can be read, so fix the file, or download or copy it again"
    )
