"""Which results of a solution are used in which later calculations, where that is certain."""

from pairgen.arithmetic.errors.candidates import question_values
from pairgen.arithmetic.errors.carry import CONSTANTS, key_of, numbers_in
from pairgen.arithmetic.exact.expression import numbers_of, parse
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import lowest_terms
from pairgen.arithmetic.exact.verification import Verification
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution


def uses(solution: Solution, question: str) -> list[tuple[int, ...] | None]:
    """For each result, the numbers (from 1) of the later results whose calculation uses it; None if that is uncertain.

    The rules are those of ``carry``: a number is a use of a result if it can be nothing else. It is uncertain if the
    question, an earlier number or another result before the use has the same value, if the value is a usual constant
    such as 12, or if a later calculation with it could not be verified, or has variables.

    >>> from pairgen.builders.worked_solutions import solution_of
    >>> uses(solution_of("5 * 9 = 45. Then 45 + 8 = 53, and 45 - 8 = 37."), "")
    [(2, 3), (), ()]
    """
    return _Uses(solution, question).all()


class _Uses:
    def __init__(self, solution: Solution, question: str) -> None:
        self._text = solution.visible
        self._question = question_values(question)
        self._steps = solution.steps
        self._checked = [_checked(solution, step) for step in self._steps]
        self._keys = [key_of(parse_literal(self._text[step.start : step.stop])) for step in self._steps]

    def all(self) -> list[tuple[int, ...] | None]:
        return [self._of(at) for at in range(len(self._steps))]

    def _of(self, at: int) -> tuple[int, ...] | None:
        key, start = self._keys[at], self._steps[at].start
        before = {key_of(literal) for _, literal in numbers_in(self._text, 0, start)}
        if not key or key in self._question or key in CONSTANTS or key in before:
            return None
        found, is_restated = [], False
        for later in range(at + 1, len(self._steps)):
            verification = self._checked[later]
            values = self._values(later) if verification is None else _values(verification)
            if key in values:
                if is_restated or verification is None or verification.substituted:
                    return None
                found.append(later + 1)
            is_restated |= key == self._keys[later]
        return tuple(found)

    def _values(self, at: int) -> set[str]:
        """The values between a result that could not be verified and the one before it, in lowest terms."""
        start = self._steps[at - 1].stop if at else 0
        return {key_of(literal) for _, literal in numbers_in(self._text, start, self._steps[at].start)}


def _checked(solution: Solution, step: Step) -> Verification | None:
    try:
        return solution.check(step)
    except Unverified:
        return None


def _values(verification: Verification) -> set[str]:
    expr = parse(verification.expression)
    return set() if expr is None else {lowest_terms(value) for value in numbers_of(expr)}
