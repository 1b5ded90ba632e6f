"""GSM8K: its own solutions, whose ``<<48/2=24>>`` marks say exactly which numbers are results, and of what."""

import re
from collections.abc import Mapping
from typing import Any

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.numbers import NUMBER
from pairgen.arithmetic.reading.steps import Step
from pairgen.builders.interface import Builder, Example, Wanted, clean_text
from pairgen.builders.metamath import rejections, solution_of
from pairgen.pairs.record import Drop, Rejection
from pairgen.sources.locate import Hub

_MARK = re.compile(r"<<([^<>\n]*)>>")
_RESULT = re.compile(rf"-?{NUMBER}(?:/\d+)?", re.ASCII)
_NUMBER_ALONE = re.compile(r"[\d.,$ ]*", re.ASCII)
_SIGN = re.compile(r"= *\$? *\Z")
_PERCENT = re.compile(r" ?%")


def strip_marks(answer: str) -> tuple[str, list[Step]]:
    """A solution without its marks, and the results the marks point at.

    ``"48/2 = <<48/2=24>>24 clips"`` gives ``"48/2 = 24 clips"`` and ``Step(7, 9, percent=False, marked="48/2")``.
    """
    pieces: list[str] = []
    starts: list[tuple[int, str]] = []
    length = position = 0
    for mark in _MARK.finditer(answer):
        pieces.append(answer[position : mark.start()])
        length += mark.start() - position
        position = mark.end()
        starts.append((length, mark.group(1).rpartition("=")[0]))
    text = "".join([*pieces, answer[position:]])
    steps = []
    for start, calculation in starts:
        result = _RESULT.match(text, start)
        if result is None:
            continue
        percent = _PERCENT.match(text, result.end()) is not None
        sign = _SIGN.search(text, 0, start) if _NUMBER_ALONE.fullmatch(calculation) else None
        if sign is not None:  # <<40=40>> says nothing: the calculation stands in front of the mark
            steps.append(Step(start, result.end(), percent, sign.start()))
        else:
            steps.append(Step(start, result.end(), percent, marked=calculation))
    return text, steps


def read(row: Mapping[str, Any]) -> Example | Drop:
    """The answer without its marks; the marks' steps are kept for ``reject``."""
    question = clean_text(row["question"], "question")
    if isinstance(question, Drop):
        return question
    marked = clean_text(row["answer"], "answer")
    if isinstance(marked, Drop):
        return marked
    answer, steps = strip_marks(marked)
    return Example(question, answer, "gsm8k", f"{question}\0{marked}", question, row, steps)


def reject(example: Example, draws: RowRng, wanted: Wanted) -> list[Rejection] | Drop:
    """Corrupted solutions, one marked result of each."""
    solution = solution_of(example.answer, example.detail)
    return rejections(solution, example.question, draws, wanted)


BUILDER = Builder(
    name="gsm8k",
    summary="grade-school solutions; one marked result of each is corrupted",
    hub=Hub("openai/gsm8k", "main", {"train": "train", "eval": "test"}),
    license="mit",
    columns=frozenset({"question", "answer"}),
    read=read,
    reject=reject,
    corrupts=True,
)
