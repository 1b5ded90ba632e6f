"""Line plots in characters, with one marker per curve, so they can be distinguished without color."""

import math
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

Point = tuple[int, float]
"""A step and a value."""

MARKERS = "ox*#@%&" + string.ascii_uppercase
"""Characters that are in no number and no frame."""

COLORS = ("blue", "green", "red", "magenta", "cyan", "yellow")

HEIGHT = 18
"""Lines of a plot."""

MAX_NAME = 40
"""Cells of a name in the legend."""

MIN_WIDTH = 60
"""Cells below which a plot is not worth its lines."""


def curves(series: Mapping[str, Sequence[Point]], width: int, height: int = HEIGHT) -> RenderableType:
    """One curve per name, and below them a legend with the last values. The vertical axis includes 0.

    Args:
        series: at least one point per name. Points in the same column of the plot are averaged.
        width: cells of the plot.
        height: lines of the plot; the legend comes on top of it.

    Raises:
        ImportError: plotext is not installed.
    """
    plot = Text(
        _draw([thin(points, width) for points in series.values()], width, height), no_wrap=True, overflow="crop"
    )
    legend: list[Text] = [Text()]
    for at, (name, points) in enumerate(series.items()):
        marker, style = MARKERS[at % len(MARKERS)], COLORS[at % len(COLORS)]
        plot.highlight_regex(re.escape(marker), style)
        short = name if cell_len(name) <= MAX_NAME else set_cell_size(name, MAX_NAME - 3) + "..."
        entry = Text.assemble((marker, style), f" {short} {points[-1][1]:+,.2f}")
        if legend[-1] and legend[-1].cell_len + 3 + entry.cell_len > width:
            legend.append(Text())
        legend[-1].append("   " if legend[-1] else "").append_text(entry)
    return Group(plot, *legend)


def _draw(series: Sequence[Sequence[Point]], width: int, height: int) -> str:
    import plotext

    plotext.terminal.limit(False, False)
    figure: Any = plotext.figure
    figure.clear.all()
    figure.plot_size(width, height)
    for at, points in enumerate(series):
        steps, values = [step for step, _ in points], [value for _, value in points]
        figure.draw(figure.signal(steps, values, marker=MARKERS[at % len(MARKERS)]).lines())
    figure.line(0, orientation="horizontal")
    steps = [step for points in series for step, _ in points]
    values = [value for points in series for _, value in points]
    _set_axis(figure.ruler("x"), steps, round_ticks(*_span(steps), width // 15, integers=True))
    _set_axis(figure.ruler("y"), [0, *values], round_ticks(*_span([0, *values]), min(5, max(1, height // 3))))
    plot: str = figure.build().string(colorless=True)
    figure.clear.all()
    return "\n".join(line.rstrip() for line in plot.rstrip("\n").split("\n"))


def _set_axis(ruler: Any, values: Sequence[float], ticks: Sequence[float]) -> None:
    low, high = _span(values)
    ruler.lim(min(low, ticks[0]), max(high, ticks[-1]))
    ruler.ticks(ticks, [f"{tick:,.10g}" for tick in ticks])


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The range of an axis; plotext needs one that is not empty."""
    low, high = min(values), max(values)
    return (low - 0.5, low + 0.5) if high - low < 1e-9 else (low, high)


def round_ticks(low: float, high: float, count: int, integers: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between two values: at most ``count + 1`` of them.

    >>> round_ticks(-14, 0.3, 5)
    [-10.0, -5.0, 0.0]
    """
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * count >= span)
    if integers:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(at * step, 12) + 0.0 for at in range(first, last + 1)] or [low]


def thin(points: Sequence[Point], count: int) -> Sequence[Point]:
    """About ``count`` points at most, over the same range: means over equal spans of steps."""
    if len(points) <= count:
        return points
    first, last = points[0][0], points[-1][0]
    spans: dict[int, list[Point]] = {}
    for step, value in points:
        spans.setdefault((step - first) * (count - 1) // (last - first), []).append((step, value))
    return [
        (sum(step for step, _ in span) // len(span), sum(value for _, value in span) / len(span))
        for span in spans.values()
    ]
