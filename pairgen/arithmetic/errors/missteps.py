"""Wrong steps: a calculation is changed by one kind of error, and its result is recomputed exactly.

The arithmetic of the new step holds; the step is wrong, since its value differs from the right one. Only verified
calculations in plain text are changed, and the new solution is read again: it must say what was written.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from pairgen.arithmetic.errors.candidates import Candidate
from pairgen.arithmetic.errors.carry import CannotCarry
from pairgen.arithmetic.errors.carry import carry as carry_forward
from pairgen.arithmetic.errors.changes import CannotCorrupt, Change, Corruption, apply, read_as_written
from pairgen.arithmetic.errors.corrupt import verified_candidates
from pairgen.arithmetic.errors.kinds import ERRORS, MOST, Replacement
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.scene import Scene, scene_of, values_in
from pairgen.arithmetic.errors.terms import read_calculation
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.literals import Literal
from pairgen.arithmetic.exact.ratios import Ratio, equal, lowest_terms, reduced
from pairgen.arithmetic.exact.verification import matches, same_magnitude
from pairgen.arithmetic.reading.plain import to_ascii
from pairgen.arithmetic.reading.steps import Step, step_of
from pairgen.arithmetic.solution import Solution

MAX_DECIMALS = 2
"""Decimals of a new value; one with more is not used, since results are exact."""
MAX_IN_FRACTION = 12
"""Largest numerator and denominator of a new fraction."""

MAX_FAILURES = 32
"""Changed calculations of a solution that may fail because its new text is not read as written, or nothing follows with
certainty; real solutions have fewer.
"""

NO_PLAIN = "no verified calculation in plain text"
NO_REWRITE = "no calculation for this kind of error"
NOT_NATURAL = "no natural result for this kind of error"
NOT_CARRIED = "no error can be carried forward"


def missteps(solution: Solution, question: str, rng: RowRng, kind: str, carry: str = "none") -> Iterator[Corruption]:
    """The wrong steps of one kind that a solution allows, in random order; results that state the final answer follow.

    Args:
        question: text of the question; its numbers may be mistaken for others.
        kind: the kind of error, of ``ERRORS``, except ``result`` and ``mixed``.
        carry: how far the error is carried forward, of ``CARRY``.

    Raises:
        CannotCorrupt: there is none.
    """
    maker = _Maker(solution, kind)
    if carry != "none":
        maker.carrier = partial(carry_forward, solution, question, to_answer=carry == "answer")
    made = 0
    rewrite = ERRORS[kind].rewrite
    for group in verified_candidates(solution, question, rng) if rewrite else ():
        ways: list[tuple[Candidate, Scene, tuple[Replacement, ...]]] = []
        for candidate in group:
            step = step_of(solution.found[(candidate.step or 0) - 1])
            scene = scene_of(solution, question, step)
            if rewrite and scene is not None and maker.is_usable(scene, candidate):
                ways += [(candidate, scene, way) for way in rewrite(scene)]
        while ways and maker.attempts - made < MAX_FAILURES:
            corruption = maker.corruption(*ways.pop(rng.below(len(ways))))
            if corruption is not None:
                made += 1
                yield corruption
    if not made:
        raise CannotCorrupt(maker.reason)


_REASONS = (NO_PLAIN, NO_REWRITE, NOT_NATURAL, NOT_CARRIED)
"""Why there is no wrong step, by how far the attempts got."""


class _Maker:
    """Makes corruptions from changed calculations, and remembers how far the attempts got."""

    def __init__(self, solution: Solution, kind: str) -> None:
        self.solution = solution
        self.kind = kind
        self.carrier: Callable[[Step, Literal], list[Change]] | None = None
        """Finds what follows from a wrong value, if errors are carried forward."""
        self._stage = 0
        self.attempts = 0
        """How many new solutions were read."""

    @property
    def reason(self) -> str:
        """Why there is no corruption."""
        return _REASONS[self._stage]

    def _reached(self, reason: str) -> None:
        self._stage = max(self._stage, _REASONS.index(reason))

    def is_usable(self, scene: Scene, candidate: Candidate) -> bool:
        """Whether a calculation is the verified one, and its value is not stated by another calculation as well."""
        verification, value = candidate.verification, scene.calculation.value
        if verification is None or value is None or verification.substituted or scene.is_chained:
            return False
        if not any(equal(verification.value, (factor * value[0], value[1])) for factor in (1, 100)):
            return False
        self._reached(NO_REWRITE)
        return True

    def corruption(
        self, candidate: Candidate, scene: Scene, replacements: tuple[Replacement, ...]
    ) -> Corruption | None:
        """The corruption that a changed calculation gives; None if its result is not natural or cannot be carried."""
        self._reached(NOT_NATURAL)
        verification = candidate.verification
        new = _recomputed(scene, replacements)
        if verification is None or new is None:
            return None
        expression, value = new
        if not equal(verification.value, scene.calculation.value or (0, 1)):  # a percentage: in hundredths
            expression, value = f"100*({expression})", (100 * value[0], value[1])
        most = ERRORS[self.kind].most if len(scene.calculation.operands) == 2 else MOST
        wrong = written(candidate.literal, value, scene, most)
        answer = self.solution.answer
        if wrong is None or str(wrong) == expression.replace(" ", ""):  # `5 / 3 = 5/3` is no result
            return None
        if matches(wrong, verification.value) or (answer and same_magnitude(wrong, answer)):
            return None
        self.attempts += 1
        carried = self._carried(candidate, wrong)
        if carried is None:
            return None
        changes = [Change(start, stop, scene.text[start:stop], text) for start, stop, text in replacements]
        result = Change(candidate.start, candidate.stop, scene.text[slice(*scene.result)], str(wrong), expression)
        every = [*changes, result, *carried]
        if not read_as_written(self.solution, every) or _states_right_value(scene, candidate.literal, every):
            return None
        return Corruption(
            candidate.start,
            candidate.stop,
            result.original,
            result.corrupted,
            verification.stated,
            lowest_terms(wrong.value),
            verification.expression,
            None,
            candidate.strategy,
            candidate.step,
            len(self.solution.found),
            tuple(carried),
            self.kind,
            tuple(changes),
            expression,
        )

    def _carried(self, candidate: Candidate, wrong: Literal) -> list[Change] | None:
        """What follows from the new result; None if that is not certain, or repeats it with other decimals."""
        if self.carrier is None or candidate.step is None:
            return []
        self._reached(NOT_CARRIED)
        if wrong.decimals != candidate.literal.decimals:
            return None
        with suppress(CannotCarry):
            return self.carrier(step_of(self.solution.found[candidate.step - 1]), wrong)[1:]
        return None


def _recomputed(scene: Scene, replacements: tuple[Replacement, ...]) -> tuple[str, Ratio] | None:
    """The changed calculation as ASCII arithmetic, spaced as in the text, and its exact value; None if it has none."""
    start, stop = scene.calculation.span
    changes = [Change(one, other, "", text) for one, other, text in replacements]
    text = apply(scene.text[:stop], changes)
    calculation = read_calculation(text, start, len(text))
    value, expression = calculation.value if calculation else None, to_ascii(text[start:])
    read = evaluate_text(expression)
    return (expression, value) if value and read and equal(read, value) else None


def _states_right_value(scene: Scene, right: Literal, changes: list[Change]) -> bool:
    """Whether the changed step still has the right value somewhere; the new result is another one."""
    start, stop = scene.step
    inside = [change for change in changes if start <= change.start < stop]
    moved = [
        change._replace(
            start=change.start - start,
            stop=change.stop - start,
            corrupted="" if change.start == scene.result[0] else change.corrupted,
        )
        for change in inside
    ]
    return lowest_terms(right.value) in values_in(apply(scene.text[start:stop], moved))


def written(right: Literal, value: Ratio, scene: Scene, most: int) -> Literal | None:
    """An exact value as a result of the same kind as the right one; None if it would not be natural.

    It is positive and of similar size. A whole number stays one, since it may count people; an amount of money may get
    cents; a decimal number may have up to two decimals or none; a fraction may become another one, or a whole number.
    """
    top, bottom = reduced(value)
    right_top, right_bottom = right.value
    one, other = top * right_bottom, right_top * bottom
    if top <= 0 or right.numerator <= 0 or right.negative or max(one, other) > most * min(one, other):
        return None
    if scene.counts and (top, bottom) == (1, 1):  # `1 apples`
        return None
    plain = Literal(top, group_separator="," if top >= 1000 and scene.has_separators else "")
    if bottom == 1:
        has_cents = scene.is_money and right.decimals == MAX_DECIMALS
        return plain._replace(numerator=100 * top, decimals=MAX_DECIMALS) if has_cents else plain
    if right.denominator != 1:
        wrong = right._replace(numerator=top, denominator=bottom)
        return wrong if right.mixed_separator is None and max(top, bottom) <= MAX_IN_FRACTION and wrong.fits() else None
    is_simple = scene.is_measured and len(scene.calculation.operands) == 2
    if not (right.decimals or scene.is_money or is_simple):
        return None
    for decimals in (
        (min(right.decimals or MAX_DECIMALS, MAX_DECIMALS),) if scene.is_money else range(1, MAX_DECIMALS + 1)
    ):
        numerator, rest = divmod(top * 10**decimals, bottom)
        if not rest:
            return plain._replace(numerator=numerator, decimals=decimals)
    is_fraction = is_simple and not (scene.is_money or scene.is_percentage or right.decimals)
    return Literal(top, denominator=bottom) if is_fraction and max(top, bottom) <= MAX_IN_FRACTION else None
