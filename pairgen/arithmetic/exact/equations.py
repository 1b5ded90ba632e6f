"""Solve an equation for a variable or a missing number; the solution is an expression over the equation's numbers."""

from collections.abc import Mapping
from functools import lru_cache

from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.expression import (
    Binary,
    Brackets,
    Expr,
    Number,
    number,
    render,
    substitute,
    variables,
)
from pairgen.arithmetic.exact.ratios import Ratio, equal, subtract
from pairgen.arithmetic.exact.verification import is_one_number
from pairgen.arithmetic.labels import NOT_EXACT, Unverified

TRIALS = 3
"""Sets of trial values for variables without a known value; a stated result must hold for each set."""

_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)
_TWO = Number("2", (2, 1))


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
def missing_number(
    left: Expr, rights: tuple[Expr, Expr, Expr], known: tuple[tuple[str, Ratio], ...], trial: int
) -> tuple[Expr, Ratio | None]:
    """The number that makes both sides equal, and its value: for ``20 + 8 = 2x + ?`` it is ``(20 + 8) - (2*x + 0)``.

    Args:
        rights: the right side with 0, 1 and 2 in place of the number.
        known: the values of variables; others take those of a trial.

    Raises:
        Unverified: the right side is linear neither in the number nor in its reciprocal, so the number may not be
            unique.
    """
    letters = frozenset().union(*map(variables, (left, *rights)))
    expr = _missing_number(left, rights, trial_values(letters, dict(known), trial))
    return expr, evaluate(expr)


def _missing_number(left: Expr, rights: tuple[Expr, Expr, Expr], values: Mapping[str, Ratio]) -> Expr:
    left, zero, one, two = (Brackets(substitute(side, values)) for side in (left, *rights))

    def is_equal(expr: Expr, integer: int) -> bool:
        value = evaluate(expr)
        return value is not None and equal(value, (integer, 1))

    if evaluate(zero) is None and is_equal(Binary("-", one, Binary("*", _TWO, two)), 0):  # the number is a denominator
        return Binary("/", one, left)
    if not is_equal(Binary("+", Binary("-", two, Binary("*", _TWO, one)), zero), 0):
        raise Unverified(NOT_EXACT)
    if is_equal(Binary("-", one, zero), 1):
        return Binary("-", left, zero)
    if is_equal(Binary("-", zero, one), 1):
        return Binary("-", zero, left)
    if is_equal(zero, 0):
        return Binary("/", left, one)
    slope = Binary("-", one, zero)
    return Binary("/", Brackets(Binary("-", left, zero)), Brackets(slope))
