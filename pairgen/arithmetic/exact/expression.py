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


Expr = Number | Variable | Pi | Negative | Binary | Brackets | Sqrt

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}


def number(value: Ratio) -> Number:
    """A value as one operand: ``5``, ``(-3)``, ``(3/4)``."""
    text = lowest_terms(value).removesuffix("/1")
    return Number(text if text.isdigit() else f"({text})", value)


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
    integer, _, decimals = text.partition(".")
    return int(integer + decimals), 10 ** len(decimals)


# ---------------------------------------------------------------- rendering and substitution


def render(expr: Expr) -> str:
    """The expression as ASCII: spaces only around ``+`` and ``-``, brackets where the tree has or needs them."""
    match expr:
        case Number(text, _):
            return text
        case Binary(operator, left, right):
            rank, power = _RANKS[operator], operator == "**"
            between = f" {operator} " if rank == 1 else operator
            return f"{_within(left, rank + power)}{between}{_within(right, rank + (not power))}"
        case Variable(name):
            return name
        case Brackets(inner, optional):
            text = render(inner)
            return text if optional and _ONE_OPERAND.fullmatch(text) else f"({text})"
        case Negative(operand):
            return f"-{_within(operand, 2)}"
        case Sqrt(radicand):
            return f"sqrt({render(radicand)})"
    return "pi"


def _within(expr: Expr, rank: int) -> str:
    """An operand, in brackets if it is an operation that binds less tightly than ``rank``."""
    if isinstance(expr, Binary) and _RANKS[expr.operator] < rank:
        return f"({render(expr)})"
    return f"({render(expr)})" if rank == 4 and isinstance(expr, Negative) else render(expr)


def variables(expr: Expr) -> frozenset[str]:
    """The names of the variables in an expression."""
    match expr:
        case Variable(name):
            return frozenset(name)
        case Binary(_, left, right):
            return variables(left) | variables(right)
        case Brackets(inner) | Negative(inner) | Sqrt(inner):
            return variables(inner)
    return frozenset()


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
    return _map_operands(expr, lambda operand: substitute(operand, values))


def with_numbers(expr: Expr, change: Callable[[Ratio], Ratio | None]) -> Expr:
    """The expression with each number for which ``change`` gives another value replaced by that value."""
    if isinstance(expr, Number):
        value = change(expr.value)
        return expr if value is None else number(value)
    return _map_operands(expr, lambda operand: with_numbers(operand, change))


def _map_operands(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with ``change`` applied to each operand."""
    match expr:
        case Binary(operator, left, right):
            return Binary(operator, change(left), change(right))
        case Brackets(inner, optional):
            return Brackets(change(inner), optional)
        case Negative(operand):
            return Negative(change(operand))
        case Sqrt(radicand):
            return Sqrt(change(radicand))
    return expr


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
