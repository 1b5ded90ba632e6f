"""The sides of the equations in a solution, as expressions: read as LaTeX, and as a sentence where that fails."""

import re
from collections.abc import Iterator

from pairgen.arithmetic.exact.expression import Expr, Number, Variable
from pairgen.arithmetic.exact.systems import Equation, letters_of
from pairgen.arithmetic.labels import UNCLEAR, Unverified
from pairgen.arithmetic.reading import formulas, latex, sentence

_AROUND = "& \n.,;"
"""Characters around a right side in LaTeX."""
MAX_EQUATIONS = 24
"""Maximum number of equations read in one solution."""


class Sides:
    """Reads the sides of the equations in ``text`` up to ``stop``."""

    def __init__(self, text: str, stop: int, is_latex: bool) -> None:
        self.text = text
        self.stop = stop
        self.is_latex = is_latex

    def left(self, sign: int, known: frozenset[str] | None, *, whole_side: bool = False) -> Expr:
        """The expression on the left of an equals sign; ``known`` as in ``latex.read`` and ``sentence.read``."""
        if self.is_latex:
            side = formulas.side_before(self.text, sign)
            try:
                expr = latex.read(side, known)
            except Unverified:
                if not formulas.is_sentence(side):
                    raise
            else:
                if formulas.continues(self.text, sign, side):
                    raise Unverified(UNCLEAR)
                return expr
        return sentence.read(sentence.window_before(self.text, sign), known, whole_side=whole_side)

    def rights(self, before: str, after: str) -> tuple[Expr, Expr, Expr]:
        """The right side with 0, 1 and 2 between two texts."""
        if self.is_latex:
            try:
                return latex.read_with(before.lstrip(_AROUND), after.rstrip(_AROUND).removesuffix("$"))
            except Unverified:
                if not formulas.is_sentence(f"{before}0{after}"):
                    raise
        zero, one, two = (self.right(f"{before}{digit}{after}", None) for digit in "012")
        return zero, one, two

    def right(self, side: str, known: frozenset[str] | None) -> Expr:
        """A right side as an expression; ``known`` as in ``left``."""
        if self.is_latex:
            try:
                return latex.read(side.strip(_AROUND).removesuffix("$"), known)
            except Unverified:
                if not formulas.is_sentence(side):
                    raise
        return sentence.read(sentence.window_before(side, len(side)), known, whole_side=True)

    def is_equals(self, sign: int) -> bool:
        """Whether the equals sign at ``sign`` is not part of another one, such as ``>=``."""
        return sign > 0 and self.text[sign - 1] not in "<>!≤≥≠"

    def end(self, sign: int) -> int:
        """The end of the right side of an equals sign."""
        reach = min(self.stop, sign + sentence.WINDOW)
        border = _END_OF_SIDE.search(self.text, sign + 1, reach)
        return border.start() if border else reach

    def equations(self, known: frozenset[str]) -> Iterator[tuple[int, Equation]]:
        """The equations in known variables, each with the position of its sign; not those that only state a value."""
        sign = -1
        for _ in range(MAX_EQUATIONS):
            sign = self.text.find("=", sign + 1, self.stop)
            if sign < 0:
                return
            if not self.is_equals(sign):
                continue
            equation = self._equation(sign, known)
            if equation is not None:
                yield sign, equation

    def equation_before(self, sign: int, letters: frozenset[str]) -> Equation | None:
        """The last equation before the one at ``sign``, if it is in the same variables."""
        before = self.text.rfind("=", 0, sign)
        equation = self._equation(before, None) if self.is_equals(before) else None
        return equation if equation and letters_of(equation) <= letters else None

    def _equation(self, sign: int, known: frozenset[str] | None) -> Equation | None:
        """The equation at ``sign``; None if it cannot be read, or only states a value."""
        try:
            left = self.left(sign, known, whole_side=True)
            right = self.right(self.text[sign + 1 : self.end(sign)], known)
        except Unverified:
            return None
        return None if isinstance(left, Variable | Number) and isinstance(right, Variable | Number) else (left, right)


# The end of a right side. Examples: `, ` (but not in `1,500`), ` so`, `\quad`.
_END_OF_SIDE = re.compile(
    r"[=\n;:]|,(?!\d{3})|\.(?!\d)|(?<!\\)\$(?![\d.a-z])|\\(?:[\])\\]|end|q?quad|(?:Long)?[rR]ightarrow|implies)"
    r"| (?:and|so|then|where|which|when|or|if|for|with|because|since|gives|is|are|we|thus|therefore|to)\b",
    re.ASCII,
)
