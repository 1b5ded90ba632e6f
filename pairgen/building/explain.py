"""Explain how a solution is parsed and verified, and which corruption a build would choose.

This answers why a pair is unchecked, or why a row was dropped. Nothing is written.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from pairgen.arithmetic.errors.corrupt import CannotCorrupt, Corruption, corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders import BUILDERS, CORRUPTIONS
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import MAX_LENGTH, clean_text
from pairgen.builders.worked_solutions import solution_of
from pairgen.building.convert import row_id_of
from pairgen.errors import SourceError, SourceNotFound, UsageError
from pairgen.pairs.record import DropRow
from pairgen.sources.formats import FORMATS, Columns, format_of

ANSWERS = ("response", "answer")
"""Fields of a row that may hold the solution, the first that is there."""

QUESTIONS = ("query", "question")
"""Fields of a row that may hold the question."""


class Given(NamedTuple):
    """A solution to explain.

    ``key`` identifies the row in a build, where it is known; ``where`` names file and line.
    """

    text: str
    question: str = ""
    key: str | None = None
    where: str = ""


def explain(
    text: str, question: str = "", corruption: str = "near", seed: int = 0, key: str | None = None
) -> dict[str, Any]:
    """The results found in a solution, how each was verified, and the corruption a build would make; ready for JSON.

    ``solution`` is the text to which all spans refer, in code points: stripped, without GSM8K's calculator annotations.
    ``steps`` has ``{start, stop, text, expression, check, reason}`` for each result: ``text`` is the literal as
    written, ``check`` is ``verified`` (then ``reason`` is None) or ``unchecked`` (then ``expression`` is None).
    ``corruption`` is ``{start, stop, correct, corrupted, expression, check, reason, strategy, step}``; ``step`` counts
    from 1 and is None for a number that is not a result. If nothing can be corrupted, ``corruption`` is None and
    ``dropped`` gives the reason; else ``dropped`` is None.

    Args:
        text: the solution; calculator annotations (``<<48/2=24>>``) locate the results and their calculations.
        question: the question asked; its numbers are not results.
        corruption: how the wrong value is sampled, a name in ``CORRUPTIONS``.
        seed: as in ``build``.
        key: what identifies the row, by default the text. A build hashes the whole row, so without its key it may
            choose another corruption.

    Raises:
        UsageError: an unknown corruption.
        SourceError: the text is empty, too long or not valid Unicode.
    """
    if corruption not in CORRUPTIONS:
        raise UsageError(f"--corruption {corruption}: unknown; choose one of {', '.join(CORRUPTIONS)}")
    text = _usable(text, "solution")
    solution = _solution(text)
    row_id = row_id_of(text if key is None else key)
    chosen, dropped = None, None
    try:
        chosen = _as_dict(corrupt(solution, question, RowRng(row_id, seed), corruption)[0])
    except CannotCorrupt as error:
        dropped = error.reason
    return {
        "solution": solution.text,
        "steps": [_explain_step(solution, step) for step in solution.steps],
        "corruption": chosen,
        "dropped": dropped,
    }


def _solution(text: str) -> Solution:
    """The solution as the engine takes it; marks are gone from the text, and their results are the steps."""
    plain, marked = strip_annotations(text)
    return solution_of(plain, marked or None)


def _explain_step(solution: Solution, step: Step) -> dict[str, Any]:
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
    }


def _as_dict(corruption: Corruption) -> dict[str, Any]:
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
    }


# ---------------------------------------------------------------- where solutions come from


def solutions(given: str) -> Iterator[Given]:
    """The solutions that an argument names: those of a file if there is one, else the argument itself.

    ``-`` is the text on stdin. A file of JSON Lines, or of a JSON list, has one solution per row, in ``response`` or
    ``answer``, and the question, if it is there, in ``query`` or ``question``; any other file is one solution.

    Raises:
        UsageError: a file of another kind of rows.
        SourceError: the file is not there or cannot be read, a row has no solution, a text is empty, too long or no
            valid Unicode.
    """
    if given == "-":
        yield Given(_read(sys.stdin.buffer, "stdin"), where="stdin")
        return
    path = Path(given)
    try:
        there = bool(given.strip()) and path.exists()
    except (OSError, ValueError):  # not a valid file name
        there = False
    if there:
        try:
            yield from _of_file(path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror or error}); give a file") from error
    elif _FILE_NAME.fullmatch(given):
        raise SourceNotFound(f"{given}: no such file; give the file's path, the text of a solution, or - for stdin")
    else:
        yield Given(_usable(given, "solution"))


_FILE_NAME = re.compile(r"[^\n]*\.(?:txt|jsonl?)|[^\s=]*/[^\s=]*", re.IGNORECASE)
"""Looks like a file name rather than a solution; ``48/2=24`` does not."""


def _of_file(path: Path) -> Iterator[Given]:
    try:
        format_ = format_of(path)
    except UsageError:  # unknown extension: a text file
        with path.open("rb") as file:
            yield Given(_read(file, str(path)), where=str(path))
        return
    if format_ not in (FORMATS[".jsonl"], FORMATS[".json"]):
        raise UsageError(f"{path}: unsupported file type; explain reads .jsonl, .json and text files")
    for _, number, row in format_.read(path, Columns(frozenset())):
        where = f"{path}: {format_.unit} {number}"
        if not isinstance(row, dict):
            raise SourceError(f"{where}: {row}; fix or remove this {format_.unit}")
        yield _of_row(row, where)


def _of_row(row: Mapping[str, Any], where: str) -> Given:
    """The solution of a row; with the key a build would use, if the row is whole enough to be built from."""
    name = next((name for name in ANSWERS if name in row), None)
    if name is None:
        raise SourceError(f"{where}: needs a field {' or '.join(ANSWERS)} with the solution")
    text = _usable(row[name], name, where)
    for builder in BUILDERS.values():
        if builder.corrupts and name in builder.columns <= row.keys():
            try:
                example = builder.read(row)
            except DropRow as drop:
                raise SourceError(f"{where}: {drop.reason}; fix or remove it") from None
            return Given(text, example.question, example.key, where)
    question = next((name for name in QUESTIONS if name in row), None)
    return Given(text, _usable(row[question], question, where) if question else "", None, where)


def _read(file: IO[bytes], where: str) -> str:
    """The one solution that a text file holds; of a file far too large for one no more than needed is read."""
    data = file.read(_MOST_BYTES)
    if len(data) == _MOST_BYTES:
        raise SourceError(f"{where}: is over {MAX_LENGTH:,} characters; pass one worked solution at a time")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{where}: not valid UTF-8 ({error.reason} at byte {error.start})") from error
    return _usable(text.replace("\r\n", "\n"), "solution", where)


_MOST_BYTES = 16 * MAX_LENGTH
"""More bytes than any text takes that can be explained, the white space around it included."""


def _usable(text: Any, what: str, where: str = "") -> str:
    """A text without white space around it, if it can be explained."""
    start = f"{where}: " if where else ""
    try:
        clean = clean_text(text, what)
    except DropRow as drop:
        expected = "one worked solution at a time" if isinstance(text, str) and text.strip() else "a worked solution"
        raise SourceError(f"{start}{drop.reason}; give the text of {expected}") from None
    try:
        clean.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"{start}{what} is not valid Unicode; save it as UTF-8") from error
    return clean
