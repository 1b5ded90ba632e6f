"""Carry an error forward: recompute what follows a wrong value, so that exactly one step of the solution is wrong.

Every later calculation that uses the value is recomputed from the wrong one, its result is replaced, and so on; numbers
that repeat a replaced value follow. An error is carried only where each use is certain, and the new solution is read
again: all its results must be those that were written.
"""

import re

from pairgen.arithmetic.errors.candidates import question_values
from pairgen.arithmetic.errors.changes import Change, read_as_written
from pairgen.arithmetic.errors.values import written_like
from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.expression import parse, render, with_numbers
from pairgen.arithmetic.exact.literals import NUMBER, Literal, key_of, number_key, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio, equal, lowest_terms
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step, step_of
from pairgen.arithmetic.reading.tokens import NUMBER_WORDS
from pairgen.arithmetic.solution import Solution

CARRY = ("none", "results", "answer")
"""How far an error is carried: not at all, through all results, or also to the final answer."""

CONSTANTS = frozenset(f"{number}/1" for number in (1, 2, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000))
"""Values that may stand for themselves in a calculation, such as the days of a week, and not for an earlier result."""

_NUMBER = re.compile(rf"(?<![\w.])(?<!\d,){NUMBER}(?![.,]?\d)", re.ASCII)
_END_OF_SENTENCE = re.compile(r"[.!?;]\s|\n")
_EQUALS_IN_WORDS = re.compile(r"\b(?:is|are|was|equals?|gives?|giving|gets?|makes?|leaves?|leaving|which|results?)\b")
_WORD = re.compile(r"[A-Za-z]+", re.ASCII)


class CannotCarry(Exception):
    """A use of the value is uncertain, or a later result cannot be written with the wrong value."""


def carry(solution: Solution, question: str, step: Step, wrong: Literal, *, to_answer: bool) -> list[Change]:
    """The changes that follow from replacing the result of a step by a wrong value, in order, with that one first.

    Args:
        to_answer: also change the lines that state the final answer.

    Raises:
        CannotCarry: the error cannot be carried with certainty.
    """
    if solution.is_latex or solution.visible != solution.text:  # other notations are not written here
        raise CannotCarry
    carrier = _Carrier(solution, question, step, wrong)
    carrier.read(len(solution.text) if to_answer else solution.stop)
    if to_answer and solution.stop < len(solution.text):
        carrier.check_answer()
    if not read_as_written(solution, carrier.changes):
        raise CannotCarry
    return carrier.changes


class _Carrier:
    """Reads the text after an error and collects the changes."""

    def __init__(self, solution: Solution, question: str, step: Step, wrong: Literal) -> None:
        self._solution = solution
        self._question = question_values(question)
        self._results = {result.start: result for result in map(step_of, solution.found) if result.start > step.start}
        self._before = {key_of(literal) for _, literal in numbers_in(solution.text, 0, step.start)}
        self._carried: dict[str, Ratio] = {}
        """What a value has become, by the value in lowest terms."""
        self._computed: set[int] = set()
        """Where the recomputed results are."""
        original = solution.text[step.start : step.stop]
        right = parse_literal(original)
        if right is None:
            raise CannotCarry
        self._position = step.stop
        self.changes = [Change(step.start, step.stop, original, str(wrong))]
        self._replace(key_of(right), wrong.value, step.stop)

    def _replace(self, key: str, value: Ratio, position: int) -> None:
        """From here on, this value has become another one. A percentage must not be repeated as a fraction of 1."""
        top, _, bottom = key.partition("/")
        hundredth = lowest_terms((int(top), 100 * int(bottom)))
        if self._solution.text.startswith("%", position) and any(
            key_of(literal) == hundredth
            for _, literal in numbers_in(self._solution.text, position, len(self._solution.text))
        ):
            raise CannotCarry
        known = self._carried.get(key)
        if known is not None and not equal(known, value):
            raise CannotCarry
        if known is None and (key in self._question or key in self._before or key in CONSTANTS):
            raise CannotCarry  # a later use may be of another number with this value
        self._carried[key] = value

    def read(self, end: int) -> None:
        """Collect the changes up to a position."""
        for (start, stop), literal in numbers_in(self._solution.text, self._position, end):
            key = key_of(literal)
            result = self._results.get(start)
            expression = self._recomputed(result) if result and result.stop == stop else None
            if expression is not None:
                value = self._write(start, stop, literal, *expression)
                self._computed.add(start)
                if not equal(value, literal.value):
                    self._replace(key, value, stop)
            elif key in self._carried:
                self._write(start, stop, literal, self._carried[key], None)
            self._before.add(key)
        if not all(map(self._is_understood, self.changes[1:])):
            raise CannotCarry
        words = {f"{NUMBER_WORDS[word]}/1" for word in self._words(end)}
        if words & self._carried.keys():
            raise CannotCarry

    def check_answer(self) -> None:
        """The error must reach the final answer: what is stated there may follow from it in an unknown way."""
        answer = self._solution.answer
        if answer is None or lowest_terms(answer) not in self._carried:
            raise CannotCarry

    def _is_understood(self, change: Change) -> bool:
        """Whether a number is repeated in words, or is part of a calculation whose result was recomputed."""
        if change.expression is not None:
            return True
        text = self._solution.text
        border = _END_OF_SENTENCE.search(text, change.stop)
        end = border.start() if border else len(text)
        sign = text.find("=", change.stop, end)
        if sign >= 0:
            result = _NUMBER.search(text, sign)
            return result is not None and result.start() in self._computed
        said = _EQUALS_IN_WORDS.search(text, change.stop, end)
        changed = {one.start for one in self.changes}
        return said is None or all(start in changed for (start, _), _ in numbers_in(text, said.end(), end))

    def _words(self, end: int) -> list[str]:
        text = self._solution.text[self._position : end].lower()
        return [word for word in _WORD.findall(text) if word in NUMBER_WORDS]

    def _recomputed(self, result: Step) -> tuple[Ratio, str] | None:
        """The new value of a result and its calculation; None if no carried value is in it."""
        try:
            verification = self._solution.check(result)
        except Unverified:
            return None
        if verification.substituted or result.negated:
            raise CannotCarry
        expr = parse(verification.expression)
        changed = expr and with_numbers(expr, lambda value: self._carried.get(lowest_terms(value)))
        if changed is None or changed == expr:
            if number_key(self._solution.text[result.start : result.stop]) in self._carried:
                raise CannotCarry  # another calculation has this value, too
            return None
        value = evaluate(changed)
        if value is None:
            raise CannotCarry
        return value, render(changed)

    def _write(self, start: int, stop: int, literal: Literal, value: Ratio, expression: str | None) -> Ratio:
        """Write a value in the format of a number; returns it as written, which may be rounded."""
        if equal(value, literal.value):
            return literal.value
        written = written_like(literal, value)
        if written is None:
            raise CannotCarry
        self.changes.append(Change(start, stop, self._solution.text[start:stop], str(written), expression))
        return written.value


def numbers_in(text: str, start: int, stop: int) -> list[tuple[tuple[int, int], Literal]]:
    """The numbers in a part of a text, with their spans."""
    found = ((match.span(), parse_literal(match.group())) for match in _NUMBER.finditer(text, start, stop))
    return [(span, literal) for span, literal in found if literal is not None]
