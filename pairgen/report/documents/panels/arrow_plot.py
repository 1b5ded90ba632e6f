"""Arrows on matplotlib's axes: thin ones, and a thick one for the mean of each group."""

from itertools import chain
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from pairgen.report.documents.content import Arrows, Moves
from pairgen.report.documents.panels.line_plot import COLORS, DASHES, GRAY, MARKERS, Entry
from pairgen.report.documents.panels.ticks import is_drawable, set_scale, wrapped

MOST = 300
"""Arrows of all groups together that are drawn; of more, as many at equal distances."""

ROOM = 0.22
"""Share of an axis that is on either side of 0 at least, if there are texts in the corners."""

PLACES = ((0.985, 0.975, "right", "top"), (0.015, 0.975, "left", "top"), (0.015, 0.025, "left", "bottom"),
          (0.985, 0.025, "right", "bottom"))  # fmt: skip
"""Of the texts in the corners: x, y and alignment."""


def draw_arrows(axes: Any, figure: Arrows) -> list[Entry]:
    """Draw arrows, the mean of each group, and the lines at 0 and along the diagonal."""
    entries: list[Entry] = []
    drawn = [_drawable(moves) for moves in figure.groups.values()]
    step = max(1, -(-sum(map(len, drawn)) // MOST))
    for at, (name, arrows) in enumerate(zip(figure.groups, drawn, strict=True)):
        color, marker = COLORS[at % len(COLORS)], MARKERS[at % len(MARKERS)]
        style: dict[str, Any] = {"color": color, "linewidth": 2.2, "marker": marker, "markersize": 5.5}
        if len(arrows):
            _draw_thin(axes, arrows[::step], color, marker)
            _draw_mean(axes, arrows.mean(0), style)
        entries.append((Line2D([], [], **style), name))
    if figure.zero:
        lines: dict[str, Any] = {"color": GRAY, "linewidth": 1.0}
        axes.axhline(0, zorder=1.2, **lines)
        axes.axvline(0, zorder=1.2, **lines)
        entries.append((Line2D([], [], **lines), figure.zero))
    if figure.diagonal:
        along: dict[str, Any] = {"color": GRAY, "linewidth": 1.0, "linestyle": DASHES[1]}
        axes.axline((0, 0), slope=1, zorder=1.1, **along)
        entries.append((Line2D([], [], **along), figure.diagonal))
    set_scale(axes.xaxis, chain.from_iterable((*arrows[:, 0], *arrows[:, 2]) for arrows in drawn))
    set_scale(axes.yaxis, chain.from_iterable((*arrows[:, 1], *arrows[:, 3]) for arrows in drawn))
    if figure.corners:
        _make_room(axes.get_xlim, axes.set_xlim)
        _make_room(axes.get_ylim, axes.set_ylim)
    _label_corners(axes, figure)
    return entries


def _drawable(moves: Moves) -> Any:
    """[n, 4] x, y, to_x, to_y of the arrows that can be drawn."""
    rows = np.array([moves.x, moves.y, moves.to_x, moves.to_y], float).T.reshape(-1, 4)
    return rows[[all(map(is_drawable, row)) for row in rows.tolist()]]


def _draw_thin(axes: Any, arrows: Any, color: str, marker: str) -> None:
    """Draw arrows as lines with a point at the end: the head of a short arrow could not be told from its line."""
    x, y, to_x, to_y = arrows.T
    gaps = np.full(len(x), np.nan)
    lines = [np.stack(ends, 1).ravel() for ends in ((x, to_x, gaps), (y, to_y, gaps))]
    axes.plot(*lines, color=color, alpha=0.5 if len(x) <= 60 else 0.3, linewidth=0.6, zorder=1.6)
    points: dict[str, Any] = {"marker": marker, "markersize": 3.4, "markeredgewidth": 0.4, "markeredgecolor": "white"}
    axes.plot(to_x, to_y, color=color, linestyle="none", alpha=0.85, zorder=2.5, **points)


def _draw_mean(axes: Any, arrow: Any, style: dict[str, Any]) -> None:
    """Draw an arrow under the points, with a white border that sets it off from the thin lines."""
    x, y, to_x, to_y = arrow
    shape: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 15, "shrinkA": 0, "shrinkB": 0, "zorder": 2}
    for edge, thick in (("white", style["linewidth"] + 1.8), (style["color"], style["linewidth"])):
        axes.add_patch(FancyArrowPatch((x, y), (to_x, to_y), color=edge, linewidth=thick, **shape))


def _make_room(get: Any, put: Any) -> None:
    """Widen an axis so that there is space for texts on both sides of 0."""
    low, high = get()
    if low <= high:
        put(min(low, -ROOM * (high - min(low, 0))), max(high, ROOM * (max(high, 0) - low)))


def _label_corners(axes: Any, figure: Arrows) -> None:
    for text, (x, y, horizontal, vertical) in zip(figure.corners, PLACES, strict=False):
        axes.text(
            x, y, wrapped(text, 24), transform=axes.transAxes, ha=horizontal, va=vertical, fontsize=8, color="#333333",
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}, zorder=4,
        )  # fmt: skip
