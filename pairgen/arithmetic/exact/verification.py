"""Verify a stated result: recompute its calculation exactly, and compare at the precision of the result."""

import re
from typing import NamedTuple

from pairgen.arithmetic.exact.expression import MAX_LENGTH, parse
from pairgen.arithmetic.exact.literals import Literal
from pairgen.arithmetic.exact.ratios import Ratio, lowest_terms
from pairgen.arithmetic.labels import NO_CALCULATION, NO_MATCH, NOT_EXACT, TOO_LARGE, Unverified

_ONE_NUMBER = re.compile(r"\(*-?[\d.]+\)*", re.ASCII)


class Verification(NamedTuple):
    """A stated result that exact arithmetic confirms.

    ``expression`` is the calculation in ASCII and ``value`` its exact value. ``stated`` is the value of the literal as
    p/q, which differs from ``value`` if the result is rounded. ``substituted`` is whether variables were replaced by
    their values.
    """

    expression: str
    value: Ratio
    stated: str
    substituted: bool = False


def verify(
    expression: str, value: Ratio | None, result: Literal, percent: bool, substituted: bool = False
) -> Verification:
    """Confirm that ``result`` states the value of an expression.

    A result with a percent sign is read first as hundredths (``1/4 = 25%``: ``100*(1/4)`` is 25), then as the bare
    number (``1/4 * 100 = 25%``), so that the value of ``expression`` is always that of the literal.

    Args:
        value: value of the expression; None if it has no exact rational value.

    Raises:
        Unverified: the result does not match, or the calculation cannot be recomputed.
    """
    if is_one_number(expression):
        raise Unverified(NO_CALCULATION)
    if value is None:
        raise Unverified(TOO_LARGE if len(expression) > MAX_LENGTH else NOT_EXACT)
    hundredfold = value[0] * 100, value[1]
    if percent and matches(result, hundredfold):
        expression = f"100*({expression})"
        if parse(expression) is None:  # now longer or more deeply nested than can be recomputed
            raise Unverified(TOO_LARGE)
        return Verification(expression, hundredfold, lowest_terms(result.value), substituted)
    if matches(result, value):
        return Verification(expression, value, lowest_terms(result.value), substituted)
    raise Unverified(NO_MATCH, value)


def is_one_number(expression: str) -> bool:
    """Whether an expression is a single number, and so not a calculation."""
    return _ONE_NUMBER.fullmatch(expression) is not None


def matches(result: Literal, value: Ratio) -> bool:
    """Whether a literal states a value: it is equal, or has decimals and is a correct rounding (ties either way).

    ``3.33`` states 10/3; ``3`` does not, since nothing indicates that it was rounded.
    """
    top, bottom = result.value
    gap = abs(value[0] * bottom - top * value[1])
    if gap == 0 or not result.decimals:
        return gap == 0
    return 2 * gap <= value[1] * result.denominator


def same_magnitude(literal: Literal, value: Ratio) -> bool:
    """Whether a literal has a value up to sign: its minus may be separate from it."""
    top, bottom = value
    if literal.decimals or literal.denominator != 1:
        top *= 10**literal.decimals * literal.denominator
    return literal.numerator * bottom in (top, -top)
