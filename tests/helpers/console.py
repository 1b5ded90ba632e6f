"""What rich prints of a view."""

import io

from rich.console import Console, RenderableType


def render(view: RenderableType, width: int = 80, colour: bool = False) -> str:
    """The text of a view in a terminal of ``width`` cells; without colour it is plain."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None).print(view)
    return out.getvalue()
