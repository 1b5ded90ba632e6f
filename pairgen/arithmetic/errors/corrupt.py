"""Choose results of a worked solution, put wrong values in their places, and prove them wrong where arithmetic can."""

from collections.abc import Iterable, Iterator
from math import gcd
from typing import NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.values import CORRUPTIONS, Draw
from pairgen.arithmetic.exact.evaluate import states
from pairgen.arithmetic.exact.numbers import Literal, Ratio, equal, lowest_terms, parse
from pairgen.arithmetic.exact.proof import Proof
from pairgen.arithmetic.reading.places import Place, given_values, outside_calculations
from pairgen.arithmetic.reading.steps import Step, step_of, written
from pairgen.arithmetic.solution import Solution, is_supposed

MAX_DRAWS = 32
"""Wrong values tried for one place before it is given up."""
MAX_LOOKED_AT = 256
"""Results of one solution that are checked until one will do; no solution that people write has as many."""
STRATEGIES = {
    "result": "the result of a calculation",
    "equation": "the result of an equation, its unknowns replaced by their values",
    "collected": "a number that a side is summed up to, its unknown left in",
    "solved-value": "the value of an unknown that an equation above it gives",
    "last-result": "the last result of the solution, which states the final answer",
    "stated-value": "a value that is stated without a calculation",
    "number": "a number of the reasoning, where there is no result",
    "restated": "a number of the question that an equation repeats",
}
"""Which rule found the corrupted place; the first four are tried alike, ``restated`` where there is nothing else."""


class CannotCorrupt(Exception):
    """A solution has no value that could be replaced by a wrong one; ``reason`` names the kind and no row."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Corruption(NamedTuple):
    """One value of a solution replaced by a wrong one: ``text[start:stop]``, ``original``, becomes ``corrupted``.

    If it is verified, exact arithmetic says that ``original`` states the value of ``expression`` and ``corrupted`` does
    not; both values are given as p/q in lowest terms, and ``reason`` is None. Else ``reason`` says why it is not, and
    the values and the expression are None.
    ``step`` is which of the solution's ``steps`` results it is, from 1; both are None for a value that is no result.
    """

    start: int
    stop: int
    original: str
    corrupted: str
    original_value: str | None
    corrupted_value: str | None
    expression: str | None
    reason: str | None
    strategy: str
    step: int | None
    steps: int | None

    @property
    def verified(self) -> bool:
        """Whether exact arithmetic confirms both the original value and the corruption."""
        return self.expression is not None

    def apply(self, text: str) -> str:
        """The solution with the corrupted value in place of the original."""
        return f"{text[: self.start]}{self.corrupted}{text[self.stop :]}"


def corrupt(solution: Solution, question: str, rng: RowRng, method: str = "near", count: int = 1) -> list[Corruption]:
    """Replace one intermediate result by a wrong one, ``count`` times; nothing from ``solution.stop`` on is touched.

    Provable results come first, and among them those that do not state the final answer; then results that could not be
    checked; then, for a solution without any, a stated value (``x = 5``) or a number of the reasoning that the question
    does not give; last what an equation repeats of the question. Within a kind the choice is uniform.

    Args:
        question: what was asked; numbers in it are given, not results.
        method: how a wrong value is sampled, a name in ``CORRUPTIONS``.
        count: corruptions wanted; they differ in place or value, and there are fewer where a kind has no more.

    Raises:
        CannotCorrupt: the solution has no value to corrupt.
    """
    draw = CORRUPTIONS[method].draw
    made: list[Corruption] = []
    for kind in _kinds(solution, question, rng):
        used = _use(kind, made, solution, rng, draw, count)
        while used and len(made) < count:  # each place had one; now another value each
            used = _use(used, made, solution, rng, draw, count)
        if made:
            return made
    raise CannotCorrupt("no number to corrupt")


def _use(
    places: Iterable[Place], made: list[Corruption], solution: Solution, rng: RowRng, draw: Draw, count: int
) -> list[Place]:
    """Add a corruption for each place until there are ``count``; the places that gave one."""
    used = []
    for place in places:
        wrong = _wrong(place, solution, rng, draw, made)
        if wrong is not None:
            made.append(_corruption(solution, place, wrong))
            used.append(place)
            if len(made) == count:
                break
    return used


def _kinds(solution: Solution, question: str, rng: RowRng) -> Iterator[Iterable[Place]]:
    """All places, kind by kind in the order of preference; in a kind in random order, each found as it is asked for."""
    waiting: dict[str, list[Place]] = {}
    total = len(solution.found)
    inner = total - _final(solution)
    yield _proved(solution, list(range(1, inner + 1)), "", question, rng, waiting)
    yield _proved(solution, list(range(inner + 1, total + 1)), "last-result", question, rng, waiting)
    for rank in _RANKS:
        yield waiting.get(rank, ())
    yield from outside_calculations(solution, question, rng)
    for rank in _LAST_RANKS:
        yield waiting.get(rank, ())


def _proved(
    solution: Solution,
    numbers: list[int],
    strategy: str,
    question: str,
    rng: RowRng,
    waiting: dict[str, list[Place]],
) -> Iterator[Place]:
    """The provable ones of some steps; the others wait, by rank."""
    found = solution.found
    for _ in range(min(len(numbers), MAX_LOOKED_AT)):
        number = numbers.pop(rng.below(len(numbers))) if len(numbers) > 1 else numbers.pop()
        place = _place(solution, step_of(found[number - 1]), number, strategy)
        if place is None:
            continue
        if place.proof is None:
            waiting.setdefault(_rank(place, question, solution), []).append(place)
        elif place.proof.substituted and _is_given(place, question) and not _is_answer(place, solution):
            waiting.setdefault("restated", []).append(place._replace(strategy="restated"))
        else:
            yield place


def _is_given(place: Place, question: str) -> bool:
    """Whether the question has the number already."""
    return lowest_terms(place.right.value) in given_values(question)


def _is_answer(place: Place, solution: Solution) -> bool:
    """Whether a place states the final answer: that is asked for, and no number of the question is it but by chance."""
    return (
        place.strategy in ("last-result", "stated-value")
        and solution.answer is not None
        and _same_size(place.right, solution.answer)
    )


_RANKS = ("result", "collected", "stated-value")
"""Kinds of results that could not be proved, best first."""
_LAST_RANKS = ("restated", "given", "supposed")
"""What only repeats the question, provable or not, and a value that is only tried: ``if x = 3``."""


def _rank(place: Place, question: str, solution: Solution) -> str:
    """The kind of a result that could not be proved."""
    if place.strategy == "stated-value" and is_supposed(solution.text, place.start):
        return "supposed"
    if _is_given(place, question) and not _is_answer(place, solution):
        return "given"
    return place.strategy if place.strategy in ("collected", "stated-value") else "result"


def _final(solution: Solution) -> int:
    """How many results at the end state the final answer; the last counts as such if the answer is no number."""
    found, answer = solution.found, solution.answer
    if answer is None:
        return min(1, len(found))
    for count in range(len(found)):
        stated = parse(written(found[-1 - count], solution.text))
        if stated is None or not _same_size(stated, answer):
            return count
    return len(found)


def _same_size(literal: Literal, value: Ratio) -> bool:
    """Whether a literal has a value but for the sign, which may stand apart in front of it."""
    top, bottom = value
    if literal.decimals or literal.over != 1:
        top *= 10**literal.decimals * literal.over
    return literal.units * bottom in (top, -top)


def _place(solution: Solution, step: Step, number: int, strategy: str) -> Place | None:
    start, stop = step.start, step.stop
    right = parse(solution.text[start:stop])
    if right is None or (right.over != 1 and _is_unfinished(right, step)):
        return None
    proof = solution.check(step)
    if isinstance(proof, Proof):
        if not strategy:
            strategy = "result"
            if step.role:
                strategy = "solved-value" if step.role == "value" else "collected"
            elif proof.substituted:
                strategy = "equation"
        return Place(strategy, start, stop, right, proof, None, number)
    unproved = {"value": "stated-value", "collected": "collected"}.get(step.role, strategy or "result")
    return Place(unproved, start, stop, right, None, proof, number)


def _is_unfinished(fraction: Literal, step: Step) -> bool:
    """Whether a fraction is rather a division that is still to be done: ``x = 300/3``."""
    common = gcd(fraction.units, fraction.over)
    return common == fraction.over or (common != 1 and step.role == "value")


def _wrong(place: Place, solution: Solution, rng: RowRng, draw: Draw, made: list[Corruption]) -> Literal | None:
    """A wrong value for the place; None if ``MAX_DRAWS`` rng gave none that may stand there."""
    right, proof, answer = place.right, place.proof, solution.answer
    expression = proof.expression if proof else None
    for attempt in range(MAX_DRAWS):
        if attempt == MAX_DRAWS // 2:
            draw = CORRUPTIONS["near"].draw  # another operation may give nothing that can stand there
        wrong = draw(right, expression, rng)
        if wrong is None or (answer is not None and _same_size(wrong, answer)):
            continue
        if states(wrong, proof.value) if proof else equal(wrong.value, right.value):
            continue
        if made and any(place.start == other.start and str(wrong) == other.corrupted for other in made):
            continue
        return wrong
    return None


def _corruption(solution: Solution, place: Place, wrong: Literal) -> Corruption:
    strategy, start, stop, _, proof, reason, number = place
    return Corruption(
        start,
        stop,
        solution.text[start:stop],
        str(wrong),
        proof.stated if proof else None,
        lowest_terms(wrong.value) if proof else None,
        proof.expression if proof else None,
        reason,
        strategy,
        number,
        len(solution.found) if number else None,
    )
