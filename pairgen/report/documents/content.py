"""What a report of a study holds, as plain data: tables, figures, and what was and was not shown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pairgen.report.documents.number_format import PLAIN, NumberFormat, Spread

Cell = str | bool | float | Spread | None
"""A text, a number (a bool is shown as yes or no), a median with its range, or nothing."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    head: str
    number: NumberFormat = PLAIN
    """How its numbers are shown; the unit is added to ``head``."""

    @property
    def title(self) -> str:
        """The head with the unit."""
        return f"{self.head} ({self.number.unit})" if self.number.unit else self.head


@dataclass(frozen=True)
class Table:
    """A table. Columns whose cells are all texts are aligned to the left, others to the right.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        for at, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: row {at} has {len(row)} cells for {len(self.columns)} columns")

    def texts(self) -> list[list[str]]:
        """The cells as they are shown."""
        return [
            [show_cell(cell, column.number) for cell, column in zip(row, self.columns, strict=True)]
            for row in self.rows
        ]

    def is_numeric(self, at: int) -> bool:
        """Whether a column holds at least one number and no text."""
        cells = [row[at] for row in self.rows if row[at] is not None]
        return bool(cells) and not any(isinstance(cell, str) for cell in cells)


def show_cell(cell: Cell, number: NumberFormat) -> str:
    """A cell as it is shown, without its unit."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return number.show(cell)


@dataclass(frozen=True)
class Line:
    """A line of a ``Lines`` figure: ``y`` at ``x``, in increasing order of ``x``. NaN leaves a gap.

    Raises:
        ValueError: sequences of different lengths, only one of ``low`` and ``high``, or ``x`` that decreases.
    """

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    """Lower end of the range at every ``x``, drawn as a shaded band with ``high``."""
    high: Sequence[float] | None = None

    def __post_init__(self) -> None:
        ranges = [ends for ends in (self.low, self.high) if ends is not None]
        if len(ranges) == 1 or any(len(values) != len(self.x) for values in (self.y, *ranges)):
            raise ValueError("a line needs as many y as x, and as many lower and upper ends, or neither")
        if any(not one <= other for one, other in zip(self.x, self.x[1:], strict=False)):
            raise ValueError("a line needs its x in increasing order")

    @classmethod
    def over_seeds(cls, x: Sequence[float], runs: Sequence[Sequence[float]]) -> "Line":
        """Median and range at every ``x`` of runs with different seeds. NaN where a run has NaN."""
        spreads = [Spread.of(values) for values in zip(*runs, strict=True)]
        low, median, high = zip(*(spread.ends for spread in spreads), strict=True) if spreads else ((), (), ())
        return cls(x, median, low, high)


@dataclass(frozen=True)
class Band:
    """A shaded vertical band of a ``Lines`` figure, such as the edit; a vertical line if it has no width."""

    start: float
    stop: float
    label: str


@dataclass(frozen=True)
class Figure:
    """What all figures have."""

    name: str
    """Name of its files: lower-case letters, digits and hyphens."""
    title: str
    x_label: str
    """With its unit."""
    y_label: str
    note: str = field(default="", kw_only=True)
    """What the figure shows and what to note; below the figure."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise ValueError(f"{self.name!r}: the name of a figure has lower-case letters, digits and hyphens only")


@dataclass(frozen=True)
class Lines(Figure):
    """Lines over a common axis."""

    series: Mapping[str, Line]
    bands: Sequence[Band] = field(default=(), kw_only=True)
    zero: str = field(default="", kw_only=True)
    """Label of a horizontal line at 0, such as ``reference model``; none if empty."""
    x_log: bool = field(default=False, kw_only=True)
    y_log: bool = field(default=False, kw_only=True)
    """Whether an axis is logarithmic. If it has values of 0 or less, it is linear around 0."""
    x_percent: bool = field(default=False, kw_only=True)
    y_percent: bool = field(default=False, kw_only=True)
    """Whether the values of an axis are shares of 1, shown in percent."""


@dataclass(frozen=True)
class Cloud:
    """A group of a ``Points`` figure. Points with NaN are not drawn.

    Raises:
        ValueError: sequences of different lengths.
    """

    x: Sequence[float]
    y: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError("points need as many y as x")


@dataclass(frozen=True)
class Points(Figure):
    """A scatter plot of groups of points."""

    groups: Mapping[str, Cloud]
    correlation: str = field(default="", kw_only=True)
    """Shown above the plot, such as ``Spearman's ρ = -0.41``."""
    zero: str = field(default="", kw_only=True)
    """Label of a horizontal line at 0; none if empty."""
    x_log: bool = field(default=False, kw_only=True)
    y_log: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Moves:
    """A group of an ``Arrows`` figure: from ``x``, ``y`` to ``to_x``, ``to_y``. Arrows with NaN are not drawn.

    Raises:
        ValueError: sequences of different lengths.
    """

    x: Sequence[float]
    y: Sequence[float]
    to_x: Sequence[float]
    to_y: Sequence[float]

    def __post_init__(self) -> None:
        if len({len(self.x), len(self.y), len(self.to_x), len(self.to_y)}) > 1:
            raise ValueError("arrows need as many starts as ends, with as many y as x")


@dataclass(frozen=True)
class Arrows(Figure):
    """Arrows in a plane. Of each group, the mean arrow is drawn thicker; of many arrows, some are drawn.

    Raises:
        ValueError: texts for some corners only.
    """

    groups: Mapping[str, Moves]
    zero: str = field(default="", kw_only=True)
    """Label of the lines at 0, such as ``reference model``; none if empty."""
    diagonal: str = field(default="", kw_only=True)
    """Label of the line where y is x; none if empty."""
    corners: Sequence[str] = field(default=(), kw_only=True)
    """Texts in the corners: upper right, upper left, lower left, lower right; or none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.corners) not in (0, 4):
            raise ValueError(f"a text for each of the 4 corners, or none: got {len(self.corners)}")


Bar = float | Spread | None
"""The height of a bar; a ``Spread`` has an error bar over its range."""


@dataclass(frozen=True)
class Bars(Figure):
    """Groups of bars: one bar of every series in every category.

    Raises:
        ValueError: a series does not have one value per category.
    """

    categories: Sequence[str]
    series: Mapping[str, Sequence[Bar]]
    number: NumberFormat = field(default=PLAIN, kw_only=True)
    """How the values are shown; on the axis of the drawing, only ``percent`` has an effect."""
    base: float = field(default=0.0, kw_only=True)
    """The value from which bars grow, in both directions."""
    base_label: str = field(default="", kw_only=True)
    """Label of the line at ``base``, such as ``chance``; none if empty."""
    labels: bool = field(default=False, kw_only=True)
    """Whether each bar has its value beside it, for values that differ by orders of magnitude."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in self.series.items():
            if len(values) != len(self.categories):
                raise ValueError(f"{name}: {len(values)} values for {len(self.categories)} categories")


@dataclass(frozen=True)
class Histogram(Figure):
    """Distributions over common bins.

    Raises:
        ValueError: fewer than two edges, edges that do not increase, or a series without one share per bin.
    """

    edges: Sequence[float]
    """Ends of the bins, one more than there are bins."""
    series: Mapping[str, Sequence[float]]
    """Share of 1 in each bin, by name. Values outside of all bins count too, so that the sum may be less than 1."""
    x_percent: bool = field(default=False, kw_only=True)
    """Whether the edges are shares of 1, shown in percent."""
    even: bool = field(default=False, kw_only=True)
    """Whether all bins are drawn equally wide, for edges that are closer together near 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.edges) < 2 or any(not one < other for one, other in pairwise(self.edges)):
            raise ValueError("a histogram needs at least two edges, in increasing order")
        for name, shares in self.series.items():
            if len(shares) != len(self.edges) - 1:
                raise ValueError(f"{name}: {len(shares)} shares for {len(self.edges) - 1} bins")


def edge_text(edge: float, percent: bool) -> str:
    """The edge of a bin as it is shown: ``0.2%``, ``1,500``."""
    return f"{100 * edge:.6g}%" if percent else f"{edge:,.10g}"


@dataclass(frozen=True)
class Report:
    """The report of a study.

    Raises:
        ValueError: two figures with the same name.
    """

    title: str
    question: str
    """What the study asks."""
    setting: Mapping[str, str]
    """By name: command, machine, date, data, model, seeds, and whatever else is needed to repeat it."""
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    findings: Sequence[str] = ()
    """What was shown."""
    not_shown: Sequence[str] = ()
    """What was not shown, and what the study cannot tell."""
    kind: str = "study"
    """What it is a report of: ``study`` or ``recipe``."""

    def __post_init__(self) -> None:
        names = [figure.name for figure in self.figures]
        if len(set(names)) < len(names):
            raise ValueError(f"two figures have the same name: {', '.join(sorted(names))}")
