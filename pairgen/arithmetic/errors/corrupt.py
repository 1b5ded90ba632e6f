"""Choose results to corrupt, replace them with wrong values, and verify the replacements where possible."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property, partial
from itertools import islice

from pairgen.arithmetic import labels
from pairgen.arithmetic.errors.candidates import Candidate, is_condition, of_step, outside_calculations, question_values
from pairgen.arithmetic.errors.carry import CannotCarry
from pairgen.arithmetic.errors.carry import carry as carry_forward
from pairgen.arithmetic.errors.changes import CannotCorrupt, Change, Corruption
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.values import CORRUPTIONS
from pairgen.arithmetic.exact.literals import Literal, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio, equal, lowest_terms
from pairgen.arithmetic.exact.verification import matches, same_magnitude
from pairgen.arithmetic.false_steps import combined_values, is_form_of, recomputed_values
from pairgen.arithmetic.reading.steps import Step, literal_text, step_of
from pairgen.arithmetic.solution import Solution

MAX_SAMPLES = 32
"""Wrong values sampled for one candidate before it is skipped."""
MAX_CARRIED = 8
"""Wrong values with which carrying an error forward is tried, for one candidate."""
MAX_CHECKED = 256
"""Maximum number of results verified per solution and group; real solutions have fewer."""


def corrupt(
    solution: Solution, question: str, rng: RowRng, method: str = "near", count: int = 1, carry: str = "none"
) -> list[Corruption]:
    """Corrupt a solution ``count`` times, one value each time; text from ``solution.stop`` on is not changed, unless
    errors are carried to the answer.

    Groups of candidates, in order of priority: verified results, first those that do not state the final answer, last
    the conditions of the solution (``set x - 3 = 0``); results that could not be verified; a stated value (``x = 5``)
    or another number in the reasoning that is not in the question; numbers of the question repeated in an equation.
    The choice within a group is uniform, and all corruptions come from the first group that has any.

    Args:
        question: text of the question; its numbers are not results.
        method: how a wrong value is sampled, a name in ``CORRUPTIONS``.
        count: number of corruptions; they differ in position or value, and are fewer if the group has no more.
        carry: how far an error is carried forward, of ``CARRY``; if it is, only verified results are corrupted.

    Raises:
        CannotCorrupt: the solution has no value to corrupt, or no error can be carried with certainty.
    """
    sampler = Sampler(solution, rng, method, count)
    sampler.carry(question, carry)
    for group in _Candidates(solution, question, rng).groups():
        remaining = sampler.corrupt_each(group)
        while (
            remaining and len(sampler.corruptions) < count
        ):  # each candidate has been used; sample another value for each
            remaining = sampler.corrupt_each(remaining)
        if sampler.corruptions:
            return sampler.corruptions
    raise CannotCorrupt("no number to corrupt" if carry == "none" else "no error can be carried forward")


def verified_candidates(solution: Solution, question: str, rng: RowRng) -> Iterator[Iterable[Candidate]]:
    """The verified results of a solution, in random order: first those that do not state the final answer."""
    return islice(_Candidates(solution, question, rng).groups(), 2)


class Sampler:
    """Samples wrong values for the candidates of one solution until it has ``count`` corruptions."""

    def __init__(self, solution: Solution, rng: RowRng, method: str, count: int) -> None:
        self.solution = solution
        self.rng = rng
        self.method = method
        self.count = count
        self.corruptions: list[Corruption] = []
        self.carrier: Callable[[Step, Literal], list[Change]] | None = None
        """Finds what follows from a wrong value, if errors are carried forward."""

    def carry(self, question: str, carry: str) -> None:
        """Carry errors forward from here on, as far as ``carry`` says, of ``CARRY``."""
        if carry != "none":
            self.carrier = partial(carry_forward, self.solution, question, to_answer=carry == "answer")

    def corrupt_each(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Corrupt each candidate in turn; returns those that succeeded."""
        succeeded = []
        for candidate in candidates:
            corruption = self.corrupted(candidate)
            if corruption is not None:
                self.corruptions.append(corruption)
                succeeded.append(candidate)
                if len(self.corruptions) == self.count:
                    break
        return succeeded

    def corrupted(self, candidate: Candidate) -> Corruption | None:
        """A candidate with a wrong value, which is carried forward if errors are; None if that failed."""
        if self.carrier is None:
            wrong = self._wrong_value(candidate)
            return None if wrong is None else self._corruption(candidate, wrong)
        if candidate.verification is None or candidate.step is None:
            return None
        step = step_of(self.solution.found[candidate.step - 1])
        for _ in range(MAX_CARRIED):
            wrong = self._wrong_value(candidate)
            if wrong is None:
                return None
            with suppress(CannotCarry):
                _, *carried = self.carrier(step, wrong)
                return self._corruption(candidate, wrong)._replace(carried=tuple(carried))
        return None

    def _wrong_value(self, candidate: Candidate) -> Literal | None:
        """A wrong value for a candidate; None if ``MAX_SAMPLES`` attempts gave none."""
        literal, verification, answer = candidate.literal, candidate.verification, self.solution.answer
        expression = verification.expression if verification else None
        sample = CORRUPTIONS[self.method].sample
        for attempt in range(MAX_SAMPLES):
            if attempt == MAX_SAMPLES // 2:
                sample = CORRUPTIONS["near"].sample  # another operation may give no usable value
            wrong = sample(literal, expression, self.rng)
            if wrong is None or (answer is not None and same_magnitude(wrong, answer)):
                continue
            if matches(wrong, verification.value) if verification else equal(wrong.value, literal.value):
                continue
            if verification is None and self._may_be_right(candidate, wrong):
                continue
            if not self._is_repeated(candidate, wrong):
                return wrong
        return None

    def _may_be_right(self, candidate: Candidate, wrong: Literal) -> bool:
        """Whether a value may be what the solution should have stated in place of an unverified number."""
        if any(is_form_of(wrong, value) for value in self._recomputed):
            return True
        return any(matches(wrong, value) for value in combined_values(self.solution.visible, candidate.start))

    @cached_property
    def _recomputed(self) -> list[Ratio]:
        """Values that no unverified number may become: what the solution should have stated somewhere."""
        return recomputed_values(self.solution)

    def _is_repeated(self, candidate: Candidate, wrong: Literal) -> bool:
        return any(candidate.start == other.start and str(wrong) == other.corrupted for other in self.corruptions)

    def _corruption(self, candidate: Candidate, wrong: Literal) -> Corruption:
        strategy, start, stop, _, verification, reason, step = candidate
        return Corruption(
            start,
            stop,
            self.solution.text[start:stop],
            str(wrong),
            verification.stated if verification else None,
            lowest_terms(wrong.value) if verification else None,
            verification.expression if verification else None,
            reason,
            strategy,
            step,
            len(self.solution.found) if step else None,
        )


_UNVERIFIED = (labels.RESULT, labels.COMBINED_TERM, labels.STATED_VALUE)
"""Groups of results that could not be verified, best first."""
_LAST_RESORT = ("repeated", "repeated, unverified", "assumed")
"""Groups of numbers that repeat the question, and of values that are only assumed: ``if x = 3``."""


class _Candidates:
    """The candidates of a solution, in groups; lazy, so that no more results are verified than needed."""

    def __init__(self, solution: Solution, question: str, rng: RowRng) -> None:
        self.solution = solution
        self.question = question
        self.rng = rng
        self.deferred: dict[str, list[Candidate]] = {}
        """Group -> candidates found while verifying that belong to a later group."""

    def groups(self) -> Iterator[Iterable[Candidate]]:
        """All groups, best first; the candidates of a group are in random order."""
        total = len(self.solution.found)
        inner = total - _count_final(self.solution)
        yield self._verified(list(range(1, inner + 1)), "")
        yield self._verified(list(range(inner + 1, total + 1)), labels.LAST_RESULT)
        for group in (labels.CONDITION, *_UNVERIFIED):
            yield self.deferred.get(group, ())
        yield from outside_calculations(self.solution, self.question, self.rng)
        for group in _LAST_RESORT:
            yield self.deferred.get(group, ())

    def _verified(self, steps: list[int], strategy: str) -> Iterator[Candidate]:
        """The candidates among ``steps`` that can be verified; the others are deferred."""
        found = self.solution.found
        for _ in range(min(len(steps), MAX_CHECKED)):
            number = steps.pop(self.rng.below(len(steps))) if len(steps) > 1 else steps.pop()
            candidate = of_step(self.solution, step_of(found[number - 1]), number, strategy)
            if candidate is None:
                continue
            if candidate.verification is None:
                self._defer(self._unverified_group(candidate), candidate)
            elif candidate.verification.substituted and self._repeats_question(candidate):
                self._defer("repeated", candidate._replace(strategy=labels.GIVEN))
            elif candidate.verification.substituted and is_condition(self.solution, candidate, found[number - 1]):
                self._defer(labels.CONDITION, candidate._replace(strategy=labels.CONDITION))
            else:
                yield candidate

    def _defer(self, group: str, candidate: Candidate) -> None:
        self.deferred.setdefault(group, []).append(candidate)

    def _unverified_group(self, candidate: Candidate) -> str:
        strategy = candidate.strategy
        found = self.solution.found[(candidate.step or 1) - 1]
        states_answer = strategy == labels.LAST_RESULT and self.solution.answer is not None
        if not states_answer and is_condition(self.solution, candidate, found):
            return "assumed"
        if self._repeats_question(candidate):
            return "repeated, unverified"
        return strategy if strategy in _UNVERIFIED else labels.RESULT

    def _repeats_question(self, candidate: Candidate) -> bool:
        """Whether the number is in the question, and is not a statement of the final answer."""
        if lowest_terms(candidate.literal.value) not in question_values(self.question):
            return False
        answer = self.solution.answer
        is_answer = (
            candidate.strategy in (labels.LAST_RESULT, labels.STATED_VALUE)
            and answer is not None
            and same_magnitude(candidate.literal, answer)
        )
        return not is_answer


def _count_final(solution: Solution) -> int:
    """Number of results at the end that state the final answer; 1 if the answer is not a number."""
    found, answer = solution.found, solution.answer
    if answer is None:
        return min(1, len(found))
    for count in range(len(found)):
        stated = parse_literal(literal_text(found[-1 - count], solution.visible))
        if stated is None or not same_magnitude(stated, answer):
            return count
    return len(found)
