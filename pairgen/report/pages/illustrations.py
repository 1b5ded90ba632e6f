"""The figures of a dataset or of runs as they are in the page: drawn, or as tables where they cannot be."""

from collections.abc import Mapping

from pairgen.report.documents.bundle import undrawn
from pairgen.report.documents.content import Figure
from pairgen.report.figures.entry import Plot, Subject, figures_of
from pairgen.report.pages.html.markup import Html
from pairgen.report.pages.html.tabular import figure_view


def illustrations(table: Mapping[str, Plot[Subject]], subject: Subject, prefix: str) -> dict[str, Html]:
    """The figures of a table that the subject has, by name.

    Args:
        prefix: distinguishes their ids from those of other subjects.
    """
    found = figures_of(table, subject)
    return {name: figure_view(figure, f"{prefix}-{name}", _drawn(figure)) for name, figure in found.items()}


def _drawn(figure: Figure) -> bytes | None:
    """The figure as SVG; None where matplotlib is not installed."""
    if undrawn():
        return None
    from pairgen.report.documents.drawing import draw_svg

    return draw_svg(figure)
