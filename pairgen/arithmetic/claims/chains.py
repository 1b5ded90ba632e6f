"""Calculations that equal calculations: ``3 * 4 + 5 = 13 + 5 = 18``, of which only the last has a stated result."""

import re
from collections.abc import Iterator

from pairgen.arithmetic.claims.closed import Claim, claim_before
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.expression import TOKEN
from pairgen.arithmetic.exact.literals import Literal
from pairgen.arithmetic.exact.ratios import equal, reduced
from pairgen.arithmetic.solution import Solution

_MIDDLE = re.compile(r"=(?<![<>!~:]=)(?=(?P<middle>[^=\n]*\d[^=\n]*[-+*/×÷·x\\][^=\n]*)=(?![=>]))")
_LEAST_DIFFERENCE = 50
"""Sides that differ by less than this part of their value may be rounded."""


def claims(solution: Solution) -> Iterator[Claim]:
    """What each calculation between two equals signs claims: that it has the value of the one before it."""
    for found in _MIDDLE.finditer(solution.visible, 0, solution.stop):
        sign, next_sign = found.start(), found.end("middle")
        second = claim_before(solution, next_sign)
        if second is None or solution.visible[sign + 1 : second.start].strip(" $&"):
            continue
        first = claim_before(solution, sign)
        is_conversion = "pi" in second.expression and "circ" in found["middle"]  # of radians to degrees
        if first is None or is_conversion or _is_near(first, second) or _continues(first, second):
            continue
        start = sign + 1 + len(found["middle"]) - len(found["middle"].lstrip(" $&"))
        stop = next_sign - (len(found["middle"]) - len(found["middle"].rstrip()))
        top, bottom = reduced(second.value)
        after = solution.visible[next_sign : next_sign + 40]
        yield first._replace(
            start=start,
            stop=stop,
            literal=Literal(abs(top), negative=top < 0, denominator=bottom),
            after=f" {second.written}{after}",
            sure=first.sure and second.sure and not (solution.is_latex and "*" in first.written),
        )


def _is_near(first: Claim, second: Claim) -> bool:
    (top, bottom), (other_top, other_bottom) = first.value, second.value
    gap = abs(top * other_bottom - other_top * bottom)
    return gap * _LEAST_DIFFERENCE <= abs(top) * other_bottom


def _continues(first: Claim, second: Claim) -> bool:
    """Whether the second begins with the result of the first, which is only noted there: ``5 * 8 = 40 * 15 = 600``."""
    tokens = TOKEN.findall(second.expression)
    prefixes = (evaluate_text("".join(tokens[:length])) for length in range(1, len(tokens)))
    return any(value is not None and equal(value, first.value) for value in prefixes)
