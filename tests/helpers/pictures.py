"""Pictures laid out but not drawn, and whether their parts are where they should be."""

import contextlib
from collections.abc import Iterator
from typing import Any

from pairgen.report.documents.content import Figure
from pairgen.report.documents.drawing import layout, own_settings


@contextlib.contextmanager
def laid_out(figure: Figure) -> Iterator[tuple[Any, Any]]:
    """The picture and its axes, with every part in its place."""
    with own_settings():
        canvas = layout(figure)
        canvas.draw_without_rendering()
        (axes,) = canvas.axes
        yield canvas, axes


def assert_tidy(figure: Figure) -> None:
    """Nothing is cut off, and title, note, legend, labels and the plot itself do not overlap."""
    with laid_out(figure) as (canvas, axes):
        tight, (width, height) = canvas.get_tightbbox(), canvas.get_size_inches()
        assert min(tight.x0, tight.y0) >= -0.01
        assert tight.x1 <= width + 0.01
        assert tight.y1 <= height + 0.01
        plot = axes.get_window_extent()
        assert plot.width > 2 * canvas.dpi, "the plot itself has at least two inches"
        assert plot.height > 1.5 * canvas.dpi
        parts = [axes.get_legend(), canvas._suptitle, canvas._supxlabel, axes._left_title]
        parts += [axes.xaxis.label, axes.yaxis.label]
        boxes = [plot, *(part.get_window_extent() for part in parts if part)]
        for at, box in enumerate(boxes):
            assert not any(overlap(box, other) for other in boxes[at + 1 :])


def overlap(one: Any, other: Any) -> bool:
    """Whether two boxes share more than an edge."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1 and height > 1
