"""GSM8K: solutions whose calculator annotations (``<<48/2=24>>``) give each result and its calculation."""

import re
from collections.abc import Mapping
from typing import Any

from pairgen.arithmetic.exact.literals import NUMBER
from pairgen.arithmetic.reading.steps import Step
from pairgen.builders.interface import Builder, Example, clean_text
from pairgen.builders.worked_solutions import reject_corrupted
from pairgen.sources.locate import Hub

ANNOTATION = re.compile(r"<<([^<>\n]*)>>")
"""A calculator annotation: ``<<48/2=24>>``."""
# Between a mark and its result. Examples: a space, `$`, `\\$`, `**`.
_RESULT = re.compile(rf"[ \t]*(?:\*\*)?(?:\\?[$€£¥¢₹][ \t]*)?(-?{NUMBER}(?:/\d+)?)", re.ASCII)
_NUMBER_ALONE = re.compile(r"[\d.,$ ]*", re.ASCII)
_SIGN = re.compile(r"= *\$? *\Z")
_PERCENT = re.compile(r" ?%")


def strip_annotations(answer: str) -> tuple[str, list[Step]]:
    """A solution without its calculator annotations, and the results that they annotate.

    ``"48/2 = <<48/2=24>>24 clips"`` gives ``"48/2 = 24 clips"`` and ``Step(7, 9, percent=False, calculation="48/2")``.
    """
    pieces: list[str] = []
    starts: list[tuple[int, str]] = []
    length = position = 0
    for annotation in ANNOTATION.finditer(answer):
        pieces.append(answer[position : annotation.start()])
        length += annotation.start() - position
        position = annotation.end()
        starts.append((length, annotation.group(1).rpartition("=")[0]))
    text = "".join([*pieces, answer[position:]])
    steps = []
    for start, calculation in starts:
        result = _RESULT.match(text, start)
        if result is None:
            continue
        start, stop = result.span(1)
        percent = _PERCENT.match(text, stop) is not None
        sign = _SIGN.search(text, 0, start) if _NUMBER_ALONE.fullmatch(calculation) else None
        if sign is not None:  # <<40=40>> has no calculation: use the text before it
            steps.append(Step(start, stop, percent, sign.start()))
        else:
            steps.append(Step(start, stop, percent, calculation=calculation))
    return text, steps


def read(row: Mapping[str, Any]) -> Example:
    """The answer without its annotations; its ``detail`` is the annotated results, None if they are to be found."""
    question = clean_text(row["question"], "question")
    annotated = clean_text(row["answer"], "answer")
    answer, steps = strip_annotations(annotated)
    return Example(question, answer, "gsm8k", f"{question}\0{annotated}", question, row, steps or None)


BUILDER = Builder(
    name="gsm8k",
    title="GSM8K preference pairs",
    description="One intermediate result of each worked solution, found by GSM8K's calculator annotations, is replaced "
    "by a wrong value in the same format. The annotations are removed; the rest is unchanged.",
    summary="grade-school math solutions with one annotated result corrupted",
    hub=Hub("openai/gsm8k", "main", {"train": "train", "eval": "test"}),
    license="mit",
    columns=frozenset({"question", "answer"}),
    read=read,
    reject=reject_corrupted,
    corrupts=True,
)
