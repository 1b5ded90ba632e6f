"""Histograms on matplotlib's axes: outlines over one another, the first one filled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pairgen.report.documents.content import Histogram, edge_text
from pairgen.report.documents.panels.line_plot import COLORS, DASHES, Entry
from pairgen.report.documents.panels.ticks import is_drawable, set_scale

CELLS = 56
"""Cells of the texts of all ticks side by side."""


def draw_histogram(axes: Any, figure: Histogram) -> list[Entry]:
    """Draw the outline of each series. The edges are ticks if the bins are drawn equally wide."""
    edges = range(len(figure.edges)) if figure.even else figure.edges
    entries: list[Entry] = []
    for at, (name, found) in enumerate(figure.series.items()):
        color = COLORS[at % len(COLORS)]
        shares = np.array([share if is_drawable(share) else 0.0 for share in found], float)
        if at == 0:
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.3, linewidth=0, zorder=1.5)
        style: dict[str, Any] = {"color": color, "linestyle": DASHES[at % len(DASHES)], "linewidth": 1.5}
        axes.stairs(shares, edges, **style, zorder=2 + at / 100)
        first = Patch(facecolor=(color, 0.3), edgecolor=color, linewidth=1.5)
        entries.append((Line2D([], [], **style) if at else first, name))
    set_scale(axes.yaxis, [0, *(share for found in figure.series.values() for share in found)], percent=True)
    axes.set_ylim(bottom=0)
    axes.set_xlim(edges[0], edges[-1])
    if figure.even:
        shown = _that_fit([edge_text(edge, figure.x_percent) for edge in figure.edges])
        axes.xaxis.set_ticks(list(shown), list(shown.values()))
        axes.xaxis.set_ticks([at for at in edges if at not in shown], minor=True)
    else:
        set_scale(axes.xaxis, figure.edges, percent=figure.x_percent)
    return entries


def _that_fit(texts: Sequence[str]) -> dict[int, str]:
    """As many texts of ticks as there is space for, at equal distances: each, or every second, or every third."""
    step = 1
    while sum(len(text) + 1 for text in texts[::step]) > CELLS and step < len(texts):
        step += 1
    return dict(list(enumerate(texts))[::step])
