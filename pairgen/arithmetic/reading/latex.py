r"""One side of an equation in LaTeX as an expression: ``\frac{3}{4}\cdot 12`` is ``(3/4)*12``.

A recursive descent parser of bounded depth. Anything not known to be arithmetic (a function, an index, an ellipsis)
raises ``Unverified``, so that no side is misread.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from pairgen.arithmetic.exact.expression import (
    Binary,
    Brackets,
    Expr,
    Negative,
    Number,
    Pi,
    Sqrt,
    Variable,
    integer,
    substitute,
)
from pairgen.arithmetic.exact.factorials import binomial, factorial
from pairgen.arithmetic.labels import NO_VALUE, TOO_DEEP, Unverified
from pairgen.arithmetic.reading.cursor import Cursor, number_of
from pairgen.arithmetic.reading.sentence import FUNCTIONS

MAX_DEPTH = 30

# Examples: `\text{ cm}^2`, `\mathrm{kg}`, `\degree`.
_UNIT = re.compile(
    r"\\(?:text|mbox|textrm|textnormal|textit|textup|mathrm|rm|hbox|operatorname|textsf|emph) *\{[^{}\d=]*\}"
    r"(?:\^(?:\d|\{\d\}))?|\\(?:degree|circ)(?![a-zA-Z])"
)
_DEGREES = re.compile(r"\^ *(?:\\circ(?![a-zA-Z])|\{ *\\circ *\})")

_FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac"})
_MULTIPLICATION = frozenset({"cdot", "times", "ast"})
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}


def read(side: str, known: Collection[str] | None) -> Expr:
    """Parse one side of an equation.

    Args:
        known: variables with a known value; None if any variable is allowed.

    Raises:
        Unverified: with the reason.
    """
    expr, reason, letters = _parsed(side)
    if known is not None and not all(letter in known for letter in letters):
        raise Unverified(NO_VALUE)
    if expr is None:
        raise Unverified(reason)
    return expr


@lru_cache(1 << 12)
def read_with(before: str, after: str) -> tuple[Expr, Expr, Expr]:
    """Parse a side with 0, 1 and 2 between two texts, where any variable is allowed. Raises Unverified."""
    try:
        parser = _Parser(f"{before}0{after}", len(before))
        expr = parser.whole()
    except _NeedsDigits:
        return read(f"{before}0{after}", None), read(f"{before}1{after}", None), read(f"{before}2{after}", None)
    zero, one, two = (substitute(expr, {_GAP.name: (digit, 1)}) for digit in range(3))
    return zero, one, two


_GAP = Variable("?")


class _NeedsDigits(Exception):
    """How a side is parsed depends on the digit in its gap. Never leaves this module."""


@lru_cache(1 << 12)
def _parsed(side: str) -> tuple[Expr | None, str, frozenset[str]]:
    """The expression, or None and the reason why there is none; and the variables up to where parsing ended.

    Cached, since a side is read for each of its numbers, with and without known variables.
    """
    parser = _Parser(side)
    expr, reason = None, ""
    try:
        expr = parser.whole()
    except Unverified as error:
        reason = error.reason
    return expr, reason, frozenset(parser.letters)


class _Parser(Cursor):
    """Methods that parse from the position of the cursor."""

    __slots__ = ("gap", "letters")

    def __init__(self, text: str, gap: int = -1) -> None:
        super().__init__(text)
        self.gap = gap
        """Where a number is read as ``_GAP``."""
        self.letters: set[str] = set()

    def whole(self) -> Expr:
        expr = self.sum(0)
        if self.peek():
            self.fail()
        return expr

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
                base = factorial(self.with_digits(base))
            elif following in ("\\%", "%"):
                self.skip(following)
                base = Brackets(Binary("/", base, integer(100)))
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
        if written := self.number():
            return self.amount(written, depth)
        if following in _CLOSING:
            self.skip(following)
            inner = self.sum(depth + 1)
            if following == "{" and self.peek() == "\\choose":
                self.skip("\\choose")
                inner = binomial(self.with_digits(inner), self.with_digits(self.sum(depth + 1)))
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

    def amount(self, written: str, depth: int) -> Expr:
        """The number just read, with the fraction after it if it is a mixed number."""
        start = self.position - len(written)
        is_gap = start <= self.gap < self.position
        if is_gap and len(written) > 1:
            raise _NeedsDigits
        expr = _GAP if is_gap else number_of(written)
        if self.peek()[1:] in _FRACTIONS and written.isdigit():
            start = self.position
            self.skip(self.peek())
            match self.fraction(depth):
                case Brackets(Binary(_, top, bottom)) if _GAP in (top, bottom):
                    raise _NeedsDigits
                case Brackets(Binary(_, Number(top), Number(bottom)) as fraction) if (
                    top.isdigit() and bottom.isdigit() and int(top) < int(bottom)
                ):
                    return Brackets(Binary("+", expr, fraction))
            self.position = start  # an improper fraction is a factor
        return expr

    def with_digits(self, expr: Expr) -> Expr:
        """The expression, unless it is the gap."""
        if expr is _GAP:
            raise _NeedsDigits
        return expr

    def variable(self, name: str) -> Variable:
        self.letters.add(name)
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
            return Binary("**", _operand(self.argument(depth)), Brackets(Binary("/", integer(1), _operand(degree))))
        if name in ("binom", "dbinom", "tbinom"):
            return binomial(self.with_digits(self.argument(depth)), self.with_digits(self.argument(depth)))
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
            is_gap = self.position == self.gap
            self.skip(following)
            return _GAP if is_gap else number_of(following)
        if following.isalpha() and following.isascii():
            return self.variable(self.skip(following))
        if following[:1] == "\\":
            self.skip(following)
            if depth > MAX_DEPTH:
                self.fail(TOO_DEEP)
            return self.command(following[1:], depth + 1)
        return self.fail()


_SINGLE = (Number, Variable, Pi)


def _operand(expr: Expr) -> Expr:
    """The expression in brackets, unless it is a single operand."""
    return expr if isinstance(expr, _SINGLE) else Brackets(expr, optional=True)
