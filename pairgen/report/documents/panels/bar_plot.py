"""Grouped bars on matplotlib's axes: upright, or lying where the names of the categories are long."""

import math
from typing import Any, NamedTuple

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from rich.cells import cell_len

from pairgen.report.documents.content import Bar, Bars
from pairgen.report.documents.markdown import plain
from pairgen.report.documents.number_format import Spread
from pairgen.report.documents.panels.line_plot import COLORS, Entry
from pairgen.report.documents.panels.ticks import is_drawable, set_scale, wrapped

FILLS = (*COLORS[:-1], "#7f7f7f")
"""Colors on which a black error bar can be seen."""

HATCHES = ("", "////", "||||", "xxxx", "----", "\\\\\\\\", "++++", "//")

CELLS = 62
"""Cells of the names of all categories side by side."""

NAME = 22
"""Cells of a line of the name of a category beside lying bars."""

GROUP = 0.8
"""Share of a category's space that its bars take."""

MAX_BAR = 0.4
"""Share of it that a bar takes at most."""

BASE: dict[str, Any] = {"color": "#444444", "linewidth": 0.8}
"""The line from which bars grow."""

PLOT = 4.8
"""Inches of the axis of the categories, about."""

TEXT = 0.42
"""Inches of a text at a bar, about."""

MIN_CATEGORIES = 2
"""Categories for which there is space at least."""


class _Way(NamedTuple):
    """How the bars of a series are drawn."""

    figure: Bars
    fill: dict[str, Any]
    lying: bool
    upward: bool
    """Whether texts at bars are turned, since the bars are narrow."""


def draw_bars(axes: Any, figure: Bars) -> list[Entry]:
    """Draw bars with their ranges; ``n/a`` stands in place of a bar without a value."""
    lying = is_lying(figure)
    thick = min(GROUP / max(len(figure.series), 1), MAX_BAR)
    narrow = not lying and PLOT * thick / max(len(figure.categories), MIN_CATEGORIES) < TEXT
    first = (1 - len(figure.series)) / 2 * thick
    more = max(MIN_CATEGORIES - len(figure.categories), 0) / 2
    (axes.set_ylim if lying else axes.set_xlim)(-0.55 - more, len(figure.categories) - 0.45 + more)
    entries: list[Entry] = []
    values: list[float] = [figure.base]
    for at, (name, heights) in enumerate(figure.series.items()):
        style: dict[str, Any] = {
            "facecolor": FILLS[at % len(FILLS)],
            "edgecolor": "white" if HATCHES[at % len(HATCHES)] else FILLS[at % len(FILLS)],
            "hatch": HATCHES[at % len(HATCHES)],
            "linewidth": 0,
        }
        for place, height in enumerate(heights):
            middle = place + first + at * thick
            values += _draw_bar(axes, middle, thick, height, _Way(figure, style, lying, narrow))
        entries.append((Patch(**style), name))
    if figure.base_label:
        entries.append((Line2D([], [], **BASE), figure.base_label))
    if figure.labels:
        axes.margins(**{"x" if lying else "y": 0.18 if lying or narrow else 0.12})
    _label(axes, figure, lying)
    set_scale(axes.xaxis if lying else axes.yaxis, values, percent=figure.number.percent)
    return entries


def _draw_bar(axes: Any, middle: float, thick: float, height: Bar, way: _Way) -> list[float]:
    """Draw a bar. Returns the values that it shows."""
    figure, style, lying, _ = way
    low, value, high = height.ends if isinstance(height, Spread) else (math.nan, _float(height), math.nan)
    if not is_drawable(value):
        _write(axes, "n/a", (figure.base, middle), way._replace(upward=not lying))
        return []
    (axes.barh if lying else axes.bar)(middle, value - figure.base, 0.92 * thick, figure.base, zorder=2, **style)
    has_range = is_drawable(low) and is_drawable(high)
    if has_range:
        error = [[value - low], [high - value]]
        where = {"x": value, "y": middle, "xerr": error} if lying else {"x": middle, "y": value, "yerr": error}
        axes.errorbar(**where, fmt="none", ecolor="black", elinewidth=1.0, capsize=2.5, capthick=1.0, zorder=3)
    shown = [low, value, high] if has_range else [value]
    if figure.labels:
        end = min(shown) if value < figure.base else max(shown)
        _write(axes, value_text(value, figure), (end, middle), way)
    return shown


def value_text(value: float, figure: Bars) -> str:
    """A value beside its bar. It looks like the base, 0% or 100% only if it is that."""
    number = figure.number.telling_apart(value, figure.base)
    if not number.percent:
        return number.show(value)
    if value in (0, 1):
        return f"{100 * value:.0f}%"
    return number.telling_apart(value, 0).telling_apart(value, 1).show(value)


def _write(axes: Any, text: str, spot: tuple[float, float], way: _Way) -> None:
    """A small text beyond the end of a bar, which is at a value and at the middle of the bar."""
    backward = spot[0] < way.figure.base
    away = -3 if backward else 3
    if way.lying:
        where, offset, sides = spot, (away, 0), ("right" if backward else "left", "center")
    else:
        where, offset, sides = spot[::-1], (0, away), ("center", "top" if backward else "bottom")
    horizontal, vertical = sides
    axes.annotate(
        text, where, offset, textcoords="offset points", fontsize=7, color="#666666",
        ha=horizontal, va=vertical, rotation=90 if way.upward else 0,
    )  # fmt: skip


def _label(axes: Any, figure: Bars, lying: bool) -> None:
    """Names of the categories; the axis of values keeps its label whichever way the bars lie."""
    places = range(len(figure.categories))
    axis = axes.yaxis if lying else axes.xaxis
    axis.set_ticks(places, [wrapped(name, NAME if lying else _slot(figure)) for name in figure.categories])
    axis.set_tick_params(length=0)
    axis.grid(visible=False)
    if lying:
        axes.invert_yaxis()
        axes.axvline(figure.base, **BASE, zorder=3)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(wrapped(figure.y_label, 60))
        axes.set_ylabel(wrapped(figure.x_label, 38))
    else:
        axes.axhline(figure.base, **BASE, zorder=3)
        axes.spines["bottom"].set_visible(False)


def is_lying(figure: Bars) -> bool:
    """Whether the names of the categories are too long to stand side by side under upright bars."""
    names = [plain(name) for name in figure.categories]
    words = [cell_len(word) for name in names for word in name.split()]
    lines = [wrapped(name, _slot(figure)).count("\n") for name in names]
    return max(words, default=0) > _slot(figure) or max(lines, default=0) > 2


def needed_height(figure: Bars) -> float:
    """Inches that lying bars need."""
    if not is_lying(figure):
        return 0.0
    lines = max(wrapped(name, NAME).count("\n") + 1 for name in figure.categories)
    return 0.8 + len(figure.categories) * max(0.16 * len(figure.series) + 0.12, 0.15 * lines + 0.08)


def _slot(figure: Bars) -> int:
    return max(CELLS // max(len(figure.categories), 1) - 1, 1)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)
