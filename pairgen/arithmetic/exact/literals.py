r"""Number literals in plain text and LaTeX: parsed to exact values, and formatted as they were written.

``parse_literal("15.20")`` has the value 1520/100; with the numerator 1630 it is formatted as ``16.30``.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact.ratios import Ratio, lowest_terms

MAX_DIGITS = 40
"""Longer literals are not parsed, which bounds the size of all numbers in the engine."""

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
"""Examples: ``1,500``, ``1500``, ``15.20``, ``.50``; without sign and currency."""

_GROUP_SEPARATOR = r"(?:\{,\}|,\\!|,\\ |,|\\,)"
LATEX_NUMBER = rf"(?:\d{{1,3}}(?:{_GROUP_SEPARATOR}\d{{3}})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
r"""As ``NUMBER``, with the group separators of LaTeX: ``1{,}500``, ``1,\!500``, ``1\,500``."""

LATEX_FRACTION = r"(?:\\[dtc]?frac *(?:\{ *\d+ *\} *\{ *\d+ *\}|\{ *\d+ *\} *\d| *\d *\{ *\d+ *\}| *\d *\d(?!\d)))"
r"""Examples: ``\frac{3}{4}``, ``\dfrac34``, ``\frac 3{14}``."""

_LITERAL = re.compile(rf"(-?)({NUMBER})(?:/(\d+))?", re.ASCII)
_LATEX_LITERAL = re.compile(rf"(-?)({LATEX_NUMBER})(?:/(\d+))?", re.ASCII)
_FRACTION = re.compile(  # `3/4`, `1 and 1/2`, `-2\frac{3}{4}`
    r"(?P<sign>-?)(?:(?P<whole>\d+)(?P<separator> *| and ))?"
    r"(?:(?P<open>\\[dtc]?frac *\{? *)(?P<top>\d+|\d)(?P<middle> *\} *\{? *| *\{ *| *)(?P<bottom>\d+)(?P<close> *\}?)"
    r"|(?P<plain_top>\d+)/(?P<plain_bottom>\d+))",
    re.ASCII,
)
# Examples: `\frac34`, `2\dfrac 3 4`: two adjacent digits are numerator and denominator.
_ONE_DIGIT_EACH = re.compile(r"(-?\d*(?: and | *))?(\\[dtc]?frac *\d) *(\d)", re.ASCII)
FRACTION_SIGNS = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}
"""Numerator and denominator of each fraction that is one character."""
_SIGN_FRACTION = re.compile(rf"(-?)(\d*)( ?)([{''.join(FRACTION_SIGNS)}])", re.ASCII)
_OTHER_SEPARATOR = re.compile(r"(?<=\d)(['’_\u00a0\u2007\u2009\u202f])(?=\d)", re.ASCII)  # of groups of digits
_MINUS_SIGNS = frozenset("−‐‑‒–—―﹣－➖")
_DECIMAL_COMMA = re.compile(r"-?(?:\d+|\d{1,3}(?:\.\d{3})+),(?:\d{1,2}|\d{4,})", re.ASCII)
_BETWEEN_GROUPS = re.compile(_GROUP_SEPARATOR)


class Literal(NamedTuple):
    r"""A number and its format.

    ``15.20`` has the numerator 1520 and 2 decimals, ``3/4`` is 3 over 4, ``1 1/2`` is 3 over 2. ``group_separator`` is
    the text between groups of three digits. ``bare_point`` is whether the zero before the decimal point is missing.
    ``minus`` and ``point`` are the minus sign and the decimal separator.
    A fraction is formatted as ``fraction[0] top fraction[1] bottom fraction[2]``; in a mixed number, the integer part
    and ``mixed_separator`` come first.
    """

    numerator: int
    decimals: int = 0
    negative: bool = False
    group_separator: str = ""
    bare_point: bool = False
    denominator: int = 1
    fraction: tuple[str, str, str] = ("", "/", "")
    mixed_separator: str | None = None
    minus: str = "-"
    point: str = "."

    @property
    def value(self) -> Ratio:
        """The exact value: numerator / (10 ** decimals * denominator), with its sign."""
        return (-self.numerator if self.negative else self.numerator), 10**self.decimals * self.denominator

    def __str__(self) -> str:
        """The literal as written: ``str(parse_literal(text)) == text``."""
        if not (self.decimals or self.group_separator or self.negative or self.denominator != 1):
            return str(self.numerator)
        sign = self.minus if self.negative else ""
        if self.denominator != 1:
            top, integer = self.numerator, ""
            if self.mixed_separator is not None:
                quotient, top = divmod(top, self.denominator)
                integer = f"{quotient}{self.mixed_separator}"
            before, between, after = self.fraction
            if before in FRACTION_SIGNS:
                return f"{sign}{integer}{before}"
            return f"{sign}{integer}{before}{top}{between}{self.denominator}{after}"
        integer_part, decimals = divmod(self.numerator, 10**self.decimals)
        text = f"{integer_part:,}".replace(",", self.group_separator) if self.group_separator else str(integer_part)
        if self.decimals:
            text = f"{'' if self.bare_point and not integer_part else text}{self.point}{decimals:0{self.decimals}}"
        return sign + text

    def fits(self) -> bool:
        r"""Whether the format can express the value: mixed numbers need both parts, ``\frac34`` needs single digits."""
        if self.denominator == 1:
            return True
        top = self.numerator
        if self.mixed_separator is not None:
            integer, top = divmod(top, self.denominator)
            if not integer:
                return False
        before, _, after = self.fraction
        if before in FRACTION_SIGNS:
            return (top, self.denominator) == FRACTION_SIGNS[before]
        if before and "{" not in before and top > 9:
            return False
        return top > 0 and not (before and "}" not in after and self.denominator > 9)


@lru_cache(1 << 14)
def parse_literal(text: str) -> Literal | None:
    """Parse a text that is exactly one literal.

    None if it is not one, is longer than ``MAX_DIGITS``, has a denominator of zero or one, or has leading zeros
    (``0730``, a time of day).
    """
    if len(text) > MAX_DIGITS:
        return None
    match = (_LATEX_LITERAL if "\\" in text or "{" in text else _LITERAL).fullmatch(text)
    if match is None:
        return _parse_fraction(text) or _parse_other(text)
    sign, number, denominator_text = match.groups()
    denominator = int(denominator_text) if denominator_text else 1
    integer, point, decimals = number.partition(".")
    if denominator_text and (point or denominator < 2 or denominator_text[0] == "0"):
        return None
    if integer[:1] == "0" and len(integer) > 1:
        return None
    if integer.isdigit() or not integer:
        return Literal(int(integer + decimals), len(decimals), sign == "-", "", not integer, denominator)
    separators = set(_BETWEEN_GROUPS.findall(integer))
    if len(separators) != 1 or denominator_text:
        return None
    (separator,) = separators
    return Literal(int(integer.replace(separator, "") + decimals), len(decimals), sign == "-", separator)


def _parse_other(text: str) -> Literal | None:
    """Literals in other notations: ``−5``, ``–5``, ``12'000``, ``2,5``, ``1.500,25``, ``2½``."""
    if text and text[0] in _MINUS_SIGNS:
        positive = parse_literal(text[1:])
        return None if positive is None or positive.negative else positive._replace(negative=True, minus=text[0])
    separators = set(_OTHER_SEPARATOR.findall(text))
    if len(separators) == 1:
        (separator,) = separators
        literal = parse_literal(text.replace(separator, ","))
        return literal._replace(group_separator=separator) if literal and literal.group_separator else None
    if _DECIMAL_COMMA.fullmatch(text):
        literal = parse_literal(text.translate(_SWAPPED))
        return literal and literal._replace(point=",", group_separator="." if literal.group_separator else "")
    return _parse_sign_fraction(text)


_SWAPPED = str.maketrans(",.", ".,")


def _parse_sign_fraction(text: str) -> Literal | None:
    match = _SIGN_FRACTION.fullmatch(text)
    if match is None:
        return None
    minus, integer, space, sign = match.groups()
    top, bottom = FRACTION_SIGNS[sign]
    if integer[:1] == "0" or (space and not integer):
        return None
    literal = Literal(top, 0, minus == "-", denominator=bottom, fraction=(sign, "", ""))
    if integer:
        literal = literal._replace(numerator=int(integer) * bottom + top, mixed_separator=space)
    return literal


def _parse_fraction(text: str) -> Literal | None:
    match = _FRACTION.fullmatch(text)
    if match is None or text.count("{") != text.count("}"):
        return None
    found = match.groupdict()
    top, bottom = found["top"] or found["plain_top"], found["bottom"] or found["plain_bottom"]
    fraction = ("", "/", "")
    if found["top"]:
        single = _ONE_DIGIT_EACH.fullmatch(text)
        if single is not None:  # \frac34: two adjacent digits are two numbers
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


def key_of(literal: Literal | None) -> str:
    """The value of a literal in lowest terms; empty if there is none."""
    return "" if literal is None else lowest_terms(literal.value)


def number_key(text: str) -> str:
    """The value of a number as written, in lowest terms; empty if it is none."""
    return key_of(parse_literal(text))
