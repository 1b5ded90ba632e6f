"""Exact evaluation of arithmetic with powers, square roots and pi.

A value is a sum of terms ``c * sqrt(n) * pi**k``, held as ``{(n, k): c}``: n a squarefree integer from 1 up, k an
integer, c a fraction other than 0. The square roots of distinct squarefree integers are linearly independent over the
rationals, and pi is transcendental, so none of its powers brings in a new relation among them. Two values are therefore
equal exactly when their dicts are.

Where the answer would leave that form (``sqrt(pi)``, ``2**(1/3)``, a complex root) or be too large, there is None.
"""

import re
from fractions import Fraction
from functools import cache
from math import gcd, isqrt

MAX_LENGTH = 300
"""Code points of an expression."""

MAX_DEPTH = 50
MAX_TERMS = 64
MAX_BITS = 2000
"""Of a numerator, a denominator or a radicand: some 600 digits."""

MAX_EXPONENT = 64
"""In size, of any power, and of pi in a term."""

MAX_ROOT = 12
MAX_WORK = 20_000
"""Products of two terms in one expression. They are all that can cost much, and powers ask for many."""

TRIAL_LIMIT = 10_000
"""Primes up to here are divided out of a radicand."""

Number = int | Fraction
"""Whole numbers stay ``int``, which is several times faster; both have a numerator and a denominator."""

Value = dict[tuple[int, int], Number]

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|[A-Za-z_]\w*|\*\*|\S", re.ASCII)
_NUMBER = re.compile(r"\d*\.?\d+", re.ASCII)
_RATIONAL = (1, 0)
_ONE: Value = {_RATIONAL: 1}


class _Refused(Exception):
    """No expression, or no value of a form and size that we hold. Never leaves this module."""


class _Reader:
    """The tokens not yet read, the next one last, and the work still allowed."""

    def __init__(self, expression: str) -> None:
        self.tokens = ["", *reversed(_TOKEN.findall(expression))]  # the "" is the end, and is never taken
        self.work = MAX_WORK

    def take(self, *wanted: str) -> str:
        """The next token if it is one of those wanted, else nothing."""
        return self.tokens.pop() if self.tokens[-1] in wanted else ""

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise _Refused


def evaluate(expression: str) -> Value | None:
    """Value of an expression over ``+ - * / ** ( )``, decimal literals, ``sqrt(...)`` and ``pi``.

    Precedence is Python's: ``**`` binds to the right, and tighter than a minus before it. As in plain arithmetic here,
    an operand has at most one minus, and nothing is multiplied by merely standing together.
    """
    if len(expression) > MAX_LENGTH:
        return None
    reader = _Reader(expression)
    try:
        value = _sum(reader, 0)
    except _Refused:
        return None
    return None if reader.tokens[-1] else value


def rational(value: Value) -> Number | None:
    """The value as a whole number or a fraction, if it is one."""
    if not value:
        return 0
    return value.get(_RATIONAL) if len(value) == 1 else None


def _sum(reader: _Reader, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise _Refused
    total = _product(reader, depth)
    while operator := reader.take("+", "-"):
        total = _add(total, _product(reader, depth), 1 if operator == "+" else -1)
    return total


def _product(reader: _Reader, depth: int) -> Value:
    product = _signed(reader, depth)
    while operator := reader.take("*", "/"):
        factor = _signed(reader, depth)
        product = _multiply(reader, product, factor if operator == "*" else _inverse(reader, factor))
    return product


def _signed(reader: _Reader, depth: int) -> Value:
    if depth > MAX_DEPTH:  # exponents nest without a parenthesis
        raise _Refused
    minus = reader.take("-")
    value = _operand(reader, depth)
    if reader.take("**"):
        value = _power(reader, value, _signed(reader, depth + 1))
    return _add({}, value, -1) if minus else value


def _operand(reader: _Reader, depth: int) -> Value:
    if reader.take("("):
        value = _sum(reader, depth + 1)
        reader.need(")")
        return value
    if reader.take("pi"):
        return {(1, 1): 1}
    if reader.take("sqrt"):
        reader.need("(")
        value = _sum(reader, depth + 1)
        reader.need(")")
        return _sqrt(_needed_rational(value))
    if not _NUMBER.fullmatch(reader.tokens[-1]):
        raise _Refused
    whole, _, decimals = reader.tokens.pop().partition(".")
    number = int(whole + decimals)
    return _bounded({_RATIONAL: Fraction(number, 10 ** len(decimals)) if decimals else number})


def _bounded(value: Value) -> Value:
    """The value without its empty terms, if it is of a size that we hold."""
    kept = value if all(value.values()) else {key: factor for key, factor in value.items() if factor}
    if len(kept) > MAX_TERMS:
        raise _Refused
    for (radicand, exponent), factor in kept.items():
        if (radicand | factor.denominator | abs(factor.numerator)).bit_length() > MAX_BITS:
            raise _Refused
        if abs(exponent) > MAX_EXPONENT:
            raise _Refused
    return kept


def _needed_rational(value: Value) -> Number:
    number = rational(value)
    if number is None:
        raise _Refused
    return number


def _add(a: Value, b: Value, sign: int) -> Value:
    total = dict(a)
    for key, factor in b.items():
        total[key] = total.get(key, 0) + (factor if sign > 0 else -factor)
    return _bounded(total)


def _multiply(reader: _Reader, a: Value, b: Value) -> Value:
    reader.work -= len(a) * len(b)
    if reader.work < 0:
        raise _Refused
    product: Value = {}
    for (n, j), left in a.items():
        for (m, k), right in b.items():
            shared = gcd(n, m)  # sqrt(n) * sqrt(m) = shared * sqrt(n * m / shared**2), and that is squarefree
            key = n // shared * (m // shared), j + k
            product[key] = product.get(key, 0) + left * right * shared
    return _bounded(product)


def _inverse(reader: _Reader, value: Value) -> Value:
    """One over a term, or over two terms with the same power of pi, by their conjugate."""
    if len(value) == 1:
        [((n, k), factor)] = value.items()
        return _bounded({(n, -k): Fraction(1, factor * n) if isinstance(factor, int) else 1 / (factor * n)})
    if len(value) != 2 or len({k for _, k in value}) != 1:
        raise _Refused
    first, second = value
    conjugate = {first: value[first], second: -value[second]}
    # The norm is one term, and not 0, for the two are independent.
    return _multiply(reader, conjugate, _inverse(reader, _multiply(reader, value, conjugate)))


def _power(reader: _Reader, base: Value, exponent: Value) -> Value:
    power = _needed_rational(exponent)
    steps, root = power.numerator, power.denominator
    if abs(steps) > MAX_EXPONENT or root > MAX_ROOT:
        raise _Refused
    if root % 2 == 0:
        base = _sqrt(_perfect_root(_needed_rational(base), root // 2))
    elif root > 1:
        base = _bounded({_RATIONAL: _perfect_root(_needed_rational(base), root)})
    if steps < 0:
        base = _inverse(reader, base)
    result = _ONE
    for bit in f"{abs(steps):b}":
        result = _multiply(reader, result, result)
        if bit == "1":
            result = _multiply(reader, result, base)
    return result


def _sqrt(number: Number) -> Value:
    if number < 0:
        raise _Refused
    if not number:
        return {}
    top, over = _square_part(number.numerator)
    bottom, under = _square_part(number.denominator)
    # The two radicands are coprime, as parts of a reduced fraction, so their product is squarefree.
    return _bounded({(over * under, 0): Fraction(top, bottom * under)})


def _square_part(number: int) -> tuple[int, int]:
    """(s, n) with ``number == s * s * n`` and n squarefree, for a positive number; refused where that takes factoring.

    Once its primes up to ``TRIAL_LIMIT`` are gone, a number below that limit cubed has at most two prime factors, so it
    is a square or squarefree. A larger one is sure only if it is a square as a whole.
    """
    square, free = 1, 1
    for prime in _primes():
        if prime * prime > number:
            break
        times = 0
        while number % prime == 0:
            number, times = number // prime, times + 1
        square *= prime ** (times // 2)
        free *= prime ** (times % 2)
    root = isqrt(number)
    if root * root == number:
        return square * root, free
    if number >= TRIAL_LIMIT**3:
        raise _Refused
    return square, free * number


@cache
def _primes() -> list[int]:
    composite = {multiple for d in range(2, isqrt(TRIAL_LIMIT) + 1) for multiple in range(d * d, TRIAL_LIMIT + 1, d)}
    return [number for number in range(2, TRIAL_LIMIT + 1) if number not in composite]


def _perfect_root(number: Number, root: int) -> Number:
    if number < 0:
        raise _Refused  # the principal root of a negative number is complex, even a cube root
    return Fraction(_integer_root(number.numerator, root), _integer_root(number.denominator, root))


def _integer_root(number: int, root: int) -> int:
    """The exact root of a whole number, by Newton's iteration from above."""
    if number < 2:
        return number
    guess = 1 << -(-number.bit_length() // root)
    while (closer := ((root - 1) * guess + number // guess ** (root - 1)) // root) < guess:
        guess = closer
    if guess**root != number:
        raise _Refused
    return guess
