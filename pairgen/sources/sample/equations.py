"""Linear equations in one unknown: the value of an expression as slope and constant, and the lines that solve it."""

from dataclasses import dataclass
from typing import Any

from pairgen.sources.sample.rng import SampleRng
from pairgen.sources.sample.templates import Value, divide, latex, magnitude, plain


@dataclass(frozen=True, slots=True)
class Linear:
    """``slope * x + constant``. An expression evaluates to it where a variable is ``UNKNOWN``.

    A product or a quotient must have the unknown in one operand only, and a quotient not in its divisor.
    """

    slope: Value
    constant: Value

    def __add__(self, other: Any) -> "Linear":
        linear = as_linear(other)
        return Linear(self.slope + linear.slope, self.constant + linear.constant)

    def __mul__(self, factor: Any) -> "Linear":
        return Linear(self.slope * factor, self.constant * factor)

    def __sub__(self, other: Any) -> "Linear":
        return self.__add__(as_linear(other).__mul__(-1))

    def __rsub__(self, other: Any) -> "Linear":
        return self.__mul__(-1).__add__(other)

    def __truediv__(self, divisor: Any) -> "Linear":
        return self.__mul__(divide(1, divisor))

    __radd__ = __add__
    __rmul__ = __mul__


UNKNOWN = Linear(1, 0)


def as_linear(value: Any) -> Linear:
    """A number as a linear expression without the unknown."""
    return value if isinstance(value, Linear) else Linear(0, value)


def side(form: Linear, unknown: str, tex: bool = False) -> str:
    """One side of an equation: ``4x + 12``, ``60 - 3x``, ``(1/3)x``, ``7``."""
    write = latex if tex else plain
    slope, constant = form.slope, form.constant
    if not slope:
        return write(constant)
    factor = "" if magnitude(slope) == 1 else write(magnitude(slope))
    term = f"({factor}){unknown}" if not tex and "/" in factor else f"{factor}{unknown}"
    if slope < 0:
        return f"{write(constant)} - {term}"
    return _sum(term, constant, tex) if constant else term


def solve(form: Linear, result: Value, unknown: str, rng: SampleRng, tex: bool = False) -> list[str]:
    """The lines from ``form = result`` to the value of the unknown, as sentences or as equations only."""
    write, quote = (latex, "${}$".format) if tex else (plain, "{}".format)
    slope, constant = magnitude(form.slope), form.constant
    minuend, subtrahend = (result, constant) if form.slope > 0 else (constant, result)
    total, left = minuend - subtrahend, side(Linear(slope, 0), unknown, tex)
    in_words = rng.chance(0.5)
    lines = []
    if constant:
        moved = quote(f"{left} = {write(total)}")
        if in_words and form.slope > 0:
            verb = "Subtracting" if constant > 0 else "Adding"
            lines.append(f"{verb} {quote(write(magnitude(constant)))} on both sides gives {moved}.")
        elif in_words:
            lines.append(f"Moving {quote(left)} to one side and the numbers to the other gives {moved}.")
        else:
            lines += [quote(f"{left} = {_sum(write(minuend), -subtrahend, tex)}"), moved]
    if slope == 1:
        return lines
    divisor = write(slope)
    solution = quote(f"{unknown} = {write(divide(total, slope))}")
    if in_words:
        return [*lines, f"Dividing both sides by {quote(divisor)} gives {solution}."]
    quotient = rf"\frac{{{write(total)}}}{{{divisor}}}"
    if not tex:
        quotient = f"{write(total)} / {f'({divisor})' if '/' in divisor else divisor}"
    return [*lines, quote(f"{unknown} = {quotient}"), solution]


def _sum(text: str, value: Value, tex: bool) -> str:
    """``text + value`` or ``text - value``."""
    return f"{text} {'-' if value < 0 else '+'} {(latex if tex else plain)(magnitude(value))}"
