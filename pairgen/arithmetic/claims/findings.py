"""The results in a solution that are false, cut off, or doubtful."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from pairgen.arithmetic.claims import agreement, chains, other_arithmetic, other_readings, unknowns
from pairgen.arithmetic.claims.closed import Claim, closed_claim
from pairgen.arithmetic.claims.surroundings import goes_on
from pairgen.arithmetic.exact.ratios import Ratio, lowest_terms
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution

FALSE, TRUNCATED, DOUBTFUL = "false", "truncated", "doubtful"
KINDS = {
    FALSE: "closed arithmetic that is not true",
    TRUNCATED: "a result cut off or rounded to an integer without saying so, such as 500/15 = 33",
    DOUBTFUL: "not true as it was read, but the reading is uncertain",
}
"""Kinds of findings."""


class Finding(NamedTuple):
    """A stated result that is not true as it was read: ``text`` at ``start:stop``, in code points.

    ``expression`` is the calculation in ASCII and ``value`` its value, exact (``12``, ``100/3``) or, if irrational, to
    six digits; None if an unknown is in it. ``kind`` is one of ``KINDS``.
    """

    start: int
    stop: int
    text: str
    expression: str | None
    value: str | None
    kind: str


def findings(solution: Solution, question: str = "") -> list[Finding]:
    """The stated results of a solution that are not true, in order.

    If the question or the solution is about another arithmetic, modular or in another base, what holds there is not
    false.
    """
    several_values = cache(partial(unknowns.has_several_values, solution))
    found = [_finding(solution, step, question, several_values) for step in solution.steps]
    found += [_judged(claim, solution, question) for claim in chains.claims(solution)]
    return sorted(finding for finding in found if finding is not None)


def _finding(solution: Solution, step: Step, question: str, several_values: Callable[[], bool]) -> Finding | None:
    try:
        solution.check(step)
        return None
    except Unverified as error:
        reason = error.reason
    if step.role != "term" and goes_on(solution.visible, step.stop, is_latex=solution.is_latex):
        return None
    claim = closed_claim(solution, step)
    if claim is not None:
        return _judged(claim, solution, question)
    text = solution.text[step.start : step.stop]
    if step.role == "term" and (term := unknowns.closed_term(solution, step)) is not None:
        expression, value = term
        return Finding(step.start, step.stop, text, expression, None if value is None else _exact(value), FALSE)
    is_doubtful = unknowns.is_doubtful(solution, step, reason, several_values)
    return Finding(step.start, step.stop, text, None, None, DOUBTFUL) if is_doubtful else None


def _judged(claim: Claim, solution: Solution, question: str) -> Finding | None:
    """What a claim of closed arithmetic is; None if it is right in some usual way of writing."""
    values = list(other_readings.usual_values(claim))
    if any(agreement.agrees(claim, value) for value in values):
        return None
    if other_readings.is_doubtful(claim) or other_arithmetic.holds(claim, f"{question}\n{solution.text}"):
        kind = DOUBTFUL
    else:
        kind = TRUNCATED if any(agreement.is_cut(claim, value) for value in values) else FALSE
    text = solution.text[claim.start : claim.stop]
    value = _exact(claim.value) if claim.is_exact else f"{claim.value[0] / claim.value[1]:.6g}"
    return Finding(claim.start, claim.stop, text, claim.expression, value, kind)


def _exact(value: Ratio) -> str:
    return lowest_terms(value).removesuffix("/1")
