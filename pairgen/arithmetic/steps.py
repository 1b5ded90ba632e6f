"""What a stated result is: a place in a text, and how the calculation in front of it can be had."""

import re
from collections.abc import Sequence
from typing import NamedTuple, overload


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


class Steps(Sequence[Step]):
    """The results found in a text, in order. Each becomes a ``Step`` when it is asked for: few ever are."""

    __slots__ = ("_found",)

    def __init__(self, found: "Sequence[re.Match[str] | Step]") -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def written(self, index: int, text: str) -> str:
        """The literal of a step, as written in the text they were found in."""
        found = self._found[index]
        return text[found.start : found.stop] if isinstance(found, Step) else found.group(1)

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        if isinstance(index, slice):
            return [_step(result) for result in self._found[index]]
        return _step(self._found[index])


def _step(result: "re.Match[str] | Step") -> Step:
    if isinstance(result, Step):
        return result
    start, stop = result.span(1)
    return Step(start, stop, result.group(2) is not None, result.start())
