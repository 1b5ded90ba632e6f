"""Exact values and how they are written: 1,500, $12.50, 3/4, 20%, 2.5, twelve."""

from fractions import Fraction

Value = int | Fraction

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def tidy(value: Value) -> Value:
    """The same value, as an int where it is whole."""
    return value if isinstance(value, int) or value.denominator != 1 else value.numerator


def size(value: Value) -> Value:
    """The value without its sign."""
    return -value if value < 0 else value


def divide(a: Value, b: Value) -> Value:
    """``a / b``, exactly."""
    return tidy(Fraction(a) / b)


def plain(value: Value, commas: bool = False) -> str:
    """``1500`` or ``1,500``; ``2.5`` where two decimals are enough, else ``2/3``."""
    if value.denominator == 1:
        return f"{value.numerator:,}" if commas else str(value.numerator)
    if 100 % value.denominator:
        return f"{value.numerator}/{value.denominator}"
    whole, rest = divmod(abs(value.numerator) * 100 // value.denominator, 100)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole:,}.{rest:02d}".rstrip("0") if commas else f"{sign}{whole}.{rest:02d}".rstrip("0")


def percent(value: Value) -> str:
    """A part of one as a whole percentage, without its sign: ``20``."""
    return str(value.numerator * 100 // value.denominator)


def cents(value: Value, commas: bool = False) -> str:
    """Money without its sign: ``12.50``, and ``12`` where there are no cents."""
    if value.denominator == 1:
        return plain(value, commas)
    whole, rest = divmod(value.numerator * 100 // value.denominator, 100)
    return f"{whole:,}.{rest:02d}" if commas else f"{whole}.{rest:02d}"


def bare(value: Value, unit: str) -> str:
    """A final answer: ``13.50`` where it is money, ``13.5`` where it is not."""
    return cents(value) if unit[:1] == "$" else plain(value)


def latex(value: Value) -> str:
    r"""``7``, ``-\frac{3}{4}``."""
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
