r"""One side of an equation in LaTeX as an expression: ``\frac{3}{4}\cdot 12`` is ``(3/4)*12``.

A recursive descent parser of bounded depth. Anything not known to be arithmetic (a function, an index, an ellipsis)
raises ``Unverified``, so that no side is misread.
"""

import re
from collections.abc import Container
from functools import lru_cache, reduce
from typing import NoReturn

from pairgen.arithmetic.exact.expression import Binary, Brackets, Expr, Negative, Number, Pi, Sqrt, Variable, decimal
from pairgen.arithmetic.exact.literals import LATEX_NUMBER
from pairgen.arithmetic.labels import NO_VALUE, TOO_DEEP, TOO_LARGE, UNSUPPORTED, Unverified
from pairgen.arithmetic.reading.plain import without_leading_zeros
from pairgen.arithmetic.reading.sentence import FUNCTIONS

MAX_DEPTH = 30
MAX_FACTORIAL = 20

# White space and sizes. Examples: `\,`, `\left`, `\hspace{1cm}`.
_SPACE = re.compile(
    r"(?:\s|\\[,;:!> ]|~|&|\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|quad|limits)(?![a-zA-Z])"
    r"|\\(?:hspace|hskip|phantom|vphantom)\*?\{[^{}]*\})*+"
)
_NUMBER = re.compile(LATEX_NUMBER, re.ASCII)
# Examples: `\text{ cm}^2`, `\mathrm{kg}`, `\degree`.
_UNIT = re.compile(
    r"\\(?:text|mbox|textrm|textnormal|textit|textup|mathrm|rm|hbox|operatorname|textsf|emph) *\{[^{}\d=]*\}"
    r"(?:\^(?:\d|\{\d\}))?|\\(?:degree|circ)(?![a-zA-Z])"
)
_COMMAND = re.compile(r"\\([a-zA-Z]+)|\\([%$#&{}|])")
_DEGREES = re.compile(r"\^ *(?:\\circ(?![a-zA-Z])|\{ *\\circ *\})")
_SEPARATORS = re.compile(r"\{,\}|,\\!|,\\ |\\,|,")

_FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac"})
_MULTIPLICATION = frozenset({"cdot", "times", "ast"})
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}


@lru_cache(1 << 12)
def read(side: str, known: frozenset[str] | None) -> Expr:
    """Parse one side of an equation.

    Args:
        known: variables with a known value; None if any variable is allowed.

    Raises:
        Unverified: with the reason.
    """
    parser = _Parser(side, known)
    expr = parser.sum(0)
    if parser.peek():
        parser.fail()
    return expr


class _Parser:
    """A position in a text, and methods that parse from there."""

    __slots__ = ("known", "position", "text")

    def __init__(self, text: str, known: Container[str] | None) -> None:
        self.text = text
        self.known = known
        self.position = 0

    def fail(self, reason: str = UNSUPPORTED) -> NoReturn:
        raise Unverified(reason)

    def peek(self) -> str:
        """The next token after white space and sizes: a command with its backslash, a character, or an empty string."""
        space = _SPACE.match(self.text, self.position)
        if space is not None:
            self.position = space.end()
        if self.position >= len(self.text):
            return ""
        if self.text[self.position] == "\\":
            command = _COMMAND.match(self.text, self.position)
            return command.group() if command else self.fail()
        return self.text[self.position]

    def skip(self, token: str) -> str:
        self.position += len(token)
        return token

    def expect(self, token: str) -> None:
        if self.peek() != token:
            self.fail()
        self.skip(token)

    def sum(self, depth: int) -> Expr:
        """Terms joined by + and -."""
        if depth > MAX_DEPTH:
            self.fail(TOO_DEEP)
        sign = self.peek()
        if sign and sign in "+-−":
            self.skip(sign)
        expr = self.product(depth)
        if sign and sign in "-−":
            expr = Negative(expr)
        while (operator := self.peek()) and operator in "+-−–":
            self.skip(operator)
            negative = self.peek() == "-"  # 3 - -2
            if negative:
                self.skip("-")
            term = self.product(depth)
            expr = Binary("+" if operator == "+" else "-", expr, Brackets(Negative(term)) if negative else term)
        return expr

    def product(self, depth: int) -> Expr:
        """Factors joined by a multiplication or division sign, or juxtaposed."""
        expr = self.power(depth)
        while True:
            following = self.peek()
            if not following or following in ")]}+-−–" or following in ("\\}", "\\right"):
                return expr
            if following in ("*", "×", "·") or following[1:] in _MULTIPLICATION:
                operator = "*"
            elif following in ("/", "÷") or following == "\\div":
                operator = "/"
            else:
                if following[0].isdigit() or following == ".":
                    self.fail()  # two adjacent numbers
                expr = Binary("*", expr, self.power(depth))
                continue
            self.skip(following)
            expr = Binary(operator, expr, self.power(depth, signed=True))

    def power(self, depth: int, signed: bool = False) -> Expr:
        """An operand with its exponent, factorial, percent sign, degrees and unit."""
        if signed and self.peek() == "-":
            self.skip("-")
            return Brackets(Negative(self.power(depth)))
        base = self.operand(depth)
        while True:
            following = self.peek()
            degrees = _DEGREES.match(self.text, self.position) if following == "^" else None
            if degrees is not None:
                self.position = degrees.end()
            elif following == "^":
                self.skip(following)
                base = Binary("**", _operand(base), _operand(self.argument(depth)))
            elif following == "!":
                self.skip(following)
                base = _factorial(base)
            elif following in ("\\%", "%"):
                self.skip(following)
                base = Brackets(Binary("/", base, _integer(100)))
            elif following == "_":
                self.fail()
            elif following[:1] == "\\" and (unit := _UNIT.match(self.text, self.position)) is not None:
                self.position = unit.end()
            elif following == "\\$":
                self.skip(following)
            else:
                return base

    def operand(self, depth: int) -> Expr:
        """A number, a variable, a command, or something in brackets."""
        while (following := self.peek()) == "\\$":
            self.skip(following)
        number = _NUMBER.match(self.text, self.position)
        if number is not None:
            return self.number(number, depth)
        if following in _CLOSING:
            self.skip(following)
            inner = self.sum(depth + 1)
            if following == "{" and self.peek() == "\\choose":
                self.skip("\\choose")
                inner = _binomial(inner, self.sum(depth + 1))
            self.expect(_CLOSING[following])
            return _operand(inner)
        if following[:1] == "\\":
            return self.command(self.skip(following)[1:], depth)
        if following.isalpha() and following.isascii():
            self.skip(following)
            if following.isupper() and self.text[self.position : self.position + 1].isupper():
                self.fail()  # AB is a line segment, not a product
            if following in FUNCTIONS and self.peek() in ("(", "'"):
                self.fail()
            return self.variable(following)
        return self.fail()

    def number(self, number: re.Match[str], depth: int) -> Expr:
        self.position = number.end()
        text = without_leading_zeros(_SEPARATORS.sub("", number.group()))
        expr = Number(text, decimal(text))
        if text.isdigit() and self.peek()[1:] in _FRACTIONS:
            start = self.position
            self.skip(self.peek())
            match self.fraction(depth):
                case Brackets(Binary(_, Number(top), Number(bottom)) as fraction) if (
                    top.isdigit() and bottom.isdigit() and int(top) < int(bottom)
                ):
                    return Brackets(Binary("+", expr, fraction))
            self.position = start  # an improper fraction is a factor
        return expr

    def variable(self, name: str) -> Variable:
        if self.known is not None and name not in self.known:
            self.fail(NO_VALUE)
        return Variable(name)

    def command(self, name: str, depth: int) -> Expr:
        if name in _FRACTIONS:
            return self.fraction(depth)
        if name == "sqrt":
            if self.peek() != "[":
                return Sqrt(self.argument(depth))
            self.skip("[")
            degree = self.sum(depth + 1)
            self.expect("]")
            return Binary("**", _operand(self.argument(depth)), Brackets(Binary("/", _integer(1), _operand(degree))))
        if name in ("binom", "dbinom", "tbinom"):
            return _binomial(self.argument(depth), self.argument(depth))
        if name == "pi":
            return Pi()
        if name in ("boxed", "fbox", "mathbf", "bf", "underline", "color"):
            return _operand(self.argument(depth))
        return self.fail()

    def fraction(self, depth: int) -> Expr:
        return Brackets(Binary("/", _operand(self.argument(depth)), _operand(self.argument(depth))))

    def argument(self, depth: int) -> Expr:
        """The argument of a command: the contents of braces, or a single character or command."""
        following = self.peek()
        if following == "{":
            self.skip(following)
            inner = self.sum(depth + 1)
            self.expect("}")
            return inner
        if following.isdigit() and following.isascii():
            return Number(self.skip(following), decimal(following))
        if following.isalpha() and following.isascii():
            return self.variable(self.skip(following))
        if following[:1] == "\\":
            self.skip(following)
            if depth > MAX_DEPTH:
                self.fail(TOO_DEEP)
            return self.command(following[1:], depth + 1)
        return self.fail()


def _operand(expr: Expr) -> Expr:
    """The expression in brackets, unless it is a single operand."""
    return expr if isinstance(expr, Number | Variable | Pi) else Brackets(expr, optional=True)


def _integer(number: int) -> Number:
    return Number(str(number), (number, 1))


def _product_of(factors: range) -> Expr:
    numbers: list[Expr] = [_integer(factor) for factor in factors]
    return reduce(lambda product, factor: Binary("*", product, factor), numbers)


def _factorial(expr: Expr) -> Expr:
    if not isinstance(expr, Number) or not expr.text.isdigit():
        raise Unverified(UNSUPPORTED)
    if len(expr.text) > 2 or int(expr.text) > MAX_FACTORIAL:
        raise Unverified(TOO_LARGE)
    return Brackets(_product_of(range(1, max(1, int(expr.text)) + 1)))


def _binomial(top: Expr, bottom: Expr) -> Expr:
    if not (isinstance(top, Number) and isinstance(bottom, Number) and (top.text + bottom.text).isdigit()):
        raise Unverified(UNSUPPORTED)
    n, k = int(top.text), int(bottom.text)
    if len(top.text) > 4 or k > min(MAX_FACTORIAL, n):
        raise Unverified(TOO_LARGE)
    k = min(k, n - k)
    if k < 1:
        return _integer(1)
    above, below = _product_of(range(n, n - k, -1)), _product_of(range(1, k + 1))
    return Brackets(Binary("/", Brackets(above), Brackets(below)))
