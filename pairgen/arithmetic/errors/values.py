r"""Methods to sample a wrong value for a literal: of similar size, with one digit changed, or by another operation.

Each method makes one attempt, and keeps the format: decimals, sign, separators, a decimal point without a leading zero,
the notation of a fraction, and whether it is in lowest terms. A sampled value is never zero. It may be the final answer
or a correct rounding of the result; the caller checks for both.
"""

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from math import gcd
from typing import NamedTuple

from pairgen.arithmetic.errors import naturalness
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.expression import parse, with_other_operators
from pairgen.arithmetic.exact.literals import MAX_DIGITS, Literal
from pairgen.arithmetic.exact.ratios import Ratio, equal, reduced

_LARGE = 10**12
"""Numbers below this are never too long for a literal, even with one more digit; larger ones are rare."""

_MAX_CHANGE = 1000
"""Maximum factor by which another operation may change a result; larger changes are implausible."""

_MAX_STEPS = 8
"""Numerators tried in each direction to keep a fraction in, or not in, lowest terms."""

_OTHER_OPERATORS = {"+": "-*/", "-": "+*/", "*": "+-/", "/": "+-*", "**": "*"}

Sample = Callable[[Literal, str | None, RowRng], Literal | None]
"""Samples a wrong value once, given the right one, its calculation (if known) and the RNG; None if that failed."""


class Method(NamedTuple):
    """A way to sample a wrong value, and a one-line summary for help texts."""

    summary: str
    sample: Sample


def near(right: Literal, _expression: str | None, rng: RowRng) -> Literal | None:
    """A different number of similar magnitude: at most about a third away, or a few steps if it is small.

    An integer is as round, and has digits as likely, as results of its length are (``naturalness``): ``47`` may become
    40, and ``1,500`` may become ``1,250``, but seldom ``1,501``. Other numbers stay as round as they are: ``15.20``
    changes in steps of ``.10``. A fraction keeps its denominator, and stays in (or not in) lowest terms: ``6/8``
    becomes ``4/8`` or ``10/8``.
    """
    if right.denominator != 1 or right.decimals or right.bare_point or right.numerator >= _LARGE:
        return _near_with_format(right, rng)
    moved = _natural_neighbor(right.numerator, rng)
    if moved and right.negative:
        return right._replace(numerator=moved)
    return Literal(moved, 0, False, right.group_separator) if moved else None


def _natural_neighbor(number: int, rng: RowRng) -> int | None:
    """A number near another, drawn by how natural it is: first its trailing zeros, then its other digits."""
    bits = rng.bits()
    if number < _SMALLEST_TO_ROUND:
        return _small_neighbor(number, bits)
    grain: int = 10 ** naturalness.trailing_zeros(len(str(number)), bits)
    low = max(1, -(-(number - max(number // 4, grain)) // grain))  # 3/4 to 4/3: as wide seen from the wrong value
    high = (number + max(number // 3, grain)) // grain
    for _ in range(_MAX_TRIES):
        bits = rng.bits()
        kept = low + (bits >> 32) % (high - low + 1)  # without its trailing zeros
        shares = naturalness.FIRST_DIGIT if kept < 10 else naturalness.LAST_DIGIT
        share = shares[kept % 10] * low / kept  # smaller numbers are more frequent
        if kept * grain != number and bits % _SHARE_SCALE < share * _SHARE_SCALE / _MAX_SHARE:
            return kept * grain
    return None


def _small_neighbor(number: int, bits: int) -> int:
    near_by = [other for other in range(max(1, number - 3), number + 4) if other != number]
    bounds = list(accumulate(naturalness.SMALL[other] for other in near_by))
    return near_by[bisect_right(bounds, bits % bounds[-1])]


_SMALLEST_TO_ROUND = 13
"""Smaller numbers are drawn by how frequent each of them is."""
_MAX_TRIES = 32
_SHARE_SCALE = 1 << 16
_MAX_SHARE = max(naturalness.FIRST_DIGIT)


def _near_with_format(right: Literal, rng: RowRng) -> Literal | None:
    """A number near a decimal number, a fraction or a very large number, as round as it is."""
    numerator, decimals, bare_point, denominator = right.numerator, right.decimals, right.bare_point, right.denominator
    grain = 1
    while numerator and numerator % (grain * 10) == 0:
        grain *= 10
    size = numerator // grain
    bits = rng.bits()
    move = 1 + (bits >> 1) % max(3, size // 3)
    step = -grain if bits & 1 and move < size else grain
    moved = numerator + move * step
    if denominator == 1 and moved < _LARGE and not bare_point:
        return right._replace(numerator=moved)
    if denominator != 1:
        return _next_fraction(right, move, step)
    if bare_point and numerator < 10**decimals <= moved:  # would gain an integer part: decrease instead
        moved = numerator - move * grain
    wrong = right._replace(numerator=moved)
    return wrong if _is_same_kind(wrong, right) else None


def _next_fraction(right: Literal, move: int, step: int) -> Literal | None:
    """The first fraction of the same kind at least ``move`` steps away; if there is none, in the other direction."""
    for signed_step in (step, -step):
        for steps in range(move, move + _MAX_STEPS):
            wrong = right._replace(numerator=right.numerator + steps * signed_step)
            if _is_same_kind(wrong, right):
                return wrong
    return None


def digit(right: Literal, _expression: str | None, rng: RowRng) -> Literal | None:
    """The number with one digit changed, as in a typo: ``47`` becomes ``41`` or ``87``.

    The first digit never becomes zero, and the number stays as round as it is. In a fraction, a digit of the numerator
    or the integer part is changed.
    """
    if right.denominator != 1:
        slips = _fraction_slips(right)
        return slips[rng.below(len(slips))] if slips else None
    slips, bounds = _number_slips(right)
    return slips[bisect_right(bounds, rng.bits() % bounds[-1])] if slips else None


@lru_cache(1 << 14)
def _number_slips(right: Literal) -> tuple[tuple[Literal, ...], tuple[int, ...]]:
    """The numbers that differ in one digit, with running sums of how likely each is to be drawn.

    Trailing zeros stay, and the last digit before them does not become one: the number is as round as before. Digits
    are drawn by how frequent they are in their place.
    """
    hidden = right.bare_point and right.numerator < 10**right.decimals
    written = str(right.numerator).zfill(right.decimals + (not hidden))
    last = max(len(written.rstrip("0")) - 1, 0)
    slips: dict[Literal, int] = {}
    for position, old in enumerate(written[: last + 1]):
        is_first = position == 0 and not hidden
        digits = naturalness.FIRST_DIGIT if is_first else naturalness.INNER_DIGIT
        if position == last and not is_first:
            digits = naturalness.LAST_DIGIT
        total = sum(share for new, share in enumerate(digits) if new != int(old))
        for new, share in enumerate(digits):
            numerator = right.numerator + (new - int(old)) * 10 ** (len(written) - 1 - position)
            if new != int(old) and share and numerator:
                slips[right._replace(numerator=numerator)] = round(share / total * _SHARE_SCALE)
    return tuple(slips), tuple(accumulate(slips.values()))


@lru_cache(1 << 10)
def _fraction_slips(right: Literal) -> tuple[Literal, ...]:
    """All fractions of the same kind that differ in one digit; too few to find by changing random digits."""
    if right.mixed_separator is None:
        slips = _one_digit_off(right.numerator)
    else:
        integer, top = divmod(right.numerator, right.denominator)
        slips = [integer * right.denominator + other for other in _one_digit_off(top) if other < right.denominator]
        slips += [other * right.denominator + top for other in _one_digit_off(integer)]
    wrongs = (right._replace(numerator=numerator) for numerator in slips)
    return tuple(wrong for wrong in wrongs if _is_same_kind(wrong, right))


def _one_digit_off(number: int) -> list[int]:
    written = str(number)
    return [
        int(written[:position] + new + written[position + 1 :])
        for position, old in enumerate(written)
        for new in "0123456789"
        if new != old and (position or new != "0")
    ]


def operation(right: Literal, expression: str | None, rng: RowRng) -> Literal | None:
    """The result of the calculation with one operator replaced by another: ``48/2`` becomes 96, 46 or 50.

    The operands are unchanged: ``3/4 + 1/2`` becomes (3/4) / (1/2), not 3/4/1/2. First the operator to replace is
    sampled, among those with a replacement whose result fits the format of the right value; then the replacement.
    """
    mistakes = _operator_mistakes(right, expression) if expression is not None else ()
    if not mistakes:
        return None
    results = mistakes[rng.below(len(mistakes))]
    return results[rng.below(len(results))]


@lru_cache(1 << 14)
def _operator_mistakes(right: Literal, expression: str) -> tuple[tuple[Literal, ...], ...]:
    """For each operator, the usable wrong results of replacing it; operators without any are omitted.

    Computed together and cached: most calculations recur, and most replacements on integers give no usable result.
    """
    expr = parse(expression)
    if expr is None or evaluate(expr) is None:
        return ()
    mistakes = []
    for changed in with_other_operators(expr, _OTHER_OPERATORS):
        values = map(evaluate, changed)
        results = {wrong: None for value in values if value and (wrong := written_like(right, value))}
        if results:
            mistakes.append(tuple(results))
    return tuple(mistakes)


def written_like(right: Literal, value: Ratio) -> Literal | None:
    """A value in the format of ``right``, rounded to its decimals.

    None if the format cannot express it, if it is the right value, or if it is implausibly larger or smaller.
    """
    top, bottom = reduced((abs(value[0]), value[1]))
    right_top, right_bottom = abs(right.value[0]), right.value[1]
    if not top or (value[0] < 0) != right.negative or top >= _LARGE * bottom:
        return None
    if (
        right_top
        and not right_top * bottom <= _MAX_CHANGE * top * right_bottom <= _MAX_CHANGE * _MAX_CHANGE * right_top * bottom
    ):
        return None
    if right.denominator != 1:
        wrong = right._replace(numerator=top, denominator=bottom)
        unreduced = gcd(right.numerator, right.denominator)
        if unreduced != 1:  # keep the denominator if possible, else the common factor
            factor = (
                right.denominator // bottom
                if right.denominator % bottom == 0 and right.denominator != bottom
                else unreduced
            )
            wrong = right._replace(numerator=top * factor, denominator=bottom * factor)
        if bottom == 1 or wrong.numerator >= _LARGE or wrong.denominator >= _LARGE:
            return None
    else:
        scaled = top * 10**right.decimals
        if scaled % bottom and not right.decimals:
            return None
        wrong = right._replace(numerator=(2 * scaled + bottom) // (2 * bottom))
        if right.bare_point and right.numerator < 10**right.decimals <= wrong.numerator:
            return None
    return wrong if _is_same_kind(wrong, right) and not equal(wrong.value, right.value) else None


def _is_same_kind(wrong: Literal, right: Literal) -> bool:
    """Whether a wrong literal is positive, fits its format, and is the same kind of number as the right one.

    A fraction must be in lowest terms exactly if the right one is, and may equal an integer only if the right one does.
    """
    if wrong.numerator <= 0:
        return False
    if wrong.denominator != 1:
        if (gcd(wrong.numerator, wrong.denominator) == 1) != (gcd(right.numerator, right.denominator) == 1):
            return False
        if wrong.numerator % wrong.denominator == 0 and right.numerator % right.denominator:
            return False
    return wrong.fits() and len(str(wrong)) <= MAX_DIGITS


def mixed(right: Literal, expression: str | None, rng: RowRng) -> Literal | None:
    """One of the three methods, chosen at random for each attempt."""
    return _METHODS[rng.below(3)](right, expression, rng)


_METHODS: tuple[Sample, Sample, Sample] = near, digit, operation

CORRUPTIONS: dict[str, Method] = {
    "near": Method("a number of similar magnitude, as round as the original", near),
    "digit": Method("one digit changed", digit),
    "operation": Method("the result of a different operation on the same operands", operation),
    "mixed": Method("one of the above, chosen at random", mixed),
}
