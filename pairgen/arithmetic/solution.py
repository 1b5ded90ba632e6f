r"""A worked solution, and the exact verification of each result it states.

A calculation is read in up to three ways: as plain text by fast patterns, as a sentence token by token, and as LaTeX.
Variables take the values that the solution itself states: ``5x + 3 = 28`` is checked as ``5*5 + 3``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache

from pairgen.arithmetic.exact.equations import TRIALS, is_identity, missing_number, solve, trial_values
from pairgen.arithmetic.exact.evaluate import evaluate, evaluate_text, text_and_value
from pairgen.arithmetic.exact.expression import (
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
from pairgen.arithmetic.exact.systems import Equation, contradicts, determine, letters_of
from pairgen.arithmetic.exact.verification import Verification, is_one_number, matches, verify
from pairgen.arithmetic.labels import (
    CIRCULAR,
    CONTRADICTED,
    NO_CALCULATION,
    NO_MATCH,
    NO_VALUE,
    OTHER_VALUE,
    STATED,
    UNSUPPORTED,
    Unverified,
)
from pairgen.arithmetic.reading import border, formulas, notation, prose, sentence
from pairgen.arithmetic.reading.plain import calculation_before, to_ascii
from pairgen.arithmetic.reading.steps import Found, Step, step_of
from pairgen.arithmetic.sides import Sides

MAX_EQUATIONS = 8
"""Maximum number of equations tried to derive the value of a variable, nearest first."""


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
        self.sides = Sides(self.visible, stop, self.is_latex)
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
        for letter, value, _ in self._stated:
            values[letter] = value
        return values

    @cached_property
    def _stated(self) -> list[tuple[str, Ratio, int]]:
        """Each value that is stated for a variable, and its position."""
        stated = [
            (step.variable, step.start, step.stop, step.negated)
            for step in (self.steps if self.is_latex else ())
            if step.role == "value"
        ]
        stated += [(letter, *span, False) for letter, span in prose.values(self.visible, self.stop)]
        return [
            (letter, _signed(literal, negated), start)
            for letter, start, stop, negated in stated
            if (literal := parse_literal(self.visible[start:stop])) is not None
        ]

    @cached_property
    def _known_from(self) -> Mapping[str, int]:
        """Where the value of each variable is first stated; -1 if it is the final answer, which is taken for right."""
        first: dict[str, int] = {}
        for letter, value, position in self._stated:
            if equal(value, self.values[letter]):
                first[letter] = min(position, first.get(letter, position))
        answers = {letter for letter, value in self.values.items() if self.answer and equal(value, self.answer)}
        return {letter: -1 if letter in answers else first.get(letter, -1) for letter in self.values}

    @cached_property
    def _equations(self) -> list[tuple[int, Equation]]:
        return list(self.sides.equations(frozenset(self.values)))

    def _stated_after(self, position: int, letters: frozenset[str]) -> frozenset[str]:
        """Those of some variables whose values are stated only after a position."""
        return frozenset(letter for letter in letters if self._known_from.get(letter, -1) > position)

    def _require_proof(self, used: frozenset[str], position: int, sign: int, within: int) -> None:
        """Require that the values of the variables ``used`` are stated before ``position``, or proved by equations
        before ``within`` other than the one at ``sign``.

        Raises:
            Unverified: the proof would be circular.
        """
        later = self._stated_after(position, used)
        if not later:
            return
        others = [equation for at, equation in self._equations if at != sign and at < within]
        unknown = frozenset(letter for letter, known in self._known_from.items() if known > position) | later
        for letters in (later, unknown):
            rest = [equation for equation in others if not (letters_of(equation) & unknown) - letters]
            if determine(rest, letters, self.values):
                return
        raise Unverified(CIRCULAR)

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
        rights = self.sides.rights(self.visible[step.sign + 1 : step.start], self.visible[step.stop : step.side_stop])
        return self.sides.left(step.sign, None, whole_side=True), rights

    def _check_thoroughly(self, step: Step, literal: Literal) -> Verification:
        used = frozenset[str]()
        if step.role == "value":
            expr, substituted = self._solved(step, literal), True
        elif step.role == "term":
            expr, substituted = self._missing_term(step, literal), True
        else:
            expr, substituted, used = self._calculation(step.sign, None if step.negated else literal)
        if step.negated:
            expr = Negative(Brackets(expr))
        text, value = text_and_value(expr)
        verification = verify(text, value, literal, step.percent, substituted)
        if used:
            before = self.sides.equation_before(step.sign, used)
            if before is not None and contradicts(before, self.values):
                raise Unverified(CONTRADICTED)
            self._require_proof(used, step.sign, step.sign, self.stop)
        return verification

    def _calculation(self, sign: int, literal: Literal | None) -> tuple[Expr, bool, frozenset[str]]:
        r"""The calculation that ends at an equals sign, whether variables were replaced, and those whose values were
        taken from the solution.

        If a variable has no value, the result may still not depend on it: ``\frac{x}{2x}`` is a half.
        """
        values = self.values
        try:
            expr = self.sides.left(sign, frozenset(values))
        except Unverified as error:
            if error.reason != NO_VALUE or literal is None:
                raise
            expr = self.sides.left(sign, None)
            letters = variables(expr)
            values = trial_values(letters, self.values, 0)
            if not is_one_number(render(substitute(expr, values))):
                for trial in range(TRIALS):
                    value = evaluate(expr, trial_values(letters, self.values, trial))
                    if value is None or not equal(value, literal.value):
                        raise Unverified(NO_VALUE) from None
        letters = variables(expr)
        closed = substitute(expr, values) if letters else expr
        if not isinstance(closed, Binary) and is_one_number(render(closed)):
            raise Unverified(NO_CALCULATION)
        return closed, bool(letters), letters if values is self.values else frozenset()

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
        for expr, others in self.solutions_before(step):
            if render(expr).strip("()") != stated:  # repeating a value does not verify it
                solved = evaluate(expr)
                if solved and matches(literal, (-solved[0], solved[1]) if step.negated else solved):
                    if self._is_proved(step, others):
                        return expr
                    reason = CIRCULAR
                    continue
                reason, other = NO_MATCH, solved
        raise Unverified(reason, other)

    def solutions_before(self, step: Step) -> Iterator[tuple[Expr, frozenset[str]]]:
        """What the earlier equations give for the variable of a step, nearest first, and their other variables."""
        sign = step.sign
        known = frozenset({*self.values, step.variable})
        for _ in range(MAX_EQUATIONS):
            sign = self.visible.rfind("=", 0, sign)
            if sign < 1:
                return
            if not self.sides.is_equals(sign):
                continue
            end = self.sides.end(sign)
            if step.variable not in self.visible[max(0, sign - sentence.WINDOW) : end]:
                continue
            try:
                left = self.sides.left(sign, known, whole_side=True)
                right = self.sides.right(self.visible[sign + 1 : end], known)
                solved = solve(left, right, step.variable, self.values)
            except Unverified:
                continue
            if solved is not None:
                yield solved, letters_of((left, right)) - {step.variable}

    def _is_proved(self, step: Step, others: frozenset[str]) -> bool:
        """Whether the other variables of an equation are known where it is solved for that of a step."""
        if all(self._known_from.get(letter, -1) < step.start for letter in others):
            return True
        with suppress(Unverified):
            self._require_proof(others | {step.variable}, step.sign - 1, -1, step.sign)
            return True
        return False

    def _missing_term(self, step: Step, literal: Literal) -> Expr:
        """The number that makes both sides equal when it replaces the literal on the right side, which states it."""
        left, rights = self.sides_around(step)
        stated = _signed(literal, step.negated)
        expr = missing_number(left, rights, tuple(self.values.items()), stated)
        used = letters_of((left, rights[0]))
        if self._stated_after(step.sign, used) and not is_identity(left, rights, used, stated):
            self._require_proof(used, step.sign, step.sign, self.stop)
        return expr


def _signed(literal: Literal, negated: bool) -> Ratio:
    """The value of a literal; ``negated`` if a separate minus precedes it."""
    top, bottom = literal.value
    return (-top if negated else top), bottom


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
