r"""One side of an equation in LaTeX, read forwards into ASCII arithmetic: ``\frac{3}{4}\cdot 12`` is ``(3/4)*12``.

A recursive descent over the text itself, bounded in depth. Unknowns are put in by their values; whatever is not known
to be arithmetic (a function, an index, an ellipsis) makes the side unreadable, never wrong.
"""

import re
from collections.abc import Mapping
from typing import NoReturn

from pairgen.arithmetic.exact.numbers import LATEX_NUMBER
from pairgen.arithmetic.reading.sentence import FUNCTIONS
from pairgen.arithmetic.reasons import NO_ARITHMETIC, NO_VALUE, TOO_DEEP, TOO_LARGE, Unreadable

MAX_DEPTH = 30
MAX_FACTORIAL = 20

_SPACE = re.compile(
    r"(?:\s|\\[,;:!> ]|~|&|\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|quad|limits)(?![a-zA-Z])"
    r"|\\(?:hspace|hskip|phantom|vphantom)\*?\{[^{}]*\})*+"
)
_NUMBER = re.compile(LATEX_NUMBER, re.ASCII)
_UNIT = re.compile(
    r"\\(?:text|mbox|textrm|textnormal|textit|textup|mathrm|rm|hbox|operatorname|textsf|emph) *\{[^{}\d=]*\}"
    r"(?:\^(?:\d|\{\d\}))?|\\(?:degree|circ)(?![a-zA-Z])"
)
_COMMAND = re.compile(r"\\([a-zA-Z]+)|\\([%$#&{}|])")
_DEGREES = re.compile(r"\^ *(?:\\circ(?![a-zA-Z])|\{ *\\circ *\})")
_SEPARATORS = re.compile(r"\{,\}|,\\!|,\\ |\\,|,")
_WHOLE_FRACTION = re.compile(r"\((\d+)/(\d+)\)", re.ASCII)
_ATOM = re.compile(r"[\d.]+|\([^()]*\)|sqrt\([^()]*\)|pi", re.ASCII)

_FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac"})
_TIMES = frozenset({"cdot", "times", "ast"})
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}


def read(side: str, values: Mapping[str, str]) -> str:
    """The side as ASCII arithmetic, unknowns replaced by ``values``.

    Raises:
        Unreadable: with the reason.
    """
    parser = _Parser(side, values)
    text = parser.sum(0)
    if parser.peek():
        parser.fail()
    return text


class _Parser:
    """A position in a text, and what can be read from there."""

    __slots__ = ("at", "text", "values")

    def __init__(self, text: str, values: Mapping[str, str]) -> None:
        self.text = text
        self.values = values
        self.at = 0

    def fail(self, reason: str = NO_ARITHMETIC) -> NoReturn:
        raise Unreadable(reason)

    def peek(self) -> str:
        """What comes next, white space and sizes skipped: a command with its backslash, a character, or nothing."""
        space = _SPACE.match(self.text, self.at)
        if space is not None:
            self.at = space.end()
        if self.at >= len(self.text):
            return ""
        if self.text[self.at] == "\\":
            command = _COMMAND.match(self.text, self.at)
            return command.group() if command else self.fail()
        return self.text[self.at]

    def take(self, what: str) -> None:
        if self.peek() != what:
            self.fail()
        self.at += len(what)

    def sum(self, depth: int) -> str:
        """Terms joined by + and -."""
        if depth > MAX_DEPTH:
            self.fail(TOO_DEEP)
        pieces = []
        sign = self.peek()
        if sign and sign in "+-−":
            self.at += 1
            pieces.append("" if sign == "+" else "-")
        pieces.append(self.product(depth))
        while (operator := self.peek()) and operator in "+-−–":
            self.at += 1
            pieces.append(" + " if operator == "+" else " - ")
            if self.peek() == "-":  # 3 - -2, as some write it
                self.at += 1
                pieces.append(f"(-{self.product(depth)})")
            else:
                pieces.append(self.product(depth))
        return "".join(pieces)

    def product(self, depth: int) -> str:
        """Factors joined by a sign of multiplication or division, or side by side."""
        text = self.power(depth)
        while True:
            following = self.peek()
            if not following or following in ")]}+-−–" or following in ("\\}", "\\right"):
                return text
            if following in ("*", "×", "·") or following[1:] in _TIMES:
                joint = "*"
            elif following in ("/", "÷") or following == "\\div":
                joint = "/"
            else:
                if following[0].isdigit() or following == ".":
                    self.fail()  # two numbers side by side
                text = f"{text}*{self.power(depth)}"
                continue
            self.at += len(following)
            factor = self.power(depth, signed=True)
            text = f"{text}{joint}{factor}"

    def power(self, depth: int, signed: bool = False) -> str:
        """An operand with its exponent, factorial, percent sign, degrees and unit."""
        if signed and self.peek() == "-":
            self.at += 1
            return f"(-{self.power(depth)})"
        base = self.atom(depth)
        while True:
            degrees = _DEGREES.match(self.text, self.at)
            if degrees is not None:
                self.at = degrees.end()
                continue
            following = self.peek()
            if following == "^":
                degrees = _DEGREES.match(self.text, self.at)
                if degrees is not None:
                    self.at = degrees.end()
                    continue
                self.at += 1
                base = f"{bracketed(base)}**{bracketed(self.argument(depth))}"
            elif following == "!":
                self.at += 1
                base = self.factorial(base)
            elif following == "\\%" or following == "%":
                self.at += len(following)
                base = f"({base}/100)"
            elif following == "_":
                self.fail()
            elif following[:1] == "\\" and (unit := _UNIT.match(self.text, self.at)) is not None:
                self.at = unit.end()
            elif following == "\\$":
                self.at += 2
            else:
                return base

    def atom(self, depth: int) -> str:
        """A number, an unknown, or something in brackets."""
        following = self.peek()
        while following == "\\$":
            self.at += 2
            following = self.peek()
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            return self.number(number, depth)
        if following in _CLOSING:
            self.at += len(following)
            inner = self.sum(depth + 1)
            if following == "{" and self.peek() == "\\choose":
                self.at += len("\\choose")
                inner = self.binomial(inner, self.sum(depth + 1))
            self.take(_CLOSING[following])
            return bracketed(inner)
        if following[:1] == "\\":
            self.at += len(following)
            return self.command(following[1:], depth)
        if following.isalpha() and following.isascii():
            self.at += 1
            if following.isupper() and self.text[self.at : self.at + 1].isupper():
                self.fail()  # AB is a line, no product
            if following in FUNCTIONS and self.peek() in ("(", "'"):
                self.fail()
            return self.unknown(following)
        return self.fail()

    def number(self, number: re.Match[str], depth: int) -> str:
        self.at = number.end()
        text = _SEPARATORS.sub("", number.group())
        if text.isdigit() and self.peek()[1:] in _FRACTIONS:
            start = self.at
            self.at += len(self.peek())
            fraction = _WHOLE_FRACTION.fullmatch(self.fraction(depth))
            if fraction is not None and int(fraction.group(1)) < int(fraction.group(2)):
                return f"({text} + {fraction.group()[1:-1]})"
            self.at = start  # an improper fraction is a factor
        return text

    def unknown(self, name: str) -> str:
        value = self.values.get(name)
        return value if value is not None else self.fail(NO_VALUE)

    def command(self, name: str, depth: int) -> str:
        if name in _FRACTIONS:
            return self.fraction(depth)
        if name == "sqrt":
            if self.peek() == "[":
                self.at += 1
                root = self.sum(depth + 1)
                self.take("]")
                return f"{bracketed(self.argument(depth))}**(1/{bracketed(root)})"
            return f"sqrt({self.argument(depth)})"
        if name in ("binom", "dbinom", "tbinom"):
            return self.binomial(self.argument(depth), self.argument(depth))
        if name == "pi":
            return "pi"
        if name in ("boxed", "fbox", "mathbf", "bf", "underline", "color"):
            return bracketed(self.argument(depth))
        return self.fail()

    def fraction(self, depth: int) -> str:
        top, over = self.argument(depth), self.argument(depth)
        return f"({bracketed(top)}/{bracketed(over)})"

    def argument(self, depth: int) -> str:
        """What braces hold, or the one character that stands where braces could."""
        following = self.peek()
        if following == "{":
            self.at += 1
            inner = self.sum(depth + 1)
            self.take("}")
            return inner
        if following.isdigit():
            self.at += 1
            return following
        if following.isalpha() and following.isascii():
            self.at += 1
            return self.unknown(following)
        if following[:1] == "\\":
            self.at += len(following)
            if depth > MAX_DEPTH:
                self.fail(TOO_DEEP)
            return self.command(following[1:], depth + 1)
        return self.fail()

    def factorial(self, base: str) -> str:
        if not base.isdigit() or len(base) > 2 or int(base) > MAX_FACTORIAL:
            self.fail(TOO_LARGE if base.isdigit() else NO_ARITHMETIC)
        return f"({'*'.join(str(factor) for factor in range(1, int(base) + 1)) or '1'})"

    def binomial(self, top: str, below: str) -> str:
        if not (top.isdigit() and below.isdigit()) or len(top) > 4 or int(below) > min(MAX_FACTORIAL, int(top)):
            self.fail(TOO_LARGE if top.isdigit() and below.isdigit() else NO_ARITHMETIC)
        n, k = int(top), int(below)
        k = min(k, n - k)
        if k < 1:
            return "1"
        above = "*".join(str(n - factor) for factor in range(k))
        return f"(({above})/({'*'.join(str(factor) for factor in range(1, k + 1))}))"


def bracketed(text: str) -> str:
    """Brackets around anything that is not one operand already."""
    return text if _ATOM.fullmatch(text) else f"({text})"
