"""A solution that is wrong in several places: the same places, in nested sets, kept as they are or carried forward."""

from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pairgen.arithmetic.errors.candidates import of_step
from pairgen.arithmetic.errors.changes import CannotCorrupt, Change, Corruption, apply
from pairgen.arithmetic.errors.corrupt import Sampler, verified_candidates
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.scene import scene_of
from pairgen.arithmetic.errors.values import CORRUPTIONS
from pairgen.arithmetic.exact.literals import Literal, number_key, parse_literal
from pairgen.arithmetic.labels import NO_MATCH, Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution

MAX_TRIES = 8
"""Wrong values with which an operand is tried."""

TOO_FEW = "too few verified places"
NOT_CARRIED = "no error can be carried forward"
NOT_FALSE = "a calculation is true in spite of an error in it"


class WrongPlaces(NamedTuple):
    """A solution with errors in several places."""

    first: Corruption
    """The error that is first in the text: a wrong result."""
    changes: tuple[Change, ...]
    """All that is changed, in order: errors, and what follows from them. Spans are those of the original text; only the
    first error, and what follows from errors, have an ``expression``."""

    def apply(self, text: str) -> str:
        """``text``, the solution, with all changes."""
        return apply(text, self.changes)


class _Operand(NamedTuple):
    """An operand of a calculation, and where the result of that is."""

    start: int
    stop: int
    literal: Literal
    result: int


class Places:
    """The places where a solution can be made wrong, in a random order of which each level takes the first ones.

    First its verified results from which an error can be carried forward with certainty, those that state the final
    answer last; then its other verified results; then operands of verified calculations behind the first wrong result.

    Args:
        question: text of the question; its numbers are not results.
        method: how a wrong value is sampled, a name in ``CORRUPTIONS``.
    """

    def __init__(self, solution: Solution, question: str, rng: RowRng, method: str = "near") -> None:
        self._solution, self._question, self._method = solution, question, method
        candidates = [candidate for group in verified_candidates(solution, question, rng) for candidate in group]
        sampler = Sampler(solution, rng, method, len(candidates))
        sampler.carry(question, "results")
        carried = sampler.corrupt_each(candidates)
        sampler.carrier = None
        sampler.corrupt_each([candidate for candidate in candidates if candidate not in carried])
        self.results = sampler.corruptions
        """Each wrong result alone, with what follows from it, in the order in which levels take them."""
        self._carried = len(carried)
        self._seed = f"{rng.bits():x}"

    def kept(self, count: int) -> WrongPlaces:
        """The first ``count`` places made wrong, and nothing else changed: later uses, and the answer, stay right.

        Every calculation with an error in it is false then, which exact arithmetic confirms.

        Raises:
            CannotCorrupt: there are not so many places.
        """
        wrong = self._first(min(count, len(self.results)))
        changes = [_error(one) for one in wrong]
        changes[0] = changes[0]._replace(expression=wrong[0].expression)
        results = [one.start for one in wrong]
        self._require_false(changes, results)
        for change in self._operands(changes, results, count - len(wrong)):
            insort(changes, change)
        return WrongPlaces(wrong[0], tuple(changes))

    def carried(self, count: int) -> WrongPlaces:
        """The first ``count`` results made wrong, and later results recomputed; the lines of the answer are unchanged.

        A later place is made wrong in what the earlier errors made of the solution: its calculation may have other
        operands than before, and then its wrong value is another one.

        Raises:
            CannotCorrupt: there are not so many such results, or an error cannot be carried with certainty.
        """
        if count > self._carried:
            raise CannotCorrupt(TOO_FEW)
        wrong = self._first(count)
        changes = list(wrong[0].changes)
        for one in wrong[1:]:
            changes = composed(changes, self._carried_at(one, changes))
            if one.start not in (change.start for change in changes):  # the wrong value is the original one
                raise CannotCorrupt(NOT_FALSE)
        self._require_false(changes, [one.start for one in wrong])
        return WrongPlaces(wrong[0], tuple(changes))

    def _first(self, count: int) -> list[Corruption]:
        """The results of a level, in the order of the text. Raises CannotCorrupt."""
        if not 1 <= count <= len(self.results):
            raise CannotCorrupt(TOO_FEW)
        return sorted(self.results[:count], key=lambda one: one.start)

    def _carried_at(self, place: Corruption, before: Sequence[Change]) -> list[Change]:
        """A wrong value for a result in the changed solution, without an expression, and what follows from it."""
        solution = _changed(self._solution, before)
        start = moved(before, place.start)
        step = place.step or 0
        candidate = of_step(solution, solution.steps[step - 1], step, "") if len(solution.found) >= step else None
        if candidate is None or candidate.start != start or candidate.verification is None:
            raise CannotCorrupt(NOT_CARRIED)
        sampler = Sampler(solution, RowRng(f"{self._seed}-{step}", 0), self._method, 1)
        sampler.carry(self._question, "results")
        corruption = sampler.corrupted(candidate)
        if corruption is None:
            raise CannotCorrupt(NOT_CARRIED)
        error, *carried = corruption.changes
        return [error._replace(expression=None), *carried]

    def _operands(self, wrong: Sequence[Change], results: Sequence[int], count: int) -> list[Change]:
        """Wrong operands behind the first wrong result.

        Args:
            results: where the wrong results are.
        """
        rng = RowRng(self._seed, 1)
        places = list(self._operand_places(wrong[0].stop)) if count > 0 else []
        taken = {number_key(change.corrupted) for change in wrong}
        found: list[Change] = []
        while places and len(found) < count:
            operand = places.pop(rng.below(len(places)))
            for _ in range(MAX_TRIES):
                change = self._wrong_operand(operand, taken, rng)
                if change and self._are_false(sorted([*wrong, *found, change]), [*results, operand.result]):
                    found.append(change)
                    break
        if len(found) < count:
            raise CannotCorrupt(TOO_FEW)
        return found

    def _operand_places(self, after: int) -> Iterable[_Operand]:
        text = self._solution.text
        for step in self._solution.steps:
            scene = scene_of(self._solution, self._question, step) if step.start > after else None
            if scene is None or scene.is_chained or not _is_true(self._solution, step):
                continue
            for term in scene.calculation.operands:
                literal = parse_literal(text[term.number : term.number_stop])
                if term.number > after and literal is not None and not term.fraction:
                    yield _Operand(term.number, term.number_stop, literal, step.start)

    def _wrong_operand(self, operand: _Operand, taken: set[str], rng: RowRng) -> Change | None:
        """An operand replaced by a value that no error has, so that it does not seem to follow from one."""
        wrong = CORRUPTIONS[self._method].sample(operand.literal, None, rng)
        if wrong is None or number_key(str(wrong)) in taken:
            return None
        original = self._solution.text[operand.start : operand.stop]
        change = Change(operand.start, operand.stop, original, str(wrong))
        return change if original == str(operand.literal) != change.corrupted else None

    def _are_false(self, changes: Sequence[Change], results: Iterable[int]) -> bool:
        """Whether the calculations of these results are read, and false, in the changed solution."""
        solution = _changed(self._solution, changes)
        steps = {step.start: step for step in solution.steps}
        found = [steps.get(moved(changes, start)) for start in results]
        return all(step is not None and _is_false(solution, step) for step in found)

    def _require_false(self, changes: Sequence[Change], results: Iterable[int]) -> None:
        """Raise CannotCorrupt unless these results are false."""
        if not self._are_false(changes, results):
            raise CannotCorrupt(NOT_FALSE)


def _error(corruption: Corruption) -> Change:
    return Change(corruption.start, corruption.stop, corruption.original, corruption.corrupted)


def _is_true(solution: Solution, step: Step) -> bool:
    try:
        return not solution.check(step).substituted
    except Unverified:
        return False


def _is_false(solution: Solution, step: Step) -> bool:
    """Whether exact arithmetic says that a result is not that of its calculation."""
    try:
        solution.check(step)
    except Unverified as error:
        return error.reason == NO_MATCH
    return False


def _changed(solution: Solution, changes: Sequence[Change]) -> Solution:
    return Solution(apply(solution.text, changes), moved(changes, solution.stop), solution.answer)


def moved(changes: Iterable[Change], position: int) -> int:
    """Where a position of a text, at the start of a change or outside, is after changes."""
    before = (change for change in changes if change.stop <= position)
    return position + sum(len(change.corrupted) - len(change.original) for change in before)


def composed(changes: Sequence[Change], later: Sequence[Change]) -> list[Change]:
    """Changes of a text, and then changes of the result, as changes of the text.

    A later change replaces an earlier one of the same literal; one that restores the original is left out. Worked
    example, ``a 5 b 7``: 5 becomes 10, and then, in ``a 10 b 7``, 10 becomes 9, and 7 becomes 8. In all, 5 becomes 9
    and 7 becomes 8.
    """
    now = {moved(changes, change.start): change for change in changes}
    found = dict(now)
    for change in later:
        known = now.get(change.start)
        if known is not None:
            found[change.start] = known._replace(corrupted=change.corrupted, expression=change.expression)
        else:
            shift = change.start - _original(changes, change.start)
            found[change.start] = change._replace(start=change.start - shift, stop=change.stop - shift)
    return sorted(change for change in found.values() if change.corrupted != change.original)


def _original(changes: Iterable[Change], position: int) -> int:
    """Where a position outside changes was before them."""
    for change in changes:
        if change.start + len(change.corrupted) <= position:
            position -= len(change.corrupted) - len(change.original)
    return position
