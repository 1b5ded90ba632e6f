"""Worked solutions of your own: questions with solutions, in any file, with any names of columns.

One intermediate result is corrupted, and the final answer is kept: the final-answer lines (``#### 72``,
``The answer is: 72``), else what is in ``\\boxed{}``, else where the column ``answer`` is stated last, else the last
result.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.literals import LATEX_FRACTION, LATEX_NUMBER, parse_literal
from pairgen.arithmetic.exact.ratios import Ratio, equal
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import Builder, CorruptionOptions, Example, clean_text
from pairgen.builders.worked_solutions import corrupted, final_answer, reasoning_stop
from pairgen.pairs.record import DropRow, Rejection

_NUMBER = re.compile(rf"{LATEX_FRACTION}|{LATEX_NUMBER}(?:/\d+)?", re.ASCII)
_BOXED_NUMBER = re.compile(rf"-?(?:{_NUMBER.pattern})(?=\}})", re.ASCII)
_BOXED = "\\boxed{"
MAX_ANSWER = 1000
"""Length from which an answer is not taken for a number."""


class _Known(NamedTuple):
    """What a row says about its solution: annotated results, and the value of the column ``answer``."""

    annotated: list[Step] | None
    answer: Ratio | None


def read(row: Mapping[str, Any]) -> Example:
    """The solution, without GSM8K's calculator annotations if it has any."""
    question = clean_text(row["question"], "question")
    written = clean_text(row["solution"], "solution")
    text, annotated = strip_annotations(written)
    if text[:1].isspace():  # an annotation stood at the start: positions are those of the text before it was stripped
        annotated = []
    kind = row.get("type")
    source = f"solutions/{kind.strip()}" if type(kind) is str and kind.strip() else "solutions"
    known = _Known(annotated or None, _value(row.get("answer")))
    return Example(question, clean_text(text, "solution"), source, f"{question}\0{written}", question, row, known)


def _value(answer: Any) -> Ratio | None:
    """The number that the column ``answer`` holds, as ``72``, ``"$72"`` or ``"72 clips"``; None if it holds none."""
    if type(answer) not in (str, int, float) or len(text := str(answer)) > MAX_ANSWER:
        return None
    return final_answer(f"#### {text.strip()}")


def reject(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    """The solution with one result corrupted, up to ``options.pairs_per_row`` times."""
    solution = _solution(example.answer, example.detail)
    return corrupted(solution, example.question, rng, options)


def _solution(text: str, known: _Known) -> Solution:
    """The parsed solution. Raises DropRow if its final answer is not that of the column ``answer``."""
    stop = reasoning_stop(text)
    if stop == len(text) and _BOXED in text:
        stop = text.rindex(_BOXED)
    if stop < len(text):
        stated = final_answer(text[stop:]) if not text.startswith(_BOXED, stop) else _boxed_value(text, stop)
        if stated and known.answer and not equal(stated, known.answer):
            raise DropRow("the solution ends in another answer")
        return Solution(text, stop, stated or known.answer, known.annotated)
    if known.answer:
        stop = _last_statement(text, known.answer)
    if stop == len(text):
        results = Solution(text, stop, None, known.annotated).steps
        stop = results[-1].start if results else stop
    return Solution(text, stop, known.answer, known.annotated)


def _boxed_value(text: str, start: int) -> Ratio | None:
    found = _BOXED_NUMBER.match(text, start + len(_BOXED))
    literal = parse_literal(found[0]) if found else None
    return literal.value if literal else None


def _last_statement(text: str, answer: Ratio) -> int:
    """Where the answer is stated last, with either sign; the length of the text if it is not."""
    top, bottom = answer
    for found in reversed(list(_NUMBER.finditer(text))):
        literal = parse_literal(found[0])
        if literal is not None and equal(literal.value, (abs(top), bottom)):
            return found.start()
    return len(text)


BUILDER = Builder(
    name="solutions",
    title="Preference pairs of worked solutions from {source}",
    description="One intermediate result of each worked solution is replaced by a wrong value in the same format. "
    "The rest of the solution, including the final answer, is unchanged.",
    summary="worked solutions of your own (columns question, solution; optionally answer, type)",
    columns=frozenset({"question", "solution"}),
    optional=frozenset({"answer", "type"}),
    read=read,
    reject=reject,
    corrupts=True,
    on_unchecked="drop",
)
