"""Worked solutions: one intermediate result is replaced by a wrong value; the final answer is kept."""

import re
from collections.abc import Sequence
from functools import lru_cache

from pairgen.arithmetic.errors.corrupt import CannotCorrupt, Corruption, corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.literals import LATEX_FRACTION, LATEX_NUMBER, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.pairs.edits import Edit
from pairgen.pairs.record import DropRow, Provenance, Rejection

_FINAL_LINES = ("\n####", "\nThe answer is:", "The answer is:")
_ANSWER = re.compile(  # a number that is not part of a formula: not the 2 of 2x, 2 + 3i or 2\\sqrt{3}
    rf".*(?:The answer is:|####)\s*\\?\$? ?(-?(?:{LATEX_FRACTION}|{LATEX_NUMBER}(?:/\d+)?))"
    r"(?![\d.,:]*\d|\s*[-+*/_=({\[]|\s*\^(?! *\{? *\\circ)|\s*\\(?!text|mbox|%|\$)|[A-Za-z])",
    re.DOTALL | re.ASCII,
)


def reasoning_stop(solution: str) -> int:
    """Start of the final-answer lines of a solution; its length if it has none."""
    for line in _FINAL_LINES:
        stop = solution.rfind(line)
        if stop >= 0:
            return stop
    return len(solution)


@lru_cache(1 << 14)
def final_answer(lines: str) -> Ratio | None:
    """The last value that the final-answer lines state; None if it is not a plain number."""
    match = _ANSWER.match(lines)
    literal = parse_literal(match.group(1)) if match else None
    return literal.value if literal else None


def solution_of(text: str, annotated: Sequence[Step] | None = None) -> Solution:
    """Parse a solution; its final-answer lines are never corrupted.

    Args:
        annotated: its results, where the source annotates them; otherwise they are found in the text.
    """
    stop = reasoning_stop(text)
    return Solution(text, stop, final_answer(text[stop:]), annotated)


def reject_corrupted(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """The solution with one result corrupted, up to ``options.pairs_per_row`` times.

    ``example.detail`` holds the annotated results, or None.
    """
    return corrupted(solution_of(example.answer, example.detail), example.question, rng, options)


def corrupted(solution: Solution, question: str, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """A parsed solution with one result corrupted, up to ``options.pairs_per_row`` times. Raises DropRow."""
    try:
        corruptions = corrupt(solution, question, rng, options.method, options.pairs_per_row)
    except CannotCorrupt as error:
        raise DropRow(error.reason) from None
    return [_rejection(solution.text, corruption) for corruption in corruptions]


def _rejection(text: str, corruption: Corruption) -> Rejection:
    provenance = Provenance(
        correct=corruption.original,
        corrupted=corruption.corrupted,
        correct_value=corruption.original_value,
        corrupted_value=corruption.corrupted_value,
        expression=corruption.expression,
        check="verified" if corruption.verified else "unchecked",
        reason=corruption.reason,
        strategy=corruption.strategy,
        step=corruption.step,
        steps=corruption.steps,
    )
    start = corruption.start
    edit = Edit(start, corruption.stop, start + len(corruption.corrupted))
    return Rejection(corruption.apply(text), edit, provenance)
