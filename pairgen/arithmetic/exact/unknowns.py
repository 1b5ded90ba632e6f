"""Unknowns of an equation: values put in for them, and what arithmetic says of sides that are linear in one."""

from collections.abc import Mapping

from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.numbers import Ratio, equal, lowest_terms
from pairgen.arithmetic.reading.latex import bracketed
from pairgen.arithmetic.reasons import NOT_EXACT, Unreadable

CHOICES = 3
"""Choices of values for unknowns that have none, under each of which a side must come out the same."""


class Chosen(dict[str, str]):
    """Values of unknowns; those without one are given one, another for each choice."""

    def __init__(self, values: Mapping[str, str], choice: int) -> None:
        super().__init__(values)
        self.choice = choice
        self.chosen = False

    def __contains__(self, letter: object) -> bool:
        return isinstance(letter, str) and len(letter) == 1 and letter.isalpha() and letter not in "aAI"

    def get(self, letter: str, _default: object = None) -> str:
        value = super().get(letter)
        if value is not None:
            return value
        self.chosen = True
        return str(_CHOSEN[(ord(letter) * 7 + self.choice * 5) % len(_CHOSEN)])


_CHOSEN = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31)


class Noting(Mapping[str, str]):
    """The values of unknowns, noting whether any was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_of = values
        self.asked: set[str] = set()

    def __getitem__(self, letter: str) -> str:
        value = self.values_of[letter]
        self.asked.add(letter)
        return value

    def __contains__(self, letter: object) -> bool:
        return letter in self.values_of

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.values_of)

    def __len__(self) -> int:
        return len(self.values_of)


def minus(a: Ratio, b: Ratio) -> Ratio:
    """The difference of two values, not always in lowest terms."""
    return a[0] * b[1] - b[0] * a[1], a[1] * b[1]


def as_operand(value: Ratio) -> str:
    """A value as one operand of ASCII arithmetic: ``5``, ``(-3)``, ``(3/4)``."""
    text = lowest_terms(value).removesuffix("/1")
    return text if text.isdigit() else f"({text})"


def said_with(side: str, top: Ratio, slope: Ratio) -> str:
    """A root, ``top/slope``, said with the side that the unknown is not on: where 26 is A - 4, A is ``26 - (-4)``."""
    rest = minus(evaluate(side) or (0, 1), top)
    side = side if rest[0] == 0 else f"{side} - {as_operand(rest)}"
    return side if equal(slope, (1, 1)) else f"{bracketed(side)}/{as_operand(slope)}"


def place_of(left: str, zero: str, one: str, two: str) -> str:
    """Which number makes the right side equal the left, from the right sides that 0, 1 and 2 make."""
    if evaluate(zero) is None and _is_number(f"({one}) - 2*({two})", 0):  # below a fraction's line
        return f"({one})/({left})"
    if not _is_number(f"({two}) - 2*({one}) + ({zero})", 0):
        raise Unreadable(NOT_EXACT)
    if _is_number(f"({one}) - ({zero})", 1):
        return f"({left}) - ({zero})"
    if _is_number(f"({zero}) - ({one})", 1):
        return f"({zero}) - ({left})"
    if _is_number(zero, 0):
        return f"({left})/({one})"
    return f"(({left}) - ({zero}))/(({one}) - ({zero}))"


def _is_number(expression: str, number: int) -> bool:
    value = evaluate(expression)
    return value is not None and equal(value, (number, 1))
