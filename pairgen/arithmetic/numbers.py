"""Number literals as people write them: exact value out, another value back in the same format.

A value is a ``Ratio``, an integer numerator over a positive integer denominator, not always in lowest terms:
two ratios are compared by cross-multiplying, which is exact and several times faster than ``fractions.Fraction``.
"""

import re
from functools import lru_cache
from math import gcd
from typing import NamedTuple

Ratio = tuple[int, int]

MAX_DIGITS = 30
"""Longer literals are left alone, so that no arithmetic here grows out of bounds."""

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
"""``1,500``, ``1500``, ``15.20``, ``.50``: no sign, no currency."""

_LITERAL = re.compile(rf"(-?)({NUMBER})(?:/(\d+))?", re.ASCII)


class Literal(NamedTuple):
    """A number taken apart: ``15.20`` is 1520 units with 2 decimals; ``3/4`` is 3 units over 4."""

    units: int
    decimals: int = 0
    negative: bool = False
    grouped: bool = False
    bare_point: bool = False
    over: int = 1

    @property
    def value(self) -> Ratio:
        """The exact value: units / (10 ** decimals * over), with its sign."""
        return (-self.units if self.negative else self.units), 10**self.decimals * self.over

    def __str__(self) -> str:
        """The literal as written: ``str(parse(text)) == text``, but for leading zeros."""
        if not (self.decimals or self.grouped or self.negative or self.over != 1):
            return str(self.units)
        whole, cents = divmod(self.units, 10**self.decimals)
        text = f"{whole:,}" if self.grouped else str(whole)
        if self.decimals:
            text = f"{'' if self.bare_point and not whole else text}.{cents:0{self.decimals}}"
        return f"{'-' if self.negative else ''}{text}{f'/{self.over}' if self.over != 1 else ''}"


@lru_cache(1 << 14)
def parse(text: str) -> Literal | None:
    """Read a whole text as one literal; None if it is not one, is over ``MAX_DIGITS`` long, or divides by zero."""
    if len(text) > MAX_DIGITS:
        return None
    match = _LITERAL.fullmatch(text)
    if match is None:
        return None
    sign, number, below = match.groups()
    over = int(below) if below else 1
    whole, point, decimals = number.partition(".")
    if over == 0 or (below and point):
        return None
    return Literal(int(whole.replace(",", "") + decimals), len(decimals), sign == "-", "," in whole, not whole, over)


def equal(a: Ratio, b: Ratio) -> bool:
    """Whether two ratios have the same value."""
    return a[0] * b[1] == b[0] * a[1]


def lowest_terms(value: Ratio) -> str:
    """``p/q`` in lowest terms, q positive: ``(10, 4)`` is ``5/2``, ``(47, 1)`` is ``47/1``."""
    top, bottom = value
    if bottom == 1:
        return f"{top}/1"
    common = gcd(top, bottom)
    return f"{top // common}/{bottom // common}"
