"""Expression trees: parsed from ASCII or built by a reader, rendered as ASCII, with values for variables.

``parse("5*x + 3")`` is ``Binary("+", Binary("*", 5, x), 3)``; for x = 5 its value is 28. Precedence follows Python:
``**`` is right-associative, and binds more tightly than a minus before it. An operand has at most one minus, and there
is no implicit multiplication.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact.ratios import Ratio, lowest_terms

MAX_LENGTH = 300
"""Maximum length of a parsed expression, in code points; it bounds the size of its integers."""
MAX_DEPTH = 50
"""Maximum nesting of brackets and exponents."""

TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|[A-Za-z]+|\*\*|\S", re.ASCII)
_NUMBER = re.compile(r"\d*\.?\d+", re.ASCII)
_ONE_OPERAND = re.compile(r"[\d.]+|[A-Za-z]|\([^()]*\)|sqrt\([^()]*\)|pi", re.ASCII)


class Number(NamedTuple):
    """A number as ASCII text (``1500``, ``.5``, or ``(-3)`` as the value of a variable), and its value."""

    text: str
    value: Ratio


class Variable(NamedTuple):
    """A single letter."""

    name: str


class Pi(NamedTuple):
    """The circle constant."""

    text: str = "pi"


class Negative(NamedTuple):
    operand: "Expr"


class Binary(NamedTuple):
    """``operator`` is one of ``+ - * / **``."""

    operator: str
    left: "Expr"
    right: "Expr"


class Brackets(NamedTuple):
    """An expression in brackets; ``optional`` ones are omitted around a single operand."""

    inner: "Expr"
    optional: bool = False


class Sqrt(NamedTuple):
    radicand: "Expr"
    name: str = "sqrt"
    """Makes it differ from ``Negative``: caches find expressions by equality, and named tuples are equal as tuples."""


Expr = Number | Variable | Pi | Negative | Binary | Brackets | Sqrt

_LEAVES = (Number, Variable, Pi)
_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}


@lru_cache(1 << 12)
def number(value: Ratio) -> Number:
    """A value as one operand: ``5``, ``(-3)``, ``(3/4)``."""
    text = lowest_terms(value).removesuffix("/1")
    return Number(text if text.isdigit() else f"({text})", value)


def integer(number: int) -> Number:
    return Number(str(number), (number, 1))


# ---------------------------------------------------------------- parsing


class _Invalid(Exception):
    """The text is not an expression. Never leaves this module."""


@lru_cache(1 << 14)
def parse(text: str) -> Expr | None:
    """The tree of an expression over ``+ - * / ** ( )``, decimal numbers, ``sqrt(...)``, ``pi`` and single letters.

    None for anything else, for more than ``MAX_LENGTH`` code points and for more than ``MAX_DEPTH`` levels. Results are
    cached, since solutions repeat the same equations.
    """
    if len(text) > MAX_LENGTH:
        return None
    tokens = ["", *reversed(TOKEN.findall(text))]  # reversed: pop() gives the next token, "" marks the end
    try:
        expr = _sum(tokens, 0)
    except _Invalid:
        return None
    return None if tokens[-1] else expr


def _sum(tokens: list[str], depth: int) -> Expr:
    if depth > MAX_DEPTH:
        raise _Invalid
    expr = _product(tokens, depth)
    while tokens[-1] in ("+", "-"):
        expr = Binary(tokens.pop(), expr, _product(tokens, depth))
    return expr


def _product(tokens: list[str], depth: int) -> Expr:
    expr = _signed(tokens, depth)
    while tokens[-1] in ("*", "/"):
        expr = Binary(tokens.pop(), expr, _signed(tokens, depth))
    return expr


def _signed(tokens: list[str], depth: int) -> Expr:
    if depth > MAX_DEPTH:  # exponents nest without brackets
        raise _Invalid
    if tokens[-1] == "-":
        tokens.pop()
        return Negative(_exponentiation(tokens, depth))
    return _exponentiation(tokens, depth)


def _exponentiation(tokens: list[str], depth: int) -> Expr:
    base = _operand(tokens, depth)
    return Binary(tokens.pop(), base, _signed(tokens, depth + 1)) if tokens[-1] == "**" else base


def _operand(tokens: list[str], depth: int) -> Expr:
    token = tokens.pop() if tokens[-1] else ""
    if token == "(":
        return Brackets(_in_brackets(tokens, depth))
    if token == "sqrt" and tokens[-1] == "(":
        tokens.pop()
        return Sqrt(_in_brackets(tokens, depth))
    if token == "pi":
        return Pi()
    if len(token) == 1 and token.isalpha() and token.isascii():
        return Variable(token)
    if not _NUMBER.fullmatch(token):
        raise _Invalid
    return Number(token, decimal(token))


def _in_brackets(tokens: list[str], depth: int) -> Expr:
    """The contents of a bracket and its end, after the opening bracket."""
    inner = _sum(tokens, depth + 1)
    if tokens.pop() != ")":
        raise _Invalid
    return inner


def decimal(text: str) -> Ratio:
    """The value of an ASCII number: ``1.50`` is ``(150, 100)``."""
    if text.isdigit():
        return int(text), 1
    integer, _, decimals = text.partition(".")
    return int(integer + decimals), 10 ** len(decimals)


# ---------------------------------------------------------------- rendering and substitution


def render(expr: Expr) -> str:
    """The expression as ASCII: spaces only around ``+`` and ``-``, brackets where the tree has or needs them."""
    if isinstance(expr, Number):
        return expr.text
    if isinstance(expr, Binary):
        operator, left, right = expr
        if operator == "**":
            return f"{_within(left, 4)}**{_within(right, 3)}"
        rank = _RANKS[operator]
        between = f" {operator} " if rank == 1 else operator
        return f"{_within(left, rank)}{between}{_within(right, rank + 1)}"
    if isinstance(expr, Variable):
        return expr.name
    if isinstance(expr, Brackets):
        text = render(expr.inner)
        return text if expr.optional and _ONE_OPERAND.fullmatch(text) else f"({text})"
    if isinstance(expr, Negative):
        return f"-{_within(expr.operand, 2)}"
    return f"sqrt({render(expr.radicand)})" if isinstance(expr, Sqrt) else "pi"


def _within(expr: Expr, rank: int) -> str:
    """An operand, in brackets if it is an operation that binds less tightly than ``rank``."""
    text = render(expr)
    if isinstance(expr, Binary):
        return f"({text})" if _RANKS[expr.operator] < rank else text
    return f"({text})" if rank == 4 and isinstance(expr, Negative) else text


@lru_cache(1 << 14)
def variables(expr: Expr) -> frozenset[str]:
    """The names of the variables in an expression; cached, since the sides of an equation are solved several times."""
    names: set[str] = set()
    _collect(expr, names)
    return frozenset(names)


def _collect(expr: Expr, names: set[str]) -> None:
    if isinstance(expr, Binary):
        _collect(expr.left, names)
        _collect(expr.right, names)
    elif isinstance(expr, Variable):
        names.add(expr.name)
    elif not isinstance(expr, _LEAVES):
        _collect(expr[0], names)


def numbers_of(expr: Expr) -> Iterator[Ratio]:
    """The values of the numbers in an expression, from left to right."""
    match expr:
        case Number(_, value):
            yield value
        case Binary(_, left, right):
            yield from numbers_of(left)
            yield from numbers_of(right)
        case Brackets(inner) | Negative(inner) | Sqrt(inner):
            yield from numbers_of(inner)


def substitute(expr: Expr, values: Mapping[str, Ratio]) -> Expr:
    """The expression with each variable that has a value replaced by that value."""
    if isinstance(expr, Variable):
        return number(values[expr.name]) if expr.name in values else expr
    if isinstance(expr, Binary):  # the common case, without a lambda
        operator, left, right = expr
        return Binary(operator, substitute(left, values), substitute(right, values))
    return _map_operands(expr, lambda operand: substitute(operand, values))


def with_numbers(expr: Expr, change: Callable[[Ratio], Ratio | None]) -> Expr:
    """The expression with each number for which ``change`` gives another value replaced by that value."""
    if isinstance(expr, Number):
        value = change(expr.value)
        return expr if value is None else number(value)
    return _map_operands(expr, lambda operand: with_numbers(operand, change))


def _map_operands(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with ``change`` applied to each operand."""
    if isinstance(expr, _LEAVES):
        return expr
    if isinstance(expr, Binary):
        operator, left, right = expr
        return Binary(operator, change(left), change(right))
    if isinstance(expr, Brackets):
        return Brackets(change(expr.inner), expr.optional)
    return Negative(change(expr.operand)) if isinstance(expr, Negative) else Sqrt(change(expr.radicand))


def with_other_operators(expr: Expr, others: Mapping[str, str]) -> Iterator[list[Expr]]:
    """For each operator, from left to right, the expressions with one of ``others[operator]`` in its place.

    The operands are unchanged: ``a / b + c`` with ``/`` for ``+`` is (a / b) / c.
    """
    match expr:
        case Binary(operator, left, right):
            for changed in with_other_operators(left, others):
                yield [Binary(operator, one, right) for one in changed]
            yield [Binary(other, left, right) for other in others[operator]]
            for changed in with_other_operators(right, others):
                yield [Binary(operator, left, one) for one in changed]
        case Brackets(inner) | Negative(inner) | Sqrt(inner):
            for changed in with_other_operators(inner, others):
                yield [_map_operands(expr, lambda _, one=one: one) for one in changed]  # type: ignore[misc]
