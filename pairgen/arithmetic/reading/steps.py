"""What a stated result is: a place in a text, and how the calculation in front of it can be had."""

import re
from typing import NamedTuple


class Step(NamedTuple):
    r"""One stated result: the literal ``text[start:stop]``.

    ``percent`` says that a percent sign follows it, ``negated`` that a minus stands apart in front of it (``-$27``).
    ``sign`` is where the calculation ends: the code point of the sign in front. A source that marks its calculations
    gives the calculation itself, and no sign. ``role`` is ``value`` where the literal is that of the letter ``unknown``
    (``x = 5``), and ``collected`` where it is one of several numbers of a right side that ends at ``side_stop`` (the 2
    and the 28 in ``20 + 2*(x + 4) = 2x + 28``, the 3 in ``\sqrt{45} = 3\sqrt{5}``).
    """

    start: int
    stop: int
    percent: bool = False
    sign: int = -1
    marked: str = ""
    negated: bool = False
    unknown: str = ""
    role: str = ""
    side_stop: int = -1


Found = re.Match[str] | Step
"""A result as it was found: most are the match of a pattern whose groups are the literal and its percent sign."""


def step_of(found: Found) -> Step:
    """The step that a result is; made only when it is asked for, since few ever are."""
    if isinstance(found, Step):
        return found
    start, stop = found.span(1)
    return Step(start, stop, found.group(2) is not None, found.start())


def written(found: Found, text: str) -> str:
    """The literal of a result, as written in the text it was found in."""
    return text[found.start : found.stop] if isinstance(found, Step) else found.group(1)
