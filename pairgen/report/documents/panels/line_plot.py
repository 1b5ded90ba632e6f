"""Lines and scatter plots on matplotlib's axes."""

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pairgen.report.documents.content import Cloud, Line, Lines, Points
from pairgen.report.documents.panels.ticks import is_drawable, set_scale, wrapped

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Those of Okabe and Ito but yellow, which is hard to see on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "*", "h")

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (8, 2, 3, 2)))

BANDS = (("#d9d9d9", ""), ("#ececec", "////"), ("#f5f5f5", "...."))
"""Fills and hatches of bands."""

GRAY = "#666666"

FEW = 15
"""Points of a line up to which every one has a marker; others have about eight markers."""

MANY = 3000
"""Points above which a scatter plot is stored as pixels within the SVG."""

Entry = tuple[Any, str]
"""A handle and its name in the legend."""


def draw_lines(axes: Any, figure: Lines) -> list[Entry]:
    """Draw lines with their ranges and bands."""
    entries = [_draw_line(axes, at, line, len(figure.series)) for at, line in enumerate(figure.series.values())]
    found = list(zip(entries, figure.series, strict=True))
    lines = figure.series.values()
    set_scale(axes.xaxis, chain.from_iterable(line.x for line in lines), log=figure.x_log, percent=figure.x_percent)
    values = chain.from_iterable(chain(line.y, _of(line.low), _of(line.high)) for line in lines)
    set_scale(axes.yaxis, values, log=figure.y_log, percent=figure.y_percent)
    return [*found, *_zero(axes, figure.zero), *_bands(axes, figure)]


def _draw_line(axes: Any, at: int, line: Line, count: int) -> Any:
    x, y = np.asarray(line.x, float), _gaps(line.y)
    color, marker = COLORS[at % len(COLORS)], MARKERS[at % len(MARKERS)]
    style: dict[str, Any] = {"color": color, "linestyle": DASHES[at % len(DASHES)], "linewidth": 1.5}
    marks: dict[str, Any] = {
        "marker": marker,
        "markersize": 5.0,
        "markeredgewidth": 0.8,
        "markeredgecolor": color,
        "markerfacecolor": color if at < len(COLORS) else "white",
    }
    alone = _alone(y)
    if line.low is not None and line.high is not None:
        low, high = _gaps(line.low), _gaps(line.high)
        axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0, zorder=1.5)
        axes.vlines(x[alone], low[alone], high[alone], color=color, linewidth=1.2)
    marked = range(len(x)) if len(x) <= FEW else range(at * len(x) // (8 * count), len(x), max(1, len(x) // 8))
    axes.plot(x, y, **style, **marks, markevery=sorted({*marked, *np.flatnonzero(alone).tolist()}))
    return Line2D([], [], **style, **marks)


def _alone(y: Any) -> Any:
    """Where a value has gaps or ends on both sides, so that no line shows it."""
    padded = np.concatenate([[np.nan], y, [np.nan]])
    return np.isfinite(y) & np.isnan(padded[:-2]) & np.isnan(padded[2:])


def _zero(axes: Any, label: str) -> list[Entry]:
    if not label:
        return []
    style: dict[str, Any] = {"color": GRAY, "linewidth": 1.0, "linestyle": "-"}
    axes.axhline(0, zorder=1.2, **style)
    return [(Line2D([], [], **style), label)]


def _bands(axes: Any, figure: Lines) -> list[Entry]:
    entries: list[Entry] = []
    for at, band in enumerate(figure.bands):
        fill, hatch = BANDS[at % len(BANDS)]
        style: dict[str, Any] = {
            "facecolor": fill,
            "hatch": hatch,
            "edgecolor": "#aaaaaa" if hatch else fill,
            "linewidth": 0,
        }
        if band.start == band.stop:
            line: dict[str, Any] = {"color": GRAY, "linewidth": 1.0, "linestyle": DASHES[1 + at % 4]}
            axes.axvline(band.start, zorder=1.1, **line)
            entries.append((Line2D([], [], **line), band.label))
        else:
            axes.axvspan(band.start, band.stop, zorder=0.5, **style)
            entries.append((Patch(**style), band.label))
    return entries


def draw_points(axes: Any, figure: Points) -> list[Entry]:
    """Draw a scatter plot."""
    count = sum(len(cloud.x) for cloud in figure.groups.values())
    found = [(_draw_cloud(axes, at, cloud, count), name) for at, (name, cloud) in enumerate(figure.groups.items())]
    clouds = figure.groups.values()
    set_scale(axes.xaxis, chain.from_iterable(cloud.x for cloud in clouds), log=figure.x_log)
    set_scale(axes.yaxis, chain.from_iterable(cloud.y for cloud in clouds), log=figure.y_log)
    if figure.correlation:
        axes.set_title(wrapped(figure.correlation, 70), loc="left", fontsize=9, color="#222222")
    return [*found, *_zero(axes, figure.zero)]


def _draw_cloud(axes: Any, at: int, cloud: Cloud, count: int) -> Any:
    x, y = _gaps(cloud.x), _gaps(cloud.y)
    color, marker = COLORS[at % len(COLORS)], MARKERS[at % len(MARKERS)]
    alpha, size = (0.9, 5.0) if count <= 100 else (0.7, 4.0) if count <= 1000 else (0.4, 3.0)
    style: dict[str, Any] = {
        "color": color,
        "marker": marker,
        "linestyle": "none",
        "markerfacecolor": color if at % 2 == 0 else "none",  # told apart in black and white, too
    }
    shown = np.isfinite(x) & np.isfinite(y)
    axes.plot(x[shown], y[shown], **style, markersize=size, markeredgewidth=0.8, alpha=alpha, rasterized=count > MANY)
    return Line2D([], [], **style, markersize=6)


def _gaps(values: Sequence[float]) -> Any:
    """The values as an array, with NaN in place of those that cannot be drawn."""
    return np.array([value if is_drawable(value) else math.nan for value in values], float)


def _of(values: Sequence[float] | None) -> Iterable[float]:
    return () if values is None else values
