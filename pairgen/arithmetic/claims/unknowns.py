"""Results of equations in an unknown that are not true as read; their reading is never certain."""

import re
from collections.abc import Callable

from pairgen.arithmetic.claims.closed import has_unknown_words
from pairgen.arithmetic.exact.equations import missing_number, missing_value, trials
from pairgen.arithmetic.exact.evaluate import evaluate, exact
from pairgen.arithmetic.exact.expression import Binary, Brackets, Expr, number, render, variables
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import Ratio, equal
from pairgen.arithmetic.labels import NO_MATCH, Unverified
from pairgen.arithmetic.reading import prose, sentence
from pairgen.arithmetic.reading.border import is_assumed
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution


def is_doubtful(solution: Solution, step: Step, reason: str, several_values: Callable[[], bool]) -> bool:
    """Whether a result that cannot be verified for this reason is likely to be wrong.

    An equation that holds for one value of its unknown says nothing of its numbers. So a coefficient is doubted if
    another one makes both sides equal for every value, and a result if each unknown has one value throughout.

    Args:
        several_values: ``has_several_values`` of the solution, computed at most once.
    """
    if step.role == "value" and _is_solved_otherwise(solution, step):
        return True
    if reason != NO_MATCH or (step.sign >= 0 and solution.visible[step.sign] != "="):
        return False
    if step.role == "term":
        is_plain = not _NOTES.search(solution.visible, step.sign, step.side_stop + len(_AFTER_POINT))
        return is_plain and _has_another_number(solution, step)
    return (step.role == "value" or _uses_values(solution, step)) and not several_values()


def _is_solved_otherwise(solution: Solution, step: Step) -> bool:
    """Whether the equation before gives the unknown another value, and the solution states that value elsewhere."""
    if is_assumed(solution.visible, step.start):
        return False
    known = solution.values.get(step.variable)
    literal = parse_literal(solution.visible[step.start : step.stop])
    if known is None or literal is None:
        return False
    top, bottom = literal.value
    if equal(known, (-top if step.negated else top, bottom)):
        return False
    nearest = next(solution.solutions_before(step), None)
    value = None if nearest is None else evaluate(nearest[0])
    return value is not None and equal(value, known)


def _uses_values(solution: Solution, step: Step) -> bool:
    """Whether unknowns with stated values are in the calculation, or no unknown is."""
    if step.sign < 0:
        return True
    side = sentence.window_before(solution.visible, step.sign)
    letters = {word for word in _LETTERS.findall(side) if len(word) == 1}
    return bool(letters & solution.values.keys()) or not (solution.is_latex or has_unknown_words(side))


_LETTERS = re.compile(r"\\?[A-Za-z]+")


def closed_term(solution: Solution, step: Step) -> tuple[str, Ratio | None] | None:
    r"""What a number of a right side should be, if no unknown is in it but a root or pi: the 9 of ``\pi(3^2) = 8\pi``.

    Returns:
        the calculation and its value, unless that is the number stated; the left side and None if no rational number
        makes both sides equal (``\\sqrt{18} = 2\\sqrt{3}``); None for other equations.
    """
    literal = parse_literal(solution.visible[step.start : step.stop])
    side = solution.visible[step.sign : step.side_stop]
    if not _ROOT_OR_PI.search(side) or "circ" in side or "degree" in side:  # a conversion from radians
        return None
    try:
        left, rights = solution.sides_around(step)
        if literal is None or any(variables(side) for side in (left, *rights)):
            return None
        _, value = missing_value(left, rights, {})
        stated = literal.value if not step.negated else (-literal.value[0], literal.value[1])
        if value is None:
            return (render(left), None) if _differ(left, rights, stated) else None
        if equal(value, stated):
            return None
        return render(missing_number(left, rights, (), value)), value
    except Unverified:
        return None


def _differ(left: Expr, rights: tuple[Expr, Expr, Expr], stated: Ratio) -> bool:
    """Whether the sides have exact values that differ; the right one is linear in the number stated."""
    zero, one, _ = rights
    right = Binary("+", zero, Binary("*", number(stated), Binary("-", Brackets(one), Brackets(zero))))
    gap = exact(Binary("-", left, Brackets(right)))
    return isinstance(gap, dict) and bool(gap)


_AFTER_POINT = ".\\overline"  # a point ends a side, even that of `0.\overline{7}`
_NOTES = re.compile(r"\\(?:text|mbox|overline|dots|cdots|ldots)")
_ROOT_OR_PI = re.compile(r"\\(?:sqrt|pi)(?![a-zA-Z])")


def _has_another_number(solution: Solution, step: Step) -> bool:
    """Whether one other number in its place makes both sides equal for all trial values."""
    found: Ratio | None = None
    try:
        left, rights = solution.sides_around(step)
        for values in trials(left, rights, {}):
            _, value = missing_value(left, rights, values)
            if value is None or (found is not None and not equal(value, found)):
                return False
            found = value
    except Unverified:
        return False
    return True


def has_several_values(solution: Solution) -> bool:
    """Whether a solution states two values of one unknown: two cases, two roots, or a guess."""
    stated: dict[str, Ratio] = {}
    written = [(step.variable, solution.visible[step.start : step.stop]) for step in solution.steps if step.variable]
    spans = prose.values(solution.visible, solution.stop)
    for letter, text in [*written, *((letter, solution.visible[start:stop]) for letter, (start, stop) in spans)]:
        literal = parse_literal(text)
        if literal is not None and not equal(stated.setdefault(letter, literal.value), literal.value):
            return True
    return False
