r"""Number literals as people write them, in plain text and in LaTeX: exact value out, another back in the same format.

A value is a ``Ratio``, an integer numerator over a positive integer denominator, not always in lowest terms:
two ratios are compared by cross-multiplying, which is exact and several times faster than ``fractions.Fraction``.
"""

import re
from functools import lru_cache
from math import gcd
from typing import NamedTuple

Ratio = tuple[int, int]

MAX_DIGITS = 40
"""Longer literals are left alone, so that no arithmetic here grows out of bounds."""

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
"""``1,500``, ``1500``, ``15.20``, ``.50``: no sign, no currency."""

_SEPARATOR = r"(?:\{,\}|,\\!|,\\ |,|\\,)"
LATEX_NUMBER = rf"(?:\d{{1,3}}(?:{_SEPARATOR}\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
r"""The same with the separators of LaTeX: ``1{,}500``, ``1,\!500``, ``1\,500``."""

LATEX_FRACTION = r"(?:\\[dtc]?frac *(?:\{ *\d+ *\} *\{ *\d+ *\}|\{ *\d+ *\} *\d| *\d *\{ *\d+ *\}| *\d *\d(?!\d)))"
r"""``\frac{3}{4}``, ``\dfrac34``, ``\frac 3{14}``."""

_LITERAL = re.compile(rf"(-?)({NUMBER})(?:/(\d+))?", re.ASCII)
_LATEX_LITERAL = re.compile(rf"(-?)({LATEX_NUMBER})(?:/(\d+))?", re.ASCII)
_FRACTION = re.compile(
    r"(?P<sign>-?)(?:(?P<whole>\d+)(?P<joint> *| and ))?"
    r"(?:(?P<open>\\[dtc]?frac *\{? *)(?P<top>\d+|\d)(?P<middle> *\} *\{? *| *\{ *| *)(?P<over>\d+)(?P<close> *\}?)"
    r"|(?P<plain_top>\d+)/(?P<plain_over>\d+))",
    re.ASCII,
)
_ONE_DIGIT_EACH = re.compile(r"(-?\d*(?: and | *))?(\\[dtc]?frac *\d) *(\d)", re.ASCII)
_BETWEEN_GROUPS = re.compile(_SEPARATOR)


class Literal(NamedTuple):
    r"""A number taken apart: ``15.20`` is 1520 units with 2 decimals; ``3/4`` is 3 units over 4; ``1 1/2`` is 3 over 2.

    ``separator`` stands between groups of three digits. A fraction is written ``fraction[0] top fraction[1] over
    fraction[2]``; if it is mixed, ``joint`` stands between its whole part and that.
    """

    units: int
    decimals: int = 0
    negative: bool = False
    separator: str = ""
    bare_point: bool = False
    over: int = 1
    fraction: tuple[str, str, str] = ("", "/", "")
    joint: str | None = None

    @property
    def value(self) -> Ratio:
        """The exact value: units / (10 ** decimals * over), with its sign."""
        return (-self.units if self.negative else self.units), 10**self.decimals * self.over

    def __str__(self) -> str:
        """The literal as written: ``str(parse(text)) == text``."""
        if not (self.decimals or self.separator or self.negative or self.over != 1):
            return str(self.units)
        sign = "-" if self.negative else ""
        if self.over != 1:
            top, whole = self.units, ""
            if self.joint is not None:
                quotient, top = divmod(top, self.over)
                whole = f"{quotient}{self.joint}"
            before, between, after = self.fraction
            return f"{sign}{whole}{before}{top}{between}{self.over}{after}"
        units, cents = divmod(self.units, 10**self.decimals)
        text = f"{units:,}".replace(",", self.separator) if self.separator else str(units)
        if self.decimals:
            text = f"{'' if self.bare_point and not units else text}.{cents:0{self.decimals}}"
        return sign + text

    def fits(self) -> bool:
        """Whether it can stand in its format: a mixed number has both parts, single digits stay single."""
        if self.over == 1:
            return True
        if self.joint is not None:
            whole, top = divmod(self.units, self.over)
            if not whole or not top:
                return False
        else:
            top = self.units
        before, _, after = self.fraction
        bare_top = bool(before) and "{" not in before  # \\frac3{14}: without braces stands one digit alone
        bare_over = bool(before) and "}" not in after
        return top > 0 and not (bare_top and top > 9) and not (bare_over and self.over > 9)


@lru_cache(1 << 14)
def parse(text: str) -> Literal | None:
    """Read a whole text as one literal.

    None if it is not one, is over ``MAX_DIGITS`` long, divides by zero or by one, or begins with zeros that a number
    does not have (``0730``, the minutes of a clock).
    """
    if len(text) > MAX_DIGITS:
        return None
    match = (_LATEX_LITERAL if "\\" in text or "{" in text else _LITERAL).fullmatch(text)
    if match is None:
        return _parse_fraction(text)
    sign, number, below = match.groups()
    over = int(below) if below else 1
    whole, point, decimals = number.partition(".")
    if below and (point or over < 2 or below[0] == "0"):
        return None
    if whole[:1] == "0" and len(whole) > 1:
        return None
    if whole.isdigit() or not whole:
        return Literal(int(whole + decimals), len(decimals), sign == "-", "", not whole, over)
    separators = set(_BETWEEN_GROUPS.findall(whole))
    if len(separators) != 1 or below:
        return None
    (separator,) = separators
    return Literal(int(whole.replace(separator, "") + decimals), len(decimals), sign == "-", separator)


def _parse_fraction(text: str) -> Literal | None:
    match = _FRACTION.fullmatch(text)
    if match is None or text.count("{") != text.count("}"):
        return None
    found = match.groupdict()
    top, over = found["top"] or found["plain_top"], found["over"] or found["plain_over"]
    fraction = ("", "/", "")
    if found["top"]:
        single = _ONE_DIGIT_EACH.fullmatch(text)
        if single is not None:  # \frac34: two digits side by side are two numbers
            top, over = single.group(2)[-1], single.group(3)
            digits = text.rindex(top, 0, len(text) - 1)
            fraction = (found["open"], text[digits + 1 : -1], "")
        else:
            fraction = (found["open"], found["middle"], found["close"])
    if int(over) < 2 or top[0] == "0" or over[0] == "0":
        return None
    units, joint = int(top), None
    if found["whole"]:
        joint = found["joint"]
        if found["whole"][0] == "0" or units >= int(over) or (not found["top"] and not joint):
            return None
        units += int(found["whole"]) * int(over)
    literal = Literal(units, 0, found["sign"] == "-", "", False, int(over), fraction, joint)
    return literal if literal.fits() and str(literal) == text else None


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
