"""The tasks whose questions can be local: their rows, checked, in the layout in which the harness reads them.

The prompts, choices and metrics are the harness's own: a local task includes the definition of its hub task, and only
where its rows come from is replaced. So each row is written as the Hub has it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairgen.builders import BUILDERS
from pairgen.builders.choices import label_text, labelled, structured
from pairgen.errors import SourceError, UsageError
from pairgen.pairs.record import DropRow
from pairgen.sources.formats import Columns, Row
from pairgen.sources.locate import resolve
from pairgen.sources.origin import Source


@dataclass(frozen=True)
class LocalTask:
    """A task of lm-evaluation-harness that can take its questions from a file."""

    name: str
    """Its name in the harness."""
    definition: str
    """File of its definition, in the harness's folder of tasks."""
    columns: Columns
    read: Callable[[Mapping[str, Any]], Row]
    """A row of a source as the Hub has it. Raises DropRow if it cannot be scored."""


def _text(value: Any, what: str) -> str:
    if type(value) is not str or not value.strip():
        raise DropRow(f"{what} is {'empty' if value == '' else 'not a text'}")
    return value


def read_arc(row: Mapping[str, Any]) -> Row:
    """ARC in AI2's layout (``question.stem``) or the Hub's; keys and labels as they are written."""
    question: Any = structured(row["question"])
    choices: Any = structured(row.get("choices"))
    if isinstance(question, Mapping):
        question, choices = question.get("stem"), question.get("choices")
    texts, labels = labelled(choices)
    labels = [label_text(label) for label in labels]
    key = label_text(row["answerKey"])
    if key is None or labels.count(key) != 1:
        raise DropRow("answerKey matches several choices" if key in labels else "answerKey matches no choice")
    return {
        "id": str(row.get("id") or ""),
        "question": _text(question, "question"),
        "choices": {"text": [_text(text, "a choice") for text in texts], "label": labels},
        "answerKey": key,
    }


def read_hellaswag(row: Mapping[str, Any]) -> Row:
    """HellaSwag with the raw texts, which the harness cleans."""
    endings = structured(row["endings"])
    if not isinstance(endings, list):
        raise DropRow("endings is not a list")
    label = label_text(row["label"])
    if label is None or not (label.isascii() and label.isdecimal() and int(label) < len(endings)):
        raise DropRow("label is not the index of an ending")
    return {
        "activity_label": _text(row["activity_label"], "activity_label"),
        "ctx_a": _text(row["ctx_a"], "ctx_a"),
        "ctx_b": str(row.get("ctx_b") or ""),
        "endings": [_text(ending, "an ending") for ending in endings],
        "label": label,
    }


def read_gsm8k(row: Mapping[str, Any]) -> Row:
    """GSM8K: the question, and the answer with ``####`` before the result."""
    answer = _text(row["answer"], "answer")
    if "####" not in answer:
        raise DropRow("answer has no result after ####")
    return {"question": _text(row["question"], "question"), "answer": answer}


TASKS = {
    "arc": LocalTask(
        "arc_challenge",
        "arc/arc_challenge.yaml",
        Columns(frozenset({"question", "answerKey"}), frozenset({"choices", "id"})),
        read_arc,
    ),
    "hellaswag": LocalTask(
        "hellaswag",
        "hellaswag/hellaswag.yaml",
        Columns(frozenset({"activity_label", "ctx_a", "endings", "label"}), frozenset({"ctx_b"})),
        read_hellaswag,
    ),
    "gsm8k": LocalTask("gsm8k", "gsm8k/gsm8k.yaml", Columns(frozenset({"question", "answer"})), read_gsm8k),
}
"""Names of ours, which are those of the builders too. Any other name is one of the harness."""


def ours(name: str) -> str:
    """Our name of a task that the harness calls ``name``: ``arc`` for ``arc_challenge``; else ``name`` itself."""
    return next((own for own, task in TASKS.items() if task.name == name), name)


LEADERBOARD_SHOTS = {"arc": 25, "hellaswag": 10, "mmlu": 5, "truthfulqa_mc2": 0, "winogrande": 5, "gsm8k": 5}
"""Few-shot examples in version 1 of the Open LLM Leaderboard, by task."""


@dataclass(frozen=True)
class LocalRows:
    """Where the rows of a local task are."""

    questions: Source
    shots: Source | None = None
    """Few-shot examples; None: other questions."""


def local_rows(texts: Iterable[str], tasks: Iterable[str]) -> dict[str, LocalRows]:
    """Find what ``--source`` names, by task. Hub ids and files are read as ``pairgen build`` reads them.

    Raises:
        UsageError: a task that is not evaluated, takes no local rows or is not named though there are several, or two
            sources for the same rows.
        SourceError: a source is missing, is empty or lacks a column.
    """
    tasks = list(tasks)
    named: dict[tuple[str, str], str] = {}
    for text in texts:
        task, split, where = _parts(text, tasks)
        if (task, split) in named:
            raise UsageError(f"--source {text}: {task} has {named[task, split]} already; name one source")
        named[task, split] = where
    found = {}
    for task in dict.fromkeys(task for task, _ in named):
        if (task, "eval") not in named:
            raise UsageError(f"--source: {task} has few-shot examples and no questions; give --source {task}=SOURCE")
        questions, shots = _located(task, named[task, "eval"])
        if (task, "train") in named:
            shots = _located(task, named[task, "train"], "train")[0]
        found[task] = LocalRows(questions, shots)
    return found


def _parts(text: str, tasks: list[str]) -> tuple[str, str, str]:
    """Task, split and source of ``TASK:train=SOURCE``, where all but the source may be missing."""
    name, equals, where = text.partition("=")
    task, _, split = name.partition(":")
    task = ours(task)
    if not equals or not (task in TASKS or task in tasks or task in ("train", "eval")):
        if equals and not Path(text).expanduser().exists():
            raise UsageError(
                f"--source {text}: {name!r} is not a task with local rows; write TASK=SOURCE, where TASK is one of "
                f"{', '.join(TASKS)}"
            )
        task, split, where = "", "", text
    if task in ("train", "eval") and not split:
        task, split = "", task
    if split not in ("", "train", "eval"):
        raise UsageError(f"--source {text}: there is no split {split!r}; write {task}=SOURCE or {task}:train=SOURCE")
    if not task:
        if len(tasks) != 1:
            raise UsageError(f"--source {text}: there are {len(tasks)} tasks; write TASK=SOURCE, as in arc=FILE")
        task = tasks[0]
    if task not in tasks:
        raise UsageError(f"--source {text}: {task} is not among --tasks {','.join(tasks)}")
    if task not in TASKS:
        raise UsageError(
            f"--source {text}: {task} is read from the Hub only; tasks with local rows: {', '.join(TASKS)}"
        )
    return task, split or "eval", where


def _located(task: str, where: str, split: str = "eval") -> tuple[Source, Source | None]:
    """The rows of a split of a source; those of its train split too, if it has both. One split alone is what it is."""
    columns = TASKS[task].columns
    found = resolve([where], task, BUILDERS[task].hub, columns)
    if split in found:
        return found[split], found.get("train") if split == "eval" else None
    return next(iter(found.values())), None


def rows_of(task: str, source: Source) -> Iterator[Row]:
    """The rows of a source as the Hub has them.

    Raises:
        SourceError: a row that cannot be read or scored; to skip it would change the score.
    """
    number = 0
    for file, block in source.blocks():
        for at, row in block.rows():
            where = f"{file}: {block.unit} {at}"
            if isinstance(row, str):
                raise SourceError(f"{where}: {row}; fix or remove the row")
            missing = sorted(TASKS[task].columns.required - row.keys())
            if missing:
                raise SourceError(f"{where}: has no {missing[0]}; fix or remove the row")
            try:
                yield TASKS[task].read(row)
            except DropRow as drop:
                raise SourceError(f"{where}: {drop}; {task} cannot score the row: fix or remove it") from drop
            number += 1
    if not number:
        raise SourceError(f"{', '.join(source.provenance.get('files', [task]))}: has no rows")
