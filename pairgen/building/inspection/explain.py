"""Explain how a solution is parsed and verified, and which corruption a build would choose.

Use it to find out why a pair is unchecked, or why a row was dropped. Nothing is written.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, NamedTuple

from pairgen.arithmetic.dependencies import uses
from pairgen.arithmetic.errors.changes import CannotCorrupt, Corruption
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.false_steps import false_steps
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders import BUILDERS
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import MAX_LENGTH
from pairgen.builders.worked_solutions import FALSE, answer_span, draw_corruptions, solution_of
from pairgen.building.convert import row_id_of
from pairgen.building.inspection.solution_columns import ANSWERS, QUESTIONS, checked_text
from pairgen.building.options import BuildOptions, corruption_options
from pairgen.building.reading import MAX_WARNINGS
from pairgen.errors import SourceError, SourceNotFound, UsageError, count
from pairgen.options import with_signature
from pairgen.pairs.record import DropRow
from pairgen.progress import Warn, ignore
from pairgen.sources.formats import Columns, format_of, rows


class SolutionInput(NamedTuple):
    """A solution to explain.

    ``key`` identifies the row in a build, if known; ``where`` is the file and line, for messages.
    """

    text: str
    question: str = ""
    key: str | None = None
    where: str = ""


OPTIONS = ("corruption", "error", "carry", "seed")
"""Options of a build that decide which corruption it makes."""


@with_signature(BuildOptions, without={item.name for item in fields(BuildOptions)} - {*OPTIONS})
def explain(text: str, question: str = "", *, key: str | None = None, **options: Any) -> dict[str, Any]:
    """The results in a solution, how each was verified, and the corruption a build would make; serializable as JSON.

    ``solution`` is the stripped text without GSM8K's calculator annotations; all spans refer to it, in code points.
    ``steps`` has ``{start, stop, text, expression, check, reason, used_by}`` for each result: ``text`` is the literal
    as written, ``check`` is ``verified`` (then ``reason`` is None) or ``unchecked`` (then ``expression`` is None), and
    ``used_by`` lists the numbers of the later results whose calculation uses it, None if that is uncertain (see
    ``arithmetic.dependencies.uses``). ``answer`` is the final answer that was read, ``{start, stop, text}``, or None.
    ``corruption`` is ``{start, stop, correct, corrupted, expression, check, reason, strategy, step, error, edits,
    rejected}``; ``step`` counts from 1 and is None for a number that is not a result, ``edits`` has ``{start, stop,
    original, corrupted, expression}`` for every change, and ``rejected`` is the solution with them. If nothing can be
    corrupted, or a calculation is false, ``corruption`` is None and ``dropped`` gives the reason; else ``dropped`` is
    None.

    >>> pairgen.explain("She packs 4 * 6 = 24 pens, so 24 + 3 = 27 in all.")["corruption"]["corrupted"]
    '31'

    Args:
        text: the solution; calculator annotations (``<<48/2=24>>``) locate the results and their calculations.
        question: text of the question; its numbers are not results.
        key: identifies the row; by default the text. A build uses a key of the entire row, so without that key its
            corruption may differ.
        options: ``corruption``, ``error``, ``carry`` and ``seed``, as in ``build``.

    Raises:
        UsageError: an unknown option, or a value that it does not accept.
        SourceError: the text is empty, too long or not valid Unicode.
    """
    for name in options:
        if name not in OPTIONS:
            raise UsageError(f"explain: unknown option {name}; available: {', '.join(OPTIONS)}")
    given = BuildOptions(**options)
    text = checked_text(text, "solution")
    solution = _solution(text)
    rng = RowRng(row_id_of(text if key is None else key), given.seed)
    chosen, dropped = None, None
    if any(false_steps(solution)):
        dropped = FALSE
    else:
        try:
            made = draw_corruptions(solution, question, rng, corruption_options(given))
            chosen = _as_dict(made[0], solution.text)
        except CannotCorrupt as error:
            dropped = error.reason
    steps = zip(solution.steps, uses(solution, question), strict=True)
    return {
        "solution": solution.text,
        "steps": [_explain_step(solution, step, used_by) for step, used_by in steps],
        "answer": _answer(solution),
        "corruption": chosen,
        "dropped": dropped,
    }


def _solution(text: str) -> Solution:
    """The parsed solution; annotations are removed from the text, and their results become its steps."""
    plain, annotated = strip_annotations(text)
    return solution_of(plain, annotated or None)


def _answer(solution: Solution) -> dict[str, Any] | None:
    """The final answer and its place; None if the last lines do not state a number."""
    span = answer_span(solution.text[solution.stop :])
    if span is None:
        return None
    start, stop = (solution.stop + position for position in span)
    return {"start": start, "stop": stop, "text": solution.text[start:stop]}


def _explain_step(solution: Solution, step: Step, used_by: tuple[int, ...] | None) -> dict[str, Any]:
    expression = reason = None
    try:
        expression = solution.check(step).expression
    except Unverified as error:
        reason = error.reason
    return {
        "start": step.start,
        "stop": step.stop,
        "text": solution.text[step.start : step.stop],
        "expression": expression,
        "check": "unchecked" if reason else "verified",
        "reason": reason,
        "used_by": None if used_by is None else list(used_by),
    }


def _as_dict(corruption: Corruption, text: str) -> dict[str, Any]:
    return {
        "start": corruption.start,
        "stop": corruption.stop,
        "correct": corruption.original,
        "corrupted": corruption.corrupted,
        "expression": corruption.expression,
        "check": "verified" if corruption.verified else "unchecked",
        "reason": corruption.reason,
        "strategy": corruption.strategy,
        "step": corruption.step,
        "error": corruption.error,
        "edits": [change._asdict() for change in corruption.changes],
        "rejected": corruption.apply(text),
    }


# ---------------------------------------------------------------- reading solutions


def solutions(argument: str, warn: Warn = ignore) -> Iterator[SolutionInput]:
    """The solutions that a command-line argument refers to: those in a file of that name, else the argument itself.

    ``-`` is the text on stdin. A file in a format that ``build`` reads has one solution per row, in ``response`` or
    ``answer``, and optionally the question in ``query`` or ``question``; any other file is one solution.

    Args:
        warn: called with a message for the first rows without a usable solution, which are skipped, and their number.

    Raises:
        SourceError: the file does not exist or cannot be read, no row has a solution, or a text is empty, too long or
            not valid Unicode.
    """
    if argument == "-":
        yield SolutionInput(_from_text_file(sys.stdin.buffer, "stdin"), where="stdin")
        return
    path = Path(argument)
    try:
        exists = bool(argument.strip()) and path.exists()
    except (OSError, ValueError):  # not a valid file name
        exists = False
    if exists:
        try:
            yield from _from_file(path, warn)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror or error}); give a file") from error
    elif _FILE_NAME.fullmatch(argument):
        raise SourceNotFound(f"{argument}: no such file; give the file's path, the text of a solution, or - for stdin")
    else:
        yield SolutionInput(checked_text(argument, "solution"))


_FILE_NAME = re.compile(r"[^\n]*\.(?:txt|jsonl?|csv|tsv|parquet|arrow)|[^\s=]*/[^\s=]*", re.IGNORECASE)
"""Looks like a file name: ``rows.jsonl``, ``my rows.txt``, ``data/rows``; not a solution such as ``48/2=24``."""


def _from_file(path: Path, warn: Warn) -> Iterator[SolutionInput]:
    try:
        format_of(path)
    except UsageError:  # unknown extension: a text file
        with path.open("rb") as file:
            yield SolutionInput(_from_text_file(file, str(path)), where=str(path))
        return
    skipped, found = 0, False
    for where, row in rows(path, Columns(frozenset(), optional=None)):
        try:
            if not isinstance(row, dict):
                raise SourceError(f"{where}: {row}; fix or remove it")
            solution = _from_row(row, where)
        except SourceError as error:
            skipped += 1
            if skipped == 1:
                first = error
            if skipped <= MAX_WARNINGS:
                warn(f"skipped: {error}")
            continue
        found = True
        yield solution
    if skipped and not found:
        raise first
    if skipped > MAX_WARNINGS:
        warn(f"{path}: skipped {count(skipped, 'row')} without a usable solution")


def _from_row(row: Mapping[str, Any], where: str) -> SolutionInput:
    """The solution of a row, with the key that a build would use if the row has all columns of a builder."""
    name = next((name for name in ANSWERS if name in row), None)
    if name is None:
        raise SourceError(f"{where}: needs a field {', '.join(ANSWERS[:-1])} or {ANSWERS[-1]} with the solution")
    text = checked_text(row[name], name, where)
    for builder in BUILDERS.values():
        if builder.corrupts and name in builder.columns <= row.keys():
            try:
                example = builder.read(row)
            except DropRow as drop:
                raise SourceError(f"{where}: {drop.reason}; fix or remove it") from None
            return SolutionInput(text, example.question, example.key, where)
    question = next((name for name in QUESTIONS if name in row), None)
    return SolutionInput(text, checked_text(row[question], question, where) if question else "", None, where)


def _from_text_file(file: IO[bytes], where: str) -> str:
    """The solution in a text file; reads no more than ``_MAX_BYTES``."""
    data = file.read(_MAX_BYTES)
    if len(data) == _MAX_BYTES:
        raise SourceError(f"{where}: is over {MAX_LENGTH:,} characters; pass one worked solution at a time")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{where}: not valid UTF-8 ({error.reason} at byte {error.start})") from error
    return checked_text(text.replace("\r\n", "\n"), "solution", where)


_MAX_BYTES = 16 * MAX_LENGTH
"""More bytes than the longest accepted text needs, with surrounding white space."""
