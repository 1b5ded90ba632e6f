"""Exact numbers with square roots and pi.

A surd is a sum of terms ``c * sqrt(n) * pi**k``, represented as ``{(n, k): c}``: n is a positive squarefree integer, k
an integer, c a nonzero rational. The square roots of distinct squarefree integers are linearly independent over the
rationals, and pi is transcendental, so its powers add no relation among them. Two surds are therefore equal exactly
when their dicts are.

``NotExact`` is raised if a result is too large or leaves that form (``sqrt(pi)``, ``2**(1/3)``, complex roots).
"""

from fractions import Fraction
from functools import cache
from math import gcd, isqrt

from pairgen.arithmetic.exact.ratios import NotExact, Ratio, reduced

MAX_TERMS = 64
MAX_BITS = 2000
"""Maximum size of a numerator, denominator or radicand: about 600 digits."""
MAX_PI_EXPONENT = 64
"""Maximum absolute exponent of pi in a term."""
MAX_WORK = 20_000
"""Maximum number of term-by-term products per expression; they dominate the cost, and powers need many."""
TRIAL_LIMIT = 10_000
"""Primes up to here are divided out of a radicand."""

Rational = int | Fraction
"""Integers stay ``int``, which is several times faster; both types have a numerator and a denominator."""

Surd = dict[tuple[int, int], Rational]

PI: Surd = {(1, 1): 1}
_RATIONAL = (1, 0)


_PI_DIGITS = Fraction(3141592653589793238462643383279502884197, 10**39)


def approximation(value: Surd) -> Ratio:
    """A rational number near a surd: each of its terms is computed to 30 digits or more."""
    total = Fraction(0)
    for (radicand, power), coefficient in value.items():
        root = Fraction(isqrt(radicand * 10**60), 10**30)
        total += coefficient * root * _PI_DIGITS**power
    return total.numerator, total.denominator


class WorkBudget:
    """The number of term-by-term products that one expression may still compute."""

    def __init__(self) -> None:
        self.remaining = MAX_WORK

    def spend(self, products: int) -> None:
        self.remaining -= products
        if self.remaining < 0:
            raise NotExact


def surd(value: Ratio | Surd) -> Surd:
    """Convert a ratio to a surd; a surd is returned unchanged."""
    if isinstance(value, dict):
        return value
    top, bottom = value
    number = top if bottom == 1 else Fraction(top, bottom)
    return {_RATIONAL: number} if top else {}


def simplified(value: Surd) -> Ratio | Surd:
    """Convert a surd to a ratio if it is rational."""
    if not value:
        return 0, 1
    number = value.get(_RATIONAL) if len(value) == 1 else None
    return value if number is None else (number.numerator, number.denominator)


def fits(value: Ratio) -> bool:
    """Whether a ratio is within ``MAX_BITS``."""
    top, bottom = reduced(value) if max(map(int.bit_length, value)) > MAX_BITS else value
    return max(top.bit_length(), bottom.bit_length()) <= MAX_BITS


def negative(value: Surd) -> Surd:
    return {key: -factor for key, factor in value.items()}


def add(a: Surd, b: Surd, _work: WorkBudget) -> Surd:
    total = dict(a)
    for key, factor in b.items():
        total[key] = total.get(key, 0) + factor
    return _bounded(total)


def subtract(a: Surd, b: Surd, work: WorkBudget) -> Surd:
    return add(a, negative(b), work)


def multiply(a: Surd, b: Surd, work: WorkBudget) -> Surd:
    work.spend(len(a) * len(b))
    product: Surd = {}
    for (n, j), left in a.items():
        for (m, k), right in b.items():
            shared = gcd(n, m)  # sqrt(n) * sqrt(m) = shared * sqrt(n * m / shared**2), squarefree again
            key = n // shared * (m // shared), j + k
            product[key] = product.get(key, 0) + left * right * shared
    return _bounded(product)


def divide(a: Surd, b: Surd, work: WorkBudget) -> Surd:
    return multiply(a, inverse(b, work), work)


def inverse(value: Surd, work: WorkBudget) -> Surd:
    """The reciprocal of one term, or, by the conjugate, of two terms with the same power of pi."""
    if len(value) == 1:
        [((n, k), factor)] = value.items()
        return _bounded({(n, -k): Fraction(1, factor * n) if isinstance(factor, int) else 1 / (factor * n)})
    if len(value) != 2 or len({k for _, k in value}) != 1:
        raise NotExact
    first, second = value
    conjugate = {first: value[first], second: -value[second]}
    # The norm is a single nonzero term, since the two terms are linearly independent.
    return multiply(conjugate, inverse(multiply(value, conjugate, work), work), work)


def power(base: Surd, exponent: int, work: WorkBudget) -> Surd:
    """``base**exponent``, by squaring."""
    if exponent < 0:
        base = inverse(base, work)
    result: Surd = {_RATIONAL: 1}
    for bit in f"{abs(exponent):b}":
        result = multiply(result, result, work)
        if bit == "1":
            result = multiply(result, base, work)
    return result


def root(value: Ratio | Surd, degree: int) -> Surd:
    """The principal root of a rational, if it is rational or the square root of a rational."""
    if not isinstance(value, tuple) or value[0] < 0:
        raise NotExact  # principal roots of negative numbers are complex, even cube roots
    number = Fraction(*value)
    if degree % 2 == 0:
        return _sqrt(_perfect_root(number, degree // 2))
    return _bounded({_RATIONAL: _perfect_root(number, degree)})


def _sqrt(number: Fraction) -> Surd:
    if not number:
        return {}
    top, above = _square_part(number.numerator)
    bottom, below = _square_part(number.denominator)
    # The two radicands are coprime, as parts of a reduced fraction, so their product is squarefree.
    return _bounded({(above * below, 0): Fraction(top, bottom * below)})


def _bounded(value: Surd) -> Surd:
    """The surd without zero terms; raises ``NotExact`` if it is too large."""
    nonzero = value if all(value.values()) else {key: factor for key, factor in value.items() if factor}
    if len(nonzero) > MAX_TERMS:
        raise NotExact
    for (radicand, exponent), factor in nonzero.items():
        if (radicand | factor.denominator | abs(factor.numerator)).bit_length() > MAX_BITS:
            raise NotExact
        if abs(exponent) > MAX_PI_EXPONENT:
            raise NotExact
    return nonzero


def _square_part(number: int) -> tuple[int, int]:
    """(s, n) with ``number == s * s * n`` and n squarefree, for a positive number, by trial division.

    Without prime factors up to ``TRIAL_LIMIT``, a number below the cube of that limit has at most two prime factors, so
    it is a square or squarefree. A larger one is accepted only if it is a square.
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
    square_root = isqrt(number)
    if square_root * square_root == number:
        return square * square_root, free
    if number >= TRIAL_LIMIT**3:
        raise NotExact
    return square, free * number


@cache
def _primes() -> list[int]:
    composite = {multiple for d in range(2, isqrt(TRIAL_LIMIT) + 1) for multiple in range(d * d, TRIAL_LIMIT + 1, d)}
    return [number for number in range(2, TRIAL_LIMIT + 1) if number not in composite]


def _perfect_root(number: Fraction, degree: int) -> Fraction:
    if degree == 1:
        return number
    return Fraction(_integer_root(number.numerator, degree), _integer_root(number.denominator, degree))


def _integer_root(number: int, degree: int) -> int:
    """The exact root of an integer, by Newton's iteration from above."""
    if number < 2:
        return number
    guess = 1 << -(-number.bit_length() // degree)
    while (closer := ((degree - 1) * guess + number // guess ** (degree - 1)) // degree) < guess:
        guess = closer
    if guess**degree != number:
        raise NotExact
    return guess
