"""Calculations that equal calculations: ``3 * 4 + 5 = 13 + 5 = 18``, of which only the last has a stated result."""

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import pairwise

from pairgen.arithmetic.claims.closed import Calculation, Claim, calculation_before, claim_of
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.expression import TOKEN
from pairgen.arithmetic.exact.literals import Literal
from pairgen.arithmetic.exact.ratios import Ratio, reduced
from pairgen.arithmetic.solution import Solution

_EQUALS = re.compile(r"=(?<![<>!~:]=)(?![=>])")
_CALCULATES = re.compile(r"\d.*[-+*/×÷·x\\]", re.DOTALL)
_LONGEST = 160
"""Code points between two equals signs."""
_LEAST_DIFFERENCE = 50
"""Sides that differ by less than this part of their value may be rounded."""


def claims(solution: Solution) -> Iterator[Claim]:
    """What each calculation between two equals signs claims: that it has the value of the one before it."""
    text = solution.visible
    read = lru_cache(4)(partial(calculation_before, solution))  # each calculation is on both sides of a sign
    signs = [found.start() for found in _EQUALS.finditer(text, 0, solution.stop)]
    for sign, next_sign in pairwise(signs):
        middle = text[sign + 1 : next_sign]
        if len(middle) > _LONGEST or "\n" in middle or not _CALCULATES.search(middle):
            continue
        one, other = read(sign), read(next_sign)
        if (
            one is None
            or other is None
            or _is_near(one.value, other.value)
            or text[sign + 1 : other.start].strip(" $&")
        ):
            continue
        is_conversion = "pi" in other.expression and "circ" in middle  # of radians to degrees
        if is_conversion or _continues(one, other):
            continue
        first, second = claim_of(solution, one), claim_of(solution, other)
        start = next_sign - len(middle.lstrip(" $&"))
        stop = sign + 1 + len(middle.rstrip())
        top, bottom = reduced(second.value)
        after = text[next_sign : next_sign + 40]
        yield first._replace(
            start=start,
            stop=stop,
            literal=Literal(abs(top), negative=top < 0, denominator=bottom),
            after=f" {second.written}{after}",
            sure=first.sure and second.sure and not (solution.is_latex and "*" in first.written),
        )


def _is_near(value: Ratio, other: Ratio) -> bool:
    (top, bottom), (other_top, other_bottom) = value, other
    gap = abs(top * other_bottom - other_top * bottom)
    return gap * _LEAST_DIFFERENCE <= abs(top) * other_bottom


def _continues(first: Calculation, second: Calculation) -> bool:
    """Whether the second begins with the result of the first, which is only noted there: ``5 * 8 = 40 * 15 = 600``."""
    tokens = TOKEN.findall(second.expression)
    prefixes = (evaluate_text("".join(tokens[:length])) for length in range(1, len(tokens)))
    return any(value is not None and _is_near(first.value, value) for value in prefixes)
