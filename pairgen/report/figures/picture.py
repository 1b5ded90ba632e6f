"""A figure as a picture in a file."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from pairgen.atomic import write_bytes
from pairgen.errors import UsageError, install_hint
from pairgen.report.documents.content import Figure

if TYPE_CHECKING:
    from pairgen.report.documents.drawing import Drawing

FORMATS = (".svg", ".png")
"""Endings of files of pictures."""


def check(file: Path | None = None) -> None:
    """Raise UsageError if there is no matplotlib, or if the file cannot hold a picture."""
    if file is not None and file.suffix.lower() not in FORMATS:
        raise UsageError(f"{file}: must end in {' or '.join(FORMATS)}")
    if file is not None and file.is_dir():
        raise UsageError(f"{file}: is a folder; give the name of a file")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(f"figures are drawn by matplotlib, which is not installed; {install_hint('plot')}")


def draw_to(figure: Figure, file: Path | None = None) -> "Drawing":
    """Draw a figure, and write it in the format of the ending of a file, whole or not at all.

    Raises:
        UsageError: see ``check``.
        OutputError: the file cannot be written.
    """
    check(file)
    from pairgen.report.documents.drawing import draw

    drawing = draw(figure)
    if file is not None:
        write_bytes(file, drawing.svg if file.suffix.lower() == ".svg" else drawing.png)
    return drawing
