"""Tables that fit the terminal: where it is narrow, columns are hidden and named, and numbers are never cut."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from pairgen.report.text import safe_text, shorten

MAX_NAME = 20
"""Cells reserved for a text column, up to a third of the terminal; longer texts take what is left, and wrap."""


@dataclass(frozen=True)
class Column:
    """A column of a ``FittedTable``."""

    head: str
    numeric: bool = True
    """Whether its cells are aligned to the right and never wrapped."""
    hide: int = 0
    """Columns above 0 are hidden in a narrow terminal, the highest first."""
    note: str = ""
    """Shown below the table if the column is."""


class FittedTable:
    """A table for rich to print, as wide as the terminal allows."""

    def __init__(self, *columns: Column, gap: int = 2) -> None:
        self._columns = [replace(column, head=safe_text(column.head).plain) for column in columns]
        self._gap = gap
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str | Text, style: str = "") -> None:
        """Add a row. A string is shown as it is, without markup and shortened to one line's length."""
        self._rows.append(([cell if isinstance(cell, Text) else shorten(cell) for cell in cells], style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        shown, gap = self._fit(options.max_width)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 1, 0, 0), show_edge=False)
        lines = max(self._columns[at].head.count("\n") for at in shown)
        for at, width in self._widths(shown, options.max_width, gap).items():
            column = self._columns[at]
            head = "\n" * (lines - column.head.count("\n")) + column.head
            table.add_column(
                safe_text(head), justify="right" if column.numeric else "left", overflow="fold", width=width
            )
        for cells, style in self._rows:
            table.add_row(*(cells[at] for at in shown), style=style)
        yield table
        hidden = [column.head.replace("\n", " ") for at, column in enumerate(self._columns) if at not in shown]
        if any(hidden):
            yield Text(f"hidden (narrow terminal): {', '.join(filter(None, hidden))}", style="dim")
        notes = [self._columns[at].note for at in shown if self._columns[at].note]
        if notes:
            yield Text("\n" + "\n".join(notes), style="dim")

    def _fit(self, width: int) -> tuple[list[int], int]:
        """The columns that fit, and the cells between them."""
        shown = list(range(len(self._columns)))
        least = {at: min(self._needed(at), self._limit(at, width)) for at in shown}
        if sum(least.values()) + self._gap * len(shown) <= width:
            return shown, self._gap
        for at in sorted(shown, key=lambda at: -self._columns[at].hide):
            if not self._columns[at].hide or sum(least[at] + 1 for at in shown) <= width:
                break
            shown.remove(at)
        return shown, 1

    def _widths(self, shown: Sequence[int], width: int, gap: int) -> dict[int, int]:
        """Cells by column. What the columns leave of the terminal goes to texts that wrap."""
        widths = {at: min(self._needed(at), self._limit(at, width)) for at in shown}
        left = width - sum(widths.values()) - gap * len(shown)
        for at in shown:
            more = min(self._needed(at) - widths[at], left)
            if left < 0:  # even the columns that are never hidden do not fit: texts wrap, numbers do not
                more = 0 if self._columns[at].numeric else max(left, 1 - widths[at])
            widths[at] += more
            left -= more
        return widths

    def _needed(self, at: int) -> int:
        texts = [self._columns[at].head, *(cells[at].plain for cells, _ in self._rows)]
        return max(cell_len(line) for text in texts for line in text.split("\n"))

    def _limit(self, at: int, width: int) -> int:
        return width if self._columns[at].numeric else min(MAX_NAME, max(width // 3, 1))


def facts(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Names and values, one per line."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value if isinstance(value, Text) else shorten(value))
    return table
