"""Whether equations determine the values of letters: a value that rests on itself alone is not proved."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.expression import Binary, Expr, variables
from pairgen.arithmetic.exact.ratios import Ratio, add

Equation = tuple[Expr, Expr]
"""The left and the right side."""


def letters_of(equation: Equation) -> frozenset[str]:
    """The variables of both sides."""
    return variables(equation[0]) | variables(equation[1])


def determine(equations: Iterable[Equation], letters: frozenset[str], values: Mapping[str, Ratio]) -> bool:
    """Whether ``values`` is the only solution for ``letters`` near by, given the values of all other letters.

    That is so if as many independent equations hold as there are letters: ``x + y = 10`` alone proves neither x = 4 nor
    y = 6; together with ``x - y = -2`` it proves both. Equations are independent if their derivatives are, that is,
    if the matrix of differences quotients (equations x letters) has full rank.
    """
    rows = []
    for equation in equations:
        row = _derivatives(equation, letters, values) if letters & letters_of(equation) else None
        if row is not None:
            rows.append(row)
            if _rank(rows) == len(letters):
                return True
    return False


def contradicts(equation: Equation, values: Mapping[str, Ratio]) -> bool:
    """Whether an equation in letters does not hold for their values."""
    if not letters_of(equation):
        return False
    gap = evaluate(Binary("-", *equation), values)
    return gap is not None and gap[0] != 0


def _derivatives(equation: Equation, letters: frozenset[str], values: Mapping[str, Ratio]) -> list[Fraction] | None:
    """By how much the sides differ when each letter is one larger; None unless the equation holds."""
    gap = Binary("-", *equation)
    here = evaluate(gap, values)
    if here is None or here[0]:
        return None
    moved = [evaluate(gap, {**values, letter: add(values[letter], (1, 1))}) for letter in sorted(letters)]
    return None if None in moved else [Fraction(*value) for value in moved if value is not None]


def _rank(rows: list[list[Fraction]]) -> int:
    """The rank of a matrix, by Gaussian elimination."""
    rows, rank = [list(row) for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((index for index in range(rank, len(rows)) if rows[index][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for below in rows[rank + 1 :]:
            factor = below[column] / rows[rank][column]
            below[:] = [value - factor * first for value, first in zip(below, rows[rank], strict=True)]
        rank += 1
    return rank
