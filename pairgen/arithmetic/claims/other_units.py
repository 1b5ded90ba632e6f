"""Results in another unit than their calculation: cents for dollars, minutes for hours, thousands."""

import re
from itertools import combinations

from pairgen.arithmetic.claims.closed import Claim
from pairgen.arithmetic.exact.ratios import Ratio, reduced
from pairgen.arithmetic.reading import units

# Between scales, or as people reckon.
_MORE_FACTORS = {
    frozenset(pair): factor
    for *pair, factor in (
        ("day", "month", 30),
        ("week", "month", 4),
        ("week", "year", 52),
        ("day", "year", 365),
        ("ounce", "cup", 8),
        ("ounce", "pint", 16),
        ("ounce", "gallon", 128),
    )
}
_LARGE = re.compile(
    r"\b(?:hundreds?|thousands?|millions?|billions?|trillions?|grand|dozens?)\b|(?<=\d)[kKMB]\b", re.IGNORECASE
)
_LARGE_FACTORS = frozenset({12, 100, 1000, 10**6, 10**9, 10**12})
_CENTS = re.compile(r"¢|\b(?:cents?|penn(?:y|ies)|nickels?|dimes?|quarters?|coins?)\b", re.IGNORECASE)
_MONEY = re.compile(rf"[$€£¥]|\bdollars?\b|{_CENTS.pattern}", re.IGNORECASE)
_PERCENTAGE = re.compile(r"\bper ?cent|%", re.IGNORECASE)
_SENTENCES_BEFORE = re.compile(r".*(?:[.?!;]\s|\n)", re.DOTALL)


def factor(claim: Claim, value: Ratio) -> int:
    """The integer by which the literal is too large or too small; 0 if there is none."""
    top, bottom = claim.literal.value
    if not top or not value[0]:
        return 0
    ratio = reduced((top * value[1], bottom * value[0]))
    return max(ratio) if min(ratio) == 1 else 0


def is_in_other_unit(claim: Claim, value: Ratio) -> bool:
    """Whether the result is right in another unit that the sentence names: ``3 * 50 cents = $1.50``."""
    times = factor(claim, value)
    if times < 2:
        return False
    sentence = f"{_SENTENCES_BEFORE.sub('', claim.before)} {claim.written} = {claim.sign} {claim.after[:30]}"
    if times in _LARGE_FACTORS and _LARGE.search(sentence):
        return True
    if times == 100 and _is_all_in_dollars(claim):
        return False
    found = (
        units.units_in(sentence) | ({"dollar"} if "$" in sentence else set()) | ({"cent"} if "¢" in sentence else set())
    )
    return any(_factor_between(one, other) == times for one, other in combinations(sorted(found), 2))


def mixes_units(claim: Claim) -> bool:
    r"""Whether a sum has terms in different units of one kind: ``2 \text{ m} + 50 \text{ cm}``."""
    if not {"+", "-"} & set(claim.expression):
        return False
    return any(_factor_between(one, other) for one, other in combinations(sorted(units.units_in(claim.written)), 2))


def _factor_between(one: str, other: str) -> int:
    text = units.factor(one, other)
    if text is None or "/" in text[1:]:
        return _MORE_FACTORS.get(frozenset((one, other)), 0)
    return int(text[1:])


def _is_all_in_dollars(claim: Claim) -> bool:
    """Whether both the calculation and the result are written as amounts of one currency."""
    return "$" in claim.written and "$" in claim.sign and not _CENTS.search(claim.written)


def is_hundred_off(claim: Claim) -> bool:
    """Whether the result is off by a hundred in money or as a percentage: ``100 * 0.75 = $0.75``, ``30/120 = 25``."""
    times = factor(claim, claim.value)
    if times in (1000, 10**6):
        return _LARGE.search(claim.before + claim.after) is not None
    if times != 100:
        return False
    if _MONEY.search(f"{claim.written}{claim.sign}{claim.after[:20]}") and not _is_all_in_dollars(claim):
        return True
    is_quotient = "/" in claim.expression and claim.value[0] < claim.value[1]
    return is_quotient and _PERCENTAGE.search(claim.before + claim.after) is not None
