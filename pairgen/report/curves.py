"""Curves over steps, drawn with characters: a marker per curve, so that they can be told apart without colour."""

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
"""One per curve; none is a part of a number or of a frame."""

COLOURS = ("blue", "green", "red", "magenta", "cyan", "yellow")

HEIGHT = 18
LONGEST = 40
"""Cells of a name in the legend."""

NARROWEST = 60
"""Cells under which a plot shows nothing that a table does not."""


def curves(series: Mapping[str, Sequence[Point]], width: int) -> RenderableType:
    """One curve per name, each with at least one point, on axes that show 0; a legend with the last values under it.

    Of several points that fall into one column of the plot the mean is drawn.

    Raises:
        ImportError: plotext is not installed.
    """
    thin = {name: thinned(points, width) for name, points in series.items()}
    drawn = Text(_drawn(list(thin.values()), width), no_wrap=True, overflow="crop")
    legend: list[Text] = [Text()]
    for at, (name, points) in enumerate(series.items()):
        marker, style = MARKERS[at % len(MARKERS)], COLOURS[at % len(COLOURS)]
        drawn.highlight_regex(re.escape(marker), style)
        shown = name if cell_len(name) <= LONGEST else set_cell_size(name, LONGEST - 3) + "..."
        entry = Text.assemble((marker, style), f" {shown} {points[-1][1]:+,.2f}")
        if legend[-1] and legend[-1].cell_len + 3 + entry.cell_len > width:
            legend.append(Text())
        legend[-1].append("   " if legend[-1] else "").append_text(entry)
    return Group(drawn, *legend)


def _drawn(series: Sequence[Sequence[Point]], width: int) -> str:
    import plotext

    plotext.terminal.limit(False, False)
    figure: Any = plotext.figure
    figure.clear.all()
    figure.plot_size(width, HEIGHT)
    for at, points in enumerate(series):
        across, up = [step for step, _ in points], [value for _, value in points]
        figure.draw(figure.signal(across, up, marker=MARKERS[at % len(MARKERS)]).lines())
    figure.line(0, orientation="horizontal")
    steps = [step for points in series for step, _ in points]
    values = [value for points in series for _, value in points]
    _set_axis(figure.ruler("x"), min(steps), max(steps), width // 15, whole=True)
    _set_axis(figure.ruler("y"), min(0, *values), max(0, *values), 5)
    drawn: str = figure.build().string(colorless=True)
    figure.clear.all()
    return "\n".join(line.rstrip() for line in drawn.rstrip("\n").split("\n"))


def _set_axis(ruler: Any, low: float, high: float, most: int, whole: bool = False) -> None:
    if high - low < 1e-9:  # one point, or a flat line: plotext needs a span
        low, high = low - 0.5, low + 0.5
    ticks = round_ticks(low, high, most, whole)
    ruler.lim(min(low, ticks[0]), max(high, ticks[-1]))
    ruler.ticks(ticks, [f"{tick:,.10g}" for tick in ticks])


def round_ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within a span, up to ``most`` of them and one more.

    >>> round_ticks(-14, 0.3, 5)
    [-10.0, -5.0, 0.0]
    """
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * by for by in (1, 2, 5, 10) if power * by * most >= span)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(at * step, 12) + 0.0 for at in range(first, last + 1)] or [low]


def thinned(points: Sequence[Point], most: int) -> Sequence[Point]:
    """At most about so many points over the same steps: means of equal spans of steps."""
    if len(points) <= most:
        return points
    first, last = points[0][0], points[-1][0]
    spans: dict[int, list[Point]] = {}
    for step, value in points:
        spans.setdefault((step - first) * (most - 1) // (last - first), []).append((step, value))
    return [
        (sum(step for step, _ in span) // len(span), sum(value for _, value in span) / len(span))
        for span in spans.values()
    ]
