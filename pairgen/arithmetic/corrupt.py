"""Draw one wrong result for a worked solution, and prove it wrong where exact arithmetic can."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from pairgen.arithmetic.draws import Draws
from pairgen.arithmetic.evaluate import evaluate, states
from pairgen.arithmetic.numbers import NUMBER, Literal, Ratio, equal, lowest_terms, parse
from pairgen.arithmetic.steps import Step, calculation_of, plain
from pairgen.edits import Edit
from pairgen.records import Drop, Rejection

MAX_DRAWS = 32
"""Wrong values tried for one place before it is given up."""

_STATED_VALUE = re.compile(rf"= *[$€£¥]? ?(-?{NUMBER}(?:/\d+)?)(?![\d.,]*\d| *[-+*/×÷^(]|[a-zA-Z]\b)", re.ASCII)
_NUMBER_IN_REASONING = re.compile(rf"(?<![\w.,/:-])({NUMBER})(?![\w/:%-]|[.,]\d)", re.ASCII)
_GIVEN = re.compile(NUMBER, re.ASCII)


class Proof(NamedTuple):
    """What exact arithmetic says of a stated result.

    ``expression`` is in ASCII, ``value`` its exact value in the literal's unit, ``stated`` that of the literal as p/q
    (the two differ where the result is rounded).
    """

    expression: str
    value: Ratio
    stated: str


@lru_cache(1 << 16)
def prove(calculation: str, literal: str, percent: bool) -> Proof | None:
    """Recompute a calculation; None unless ``literal`` states its result rightly.

    A result with a percent sign is read first as hundredths (``1/4 = 25%``: ``100*(1/4)`` is 25), then as the bare
    number (``1/4 * 100 = 25%``), so that ``expression`` always has the value of the literal as it is written.

    Answers are kept: MetaMath asks each question some 26 times, so most calculations come again and again.
    """
    result = parse(literal)
    expression = plain(calculation)
    value = evaluate(expression)
    if value is None or result is None:
        return None
    stated = lowest_terms(result.value)
    hundredfold = (value[0] * 100, value[1])
    if percent and states(result, hundredfold):
        return Proof(f"100*({expression})", hundredfold, stated)
    return Proof(expression, value, stated) if states(result, value) else None


def near(right: Literal, draws: Draws) -> Literal:
    """A different number of like size and the same format: up to a third away, in steps as round as the number is.

    ``47`` may become 32 to 62, ``1,500`` becomes ``1,200`` but never ``1,501``, ``15.20`` moves by dimes. Sign,
    decimals, separators and denominator stay; a count stays positive.
    """
    units = right.units
    grain = 1
    while units >= grain * 50 and units % (grain * 10) == 0:
        grain *= 10
    size = units // grain
    bits = draws.bits()
    move = 1 + (bits >> 1) % max(3, size // 3)
    moved = units - move * grain if bits & 1 and move < size else units + move * grain
    return Literal(moved, right.decimals, right.negative, right.grouped, right.bare_point, right.over)


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
    left = list(range(1, last))  # all but the last, in random order, drawn one by one: most need one draw
    while left or last:
        if left:
            number = left.pop(draws.below(len(left))) if len(left) > 1 else left.pop()
            strategy = "result"
        else:
            number, last, strategy = last, 0, "last-result"
        step = steps[number - 1]
        literal = text[step.start : step.stop]
        right = parse(literal)
        if right is None:
            continue
        calculation = calculation_of(text, step)
        proof = prove(calculation, literal, step.percent) if calculation is not None else None
        attempt = Attempt(strategy, step.start, step.stop, right, proof, number)
        if proof is None:
            unproved.append(attempt)
        else:
            yield attempt
    yield from unproved
    yield from _outside_calculations(text, stop, question, draws)


def _outside_calculations(text: str, stop: int, question: str, draws: Draws) -> Iterator[Attempt]:
    given = set(_GIVEN.findall(question))
    for strategy, pattern in (("stated-value", _STATED_VALUE), ("number", _NUMBER_IN_REASONING)):
        found = [match.span(1) for match in pattern.finditer(text, 0, stop) if match.group(1) not in given]
        while found:
            start, end = found.pop(draws.below(len(found)))
            right = parse(text[start:end])
            if right is not None:
                yield Attempt(strategy, start, end, right)


def _wrong(attempt: Attempt, answer: Ratio | None, draws: Draws) -> Literal | None:
    """A wrong value for the place; None if ``MAX_DRAWS`` draws gave none that may stand there."""
    right, proof = attempt.right, attempt.proof
    for _ in range(MAX_DRAWS):
        wrong = near(right, draws)
        if answer is not None and equal(wrong.value, answer):
            continue
        if proof is None or not states(wrong, proof.value):
            return wrong
    return None


def _rejection(text: str, attempt: Attempt, wrong: Literal, steps: int) -> Rejection:
    strategy, start, stop, _, proof, number = attempt
    corrupted = str(wrong)
    return Rejection(
        text[:start] + corrupted + text[stop:],
        Edit(start, stop, start + len(corrupted)),
        text[start:stop],
        corrupted,
        proof.stated if proof else None,
        lowest_terms(wrong.value) if proof else None,
        proof.expression if proof else None,
        "verified" if proof else "unchecked",
        strategy,
        number,
        steps if number else None,
    )
