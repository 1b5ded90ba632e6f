r"""Ways to draw a wrong value for a literal: of like size, one digit off, or by another operation.

Each makes one attempt, and keeps the format: decimals, sign, separator, a point with no zero before it, the way a
fraction is written, and whether it is in lowest terms. A value drawn is never zero. It may be the final answer, or
a right rounding of the result, which only the caller knows.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from math import gcd
from typing import NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.numbers import MAX_DIGITS, Literal, Ratio, equal

_ROOMY = 10**12
"""One more digit cannot make a number below this too long to be a literal; nor would people write much more."""

_FAR = 1000
"""Another operation that changes the size more than this often gives what nobody would write."""

_WALK = 8
"""Numerators looked at in one direction for one that keeps the kind of a fraction."""

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|[A-Za-z]+|\*\*|\S", re.ASCII)
_RANK = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}
_INSTEAD = {"+": "-*/", "-": "+*/", "*": "+-/", "/": "+-*", "**": "*"}

Draw = Callable[[Literal, str | None, RowRng], Literal | None]
"""One attempt at a wrong value, from the right one, the calculation it is the result of, if known, and the draws."""


class Method(NamedTuple):
    """A way to draw a wrong value, and one line on it for help texts."""

    summary: str
    draw: Draw


def near(right: Literal, _expression: str | None, draws: RowRng) -> Literal | None:
    """A different number of like size and the same format: up to a third away, in steps as round as the number is.

    ``47`` may become 32 to 62, ``1,500`` becomes ``1,200`` but never ``1,501``, ``15.20`` moves by dimes. A fraction
    keeps its denominator, and goes on to the next numerator that keeps its kind: ``6/8`` becomes ``4/8`` or ``10/8``.
    """
    units, decimals, negative, separator, bare_point, over, _, _ = right
    grain = 1
    while units >= grain * 50 and units % (grain * 10) == 0:
        grain *= 10
    size = units // grain
    bits = draws.bits()
    move = 1 + (bits >> 1) % max(3, size // 3)
    step = -grain if bits & 1 and move < size else grain
    moved = units + move * step
    if over == 1 and moved < _ROOMY and not bare_point:
        return Literal(moved, decimals, negative, separator)
    if over != 1:
        return _walk(right, move, step)
    if bare_point and units < 10**decimals <= moved:  # a whole part would show: go down instead
        moved = units - move * grain
    wrong = right._replace(units=moved)
    return wrong if _keeps_kind(wrong, right) else None


def _walk(right: Literal, move: int, step: int) -> Literal | None:
    """The first fraction of the right kind from ``move`` steps away outwards, else from there on the other side."""
    for towards in (step, -step):
        for steps in range(move, move + _WALK):
            wrong = right._replace(units=right.units + steps * towards)
            if _keeps_kind(wrong, right):
                return wrong
    return None


def digit(right: Literal, _expression: str | None, draws: RowRng) -> Literal | None:
    """The number with one of its written digits changed, as in a slip of the pen: ``47`` becomes ``41`` or ``87``.

    The first digit becomes no zero. In a fraction the digit is one of the numerator, or of the whole part.
    """
    if right.over != 1:
        slips = _fraction_slips(right)
        return slips[draws.below(len(slips))] if slips else None
    hidden = right.bare_point and right.units < 10**right.decimals
    written = str(right.units).zfill(right.decimals + (not hidden))
    place = draws.below(len(written))
    old = int(written[place])
    if place == 0 and old and not hidden:
        new = 1 + (old + draws.below(8)) % 9
    else:
        new = (old + 1 + draws.below(9)) % 10
    units = right.units + (new - old) * 10 ** (len(written) - 1 - place)
    return right._replace(units=units) if units else None


@lru_cache(1 << 10)
def _fraction_slips(right: Literal) -> tuple[Literal, ...]:
    """All fractions of the right kind with one other digit above; so few are of it that drawing first would miss."""
    if right.joint is None:
        slips = _one_digit_off(right.units)
    else:
        whole, top = divmod(right.units, right.over)
        slips = [whole * right.over + other for other in _one_digit_off(top) if other < right.over]
        slips += [other * right.over + top for other in _one_digit_off(whole)]
    wrongs = (right._replace(units=units) for units in slips)
    return tuple(wrong for wrong in wrongs if _keeps_kind(wrong, right))


def _one_digit_off(number: int) -> list[int]:
    written = str(number)
    return [
        int(written[:place] + new + written[place + 1 :])
        for place, old in enumerate(written)
        for new in "0123456789"
        if new != old and (place or new != "0")
    ]


def operation(right: Literal, expression: str | None, draws: RowRng) -> Literal | None:
    """What the calculation gives with one of its operations mistaken for another: ``48/2`` becomes 96, 46 or 50.

    The operands stay what they are: ``3/4 + 1/2`` becomes (3/4) / (1/2), not 3/4/1/2.
    The operator is drawn first, of those for which another gives something that can be written like the right value,
    then which other.
    """
    mistakes = _mistakes(right, expression) if expression is not None else ()
    if not mistakes:
        return None
    results = mistakes[draws.below(len(mistakes))]
    return results[draws.below(len(results))]


@lru_cache(1 << 14)
def _mistakes(right: Literal, expression: str) -> tuple[tuple[Literal, ...], ...]:
    """For each binary operator, the wrong results of putting another in its place; operators without any left out.

    All at once, and kept: most calculations come again, and most operations on integers give no result of use.
    """
    if evaluate(expression) is None:
        return ()
    tokens = _TOKEN.findall(expression)
    ranks = [0] * len(tokens)  # of binary operators; what follows no operand is a sign
    for place, (before, token) in enumerate(pairwise(tokens), 1):
        if before[-1].isdigit() or before in (")", "pi"):
            ranks[place] = _RANK.get(token, 0)
    mistakes = []
    for place, rank in enumerate(ranks):
        if not rank:
            continue
        powers = rank == 3  # they group to the right, all else to the left
        first = _end_of_operand(tokens, ranks, place, -1, rank if powers else rank - 1)
        last = _end_of_operand(tokens, ranks, place, 1, rank - 1 if powers else rank)
        a, b = "".join(tokens[first:place]), "".join(tokens[place + 1 : last + 1])
        before, after = "".join(tokens[:first]), "".join(tokens[last + 1 :])
        values = [evaluate(f"{before}(({a}){other}({b})){after}") for other in _INSTEAD[tokens[place]]]
        results = {wrong: None for value in values if value and (wrong := _written_like(right, value))}
        if results:
            mistakes.append(tuple(results))
    return tuple(mistakes)


def _end_of_operand(tokens: list[str], ranks: list[int], operator: int, step: int, bound: int) -> int:
    """The outermost token of the operand on one side: a bracket from outside or a rank up to ``bound`` ends it."""
    inwards, outwards = ("(", ")") if step > 0 else (")", "(")
    depth, place = 0, operator + step
    while 0 <= place < len(tokens):
        depth += (tokens[place] == inwards) - (tokens[place] == outwards)
        if depth < 0 or (depth == 0 and 0 < ranks[place] <= bound):
            break
        place += step
    return place - step


def _written_like(right: Literal, value: Ratio) -> Literal | None:
    """Another value in the format of a literal, rounded if that has decimals.

    None if it cannot be written so, is the right value, or is so much larger or smaller that nobody would write it.
    """
    common = gcd(*value)
    top, bottom = abs(value[0]) // common, value[1] // common
    whole, below = abs(right.value[0]), right.value[1]
    if not top or (value[0] < 0) != right.negative or top >= _ROOMY * bottom:
        return None
    if whole and not whole * bottom <= _FAR * top * below <= _FAR * _FAR * whole * bottom:
        return None
    if right.over != 1:
        wrong = right._replace(units=top, over=bottom)
        unreduced = gcd(right.units, right.over)
        if unreduced != 1:  # over the same denominator if it stays unreduced there, else with as much to cancel
            factor = right.over // bottom if right.over % bottom == 0 and right.over != bottom else unreduced
            wrong = right._replace(units=top * factor, over=bottom * factor)
        if bottom == 1 or wrong.units >= _ROOMY or wrong.over >= _ROOMY:
            return None
    else:
        scaled = top * 10**right.decimals
        if scaled % bottom and not right.decimals:
            return None
        wrong = right._replace(units=(2 * scaled + bottom) // (2 * bottom))
        if right.bare_point and right.units < 10**right.decimals <= wrong.units:
            return None
    return wrong if _keeps_kind(wrong, right) and not equal(wrong.value, right.value) else None


def _keeps_kind(wrong: Literal, right: Literal) -> bool:
    """Whether a literal can stand in its format, is over zero, and is as much a fraction as the right one.

    A fraction is as much one if it is in lowest terms just where the right one is, and no integer unless that is.
    """
    if wrong.units <= 0:
        return False
    if wrong.over != 1:
        if (gcd(wrong.units, wrong.over) == 1) != (gcd(right.units, right.over) == 1):
            return False
        if wrong.units % wrong.over == 0 and right.units % right.over:
            return False
        before, _, after = wrong.fraction
        top = wrong.units if wrong.joint is None else wrong.units % wrong.over
        if before and ((top > 9 and "{" not in before) or (wrong.over > 9 and "}" not in after)):
            return False  # \frac 3{14}: what has no braces is one digit
    return wrong.fits() and len(str(wrong)) <= MAX_DIGITS


def mixed(right: Literal, expression: str | None, draws: RowRng) -> Literal | None:
    """One of the three ways, drawn anew at each attempt."""
    return _WAYS[draws.below(3)](right, expression, draws)


_WAYS: tuple[Draw, Draw, Draw] = near, digit, operation

CORRUPTIONS: dict[str, Method] = {
    "near": Method("a number of like size, up to a third away in round steps", near),
    "digit": Method("the right number with one digit changed", digit),
    "operation": Method("what another operation on the same operands gives", operation),
    "mixed": Method("one of the other three, drawn anew for each attempt", mixed),
}
