"""Which results of a solution are used in which later calculations, where that is certain."""

from pairgen.arithmetic.errors.candidates import question_values
from pairgen.arithmetic.errors.carry import CONSTANTS, numbers_in
from pairgen.arithmetic.exact.expression import numbers_of, parse
from pairgen.arithmetic.exact.literals import key_of, number_key
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
    """The places of all values in a solution, read once: time is linear in its length."""

    def __init__(self, solution: Solution, question: str) -> None:
        self._text = solution.visible
        self._question = question_values(question)
        self._steps = solution.steps
        self._checked = [_checked(solution, step) for step in self._steps]
        self._first: dict[str, int] = {}
        """Where each value is stated first."""
        for (start, _), literal in numbers_in(self._text, 0, len(self._text)):
            self._first.setdefault(key_of(literal), start)
        self._results: dict[str, list[int]] = {}
        self._users: dict[str, list[int]] = {}
        """The results with each value, and those with it in their calculation, in order."""
        for at, step in enumerate(self._steps):
            result = number_key(self._text[step.start : step.stop])
            self._results.setdefault(result, []).append(at)
            for key in self._values(at):
                self._users.setdefault(key, []).append(at)

    def all(self) -> list[tuple[int, ...] | None]:
        found: list[tuple[int, ...] | None] = [None] * len(self._steps)
        for key, results in self._results.items():
            found[results[0]] = self._of(key, results[0])  # the others are not the first with their value
        return found

    def _of(self, key: str, at: int) -> tuple[int, ...] | None:
        known = not key or key in self._question or key in CONSTANTS
        if known or self._first.get(key, self._steps[at].start) < self._steps[at].start:
            return None
        again = next(iter(self._results[key][1:]), len(self._steps))
        users = [user for user in self._users.get(key, ()) if user > at]
        for user in users:
            verification = self._checked[user]
            if user > again or verification is None or verification.substituted:
                return None
        return tuple(user + 1 for user in users)

    def _values(self, at: int) -> set[str]:
        """The values in the calculation of a result; if it is not verified, all since the result before."""
        verification = self._checked[at]
        if verification is not None:
            expr = parse(verification.expression)
            return set() if expr is None else {lowest_terms(value) for value in numbers_of(expr)}
        start = self._steps[at - 1].stop if at else 0
        return {key_of(literal) for _, literal in numbers_in(self._text, start, self._steps[at].start)}


def _checked(solution: Solution, step: Step) -> Verification | None:
    try:
        return solution.check(step)
    except Unverified:
        return None
