"""Audit worked solutions: which of the results that they state are false? Nothing is written.

A solution is read from any source that builds read, from both completions of preference pairs, and from lists of steps.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.arithmetic.claims.findings import FALSE, KINDS, Finding, findings
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.solution import Solution
from pairgen.atomic import write_text
from pairgen.builders.gsm8k import ANNOTATION, strip_annotations
from pairgen.builders.worked_solutions import final_answer, reasoning_stop
from pairgen.building.inspection.solution_columns import (
    ANSWERS,
    PAIRS,
    QUESTIONS,
    SOURCES,
    STEPS,
    Texts,
    columns_of,
    texts_of,
)
from pairgen.building.planning import fitting_workers
from pairgen.building.reading import Invalid, Reader, RowBatch
from pairgen.building.workers import Workers
from pairgen.errors import SourceError, UsageError
from pairgen.progress import BuildPhase, Progress, Warn, ignore
from pairgen.sources.columns import check_names, names_of, parse_columns
from pairgen.sources.formats import BLOCK_BYTES, Columns
from pairgen.sources.locate import resolve
from pairgen.sources.origin import Source

CONTEXT = 60
"""Code points of the text before a finding that are shown."""


class Audited(NamedTuple):
    """A finding and where it is.

    ``row`` counts the rows of a split from 0, unreadable ones too. ``start`` and ``stop`` are code points in the text
    of the column, or in that of the step with the index ``step``. ``context`` is the text around it.
    """

    source: str
    split: str
    row: int
    column: str
    step: int | None
    finding: Finding
    context: tuple[str, str]

    def to_json(self) -> dict[str, Any]:
        """Its fields, with those of the finding, as plain values."""
        where = {"source": self.source, "split": self.split, "row": self.row, "column": self.column}
        return {**where, "step": self.step, **self.finding._asdict()}


FIELDS = [*(name for name in Audited._fields if name not in ("finding", "context")), *Finding._fields]
"""The names in ``Audited.to_json()``."""


@dataclass
class Audit:
    """What an audit found, and how many solutions it read."""

    found: list[Audited] = field(default_factory=list)
    solutions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Solutions read, by source and column."""
    flagged: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Solutions with a finding, by source, column and kind."""
    rows: int = 0
    unreadable: int = 0
    """Rows that cannot be read or hold no solution."""

    def summary(self) -> dict[str, Any]:
        """Rows read, and for each source and column the solutions read and those with findings of each kind."""
        table = [
            {"source": source, "column": column, "solutions": number}
            | {kind: self.flagged[source, column, kind] for kind in KINDS}
            for (source, column), number in self.solutions.items()
        ]
        return {"rows": self.rows, "unreadable": self.unreadable, "table": table}

    @property
    def false_share(self) -> float:
        """The share of solutions with a false result, 0 to 1; rejected completions, which are to be wrong, aside."""
        total = sum(number for (_, column), number in self.solutions.items() if column != PAIRS[1])
        false = sum(
            number for (_, column, kind), number in self.flagged.items() if kind == FALSE and column != PAIRS[1]
        )
        return false / total if total else 0.0


def audit(
    source: str,
    columns: str | None = None,
    *,
    steps: bool = False,
    progress: Progress = ignore,
    warn: Warn = ignore,
) -> Audit:
    """Find the false results in the solutions of a source.

    Args:
        source: a file, a folder that ``save_to_disk`` or pairgen wrote, a pattern, a Hub dataset, or ``-``.
        columns: what the columns are called in the source: ``solution=rationale``.
        steps: read only columns of steps.
        progress: called with bytes of the source.
        warn: called with a message for the first rows that are skipped.

    Raises:
        UsageError: ``columns`` cannot be parsed.
        SourceError: the source is unavailable, or no row has a solution.
    """
    sources = _sources(source, columns)
    reader = Reader(sources, BLOCK_BYTES, skip_invalid=True, warn=warn)
    given = list(parse_columns(columns)) if columns else []
    chosen = [name for name in given if name not in QUESTIONS]
    found = Audit()
    rows: Counter[str] = Counter()
    first: Invalid | None = None
    progress(BuildPhase.AUDITING, 0, reader.size)
    with Workers(fitting_workers(sources), partial(_audit_batch, chosen, steps)) as pool:
        for result in pool.map(reader.batches()):
            reader.report(result.split, result.invalid)
            first = first or next(iter(result.invalid), None)
            found.found += (one._replace(row=one.row + rows[result.split]) for one in result.found)
            found.solutions += result.solutions
            found.flagged += result.flagged
            rows[result.split] += result.rows
            progress(BuildPhase.AUDITING, result.position, reader.size)
    found.rows, found.unreadable = rows.total(), reader.skipped.total()
    if not found.solutions:
        raise SourceError(
            f"{first.location}: {first.problem}; name the column with --columns solution=NAME"
            if first
            else f"{source}: has no rows"
        )
    progress(BuildPhase.AUDITING, reader.size, reader.size)
    return found


def write_findings(path: Path, found: Audit) -> None:
    """Write all findings as JSON Lines, atomically. Raises OutputError."""
    write_text(path, "".join(json.dumps(one.to_json(), ensure_ascii=False) + "\n" for one in found.found))


def _sources(source: str, columns: str | None) -> dict[str, Source]:
    """The source by split; all its columns are read, since they differ from row to row."""
    every = Columns(frozenset(), optional=None)
    if columns is None:
        return resolve([source], SAMPLE, None, every)
    given = parse_columns(columns)
    ours = {*ANSWERS, *PAIRS, *STEPS, *QUESTIONS, *SOURCES}
    check_names(columns, given, ours)
    required = every._replace(
        required=frozenset(given.values()), roles={theirs: name for name, theirs in given.items()}
    )
    sources = resolve([source], SAMPLE, None, required)
    if any(found.sample for found in sources.values()):
        raise UsageError("--columns is for rows of your own; those of the built-in sample have the columns they need")
    return {split: replace(found, columns=every, names=names_of(given, ours)) for split, found in sources.items()}


SAMPLE = "metamath"
"""Whose built-in sample is audited."""


# ---------------------------------------------------------------- in a worker


class _Batch(NamedTuple):
    """What a batch of rows gave; its rows count from 0."""

    split: str
    position: int
    rows: int
    invalid: list[Invalid]
    found: list[Audited]
    solutions: Counter[tuple[str, str]]
    flagged: Counter[tuple[str, str, str]]


def _audit_batch(chosen: list[str], steps: bool, batch: RowBatch) -> _Batch:
    """Audit the rows of a batch. ``chosen``: the columns with solutions, if they were named."""
    result = _Batch(batch.split, batch.position, 0, [], [], Counter(), Counter())
    rows = -1
    name = Path(batch.file).name
    for rows, (number, row) in enumerate(batch.block.rows()):
        try:
            if not isinstance(row, dict):
                raise SourceError(str(row))
            read = [texts_of(row, column) for column in chosen or columns_of(row, steps)]
        except SourceError as error:
            location = f"{batch.file}: {batch.block.unit} {number}"
            result.invalid.append(Invalid(f"{name}:{number}", location, str(error)))
            continue
        source = next((row[key] for key in SOURCES if isinstance(row.get(key), str)), name)
        question = next((row[key] for key in (*QUESTIONS, "prompt", "problem") if isinstance(row.get(key), str)), "")
        for texts in read:
            found = [
                Audited(source, batch.split, rows, texts.column, step, finding, context)
                for step, finding, context in _of_steps(texts, question)
            ]
            result.found.extend(found)
            result.solutions[source, texts.column] += 1
            result.flagged.update({(source, texts.column, one.finding.kind) for one in found})
    return result._replace(rows=rows + 1)


def _of_steps(texts: Texts, question: str) -> Iterator[tuple[int | None, Finding, tuple[str, str]]]:
    """The findings in a solution, each with the index of its step; steps are read as one text, line after line."""
    text = "\n".join(texts.parts)
    ends = list(accumulate(len(part) + 1 for part in texts.parts))
    for finding in findings_of(text, question):
        step = next(index for index, end in enumerate(ends) if finding.start < end)
        start = ends[step] - len(texts.parts[step]) - 1
        context = text[max(start, finding.start - CONTEXT) : finding.start], text[finding.stop : finding.stop + CONTEXT]
        moved = finding._replace(start=finding.start - start, stop=finding.stop - start)
        yield step if texts.is_steps else None, moved, context


def findings_of(text: str, question: str = "") -> list[Finding]:
    """The findings in a solution; GSM8K's calculator annotations in it say what its calculations are."""
    plain, annotated = strip_annotations(text) if "<<" in text else (text, [])
    stop = reasoning_stop(plain)
    answer = final_answer(plain[stop:])
    found = {finding.start: finding for finding in findings(Solution(plain, len(plain), answer), question)}
    if plain == text:
        return list(found.values())
    marked = Solution(plain, len(plain), answer, annotated)
    for step in annotated:
        try:
            marked.check(step)
        except Unverified:
            continue
        found.pop(step.start, None)
    return [_moved(finding, text) for finding in found.values()]


def pair_findings(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The findings in both completions of pairs: by pair id and side, each as ``Finding._asdict()``.

    Args:
        rows: rows of a dataset by column.
    """
    return {
        row["pair_id"]: {side: [one._asdict() for one in findings_of(row[side], row["prompt"])] for side in PAIRS}
        for row in rows
    }


def _moved(finding: Finding, text: str) -> Finding:
    """A finding in a text without its annotations, at its place in the text with them."""
    start, stop, removed = finding.start, finding.stop, 0
    for annotation in ANNOTATION.finditer(text):
        length = annotation.end() - annotation.start()
        if annotation.start() - removed <= finding.start:
            start += length
        if annotation.start() - removed < finding.stop:
            stop += length
        removed += length
    return finding._replace(start=start, stop=stop)
