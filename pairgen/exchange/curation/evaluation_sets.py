"""The questions of evaluation sets, read from files, folders or the Hub."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.builders import BUILDERS, Builder
from pairgen.building.manifest import published
from pairgen.errors import SourceError, SourceNotFound, WrongColumns, count
from pairgen.pairs.record import DropRow
from pairgen.progress import Warn, ignore
from pairgen.sources.formats import FORMATS, Columns, Row
from pairgen.sources.locate import Hub, resolve
from pairgen.sources.origin import Source

KNOWN = {name: builder for name, builder in BUILDERS.items() if builder.hub and "eval" in builder.hub.splits}
"""Evaluation sets by name: the held-out splits of datasets on the Hub."""

QUESTION_COLUMNS = ("question", "query", "prompt", "problem", "ctx", "instruction", "input", "text")
"""Columns that may hold the question, the likeliest first."""

HUB_SPLITS = ("test", "validation", "train")
"""The split of a Hub dataset that is read: the first of these that it has."""


class EvaluationSet(NamedTuple):
    """Its name, as in the manifest, its questions, and the column that was asked for."""

    name: str
    questions: list[str]
    column: str | None = None


def read_evaluation_set(against: str, column: str | None = None, warn: Warn = ignore) -> EvaluationSet:
    """The distinct questions of an evaluation set, in order.

    Args:
        against: ``gsm8k``, ``arc`` or ``hellaswag`` (the test or validation split on the Hub), a file, a folder or a
            Hub dataset.
        column: the column that holds the question. By default it is detected: rows in the layout of a builder are read
            as a build reads them; of others, the first of ``QUESTION_COLUMNS`` is read.
        warn: called once if there are rows without a question.

    Raises:
        SourceError: it cannot be found or read, has no such column, or no question.
    """
    builder = KNOWN.get(against)
    sources = _known(against, builder) if builder else _located(against, column)
    questions: dict[str, None] = {}
    skipped = 0
    for source in sources.values():
        question_of = _reader(source, against, column, builder)
        for row in _rows(source):
            question = question_of(row) if isinstance(row, dict) else None
            if question:
                questions[question] = None
            else:
                skipped += 1
    if skipped:
        warn(f"{against}: skipped {count(skipped, 'row')} without a question")
    if not questions:
        raise SourceError(f"{against}: contains no questions; name their column with --column")
    return EvaluationSet(published(against), list(questions), column)


def _known(name: str, builder: Builder) -> dict[str, Source]:
    assert builder.hub is not None
    columns = Columns(builder.columns, builder.optional)
    try:
        return resolve([f"eval={builder.hub.id}"], name, builder.hub, columns)
    except SourceNotFound as error:
        reason, _, _ = str(error).rpartition(";")
        raise SourceNotFound(f"{reason}; download its questions and pass the file with --against FILE") from error


def _located(against: str, column: str | None) -> dict[str, Source]:
    columns = Columns(frozenset([column] if column else []), None)
    if Path(against).expanduser().exists() or against == "-" or any(mark in against for mark in "*?["):
        return resolve([against], "decontaminate", None, columns)
    if against.count("/") != 1 or any(against.lower().endswith(ending) for ending in FORMATS):
        raise SourceNotFound(f"{against}: no such file; give a file, a folder, a Hub dataset, or {', '.join(KNOWN)}")
    for split in HUB_SPLITS:
        try:
            return resolve([against], "decontaminate", Hub(against, None, {"eval": split}), columns)
        except SourceNotFound as error:
            if "Unknown split" in str(error) and split != HUB_SPLITS[-1]:
                continue
            reason, _, _ = str(error).rpartition(";")
            raise SourceNotFound(f"{reason}; pass a file of questions with --against FILE") from error
    raise AssertionError("unreachable")


def _rows(source: Source) -> Any:
    for _, block in source.blocks():
        for _, row in block.rows():
            yield row


def _reader(source: Source, against: str, column: str | None, builder: Builder | None) -> Callable[[Row], str | None]:
    """How to find the question of a row, judging by the columns of the first one."""
    first = next((row for row in _rows(source) if isinstance(row, dict)), {})
    if column is None:
        builder = builder or next((one for one in BUILDERS.values() if one.columns <= first.keys()), None)
        column = next((name for name in QUESTION_COLUMNS if isinstance(first.get(name), str)), None)
        if builder is None and column is None:
            names = ", ".join(map(str, first)) or "(none)"
            raise WrongColumns(f"{against}: none of its columns {names} is known; name the question's with --column")
    else:
        builder = None
    return lambda row: _question(row, builder, column)


def _question(row: Mapping[str, Any], builder: Builder | None, column: str | None) -> str | None:
    """The question as a builder reads it; of a row that it drops (for want of an answer), the column."""
    if builder is not None:
        try:
            return builder.read(row).question
        except DropRow:
            pass
    value = row.get(column) if column else None
    return value.strip() or None if isinstance(value, str) else None
