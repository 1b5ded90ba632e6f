r"""What a MATH-like exercise consists of, and how its formulas are written."""

from typing import NamedTuple

from pairgen.sources.sample.draw import Draw
from pairgen.sources.sample.equations import Linear, solution, solve
from pairgen.sources.sample.numbers import Value, latex, size

LETTERS = "abkmnptxyz"


class Backward(NamedTuple):
    """An exercise turned round: one of its numbers is X, and its answer is known."""

    ask: str  # the question with X in it
    state: str  # question and answer in one sentence, with X in it
    setup: str  # the equation as the exercise gives it
    form: Linear
    result: Value


class Exercise(NamedTuple):
    """One exercise; which wordings of the solution it shows depends on the row."""

    asks: tuple[str, ...]  # the first is the original question
    solution: tuple[str, ...]
    answer: str
    backward: Backward | None = None


def frac(above: object, below: object) -> str:
    r"""``\frac{3}{4}``, as it stands: nothing is reduced."""
    return rf"\frac{{{above}}}{{{below}}}"


def nonzero(d: Draw, bound: int) -> int:
    """A whole number from -bound to bound, but not zero."""
    return d.whole(1, bound) * d.pick((1, -1))


def boxed(text: object) -> str:
    r"""``\boxed{7}``."""
    return rf"\boxed{{{text}}}"


def signed(value: Value) -> str:
    """``+ 3`` or ``- 3``."""
    return f"{'-' if value < 0 else '+'} {latex(size(value))}"


def grouped(value: Value) -> str:
    """A factor, in parentheses where it is negative: ``7``, ``(-3)``."""
    return f"({latex(value)})" if value < 0 else latex(value)


def term(factor: Value, symbol: str) -> str:
    """``3x``, ``x``, ``-x``."""
    return symbol if factor == 1 else f"-{symbol}" if factor == -1 else f"{latex(factor)}{symbol}"


def polynomial(*terms: tuple[Value, str]) -> str:
    """``3x^2 - x + 5`` from (3, "x^2"), (-1, "x"), (5, ""); terms that are zero are left out."""
    text = ""
    for factor, symbol in terms:
        if factor:
            part = term(size(factor), symbol) if symbol else latex(size(factor))
            text += f" {'-' if factor < 0 else '+'} {part}" if text else ("-" if factor < 0 else "") + part
    return text or "0"


def root(number: int) -> tuple[str, int, int]:
    r"""``\sqrt{12}`` in simplest form, ``2\sqrt{3}``, with its factor and what stays under the root."""
    outer = next(k for k in range(int(number**0.5), 0, -1) if number % (k * k) == 0)
    inner = number // (outer * outer)
    if inner == 1:
        return str(outer), outer, 1
    return (str(outer) if outer > 1 else "") + rf"\sqrt{{{inner}}}", outer, inner


def backward_query(backward: Backward, answer: str, declared: bool) -> str:
    """The question with X; the known answer comes after it, or is part of it (``declared``)."""
    ask = "hat is the value of unknown variable X?"
    if declared:
        return f"{backward.state} W{ask}"
    return f"{backward.ask} If we know the answer to the above question is ${answer}$, w{ask}"


def backward_solution(backward: Backward, r: Draw) -> str:
    """The equation and its solution."""
    from_left = polynomial((backward.form.slope, "X"), (backward.form.constant, ""))
    opening = r.pick(
        (
            "The known answer gives an equation for $X$:",
            "We write down what is known about $X$:",
            "Putting the known answer in, we have",
            "In symbols, this says",
        )
    )
    lines = [f"{opening} ${backward.setup}$."]
    simple = f"{from_left} = {latex(backward.result)}"
    if simple != backward.setup.replace(r" \cdot X", "X"):
        lines.append(f"{r.pick(('This is the same as', 'That simplifies to', 'In short,'))} ${simple}$.")
    lines += solve(backward.form, backward.result, "X", r, tex=True)
    found = latex(solution(backward.form, backward.result))
    if r.chance(0.7):
        lines.append(f"The value of $X$ is ${found}$.")
    return "\n".join(lines) + f"\n#### {found}\nThe answer is: {found}"
