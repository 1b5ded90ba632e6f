"""Tables and figures of reports (``documents.content``) as HTML: figures as drawings with their numbers below."""

from collections.abc import Sequence
from itertools import pairwise

from pairgen.report.documents.content import Bars, Cell, Column, Figure, Histogram, Lines, Table, edge_text
from pairgen.report.documents.number_format import SHARE, NumberFormat
from pairgen.report.pages.html import vector
from pairgen.report.pages.html.markup import Html, element, join, paragraphs, scrolling, table

MOST_NUMBERS = 40
"""Values on the horizontal axis whose numbers are listed; of more, as many at equal distances."""

PLAIN = NumberFormat(4)


def table_view(shown: Table, caption: str | None = None) -> Html:
    """A table with its notes. Its title is the caption, unless another is given; none if that is empty."""
    numeric = [shown.is_numeric(at) for at in range(len(shown.columns))]
    heads = [column.title for column in shown.columns]
    made = table(shown.title if caption is None else caption, heads, shown.texts(), numeric)
    return join([made, paragraphs(*shown.notes, class_="note")])


def figure_view(figure: Figure, prefix: str, svg: bytes | None) -> Html:
    """A figure with its numbers; of one that is not drawn, the title and the numbers.

    Args:
        prefix: distinguishes its ids from those of other figures.
        svg: its drawing; None if there is none.
    """
    numbers = numbers_of(figure)
    listed = table_view(numbers, "") if numbers else None
    if svg is None:
        return join(
            [
                element("h4", figure.title),
                listed or paragraphs("Its numbers are too many for a table.", class_="note"),
                paragraphs(figure.note, class_="note"),
            ]
        )
    drawing = drawing_view(svg, prefix, " ".join(filter(None, [f"{figure.title}.", figure.note])))
    details = element("details", element("summary", "Numbers of this figure"), listed) if listed else None
    return join([drawing, details])


def drawing_view(svg: bytes, prefix: str, name: str) -> Html:
    """A drawing in a box that scrolls. Raises ValueError, see ``vector.inline``."""
    return element("figure", scrolling(vector.inline(svg, prefix, name), name.partition(".")[0]))


def numbers_of(figure: Figure) -> Table | None:
    """The numbers of a figure with an axis of few values as a table; None for others, such as scatter plots."""
    if isinstance(figure, Bars):
        rows: list[list[Cell]] = [
            [name, *(values[at] for values in figure.series.values())] for at, name in enumerate(figure.categories)
        ]
        columns = [Column(figure.x_label), *(Column(name, figure.number) for name in figure.series)]
        return Table(figure.title, columns, rows, [f"Values: {figure.y_label}."])
    if isinstance(figure, Histogram):
        edges = [edge_text(edge, figure.x_percent) for edge in figure.edges]
        rows = [
            [f"{low} to {high}", *(shares[at] for shares in figure.series.values())]
            for at, (low, high) in enumerate(pairwise(edges))
        ]
        columns = [Column(figure.x_label), *(Column(name, SHARE) for name in figure.series)]
        return Table(figure.title, columns, rows, [f"Values: {figure.y_label}."])
    if isinstance(figure, Lines) and figure.series:
        places = _thinned(sorted({x for line in figure.series.values() for x in line.x}))
        found = {name: dict(zip(line.x, line.y, strict=True)) for name, line in figure.series.items()}
        rows = [[f"{x:,g}", *(values.get(x) for values in found.values())] for x in places]
        columns = [Column(figure.x_label), *(Column(name, PLAIN) for name in found)]
        return Table(figure.title, columns, rows, [f"Values: {figure.y_label}."])
    return None


def _thinned(places: Sequence[float]) -> Sequence[float]:
    if len(places) <= MOST_NUMBERS:
        return places
    return [places[at * (len(places) - 1) // (MOST_NUMBERS - 1)] for at in range(MOST_NUMBERS)]
