"""Factorials and binomial coefficients, written out as products: ``4!`` is ``(1*2*3*4)``."""

from functools import reduce

from pairgen.arithmetic.exact.expression import Binary, Brackets, Expr, Number, integer
from pairgen.arithmetic.labels import TOO_LARGE, UNSUPPORTED, Unverified

MAX_FACTORIAL = 20


def _product_of(factors: range) -> Expr:
    numbers: list[Expr] = [integer(factor) for factor in factors]
    return reduce(lambda product, factor: Binary("*", product, factor), numbers)


def factorial(expr: Expr) -> Expr:
    """The factorial of an integer. Raises Unverified for anything else, and above ``MAX_FACTORIAL``."""
    if not isinstance(expr, Number) or not expr.text.isdigit():
        raise Unverified(UNSUPPORTED)
    if len(expr.text) > 2 or int(expr.text) > MAX_FACTORIAL:
        raise Unverified(TOO_LARGE)
    return Brackets(_product_of(range(1, max(1, int(expr.text)) + 1)))


def binomial(top: Expr, bottom: Expr) -> Expr:
    """The number of ways to choose ``bottom`` of ``top``, both integers. Raises Unverified as ``factorial``."""
    if not (isinstance(top, Number) and isinstance(bottom, Number) and (top.text + bottom.text).isdigit()):
        raise Unverified(UNSUPPORTED)
    n, k = int(top.text), int(bottom.text)
    if len(top.text) > 4 or k > min(MAX_FACTORIAL, n):
        raise Unverified(TOO_LARGE)
    k = min(k, n - k)
    if k < 1:
        return integer(1)
    above, below = _product_of(range(n, n - k, -1)), _product_of(range(1, k + 1))
    return Brackets(Binary("/", Brackets(above), Brackets(below)))
