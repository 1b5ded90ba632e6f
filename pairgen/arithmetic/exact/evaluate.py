"""Exact evaluation of plain arithmetic, and the judgement of a stated result by it.

The parser is our own: no ``eval``, rational values only, and nothing in it can grow without bound.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact import surds
from pairgen.arithmetic.exact.numbers import Literal, Ratio

MAX_LENGTH = surds.MAX_LENGTH
"""Code points of an expression; it bounds every integer on the way to a few hundred digits."""

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\S", re.ASCII)


class _Level(NamedTuple):
    """What waits outside a parenthesis: the sum, the product it will join, and the operator in front of it."""

    total: Ratio
    product: Ratio
    operator: str


def evaluate(expression: str) -> Ratio | None:
    """Value of an expression over ``+ - * / ( )`` and decimal literals; with ``** sqrt pi`` too, where it is rational.

    Returns None for anything that is not such an expression, for a division by zero, and for an expression over
    ``MAX_LENGTH``.
    """
    return _value(expression) if len(expression) <= MAX_LENGTH else None


@lru_cache(1 << 14)
def _value(expression: str) -> Ratio | None:
    """The same of an expression that is short enough; kept, since an equation is solved by trials that come again.

    One pass, left to right: a sum so far, and the product now being built, kept apart until a ``+`` or ``-`` closes it.
    A minus is carried by the product's sign. Only what fails here is tried as an expression with powers and roots, so
    that those cost the others nothing.
    """
    outside: list[_Level] = []
    total: Ratio = (0, 1)
    product: Ratio = (1, 1)
    operator = "+"  # what stands before the operand that comes next; "" once an operand was read
    signed = False  # whether that operand has a minus of its own
    for token in _TOKEN.findall(expression):
        if token in "+-*/":
            if operator:
                if token != "-" or signed:
                    return _with_powers(expression)
                product, signed = (-product[0], product[1]), True
            elif token in "+-":
                total = _add(total, product)
                product, operator = ((1, 1) if token == "+" else (-1, 1)), token
            else:
                operator = token
            continue
        if token == "(":
            if not operator:
                return _with_powers(expression)
            outside.append(_Level(total, product, operator))
            total, product, operator, signed = (0, 1), (1, 1), "+", False
            continue
        if token == ")":
            if operator or not outside:
                return _with_powers(expression)
            value = _add(total, product)
            total, product, operator = outside.pop()
        elif operator and token[-1] in "0123456789":
            whole, _, decimals = token.partition(".")
            value = int(whole + decimals), 10 ** len(decimals)
        else:
            return _with_powers(expression)
        joined = _join(product, operator, value)
        if joined is None:
            return _with_powers(expression)
        product, operator, signed = joined, "", False
    return _with_powers(expression) if operator or outside else _add(total, product)


def _with_powers(expression: str) -> Ratio | None:
    """The value of what is no plain expression, if powers, roots or pi are why, and they leave a rational."""
    if "**" not in expression and "sqrt" not in expression and "pi" not in expression:
        return None
    value = surds.evaluate(expression)
    number = None if value is None else surds.rational(value)
    return None if number is None else (number.numerator, number.denominator)


def _add(a: Ratio, b: Ratio) -> Ratio:
    return (a[0] + b[0], a[1]) if a[1] == b[1] else (a[0] * b[1] + b[0] * a[1], a[1] * b[1])


def _join(product: Ratio, operator: str, value: Ratio) -> Ratio | None:
    """Take one more operand into a product; None for a division by zero."""
    top, bottom = value
    if operator == "/":
        if top == 0:
            return None
        top, bottom = (bottom, top) if top > 0 else (-bottom, -top)
    return product[0] * top, product[1] * bottom


def states(result: Literal, value: Ratio) -> bool:
    """Whether a literal is a right statement of a value: equal, or, with decimals, rounded to them (ties either way).

    ``3.33`` states 10/3; ``3`` does not, since nothing says that it was rounded.
    """
    top, bottom = result.value
    gap = abs(value[0] * bottom - top * value[1])
    if gap == 0 or not result.decimals:
        return gap == 0
    return 2 * gap <= value[1] * result.over
