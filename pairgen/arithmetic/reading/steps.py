"""A stated result: its position in a text, and the position of its calculation."""

import re
from typing import NamedTuple


class Step(NamedTuple):
    r"""One stated result: the literal ``text[start:stop]``.

    ``percent`` is whether a percent sign follows, ``negated`` whether a separate minus precedes it (``-$27``).
    ``sign`` is the position of the equals sign (or of the word used instead), where the calculation ends; it is -1 if
    ``calculation`` holds the calculation itself. ``role`` is ``value`` if the literal is the value of the letter
    ``variable`` (``x = 5``), and ``term`` if it is one of several numbers on a right side that ends at ``side_stop``
    (the 2 and the 28 in ``20 + 2*(x + 4) = 2x + 28``, the 3 in ``\sqrt{45} = 3\sqrt{5}``).
    """

    start: int
    stop: int
    percent: bool = False
    sign: int = -1
    calculation: str = ""
    negated: bool = False
    variable: str = ""
    role: str = ""
    side_stop: int = -1


Found = re.Match[str] | Step
"""A result before conversion to a ``Step``: usually a match whose groups are the literal and its percent sign."""


def step_of(found: Found) -> Step:
    """The step of a result; built on demand, since few results are ever checked."""
    if isinstance(found, Step):
        return found
    start, stop = found.span(1)
    return Step(start, stop, found.group(2) is not None, found.start())


def literal_text(found: Found, text: str) -> str:
    """The literal of a result, as written in ``text``."""
    return text[found.start : found.stop] if isinstance(found, Step) else found.group(1)
