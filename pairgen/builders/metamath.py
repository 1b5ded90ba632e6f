"""MetaMath: a solution with one intermediate result made wrong, and its final answer left as it is.

Rows are those of ``meta-math/MetaMathQA``. A response ends ``#### 32\\nThe answer is: 32``, or without the first line.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pairgen.arithmetic.errors.corrupt import CannotCorrupt, Corruption, corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.numbers import LATEX_FRACTION, LATEX_NUMBER, Ratio, parse
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders.interface import Builder, Example, Wanted, clean_text
from pairgen.pairs.edits import Edit
from pairgen.pairs.record import Drop, Rejection
from pairgen.sources.locate import Hub

_FINAL_LINES = ("\n####", "\nThe answer is:", "The answer is:")
_ANSWER = re.compile(  # a number, and no more of a formula: not the 2 of 2x, 2 + 3i or 2\\sqrt{3}
    rf".*(?:The answer is:|####)\s*\\?\$? ?(-?(?:{LATEX_FRACTION}|{LATEX_NUMBER}(?:/\d+)?))"
    r"(?![\d.,:]*\d|\s*[-+*/_=({\[]|\s*\^(?! *\{? *\\circ)|\s*\\(?!text|mbox|%|\$)|[A-Za-z])",
    re.DOTALL | re.ASCII,
)


def reasoning_stop(solution: str) -> int:
    """Where the final-answer lines of a solution begin; its whole length if it has none."""
    for line in _FINAL_LINES:
        stop = solution.rfind(line)
        if stop >= 0:
            return stop
    return len(solution)


@lru_cache(1 << 14)
def final_answer(lines: str) -> Ratio | None:
    """The value that the final-answer lines state last; None if it is no plain number."""
    match = _ANSWER.match(lines)
    literal = parse(match.group(1)) if match else None
    return literal.value if literal else None


def read(row: Mapping[str, Any]) -> Example | Drop:
    """``query`` is the question; rows of one ``original_question`` share a topic."""
    question = clean_text(row["query"], "query")
    if isinstance(question, Drop):
        return question
    answer = clean_text(row["response"], "response")
    if isinstance(answer, Drop):
        return answer
    kind, original = row.get("type"), row.get("original_question")
    source = f"metamath/{kind}" if type(kind) is str and kind else "metamath"
    topic = original if type(original) is str and original else question
    return Example(question, answer, source, f"{source}\0{question}\0{answer}", topic, row)


def solution_of(response: str, marked: Sequence[Step] | None = None) -> Solution:
    """A response as the engine takes it: nothing from the final-answer lines on is touched.

    ``marked`` are its results where the source says them; else they are searched for.
    """
    stop = reasoning_stop(response)
    return Solution(response, stop, final_answer(response[stop:]), marked)


def reject(example: Example, draws: RowRng, wanted: Wanted) -> list[Rejection] | Drop:
    """Corrupted solutions, one result of each."""
    return rejections(solution_of(example.answer), example.question, draws, wanted)


def rejections(solution: Solution, question: str, rng: RowRng, wanted: Wanted) -> list[Rejection] | Drop:
    """The solution with one of its values corrupted, once for each pair that is asked for."""
    try:
        corruptions = corrupt(solution, question, rng, wanted.corruption, wanted.corruptions)
    except CannotCorrupt as error:
        return Drop(error.reason)
    return [_rejection(solution.text, corruption) for corruption in corruptions]


def _rejection(text: str, corruption: Corruption) -> Rejection:
    start, stop, correct, corrupted, correct_value, corrupted_value, expression, reason = corruption[:8]
    return Rejection(
        corruption.apply(text),
        Edit(start, stop, start + len(corrupted)),
        correct,
        corrupted,
        correct_value,
        corrupted_value,
        expression,
        "verified" if corruption.verified else "unchecked",
        reason,
        corruption.strategy,
        corruption.step,
        corruption.steps,
    )


BUILDER = Builder(
    name="metamath",
    summary="worked solutions; one intermediate result of each is corrupted",
    hub=Hub("meta-math/MetaMathQA", None, {"train": "train"}),
    license="mit",
    columns=frozenset({"query", "response"}),
    optional=frozenset({"type", "original_question"}),
    read=read,
    reject=reject,
    corrupts=True,
    style="raw",
    eval_size=1000,
)
