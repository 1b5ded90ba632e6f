"""Whether a stated result agrees with its calculation in one of the ways in which people write right results.

Rounded, in cents, as a quotient with a remainder, and so on: each function tells one convention.
"""

import re

from pairgen.arithmetic.claims.closed import Claim
from pairgen.arithmetic.claims.other_units import is_in_other_unit
from pairgen.arithmetic.exact.literals import Literal
from pairgen.arithmetic.exact.ratios import Ratio, equal
from pairgen.arithmetic.exact.verification import matches


def agrees(claim: Claim, value: Ratio) -> bool:
    """Whether the result is right if the calculation has this value."""
    return (
        states(claim, value)
        or is_float_print(claim, value)
        or is_announced_rounding(claim, value)
        or is_rounding_of_rounded(claim, value)
        or is_mixed_number(claim, value)
        or is_quotient_with_remainder(claim, value)
        or is_in_other_unit(claim, value)
    )


def states(claim: Claim, value: Ratio) -> bool:
    """Whether the literal states a value, or with a percent sign its hundredfold."""
    return any(matches(claim.literal, scaled) for scaled in _scaled(claim, value))


def _scaled(claim: Claim, value: Ratio) -> list[Ratio]:
    """The value, and if a percent sign follows the literal its hundredfold."""
    is_percent = claim.percent or _PERCENT_FOLLOWS.match(claim.after) is not None
    return [value, (value[0] * 100, value[1])] if is_percent else [value]


_PERCENT_FOLLOWS = re.compile(r"[.…]* ?\\?(?:%|per ?cent\b)")


# ---------------------------------------------------------------- precision


def is_cut(claim: Claim, value: Ratio) -> bool:
    """Whether the result is the value cut off, or for an integer also rounded: ``500/15 = 33``, ``2/3 = 0.66``."""
    return any(_is_cut(claim.literal, scaled) for scaled in _scaled(claim, value))


def _is_cut(literal: Literal, value: Ratio) -> bool:
    if literal.denominator != 1 or (value[0] < 0) is not (literal.negative and literal.numerator != 0):
        return False
    top, bottom = literal.value
    gap = abs(value[0] * bottom - top * value[1])  # 1 in the last digit is value[1]
    is_short = abs(top) * value[1] < abs(value[0]) * bottom
    return gap < value[1] and (is_short or not literal.decimals)


def is_float_print(claim: Claim, value: Ratio) -> bool:
    """Whether the result is a float as computers print it: ``0.1 + 0.2 = 0.30000000000000004``."""
    literal = claim.literal
    return literal.decimals >= 6 and len(str(literal.numerator)) >= 10 and _is_within(claim, value, 10**8)


def _is_within(claim: Claim, value: Ratio, part: int) -> bool:
    """Whether the relative error is at most 1/part."""
    top, bottom = claim.literal.value
    return any(
        abs(top * scaled[1] - scaled[0] * bottom) * part <= abs(scaled[0] * bottom) for scaled in _scaled(claim, value)
    )


_ROUND = r"round(?:ed|ing)\b|rounds? (?:it |this |that )?(?:up|down|to|off)\b|nearest\b|approx\w*|estimat\w+|roughly\b"
_ROUNDING_BEFORE = re.compile(rf"\b(?:{_ROUND}|about|around|nearly|almost|whole number)\b[^.\n]*\Z", re.I)
_ROUNDING_AFTER = re.compile(
    rf"[^\n=]{{0,50}}?(?:\b(?:{_ROUND}|whole number)|≈|\\approx|\.\.\.|…|\\[lc]?dots)|[^.\n=]{{0,20}}\babout\b",
    re.I,
)


def is_announced_rounding(claim: Claim, value: Ratio) -> bool:
    """Whether the text says that the result is rounded, and it is near: ``100 / 3 = 33, rounded down``."""
    announced = _ROUNDING_AFTER.match(claim.after) or _ROUNDING_BEFORE.search(claim.before)
    return announced is not None and (is_cut(claim, value) or _is_rounded_to_zeros(claim.literal, value))


def _is_rounded_to_zeros(literal: Literal, value: Ratio) -> bool:
    """Whether the result is the value rounded to its zeros at the end, and within a tenth of it: 300 for 297."""
    digits = str(literal.numerator)
    unit = 10 ** (len(digits) - len(digits.rstrip("0")))
    top, bottom = literal.value
    gap = abs(value[0] * bottom - top * value[1])
    return not literal.decimals and 2 * gap <= unit * value[1] and 10 * gap <= abs(top) * value[1]


_DECIMALS = re.compile(r"\d*\.\d{2,}|33\.3|66\.[67]|16\.[67]|83\.3", re.ASCII)


def is_rounding_of_rounded(claim: Claim, value: Ratio) -> bool:
    """Whether a result of rounded numbers is rounded itself: ``$66.67 * 6 = $400``."""
    if not _DECIMALS.search(claim.expression) or claim.literal.denominator != 1:
        return False
    top, bottom = claim.literal.value
    gap = abs(top * value[1] - value[0] * bottom)
    return 2 * gap <= value[1] and _is_within(claim, value, 500)


# ---------------------------------------------------------------- what follows the number

_REMAINDER = re.compile(
    r"[^\n.;=]{0,50}?(?:\bremainder|\bleft ?over|\bremaining|\bleft\b|\b[rR]\.? ?\d|\b(?:with|and) \$?\d"
    r"|\b(?:full|whole|complete)\b)"
)


def is_quotient_with_remainder(claim: Claim, value: Ratio) -> bool:
    """Whether the result is a whole quotient, of which the rest is named: ``47 / 4 = 11 remainder 3``, ``47 // 4``."""
    literal = claim.literal
    is_named = "//" in claim.written or _REMAINDER.match(claim.after) is not None
    if literal.decimals or literal.denominator != 1 or value[0] < 0 or not is_named:
        return False
    return literal.numerator == value[0] // value[1]


_FRACTION_PART = re.compile(
    r"(?: [a-z]+)?(?: and|,| \+)? ?\(?\\?\$?(\d+)/(\d+)\)?"
    r"|(?: [a-z]+)?(?: and|,| \+)? ?\\[dt]?frac\{?(\d+)\}?\{?(\d+)\}?"
)


def is_mixed_number(claim: Claim, value: Ratio) -> bool:
    """Whether a fraction that completes the result follows: ``100/6 = 16 and (2/3)``."""
    found = _FRACTION_PART.match(claim.after)
    if found is None or claim.literal.denominator != 1 or claim.literal.decimals:
        return False
    top, bottom = (int(group) for group in found.groups() if group)
    return bottom > 0 and equal(value, (claim.literal.value[0] * bottom + top, bottom))
