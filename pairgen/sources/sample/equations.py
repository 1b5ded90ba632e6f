"""Linear equations in one unknown: what an expression comes to, and the lines that solve it."""

from typing import NamedTuple

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.numbers import Value, divide, latex, plain, size, tidy


class Linear(NamedTuple):
    """``slope * x + constant``: what an expression in one unknown comes to."""

    slope: Value
    constant: Value


def combine(op: str, a: Linear, b: Linear) -> Linear:
    """``a op b``, where a product or a quotient has the unknown on one side only."""
    if op == "+":
        return Linear(tidy(a.slope + b.slope), tidy(a.constant + b.constant))
    if op == "-":
        return Linear(tidy(a.slope - b.slope), tidy(a.constant - b.constant))
    if op == "*":
        if a.slope:
            a, b = b, a
        return Linear(tidy(a.constant * b.slope), tidy(a.constant * b.constant))
    return Linear(divide(a.slope, b.constant), divide(a.constant, b.constant))


def side(form: Linear, unknown: str, tex: bool = False) -> str:
    """A linear form as one side of an equation: ``4x + 12``, ``60 - 3x``, ``(1/3)x``, ``7``."""
    write = latex if tex else plain
    slope, constant = form
    if not slope:
        return write(constant)
    factor = "" if size(slope) == 1 else write(size(slope))
    if not tex and "/" in factor:
        factor = f"({factor})"
    if slope < 0:
        return f"{write(constant)} - {factor}{unknown}"
    if not constant:
        return f"{factor}{unknown}"
    return f"{factor}{unknown} {'+' if constant > 0 else '-'} {write(size(constant))}"


def solution(form: Linear, result: Value) -> Value:
    """The unknown's value where ``form = result``."""
    return divide(result - form.constant, form.slope)


def solve(form: Linear, result: Value, unknown: str, r: Draw, tex: bool = False) -> list[str]:
    """The lines that lead from ``form = result`` to the unknown, said in words or written as equations alone."""
    write, quote, times = (latex, "${}$".format, "\\cdot") if tex else (plain, "{}".format, "*")
    slope, constant = size(form.slope), form.constant
    total = tidy(result - constant if form.slope > 0 else constant - result)
    left, found = side(Linear(slope, 0), unknown, tex), write(solution(form, result))
    in_words = r.chance(0.5)
    lines = []
    if constant:
        moved = quote(f"{left} = {write(total)}")
        if in_words and form.slope > 0:
            verb = "Subtracting" if constant > 0 else "Adding"
            lines.append(f"{verb} {quote(write(size(constant)))} on both sides gives {moved}.")
        elif in_words:
            lines.append(f"Moving {quote(left)} to one side and the numbers to the other gives {moved}.")
        else:
            lines += [quote(f"{left} = {_difference(form, result, tex)}"), moved]
    if slope == 1:
        return lines
    inverse = divide(1, slope)
    quotient = f"{write(total)} {times} {write(inverse)}"
    how = f"Multiplying both sides by {quote(write(inverse))}"
    if inverse.denominator != 1:
        quotient = f"\\frac{{{write(total)}}}{{{write(slope)}}}" if tex else f"{write(total)} / {_grouped(slope)}"
        how = f"Dividing both sides by {quote(write(slope))}"
    if in_words:
        return [*lines, f"{how} gives {quote(f'{unknown} = {found}')}."]
    return [*lines, quote(f"{unknown} = {quotient}"), quote(f"{unknown} = {found}")]


def _difference(form: Linear, result: Value, tex: bool) -> str:
    """The right side once the constant has been moved there: ``60 - 12``; with ``60 - 3x = 12`` too."""
    write = latex if tex else plain
    if form.slope < 0:
        return f"{write(form.constant)} - {write(result)}"
    return f"{write(result)} {'-' if form.constant > 0 else '+'} {write(size(form.constant))}"


def _grouped(value: Value) -> str:
    """A divisor, in brackets where it is a quotient itself."""
    written = plain(value)
    return f"({written})" if "/" in written else written
