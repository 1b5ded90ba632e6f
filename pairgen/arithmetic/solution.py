r"""A worked solution, and the exact verification of each result it states.

A calculation is read in up to three ways: as plain text by fast patterns, as a sentence token by token, and as LaTeX.
Variables take the values that the solution itself states: ``5x + 3 = 28`` is checked as ``5*5 + 3``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

from pairgen.arithmetic.exact.equations import TRIALS, missing_number, solve, trial_values
from pairgen.arithmetic.exact.evaluate import evaluate, evaluate_text
from pairgen.arithmetic.exact.expression import (
    MAX_LENGTH,
    Binary,
    Brackets,
    Expr,
    Negative,
    render,
    substitute,
    variables,
)
from pairgen.arithmetic.exact.literals import Literal, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio, equal, lowest_terms
from pairgen.arithmetic.exact.verification import Verification, is_one_number, verify
from pairgen.arithmetic.labels import (
    NO_CALCULATION,
    NO_MATCH,
    NO_VALUE,
    OTHER_VALUE,
    STATED,
    UNCLEAR,
    UNSUPPORTED,
    Unverified,
)
from pairgen.arithmetic.reading import border, formulas, latex, notation, prose, sentence
from pairgen.arithmetic.reading.plain import calculation_before, to_ascii
from pairgen.arithmetic.reading.steps import Found, Step, step_of

MAX_EQUATIONS = 8
"""Maximum number of equations tried to derive the value of a variable, nearest first."""


_AROUND = "& \n.,;"
"""Characters around a right side in LaTeX."""


class Solution:
    """A solution whose reasoning ends at ``stop``; ``answer`` is the value of its final answer, if that is a number.

    ``found`` holds the results in the reasoning: the ``annotated`` ones, if the source marks its results, else those
    found in the text.
    """

    def __init__(
        self, text: str, stop: int, answer: Ratio | None = None, annotated: Sequence[Step] | None = None
    ) -> None:
        self.text = text
        self.stop = stop
        self.answer = answer
        self.annotated = annotated is not None
        self.is_latex = "\\" in text or ("{" in text and "{,}" in text)
        self.visible = formulas.masked(notation.canonical(text))
        self.found: Sequence[Found]
        if annotated is not None:
            self.found = [step for step in annotated if step.stop <= stop]
        else:
            self.found = self.found_in_text()

    def found_in_text(self) -> Sequence[Found]:
        """The results that the text itself shows, in order, whether or not the source marks results."""
        return formulas.find(self.visible, self.stop) if self.is_latex else prose.find(self.visible, self.stop)

    @property
    def steps(self) -> list[Step]:
        """The results, in order."""
        return [step_of(found) for found in self.found]

    @cached_property
    def values(self) -> Mapping[str, Ratio]:
        """The value of each variable: the last one stated; for x, the final answer if none is stated."""
        values = {} if self.answer is None else dict.fromkeys("xX", self.answer)
        stated = [
            (step.variable, self.visible[step.start : step.stop], step.negated)
            for step in (self.steps if self.is_latex else ())
            if step.role == "value"
        ]
        stated += [(letter, literal, False) for letter, literal in prose.values(self.visible, self.stop)]
        for letter, written, negated in stated:
            literal = parse_literal(written)
            if literal is not None:
                values[letter] = _signed(literal, negated)
        return values

    def check(self, step: Step) -> Verification:
        """Verify that the result of a step is correct.

        Raises:
            Unverified: with the reason.
        """
        written = self.text[step.start : step.stop]
        if step.sign < 0:
            verification = _verify_plain(step.calculation, written, step.percent)
            if verification is None:
                if is_one_number(step.calculation):
                    raise Unverified(NO_CALCULATION)
                raise Unverified(NO_MATCH, evaluate_text(to_ascii(step.calculation)))
            return verification
        if not self.is_latex and not step.negated and not step.variable:
            calculation = calculation_before(self.visible, step.sign)
            if calculation is not None:
                verification = _verify_plain(calculation, written, step.percent)
                if verification is not None:
                    return verification
        literal = parse_literal(written)
        if literal is None:
            raise Unverified(UNSUPPORTED)
        return self._check_thoroughly(step, literal)

    def sides_around(self, step: Step) -> tuple[Expr, tuple[Expr, Expr, Expr]]:
        """The left side of an equation, and its right side with 0, 1 and 2 for the literal of a step in it.

        Raises:
            Unverified: a side cannot be read.
        """
        rights = self._rights(self.visible[step.sign + 1 : step.start], self.visible[step.stop : step.side_stop])
        return self._left(step.sign, None, whole_side=True), rights

    def _check_thoroughly(self, step: Step, literal: Literal) -> Verification:
        if step.role == "value":
            expr, substituted = self._solved(step, literal), True
        elif step.role == "term":
            expr, substituted = self._missing_term(step, literal), True
        else:
            expr, substituted = self._calculation(step.sign, None if step.negated else literal)
        if step.negated:
            expr = Negative(Brackets(expr))
        text, value = _rendered(expr)
        return verify(text, value, literal, step.percent, substituted)

    def _calculation(self, sign: int, literal: Literal | None) -> tuple[Expr, bool]:
        r"""The calculation that ends at an equals sign, and whether its variables were replaced by values.

        If a variable has no value, the result may still not depend on it: ``\frac{x}{2x}`` is a half.
        """
        values = self.values
        try:
            expr = self._left(sign, frozenset(values))
        except Unverified as error:
            if error.reason != NO_VALUE or literal is None:
                raise
            expr = self._left(sign, None)
            letters = variables(expr)
            values = trial_values(letters, self.values, 0)
            if not is_one_number(render(substitute(expr, values))):
                for trial in range(TRIALS):
                    value = evaluate(expr, trial_values(letters, self.values, trial))
                    if value is None or not equal(value, literal.value):
                        raise Unverified(NO_VALUE) from None
        has_variables = bool(variables(expr))
        closed = substitute(expr, values) if has_variables else expr
        if not isinstance(closed, Binary) and is_one_number(render(closed)):
            raise Unverified(NO_CALCULATION)
        return closed, has_variables

    def _solved(self, step: Step, literal: Literal) -> Expr:
        """Solve the nearest earlier equation that is linear in the variable of a step and gives the value stated."""
        if border.is_assumed(self.visible, step.start):
            raise Unverified(STATED)
        value = _signed(literal, step.negated)
        last = self.values.get(step.variable)
        if last is None or not equal(last, value):  # one of two roots, or another case
            raise Unverified(OTHER_VALUE)
        if not literal.numerator:  # many equations hold for 0, whatever the other values
            raise Unverified(NO_VALUE)
        stated = lowest_terms(literal.value).removesuffix("/1")
        reason, other = NO_VALUE, None
        for expr in self.solutions_before(step):
            if render(expr).strip("()") != stated:  # repeating a value does not verify it
                solved = evaluate(expr)
                if solved is not None and equal(solved, value):
                    return expr
                reason, other = NO_MATCH, solved
        raise Unverified(reason, other)

    def solutions_before(self, step: Step) -> Iterator[Expr]:
        """The values that the earlier equations give the variable of a step, nearest first."""
        sign = step.sign
        known = frozenset({*self.values, step.variable})
        for _ in range(MAX_EQUATIONS):
            sign = self.visible.rfind("=", 0, sign)
            if sign < 1:
                return
            reach = min(self.stop, sign + sentence.WINDOW)
            if self.visible[sign - 1] in "<>!≤≥≠":
                continue
            border = _END_OF_SIDE.search(self.visible, sign + 1, reach)
            end = border.start() if border else reach
            if step.variable not in self.visible[max(0, sign - sentence.WINDOW) : end]:
                continue
            try:
                left = self._left(sign, known, whole_side=True)
                solved = solve(left, self._right(self.visible[sign + 1 : end], known), step.variable, self.values)
            except Unverified:
                continue
            if solved is not None:
                yield solved

    def _missing_term(self, step: Step, literal: Literal) -> Expr:
        """The number that makes both sides equal when it replaces the literal on the right side, which states it."""
        left, rights = self.sides_around(step)
        return missing_number(left, rights, tuple(self.values.items()), _signed(literal, step.negated))

    def _left(self, sign: int, known: frozenset[str] | None, *, whole_side: bool = False) -> Expr:
        """The expression on the left of an equals sign; ``known`` as in ``latex.read`` and ``sentence.read``."""
        if self.is_latex:
            side = formulas.side_before(self.visible, sign)
            try:
                expr = latex.read(side, known)
            except Unverified:
                if not formulas.is_sentence(side):
                    raise
            else:
                if formulas.continues(self.visible, sign, side):
                    raise Unverified(UNCLEAR)
                return expr
        return sentence.read(sentence.window_before(self.visible, sign), known, whole_side=whole_side)

    def _rights(self, before: str, after: str) -> tuple[Expr, Expr, Expr]:
        """The right side with 0, 1 and 2 between two texts."""
        if self.is_latex:
            try:
                return latex.read_with(before.lstrip(_AROUND), after.rstrip(_AROUND).removesuffix("$"))
            except Unverified:
                if not formulas.is_sentence(f"{before}0{after}"):
                    raise
        zero, one, two = (self._right(f"{before}{digit}{after}", None) for digit in "012")
        return zero, one, two

    def _right(self, side: str, known: frozenset[str] | None) -> Expr:
        """A right side as an expression; ``known`` as in ``_left``."""
        if self.is_latex:
            try:
                return latex.read(side.strip(_AROUND).removesuffix("$"), known)
            except Unverified:
                if not formulas.is_sentence(side):
                    raise
        return sentence.read(sentence.window_before(side, len(side)), known, whole_side=True)


def _signed(literal: Literal, negated: bool) -> Ratio:
    """The value of a literal; ``negated`` if a separate minus precedes it."""
    top, bottom = literal.value
    return (-top if negated else top), bottom


@lru_cache(1 << 12)
def _rendered(expr: Expr) -> tuple[str, Ratio | None]:
    """An expression as text, and its value unless the text is too long to be parsed again."""
    text = render(expr)
    return text, evaluate(expr) if len(text) <= MAX_LENGTH else None


@lru_cache(1 << 16)
def _verify_plain(calculation: str, literal: str, percent: bool) -> Verification | None:
    """Recompute a calculation in plain text; None unless ``literal`` states its result.

    Cached: MetaMath has about 26 solutions per question, so most calculations recur.
    """
    result = parse_literal(literal)
    if result is None:
        return None
    expression = to_ascii(calculation)
    try:
        return verify(expression, evaluate_text(expression), result, percent)
    except Unverified:
        return None


# The end of a right side. Examples: `, ` (but not in `1,500`), ` so`, `\quad`.
_END_OF_SIDE = re.compile(
    r"[=\n;:]|,(?!\d{3})|\.(?!\d)|(?<!\\)\$(?![\d.a-z])|\\(?:[\])\\]|end|q?quad|(?:Long)?[rR]ightarrow|implies)"
    r"| (?:and|so|then|where|which|when|or|if|for|with|because|since|gives|is|are|we|thus|therefore|to)\b",
    re.ASCII,
)
