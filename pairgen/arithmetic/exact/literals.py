r"""Number literals as people write them, in plain text and in LaTeX: parsed to exact values, and written back.

``parse_literal("15.20")`` has the value 1520/100; with another numerator it is written ``16.30``.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact.ratios import Ratio

MAX_DIGITS = 40
"""Longer literals are left alone, which bounds the numbers of the whole engine."""

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
"""``1,500``, ``1500``, ``15.20``, ``.50``: without sign and currency."""

_GROUP_SEPARATOR = r"(?:\{,\}|,\\!|,\\ |,|\\,)"
LATEX_NUMBER = rf"(?:\d{{1,3}}(?:{_GROUP_SEPARATOR}\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
r"""The same with the separators of LaTeX: ``1{,}500``, ``1,\!500``, ``1\,500``."""

LATEX_FRACTION = r"(?:\\[dtc]?frac *(?:\{ *\d+ *\} *\{ *\d+ *\}|\{ *\d+ *\} *\d| *\d *\{ *\d+ *\}| *\d *\d(?!\d)))"
r"""``\frac{3}{4}``, ``\dfrac34``, ``\frac 3{14}``."""

_LITERAL = re.compile(rf"(-?)({NUMBER})(?:/(\d+))?", re.ASCII)
_LATEX_LITERAL = re.compile(rf"(-?)({LATEX_NUMBER})(?:/(\d+))?", re.ASCII)
_FRACTION = re.compile(
    r"(?P<sign>-?)(?:(?P<whole>\d+)(?P<separator> *| and ))?"
    r"(?:(?P<open>\\[dtc]?frac *\{? *)(?P<top>\d+|\d)(?P<middle> *\} *\{? *| *\{ *| *)(?P<bottom>\d+)(?P<close> *\}?)"
    r"|(?P<plain_top>\d+)/(?P<plain_bottom>\d+))",
    re.ASCII,
)
_ONE_DIGIT_EACH = re.compile(r"(-?\d*(?: and | *))?(\\[dtc]?frac *\d) *(\d)", re.ASCII)
_BETWEEN_GROUPS = re.compile(_GROUP_SEPARATOR)


class Literal(NamedTuple):
    r"""A number and its format.

    ``15.20`` has the numerator 1520 and 2 decimals, ``3/4`` is 3 over 4, ``1 1/2`` is 3 over 2. ``group_separator``
    stands between groups of three digits. ``bare_point`` says that no zero stands before a decimal point. A fraction
    is written ``fraction[0] top fraction[1] bottom fraction[2]``, and after its whole part and ``mixed_separator`` if
    it is mixed.
    """

    numerator: int
    decimals: int = 0
    negative: bool = False
    group_separator: str = ""
    bare_point: bool = False
    denominator: int = 1
    fraction: tuple[str, str, str] = ("", "/", "")
    mixed_separator: str | None = None

    @property
    def value(self) -> Ratio:
        """The exact value: numerator / (10 ** decimals * denominator), with its sign."""
        return (-self.numerator if self.negative else self.numerator), 10**self.decimals * self.denominator

    def __str__(self) -> str:
        """The literal as written: ``str(parse_literal(text)) == text``."""
        if not (self.decimals or self.group_separator or self.negative or self.denominator != 1):
            return str(self.numerator)
        sign = "-" if self.negative else ""
        if self.denominator != 1:
            top, whole = self.numerator, ""
            if self.mixed_separator is not None:
                quotient, top = divmod(top, self.denominator)
                whole = f"{quotient}{self.mixed_separator}"
            before, between, after = self.fraction
            return f"{sign}{whole}{before}{top}{between}{self.denominator}{after}"
        whole_part, decimals = divmod(self.numerator, 10**self.decimals)
        text = f"{whole_part:,}".replace(",", self.group_separator) if self.group_separator else str(whole_part)
        if self.decimals:
            text = f"{'' if self.bare_point and not whole_part else text}.{decimals:0{self.decimals}}"
        return sign + text

    def fits(self) -> bool:
        r"""Whether its format can express it: a mixed number has both parts, ``\frac34`` has single digits."""
        if self.denominator == 1:
            return True
        top = self.numerator
        if self.mixed_separator is not None:
            whole, top = divmod(top, self.denominator)
            if not whole:
                return False
        before, _, after = self.fraction
        if before and "{" not in before and top > 9:
            return False
        return top > 0 and not (before and "}" not in after and self.denominator > 9)


@lru_cache(1 << 14)
def parse_literal(text: str) -> Literal | None:
    """Parse a whole text as one literal.

    None if it is not one, is over ``MAX_DIGITS`` long, divides by zero or by one, or begins with zeros that a number
    does not have (``0730``, the minutes of a clock).
    """
    if len(text) > MAX_DIGITS:
        return None
    match = (_LATEX_LITERAL if "\\" in text or "{" in text else _LITERAL).fullmatch(text)
    if match is None:
        return _parse_fraction(text)
    sign, number, below = match.groups()
    denominator = int(below) if below else 1
    whole, point, decimals = number.partition(".")
    if below and (point or denominator < 2 or below[0] == "0"):
        return None
    if whole[:1] == "0" and len(whole) > 1:
        return None
    if whole.isdigit() or not whole:
        return Literal(int(whole + decimals), len(decimals), sign == "-", "", not whole, denominator)
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
    top, bottom = found["top"] or found["plain_top"], found["bottom"] or found["plain_bottom"]
    fraction = ("", "/", "")
    if found["top"]:
        single = _ONE_DIGIT_EACH.fullmatch(text)
        if single is not None:  # \frac34: two digits side by side are two numbers
            top, bottom = single.group(2)[-1], single.group(3)
            digits = text.rindex(top, 0, len(text) - 1)
            fraction = (found["open"], text[digits + 1 : -1], "")
        else:
            fraction = (found["open"], found["middle"], found["close"])
    if int(bottom) < 2 or top[0] == "0" or bottom[0] == "0":
        return None
    numerator, separator = int(top), None
    if found["whole"]:
        separator = found["separator"]
        if found["whole"][0] == "0" or numerator >= int(bottom) or (not found["top"] and not separator):
            return None
        numerator += int(found["whole"]) * int(bottom)
    literal = Literal(numerator, 0, found["sign"] == "-", "", False, int(bottom), fraction, separator)
    return literal if literal.fits() and str(literal) == text else None
