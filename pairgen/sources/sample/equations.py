"""Linear equations in one unknown: how they are written, and the lines that solve them."""

from collections.abc import Callable
from typing import NamedTuple

from pairgen.sources.sample.rng import SampleRng
from pairgen.sources.sample.templates import Value, divide, latex, plain


class Notation(NamedTuple):
    """How equations are written."""

    unknown: str
    write: Callable[[Value], str]
    quote: Callable[[str], str]  # for an equation within a sentence


TEXT = Notation("x", plain, str)
LATEX = Notation("X", latex, "${}$".format)


class Linear(NamedTuple):
    """``slope * x + constant``. The values of an expression at x = 0 and x = 1 determine both."""

    slope: Value
    constant: Value


def write_linear(form: Linear, notation: Notation) -> str:
    """A linear expression: ``4x + 12``, ``60 - 3x``, ``(1/3)x``, ``7``."""
    (slope, constant), (unknown, write, _) = form, notation
    if not slope:
        return write(constant)
    factor = "" if slope in (1, -1) else write(slope).removeprefix("-")
    term = f"({factor}){unknown}" if "/" in factor else f"{factor}{unknown}"
    if slope < 0:
        return f"{write(constant)} - {term}"
    return _write_sum(term, constant, write) if constant else term


def solve(form: Linear, result: Value, notation: Notation, rng: SampleRng) -> list[str]:
    """The lines from ``form = result`` to the value of the unknown, as sentences or as equations only."""
    unknown, write, quote = notation
    constant = form.constant
    slope, minuend, subtrahend = (form.slope, result, constant) if form.slope > 0 else (-form.slope, constant, result)
    total, left = minuend - subtrahend, write_linear(Linear(slope, 0), notation)
    in_words = rng.chance(0.5)
    lines = []
    if constant:
        moved = quote(f"{left} = {write(total)}")
        if not in_words:
            lines += [quote(f"{left} = {_write_sum(write(minuend), -subtrahend, write)}"), moved]
        elif form.slope > 0:
            verb = "Subtracting" if constant > 0 else "Adding"
            lines.append(f"{verb} {quote(write(constant).removeprefix('-'))} on both sides gives {moved}.")
        else:
            lines.append(f"Moving {quote(left)} to one side and the numbers to the other gives {moved}.")
    if slope == 1:
        return lines
    divisor = write(slope)
    solution = quote(f"{unknown} = {write(divide(total, slope))}")
    if in_words:
        return [*lines, f"Dividing both sides by {quote(divisor)} gives {solution}."]
    if notation is LATEX:
        quotient = rf"\frac{{{write(total)}}}{{{divisor}}}"
    else:
        quotient = f"{write(total)} / {f'({divisor})' if '/' in divisor else divisor}"
    return [*lines, quote(f"{unknown} = {quotient}"), solution]


def _write_sum(text: str, value: Value, write: Callable[[Value], str]) -> str:
    """``text + value`` or ``text - value``."""
    return f"{text} {'-' if value < 0 else '+'} {write(value).removeprefix('-')}"
