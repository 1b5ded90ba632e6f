"""Figures as SVG and PNG, the same bytes every time. Needs matplotlib, of the extra ``plot``.

Colors are those of Okabe and Ito (2008), which color-blind readers can tell apart; each series has a marker, line style
or hatch of its own, too. Legends are beside the plot, never on it.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from pairgen.report.documents.content import Arrows, Bars, Figure, Histogram, Lines, Points
from pairgen.report.documents.markdown import plain
from pairgen.report.documents.number_format import Spread, finite_values
from pairgen.report.documents.panels import arrow_plot, bar_plot, histogram_plot, line_plot
from pairgen.report.documents.panels.ticks import wrapped
from pairgen.report.documents.unique_ids import with_own_ids

WIDTH = 7.0
"""Inches."""

HEIGHT = 3.4
"""Inches of plot and axis labels; titles, notes and legends add to it."""

TALL = 4.6
"""The same for a plane in which both directions count."""

Y_LABEL = 38
"""Cells of a line of the label of the vertical axis."""

STYLE = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "text.parse_math": False,  # a dollar sign is a dollar sign
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "pairgen",
    "svg.fonttype": "path",
}


class Drawing(NamedTuple):
    """A figure, drawn. Notebooks show it."""

    svg: bytes
    png: bytes

    def _repr_svg_(self) -> str:
        return self.svg.decode()


class Panel(NamedTuple):
    """How a kind of figure is drawn."""

    draw: Callable[[Any, Any], list[tuple[Any, str]]]
    """From axes and a figure to handles and names of the legend."""
    height: Callable[[Any], float]
    """Inches that the plot of a figure needs."""


PANELS: dict[type[Figure], Panel] = {
    Lines: Panel(line_plot.draw_lines, lambda _: HEIGHT),
    Points: Panel(line_plot.draw_points, lambda _: HEIGHT),
    Bars: Panel(bar_plot.draw_bars, lambda figure: max(HEIGHT, bar_plot.needed_height(figure))),
    Arrows: Panel(arrow_plot.draw_arrows, lambda _: TALL),
    Histogram: Panel(histogram_plot.draw_histogram, lambda _: HEIGHT),
}


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """The settings of ``STYLE`` on top of matplotlib's defaults, whatever those of the user are."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        warnings.simplefilter("ignore", RuntimeWarning)  # overflow where values are near the limits of floats
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def draw(figure: Figure) -> Drawing:
    """Draw a figure, 7 inches wide and at least 4 high, at 150 dots per inch. Settings of the user have no effect.

    The ids of the SVG are its own (``with_own_ids``), so that a page may have many of them.
    """
    with own_settings():
        canvas = layout(figure)
        return Drawing(_svg(canvas, figure), _saved(canvas, "png", {"Software": None, "Title": None}))


def draw_svg(figure: Figure) -> bytes:
    """The SVG of ``draw`` alone, which takes a third of the time."""
    with own_settings():
        return _svg(layout(figure), figure)


def _svg(canvas: Any, figure: Figure) -> bytes:
    return with_own_ids(_saved(canvas, "svg", {"Date": None, "Creator": None, "Title": plain(figure.title)}))


def layout(figure: Figure) -> Any:
    """A figure of matplotlib, before its place is given to each part; to be drawn with the settings of ``STYLE``."""
    panel = PANELS[type(figure)]
    title, note = wrapped(figure.title, 74), wrapped(figure.note, 104)
    canvas: Any = Canvas(layout="constrained")
    axes = canvas.add_subplot()
    entries = panel.draw(axes, figure)
    if not has_values(figure):
        axes.text(0.5, 0.5, "No values to show", transform=axes.transAxes, ha="center", va="center", color="#666666")
        axes.set(xticks=[], yticks=[])
    axes.set_xlabel(axes.get_xlabel() or wrapped(figure.x_label, 70))
    axes.set_ylabel(axes.get_ylabel() or wrapped(figure.y_label, Y_LABEL))
    height = max(panel.height(figure), _add_legend(axes, entries))
    canvas.suptitle(title, x=0.012, ha="left", fontsize=11, fontweight="bold")
    if note:
        canvas.supxlabel(note, x=0.012, ha="left", fontsize=8.5, color="#444444")
    heads = 0.35 + 0.19 * title.count("\n") + (0.25 + 0.16 * note.count("\n") if note else 0)
    labels = 0.15 * (axes.get_xlabel().count("\n") + axes.get_title("left").count("\n"))
    canvas.set_size_inches(WIDTH, height + heads + labels)
    canvas.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return canvas


def has_values(figure: Figure) -> bool:
    """Whether there is a finite number to draw."""
    found: list[float] = []
    if isinstance(figure, Lines):
        found = [value for line in figure.series.values() for value in line.y]
    elif isinstance(figure, Points):
        found = [value for cloud in figure.groups.values() for value in cloud.y]
    elif isinstance(figure, Bars):
        bars = [bar for values in figure.series.values() for bar in values if bar is not None]
        found = [bar.median if isinstance(bar, Spread) else bar for bar in bars]
    elif isinstance(figure, Arrows):
        found = [value for moves in figure.groups.values() for value in moves.to_y]
    elif isinstance(figure, Histogram):
        found = [share for shares in figure.series.values() for share in shares]
    return any(True for _ in finite_values(found))


def _add_legend(axes: Any, entries: Sequence[tuple[Any, str]]) -> float:
    """Add a legend to the right of the plot. Returns the inches that it needs."""
    if not entries:
        return 0.0
    names = [wrapped(name, 28) for _, name in entries]
    legend = axes.legend(
        [handle for handle, _ in entries],
        ["name"] * len(names),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        handlelength=2.6,
        labelspacing=0.6,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)  # set here, since a name with an underscore in front would be left out
    return 0.6 + sum(0.07 + 0.15 * (1 + name.count("\n")) for name in names)


def _saved(canvas: Any, kind: str, metadata: dict[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
