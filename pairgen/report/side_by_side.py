"""Two texts next to each other, for duplicates and overlaps."""

from collections.abc import Iterable

from rich import box
from rich.table import Table

from pairgen.report.text import MAX_TEXT, shorten


def side_by_side(left: str, right: str, rows: Iterable[tuple[str, str, str]]) -> Table:
    """A table of a heading for each side, and rows of two texts with a note on how they are related."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, show_lines=True)
    table.add_column(left, ratio=3, overflow="fold")
    table.add_column(right, ratio=3, overflow="fold")
    table.add_column("", ratio=1, overflow="fold", style="dim")
    for one, other, note in rows:
        table.add_row(shorten(one, MAX_TEXT), shorten(other, MAX_TEXT), shorten(note))
    return table
