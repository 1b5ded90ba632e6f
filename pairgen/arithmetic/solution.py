r"""A worked solution, and what exact arithmetic says of each result it states.

A result is checked in up to three readings: as plain text by fast patterns, as a sentence token by token, as LaTeX.
Unknowns are replaced by the values that the solution itself ends with: ``5x + 3 = 28`` is checked as ``5*5 + 3``.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.numbers import Literal, Ratio, equal, lowest_terms, parse
from pairgen.arithmetic.exact.proof import ONE_NUMBER, Proof, judge, prove
from pairgen.arithmetic.exact.unknowns import CHOICES, Chosen, Noting, as_operand, minus, place_of, said_with
from pairgen.arithmetic.reading import formulas, latex, prose, sentence
from pairgen.arithmetic.reading.plain import calculation_before
from pairgen.arithmetic.reading.steps import Found, Step, step_of
from pairgen.arithmetic.reasons import (
    NO_ARITHMETIC,
    NO_CALCULATION,
    NO_VALUE,
    NOT_EXACT,
    NOT_TRUE,
    OTHER_VALUE,
    STATED,
    Unreadable,
)

MAX_EQUATIONS = 8
"""Equations looked at to find where the value of an unknown comes from, the nearest first."""


class Solution:
    """A solution whose reasoning ends at ``stop``; ``answer`` is the value of its final answer, if that is a number.

    ``found`` are the results stated in the reasoning, unless the source itself marks them.
    """

    def __init__(self, text: str, stop: int, answer: Ratio | None = None, marked: Sequence[Step] | None = None) -> None:
        self.text = text
        self.stop = stop
        self.answer = answer
        self.is_latex = "\\" in text
        self.visible = formulas.masked(text)
        self.found: Sequence[Found]
        if marked is not None:
            self.found = [step for step in marked if step.stop <= stop]
        else:
            self.found = formulas.find(self.visible, stop) if self.is_latex else prose.find(self.visible, stop)

    @property
    def steps(self) -> list[Step]:
        """The results, in order."""
        return [step_of(found) for found in self.found]

    @cached_property
    def values(self) -> Mapping[str, str]:
        """The unknowns' values in ASCII arithmetic: what is stated of each last, and the answer for x if nothing is."""
        values = {}
        if self.answer is not None:
            values.update(dict.fromkeys("xX", as_operand(self.answer)))
        stated = [
            (step.unknown, self.text[step.start : step.stop], step.negated)
            for step in (self.steps if self.is_latex else ())
            if step.role == "value"
        ]
        stated += [(letter, literal, False) for letter, literal in prose.values(self.visible, self.stop)]
        for letter, written, negated in stated:
            literal = parse(written)
            if literal is not None:
                top, bottom = literal.value
                values[letter] = as_operand((-top if negated else top, bottom))
        return values

    def check(self, step: Step) -> Proof | str:
        """The proof that a step states its result rightly, or the reason why there is none."""
        if step.sign < 0:
            proof = prove(step.marked, self.text[step.start : step.stop], step.percent)
            if proof is None:
                return NO_CALCULATION if ONE_NUMBER.fullmatch(step.marked) else NOT_TRUE
            return proof
        if not self.is_latex and not step.negated and not step.unknown:
            calculation = calculation_before(self.text, step.sign)
            if calculation is not None:
                proof = prove(calculation, self.text[step.start : step.stop], step.percent)
                if proof is not None:
                    return proof
        return self._check_thoroughly(step)

    def _check_thoroughly(self, step: Step) -> Proof | str:
        result = parse(self.text[step.start : step.stop])
        if result is None:
            return NO_ARITHMETIC
        try:
            if step.role == "value":
                expression, substituted = self._solved(step)
            elif step.role == "collected":
                expression, substituted = self._collected(step), True
            else:
                expression, substituted = self._read(step.sign, result if not step.negated else None)
        except Unreadable as unreadable:
            return str(unreadable)
        if step.negated:
            expression = f"-({expression})"
        return judge(expression, result, step.percent, substituted)

    def _read(self, sign: int, result: Literal | None) -> tuple[str, bool]:
        """The calculation that ends at a sign, and whether values were put into it.

        If an unknown has no value, the calculation may still be of one value for all: ``\frac{x}{2x}`` is a half.
        """
        used = Noting(self.values)
        try:
            return self._left(sign, used), bool(used.asked)
        except Unreadable as unreadable:
            if str(unreadable) != NO_VALUE or result is None:
                raise
        found = [self._left(sign, Chosen(self.values, choice)) for choice in range(CHOICES)]
        for expression in found:
            value = evaluate(expression)
            if value is None or not equal(value, result.value):
                raise Unreadable(NO_VALUE)
        return found[0], True

    def _left(self, sign: int, values: Mapping[str, str], *, single: bool = False) -> str:
        if self.is_latex:
            side = formulas.side_before(self.visible, sign)
            try:
                expression = latex.read(side, values)
            except Unreadable:
                if "\\" in side.replace("\\$", ""):
                    raise
                return sentence.read(sentence.before(self.text, sign), values, single=single)
            if not single and ONE_NUMBER.fullmatch(expression):
                raise Unreadable(NO_CALCULATION)
            return expression
        return sentence.read(sentence.before(self.text, sign), values, single=single)

    def _solved(self, step: Step) -> tuple[str, bool]:
        """Where the value of an unknown comes from: the nearest equation above that is linear in it, solved."""
        if is_supposed(self.text, step.start):
            raise Unreadable(STATED)
        literal = parse(self.text[step.start : step.stop])
        if literal is None or self._ends_otherwise(step, literal):
            raise Unreadable(OTHER_VALUE)
        if not literal.units:  # too many equations hold for 0, whatever the others are
            raise Unreadable(NO_VALUE)
        stated = lowest_terms(literal.value).removesuffix("/1")
        sign = step.sign
        reason = NO_VALUE
        for _ in range(MAX_EQUATIONS):
            sign = self.text.rfind("=", 0, sign)
            if sign < 1:
                break
            try:
                solved = self._root(sign, step.unknown)
            except Unreadable:
                continue
            if solved is not None and solved.strip("()") != stated:  # said before is not proved
                value = evaluate(f"-({solved})" if step.negated else solved)
                if value is not None and equal(value, literal.value):
                    return solved, True
                reason = NOT_TRUE
        raise Unreadable(reason)

    def _ends_otherwise(self, step: Step, literal: Literal) -> bool:
        """Whether another value than this is the last of its unknown: one of two roots, or another case."""
        top, bottom = literal.value
        return self.values.get(step.unknown) != as_operand((-top if step.negated else top, bottom))

    def _collected(self, step: Step) -> str:
        """The number that has to stand in the place of one of several on the right for the sides to be equal.

        Raises if another stands there. Unknowns without a value must not matter: it is so for three choices of theirs.

        The right side must be linear in the number or in its reciprocal, so that every other number makes it wrong.
        """
        literal = parse(self.text[step.start : step.stop])
        found = []
        for choice in range(CHOICES):
            values = Chosen(self.values, choice)
            left = self._left(step.sign, values, single=True)
            zero, one, two = (self._right_with(trial, step, values) for trial in "012")
            expression = place_of(left, zero, one, two)
            value = evaluate(f"-({expression})" if step.negated else expression)
            if value is None:
                raise Unreadable(NOT_EXACT)
            if literal is None or not equal(value, literal.value):
                raise Unreadable(NOT_TRUE)
            found.append(expression)
            if not values.chosen:
                break
        return found[0]

    def _right_with(self, trial: str, step: Step, values: Mapping[str, str]) -> str:
        """The right side of a step with a trial value in the place of its literal."""
        before, after = self.text[step.sign + 1 : step.start], self.text[step.stop : step.side_stop]
        return self._side(f"{before}{trial}{after}", values)

    def _root(self, sign: int, letter: str) -> str | None:
        """The value that an equation gives its unknown, as arithmetic; None if it is not linear in it."""
        reach = min(self.stop, sign + sentence.WINDOW)
        stop = _END_OF_SIDE.search(self.text, sign + 1, reach)
        end = stop.start() if stop else reach
        if letter not in self.text[max(0, sign - sentence.WINDOW) : end]:
            return None
        root = self._linear_root(sign, end, letter, ("1", "2", "3"), "{0}/{1}")
        return root or self._linear_root(sign, end, letter, ("1", "(1/2)", "(1/3)"), "{1}/{0}")

    def _linear_root(self, sign: int, end: int, letter: str, trials: tuple[str, str, str], form: str) -> str | None:
        """The root as arithmetic, if the gap between the sides is linear over the trials.

        These are 1, 2 and 3, of the unknown or of its reciprocal.
        """
        gaps = []
        for trial in trials:
            used = Noting({**self.values, letter: trial})
            left = self._left(sign, used, single=True)
            beside = Noting({**self.values, letter: trial})
            right = self._side(self.text[sign + 1 : end], beside)
            if letter not in used.asked | beside.asked:
                return None
            if left == trial and letter not in beside.asked:
                return None if ONE_NUMBER.fullmatch(right) else right  # x = 300/3 is solved already
            gap = evaluate(f"({left}) - ({right})")
            if gap is None:
                return None
            gaps.append(gap)
        first, second, third = gaps
        slope, again = minus(second, first), minus(third, second)
        top = minus(slope, first)
        if slope[0] == 0 or not equal(slope, again) or (top[0] == 0 and form[1] == "1"):
            return None
        if form[1] == "0" and not beside.asked:  # say it with the right side as written: (12 - 6)/2
            return said_with(right, top, slope)
        if form[1] == "0" and letter not in used.asked:
            return said_with(left, (-top[0], top[1]), (-slope[0], slope[1]))
        if slope[0] < 0:
            slope, top = (-slope[0], slope[1]), (-top[0], top[1])
        return form.format(as_operand(top), as_operand(slope))

    def _side(self, side: str, values: Mapping[str, str]) -> str:
        """A right side as ASCII arithmetic."""
        if self.is_latex:
            try:
                return latex.read(side.strip("& \n.,;"), values)
            except Unreadable:
                if "\\" in side.replace("\\$", ""):
                    raise
        return sentence.read(sentence.before(side, len(side)), values, single=True)


_SUPPOSED = re.compile(
    r"\b(?:if|let|when|where|at|for|sett?ing|set|suppose|assum(?:e|ing)|case|taking|take|tr(?:y|ying)|test(?:ing)?|say"
    r"|whether|see if|given(?: that)?|plug(?:ging)?(?: in)?|substitut(?:e|ing)|occurs|invalid)\b[^.,;:]{0,40}\Z",
    re.IGNORECASE,
)


def is_supposed(text: str, start: int) -> bool:
    """Whether a value is only tried or set: ``if x = 3``."""
    return _SUPPOSED.search(text, max(0, start - 60), start) is not None


_END_OF_SIDE = re.compile(
    r"[=\n;:]|,(?!\d{3})|\.(?!\d)|(?<!\\)\$(?![\d.a-z])|\\(?:[\])\\]|end|q?quad|(?:Long)?[rR]ightarrow|implies)"
    r"| (?:and|so|then|where|which|when|or|if|for|with|because|since|gives|is|are|we|thus|therefore|to)\b",
    re.ASCII,
)
