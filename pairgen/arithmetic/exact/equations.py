"""Solve an equation for a variable or a missing number; the solution is an expression over the equation's numbers."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TypeVar

from pairgen.arithmetic.exact.evaluate import Exact, evaluate, exact, operate
from pairgen.arithmetic.exact.expression import (
    Binary,
    Brackets,
    Expr,
    number,
    render,
    substitute,
    variables,
)
from pairgen.arithmetic.exact.ratios import NotExact, Ratio, equal, subtract
from pairgen.arithmetic.exact.surds import WorkBudget, fits
from pairgen.arithmetic.exact.verification import is_one_number
from pairgen.arithmetic.labels import NO_MATCH, NOT_EXACT, Unverified

T = TypeVar("T")
Rights = tuple[Expr, Expr, Expr]
"""A right side with 0, 1 and 2 in place of one of its numbers."""

TRIALS = 3
"""Sets of trial values for variables without a known value; a stated result must hold for each set."""

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)


def trial_values(letters: frozenset[str], known: Mapping[str, Ratio], trial: int) -> dict[str, Ratio]:
    """The known values, and for each other letter a value that differs between trials."""
    chosen = {letter: (_PRIMES[(ord(letter) * 7 + trial * 5) % len(_PRIMES)], 1) for letter in letters}
    return {**chosen, **known}


def solve(left: Expr, right: Expr, letter: str, values: Mapping[str, Ratio]) -> Expr | None:
    """Solve an equation for a variable: ``2x + 6 = 12`` gives ``(12 - 6)/2``.

    None unless the equation contains the variable and is linear in it or in its reciprocal (``12/x = 4``).
    """
    others = {name: value for name, value in values.items() if name != letter}
    names = variables(left), variables(right)
    if letter not in names[0] | names[1]:
        return None
    left, right = substitute(left, others), substitute(right, others)
    if render(left) == letter and letter not in names[1]:  # x = 300/3 is solved already
        return None if is_one_number(render(right)) else right
    line = _line(left, right, letter, ((1, 1), (2, 1), (3, 1)))
    if line is not None:
        slope, constant = line
        if not names[1]:
            return _isolated(right, slope, constant)
        if letter not in names[0]:
            return _isolated(left, _negative(slope), _negative(constant))
        return _quotient(constant, slope)
    line = _line(left, right, letter, ((1, 1), (1, 2), (1, 3)))
    if line is None or line[1][0] == 0:
        return None
    slope, constant = line
    if slope[0] < 0:
        slope, constant = _negative(slope), _negative(constant)
    return Binary("/", number(slope), number(constant))


def _line(left: Expr, right: Expr, letter: str, trials: tuple[Ratio, Ratio, Ratio]) -> tuple[Ratio, Ratio] | None:
    """(a, b) if ``left - right`` is ``a*u - b`` with u = 1, 2 and 3 in the three trials; None if it is not linear."""
    gap = Binary("-", left, right)
    gaps = [value for trial in trials if (value := evaluate(gap, {letter: trial})) is not None]
    if len(gaps) < len(trials):
        return None
    slope = subtract(gaps[1], gaps[0])
    is_line = slope[0] != 0 and equal(slope, subtract(gaps[2], gaps[1]))
    return (slope, subtract(slope, gaps[0])) if is_line else None


def _isolated(side: Expr, slope: Ratio, constant: Ratio) -> Expr:
    """``constant/slope``, written with the side that lacks the variable: 26 = A - 4 gives ``26 - (-4)``."""
    rest = subtract(evaluate(side) or (0, 1), constant)
    if rest[0]:
        side = Binary("-", side, number(rest))
    return side if equal(slope, (1, 1)) else Binary("/", Brackets(side, optional=True), number(slope))


def _quotient(top: Ratio, bottom: Ratio) -> Expr:
    if bottom[0] < 0:
        top, bottom = _negative(top), _negative(bottom)
    return Binary("/", number(top), number(bottom))


def _negative(value: Ratio) -> Ratio:
    return -value[0], value[1]


@lru_cache(1 << 12)
def missing_number(left: Expr, rights: Rights, known: tuple[tuple[str, Ratio], ...], stated: Ratio) -> Expr:
    """The number that makes both sides equal, ``stated``: for ``20 + 8 = 2x + ?`` it is ``(20 + 8) - (2*x + 0)``.

    Where a variable has no value, the number must be the same for ``TRIALS`` sets of trial values; the expression has
    the first of them. The values are computed from the sides, and the expression is built only once they agree.

    Args:
        rights: the right side with 0, 1 and 2 in place of the number.
        known: the values of variables.

    Raises:
        Unverified: the number is another one; or the right side is linear neither in the number nor in its reciprocal,
            so that it may not be unique.
    """
    first: Mapping[str, Ratio] = {}
    form = ""
    for trial, values in enumerate(trials(left, rights, dict(known))):
        its_form, number = missing_value(left, rights, values)
        if number is None:
            raise Unverified(NOT_EXACT)
        if not equal(number, stated):
            raise Unverified(NO_MATCH, number)
        if not trial:
            first, form = values, its_form
    operands: tuple[Expr, Expr, Expr] = (
        Brackets(substitute(left, first)),
        Brackets(substitute(rights[0], first)),
        Brackets(substitute(rights[1], first)),
    )
    return _missing(form, operands, Binary)


def trials(left: Expr, rights: Rights, known: Mapping[str, Ratio]) -> Iterator[Mapping[str, Ratio]]:
    """The sets of values with which a missing number is computed: one if all variables are known, else ``TRIALS``."""
    letters = frozenset[str]().union(*map(variables, (left, *rights)))
    for trial in range(1 if letters <= known.keys() else TRIALS):
        yield trial_values(letters, known, trial)


def is_identity(left: Expr, rights: Rights, letters: frozenset[str], stated: Ratio) -> bool:
    """Whether the missing number is ``stated`` whatever the values of the letters: ``x + 2x + 5 + 3 = 3x + ?``."""
    try:
        numbers = [missing_value(left, rights, trial_values(letters, {}, trial))[1] for trial in range(TRIALS)]
    except Unverified:
        return False
    return all(number is not None and equal(number, stated) for number in numbers)


def missing_value(left: Expr, rights: Rights, values: Mapping[str, Ratio]) -> tuple[str, Ratio | None]:
    """How a missing number follows from the sides (see ``_form``), and its value; None if it has no exact one.

    Raises:
        Unverified: it may not be unique, as for ``missing_number``.
    """
    side, zero, one, two = (exact(expr, values) for expr in (left, *rights))
    form = _form(zero, one, two)
    number = _missing(form, (side, zero, one), _computed)
    return form, number if isinstance(number, tuple) and fits(number) else None


def _form(zero: Exact | None, one: Exact | None, two: Exact | None) -> str:
    """The form of a right side, from its values for 0, 1 and 2 in place of the number ``?``. Raises Unverified."""
    if not isinstance(zero, tuple) and _is(0, _computed("-", one, _computed("*", (2, 1), two))):
        return "c/?"
    if not _is(0, _computed("+", _computed("-", two, _computed("*", (2, 1), one)), zero)):
        raise Unverified(NOT_EXACT)
    slope = _computed("-", one, zero)
    if _is(1, slope):
        return "c+?"
    if _is(-1, slope):
        return "c-?"
    return "c*?" if _is(0, zero) else "c+d*?"


def _missing(form: str, sides: tuple[T, T, T], operate: Callable[[str, T, T], T]) -> T:
    """The missing number from the left side and the right side for 0 and 1: computed, or as an expression."""
    left, zero, one = sides
    match form:
        case "c/?":
            return operate("/", one, left)
        case "c+?":
            return operate("-", left, zero)
        case "c-?":
            return operate("-", zero, left)
        case "c*?":
            return operate("/", left, one)
    return operate("/", operate("-", left, zero), operate("-", one, zero))


def _computed(operator: str, left: Exact | None, right: Exact | None) -> Exact | None:
    """The exact value of an operation; None if it has none."""
    if left is None or right is None:
        return None
    try:
        return operate(operator, left, right, WorkBudget())
    except NotExact:
        return None


def _is(integer: int, value: Exact | None) -> bool:
    return isinstance(value, tuple) and value[0] == integer * value[1]
