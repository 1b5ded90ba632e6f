"""Draw one wrong result for a worked solution, and prove it wrong where exact arithmetic can."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from pairgen.arithmetic.draws import Draws
from pairgen.arithmetic.evaluate import evaluate, states
from pairgen.arithmetic.numbers import NUMBER, Literal, Ratio, equal, lowest_terms, parse
from pairgen.arithmetic.steps import Step, plain
from pairgen.edits import Edit
from pairgen.records import Drop, Rejection

T = TypeVar("T")

MAX_DRAWS = 32
"""Wrong values tried for one place before it is given up."""

_STATED_VALUE = re.compile(rf"= *[$€£¥]? ?(-?{NUMBER}(?:/\d+)?)(?![\d.,]*\d| *[-+*/×÷^(]|[a-zA-Z]\b)", re.ASCII)
_NUMBER_IN_REASONING = re.compile(rf"(?<![\w.,/:-])({NUMBER})(?![\w/:%-]|[.,]\d)", re.ASCII)
_GIVEN = re.compile(NUMBER, re.ASCII)


class Proof(NamedTuple):
    """What exact arithmetic says of a stated result: ``expression`` in ASCII, and its value in the literal's unit."""

    expression: str
    value: Ratio


def prove(step: Step, result: Literal) -> Proof | None:
    """Recompute a step; None unless the stated result is right.

    A result with a percent sign is read first as hundredths (``1/4 = 25%``: ``100*(1/4)`` is 25), then as the bare
    number (``1/4 * 100 = 25%``), so that ``expression`` always has the value of the literal as it is written.
    """
    expression = plain(step.calculation)
    value = evaluate(expression)
    if value is None:
        return None
    if step.percent and states(result, (value[0] * 100, value[1])):
        return Proof(f"100*({expression})", (value[0] * 100, value[1]))
    return Proof(expression, value) if states(result, value) else None


def near(right: Literal, draws: Draws) -> Literal:
    """A different number of like size and the same format: up to a third away, in steps as round as the number is.

    ``47`` may become 32 to 62, ``1,500`` becomes ``1,200`` but never ``1,501``, ``15.20`` moves by dimes. Sign,
    decimals, separators and denominator stay; a count stays positive.
    """
    grain = 1
    while right.units % (grain * 10) == 0 and right.units >= grain * 50:
        grain *= 10
    size = right.units // grain
    reach = max(3, size // 3)
    move = 1 + draws.below(reach)
    down = draws.below(2) and move < size
    return right._replace(units=right.units + (-move if down else move) * grain)


class Attempt(NamedTuple):
    """A literal that may be corrupted. ``number`` is that of its step, from 1; None outside any calculation."""

    strategy: str
    start: int
    stop: int
    right: Literal
    proof: Proof | None = None
    number: int | None = None


def corrupt(
    text: str, steps: Sequence[Step], stop: int, question: str, answer: Ratio | None, draws: Draws
) -> Rejection | Drop:
    """Replace one intermediate result of ``text`` by a wrong one; nothing from ``stop`` on is touched.

    Provable results come first, and among them one that is not the last of the solution; then results that could not
    be recomputed; then, for a solution without any calculation, a stated value (``x = 5``) or a number of the reasoning
    that the question does not give. Within a kind the choice is uniform.

    Args:
        text: the solution.
        steps: its results, as ``find_steps`` gives them.
        stop: code point where the reasoning ends and the final-answer lines begin.
        question: what was asked; numbers in it are given, not results.
        answer: exact value of the final answer, which no corrupted value may equal; None if it is no number.
    """
    for attempt in _attempts(text, steps, stop, question, draws):
        wrong = _wrong(attempt, answer, draws)
        if wrong is not None:
            return _rejection(text, attempt, wrong, len(steps))
    return Drop("no number to corrupt")


def _attempts(text: str, steps: Sequence[Step], stop: int, question: str, draws: Draws) -> Iterator[Attempt]:
    unproved = []
    last = len(steps)
    for numbers in (range(1, last), range(last, last + 1) if steps else ()):
        for number in _shuffled(numbers, draws):
            step = steps[number - 1]
            right = parse(text[step.start : step.stop])
            if right is None:
                continue
            proof = prove(step, right) if step.calculation else None
            strategy = "result" if number < last else "last-result"
            attempt = Attempt(strategy, step.start, step.stop, right, proof, number)
            if proof:
                yield attempt
            else:
                unproved.append(attempt)
    yield from unproved
    given = set(_GIVEN.findall(question))
    for strategy, pattern in (("stated-value", _STATED_VALUE), ("number", _NUMBER_IN_REASONING)):
        found = [match.span(1) for match in pattern.finditer(text, 0, stop) if match.group(1) not in given]
        for start, end in _shuffled(found, draws):
            right = parse(text[start:end])
            if right is not None:
                yield Attempt(strategy, start, end, right)


def _shuffled(items: Iterable[T], draws: Draws) -> Iterator[T]:
    """The items in random order, drawn one by one: most callers stop at the first."""
    left = list(items)
    while left:
        yield left.pop(draws.below(len(left)) if len(left) > 1 else 0)


def _wrong(attempt: Attempt, answer: Ratio | None, draws: Draws) -> Literal | None:
    """A wrong value for the place; None if ``MAX_DRAWS`` draws gave none that may stand there."""
    for _ in range(MAX_DRAWS):
        wrong = near(attempt.right, draws)
        value = wrong.value
        if answer is not None and equal(value, answer):
            continue
        if attempt.proof is not None and states(wrong, attempt.proof.value):
            continue
        return wrong
    return None


def _rejection(text: str, attempt: Attempt, wrong: Literal, steps: int) -> Rejection:
    strategy, start, stop, right, proof, number = attempt
    corrupted = str(wrong)
    return Rejection(
        text[:start] + corrupted + text[stop:],
        Edit(start, stop, start + len(corrupted)),
        text[start:stop],
        corrupted,
        lowest_terms(right.value) if proof else None,
        lowest_terms(wrong.value) if proof else None,
        proof.expression if proof else None,
        "verified" if proof else "unchecked",
        strategy,
        number,
        steps if number else None,
    )
