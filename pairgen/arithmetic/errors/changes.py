"""What a corruption changes in a solution: the error, and what follows from it."""

from collections.abc import Sequence
from typing import NamedTuple

from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.ratios import equal
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.solution import Solution


class CannotCorrupt(Exception):
    """No value of a solution can be corrupted; ``reason`` says why, without naming the row."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Change(NamedTuple):
    """A part of a solution, ``text[start:stop]``, that becomes another: of an error, or of what follows from it.

    For a result, ``expression`` is its calculation in the new text: its value is ``corrupted``, except for a wrong
    result of a calculation that stays as it is. It is None for changes within a calculation and for repeated values.
    """

    start: int
    stop: int
    original: str
    corrupted: str
    expression: str | None = None


class Corruption(NamedTuple):
    """One result of a solution replaced by a wrong one: ``text[start:stop]``, ``original``, becomes ``corrupted``.

    If it is verified, exact arithmetic confirms that ``original`` states the value of ``expression`` and ``corrupted``
    does not; both values are p/q in lowest terms, and ``reason`` is None. Otherwise ``reason`` says why it is not
    verified, and the values and the expression are None.
    ``step`` is the number of the result, from 1, out of ``steps``; both are None for a value that is not a result.
    """

    start: int
    stop: int
    original: str
    corrupted: str
    original_value: str | None
    corrupted_value: str | None
    expression: str | None
    reason: str | None
    strategy: str
    step: int | None
    steps: int | None
    carried: tuple[Change, ...] = ()
    """What follows from the wrong value, if the error is carried forward."""
    error: str = "result"
    """The kind of error, of ``ERRORS``."""
    calculation: tuple[Change, ...] = ()
    """What is changed in the calculation before the result."""
    new_expression: str | None = None
    """The changed calculation, whose value is ``corrupted``; None if the calculation stays as it is."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """The error, first in its calculation and then its result, and what follows from it, in order."""
        expression = self.new_expression or self.expression
        result = Change(self.start, self.stop, self.original, self.corrupted, expression)
        return *self.calculation, result, *self.carried

    @property
    def verified(self) -> bool:
        """Whether exact arithmetic confirms both the original value and the corruption."""
        return self.expression is not None

    def apply(self, text: str) -> str:
        """``text``, the solution, with all changes."""
        return apply(text, self.changes)


def apply(text: str, changes: Sequence[Change]) -> str:
    """A text with changes, which are in order and do not overlap."""
    parts, last = [], 0
    for change in changes:
        parts += [text[last : change.start], change.corrupted]
        last = change.stop
    return "".join([*parts, text[last:]])


def read_as_written(solution: Solution, changes: Sequence[Change]) -> bool:
    """Whether the new solution, read again, has each changed result where it was written, with its calculation.

    The first change with an expression may be a wrong result of its own calculation: pass it without the expression.
    """
    shifts = [len(change.corrupted) - (change.stop - change.start) for change in changes]
    inside = (shift for shift, change in zip(shifts, changes, strict=True) if change.stop <= solution.stop)
    new = Solution(apply(solution.text, changes), solution.stop + sum(inside))
    found = {step.start: step for step in new.steps}
    for number, change in enumerate(changes):
        if change.expression is None:
            continue
        step = found.get(change.start + sum(shifts[:number]))
        if step is None or new.text[step.start : step.stop] != change.corrupted:
            return False
        try:
            read, expected = new.check(step).value, evaluate_text(change.expression)
        except Unverified:
            return False
        if expected is None or not equal(read, expected):
            return False
    return True
