"""The value of an arithmetic text in one pass: what nearly every calculation needs, several times faster than a tree.

``expression.evaluate(expression.parse(text))`` is the reference: the tests hold the two to the same values on every
expression of the real rows, and on generated ones.
"""

from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.exact import expression
from pairgen.arithmetic.exact.expression import MAX_LENGTH, TOKEN, decimal
from pairgen.arithmetic.exact.ratios import Ratio, add, divide, multiply


class _Level(NamedTuple):
    """What waits outside a bracket: the sum, the product it will join, and the operator in front of it."""

    total: Ratio
    product: Ratio
    operator: str


def evaluate(text: str) -> Ratio | None:
    """Value of an expression over ``+ - * / ( )`` and decimal numbers; with ``** sqrt pi`` too, where it is rational.

    None for anything that is not such an expression, for a division by zero, and for more than ``MAX_LENGTH`` code
    points.
    """
    return _value(text) if len(text) <= MAX_LENGTH else None


@lru_cache(1 << 14)
def _value(text: str) -> Ratio | None:
    """The same of a text that is short enough; cached, since most calculations occur many times.

    One pass, left to right: a sum so far, and the product now being built, kept apart until a ``+`` or ``-`` closes it.
    A minus is carried by the product's sign. Whatever fails here goes to the tree, if powers, roots or pi may be why.
    """
    outside: list[_Level] = []
    total: Ratio = (0, 1)
    product: Ratio = (1, 1)
    operator = "+"  # what stands before the operand that comes next; "" once an operand was read
    signed = False  # whether that operand has a minus of its own
    for token in TOKEN.findall(text):
        if token in "+-*/":
            if operator:
                if token != "-" or signed:
                    return _by_tree(text)
                product, signed = (-product[0], product[1]), True
            elif token in "+-":
                total = add(total, product)
                product, operator = ((1, 1) if token == "+" else (-1, 1)), token
            else:
                operator = token
            continue
        if token == "(":
            if not operator:
                return _by_tree(text)
            outside.append(_Level(total, product, operator))
            total, product, operator, signed = (0, 1), (1, 1), "+", False
            continue
        if token == ")":
            if operator or not outside:
                return _by_tree(text)
            value = add(total, product)
            total, product, operator = outside.pop()
        elif operator and token[-1] in "0123456789":
            value = decimal(token)
        else:
            return _by_tree(text)
        if operator == "/" and value[0] == 0:
            return _by_tree(text)
        product = divide(product, value) if operator == "/" else multiply(product, value)
        operator, signed = "", False
    return _by_tree(text) if operator or outside else add(total, product)


def _by_tree(text: str) -> Ratio | None:
    """The value of a text that is more than plain arithmetic, or wrong."""
    if "**" not in text and "sqrt" not in text and "pi" not in text:
        return None
    expr = expression.parse(text)
    return None if expr is None else expression.evaluate(expr)
