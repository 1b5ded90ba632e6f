"""Reports in the terminal. Where it is narrow, ranges and columns are hidden, and that is said."""

import importlib.util
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from pairgen.report.curves import MIN_WIDTH, Point, curves
from pairgen.report.documents import content
from pairgen.report.documents.content import (
    Bars,
    Column,
    Figure,
    Histogram,
    Line,
    Lines,
    Points,
    Report,
    Table,
    edge_text,
)
from pairgen.report.documents.markdown import plain
from pairgen.report.documents.number_format import SHARE, Spread, finite_values
from pairgen.report.tables import Column as FittedColumn
from pairgen.report.tables import FittedTable, facts
from pairgen.report.text import safe_text

HEAD = 16
"""Cells of a line of the head of a column."""

GAP = 2


def report_view(report: Report, *, folder: str = "") -> RenderableType:
    """A report for rich to print.

    Args:
        folder: where its figures are, for those that characters cannot show; empty if they were not drawn.
    """
    parts: list[RenderableType] = [_title(report.title), safe_text(report.question)]
    parts += ["", _title("What was shown"), _bullets(report.findings or ["Nothing."])]
    if report.not_shown:
        parts += ["", _title("What was not shown"), _bullets(report.not_shown)]
    for table in report.tables:
        parts += ["", _title(table.title), TableView(table)]
    for figure in report.figures:
        parts += ["", _title(figure.title), FigureView(figure, folder)]
    if report.setting:
        parts += ["", _title("Setting"), facts(report.setting.items())]
    return Group(*parts)


@dataclass(frozen=True)
class TableView:
    """A table of a report. Medians lose their ranges before columns are hidden, the last ones first."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        table = self.table
        fits = _needed(table) <= options.max_width
        if not fits and any(isinstance(cell, Spread) for row in table.rows for cell in row):
            table = replace(table, rows=[list(map(_median, row)) for row in table.rows])
            yield _fitted(table)
            yield Text("medians only; the ranges are hidden (narrow terminal)", style="dim")
        else:
            yield _fitted(table)
        for note in table.notes:
            yield Text.assemble(safe_text(note), style="dim")


@dataclass(frozen=True)
class FigureView:
    """A figure of a report: lines over whole numbers as curves, bars and bins as tables, and where the figure is."""

    figure: Figure
    folder: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        figure = self.figure
        if isinstance(figure, Lines) and (points := as_curves(figure)) and options.max_width >= MIN_WIDTH:
            yield Text(plain(f"{figure.y_label} by {figure.x_label}"))
            yield curves(points, min(options.max_width, 100))
        elif isinstance(figure, Bars | Histogram):
            yield Text(plain(figure.y_label))
            yield TableView(as_table(figure))
        if isinstance(figure, Points) and figure.correlation:
            yield safe_text(figure.correlation)
        if figure.note:
            yield Text.assemble(safe_text(figure.note), style="dim")
        if self.folder:
            yield Text.assemble(safe_text(f"figure: {self.folder}/{figure.name}.svg"), style="dim")


def as_curves(figure: Lines) -> dict[str, list[Point]]:
    """The points of every line for ``curves``; none if it cannot show them: no whole numbers, or no plotext."""
    points = {name: _points(line) for name, line in figure.series.items()}
    whole = all(float(x).is_integer() for line in figure.series.values() for x in line.x)
    if not whole or figure.x_log or figure.y_log or importlib.util.find_spec("plotext") is None:
        return {}
    return {name: found for name, found in points.items() if found}


def as_table(figure: Bars | Histogram) -> Table:
    """Bars as a table with a row per category, a histogram as one with a row per bin."""
    heads, number = (figure.categories, figure.number) if isinstance(figure, Bars) else (_bins(figure), SHARE)
    columns = [Column(figure.x_label), *(Column(name, number) for name in figure.series)]
    rows: list[list[content.Cell]] = [
        [head, *(values[at] for values in figure.series.values())] for at, head in enumerate(heads)
    ]
    return Table(figure.title, columns, rows)


def _bins(figure: Histogram) -> list[str]:
    """``0% to 0.1%``, or ``0 to 50``."""
    edges = [edge_text(edge, figure.x_percent) for edge in figure.edges]
    return [f"{low} to {high}" for low, high in pairwise(edges)]


def _points(line: Line) -> list[Point]:
    return [(round(x), float(y)) for x, y in zip(line.x, line.y, strict=True) if [*finite_values([y])]]


def _fitted(table: Table) -> FittedTable:
    columns = [FittedColumn(_head(column), table.is_numeric(at), at) for at, column in enumerate(table.columns)]
    fitted = FittedTable(*columns, gap=GAP)
    for row in table.texts():
        fitted.add_row(*row)
    return fitted


def _head(column: Column) -> str:
    """The head in lines; its unit has one of its own."""
    lines = textwrap.wrap(plain(column.head), HEAD, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, f"({plain(column.number.unit)})"] if column.number.unit else lines)


def _needed(table: Table) -> int:
    """Cells that a table needs if nothing wraps."""
    columns = zip([_head(column) for column in table.columns], *table.texts(), strict=True)
    return sum(GAP + max(cell_len(line) for text in cells for line in text.split("\n")) for cells in columns)


def _median(cell: content.Cell) -> content.Cell:
    return cell.median if isinstance(cell, Spread) else cell


def _title(text: str) -> Text:
    return Text(plain(text), style="bold")


def _bullets(items: Iterable[str]) -> Grid:
    grid = Grid.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for item in items:
        grid.add_row("-", safe_text(item))
    return grid
