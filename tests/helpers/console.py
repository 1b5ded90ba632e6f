"""Rendering rich views as text."""

import io

from rich.console import Console, RenderableType


def render(view: RenderableType, width: int = 80, colour: bool = False) -> str:
    """The text that a terminal of ``width`` columns shows; ``colour`` adds escape sequences."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None).print(view)
    return out.getvalue()
