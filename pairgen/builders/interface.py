"""The interface of a builder: what is known about a dataset, and two pure functions, ``read`` and ``reject``.

To build pairs of rows of your own from Python, pass a ``Builder`` to ``pairgen.build``:

>>> import json, pathlib, pairgen
>>> from pairgen.builders import Builder
>>> from pairgen.builders.choices import choice_example, reject_choices
>>> def read(row):
...     return choice_example("quiz", row["question"], [row["best"], *row["others"]], 0, row)
>>> quiz = Builder(
...     name="quiz",
...     title="Quiz pairs",
...     description="Each question gives one pair per other answer.",
...     summary="quiz questions",
...     columns=frozenset({"question", "best", "others"}),
...     read=read,
...     reject=reject_choices,
... )
>>> row = {"question": "What is water?", "best": "a liquid", "others": ["a metal", "a gas"]}
>>> _ = pathlib.Path("quiz.jsonl").write_text(json.dumps(row))
>>> pairgen.build(quiz, "quiz-pairs", "quiz.jsonl")
PairDataset('quiz-pairs': train 2 pairs)

To add a dataset to the command line too, enter it in ``BUILDERS``; ``tests/examples/builder.py`` does so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.prompts import STYLES, Style
from pairgen.pairs.messages import Message
from pairgen.pairs.record import DropRow, Rejection
from pairgen.sources.locate import Hub
from pairgen.sources.origin import Source

MAX_LENGTH = 100_000
"""Maximum length of a question or an answer in code points; longer rows are dropped, so that no row stalls a build."""


class Example(NamedTuple):
    """A source row that yields pairs.

    ``key`` identifies the row: ids and random choices are derived from it. Rows with the same ``question_group`` ask
    the same question (with other answers, or in other words): they never end up in different splits. ``detail`` is
    passed on to ``reject``.
    """

    question: str
    answer: str
    source: str
    key: str
    question_group: str
    row: Mapping[str, Any]
    detail: Any = None
    messages: tuple[Message, ...] | None = None
    """The prompt as chat messages."""


class CorruptionOptions(NamedTuple):
    """For builders that corrupt: how wrong results are sampled (of ``CORRUPTIONS``), and the maximum pairs per row."""

    method: str = "near"
    pairs_per_row: int = 1
    carry: str = "none"
    """How far an error is carried forward, of ``arithmetic.errors.carry.CARRY``."""
    error: str = "result"
    """The kind of error, of ``arithmetic.errors.kinds.ERRORS``."""
    false_steps: str = "drop"
    """Whether a solution in which a calculation is false yields pairs: ``keep`` or ``drop``."""


@dataclass(frozen=True)
class Builder:
    """A dataset: what it is, how its rows are read, and how rejected completions are made for them."""

    name: str
    """As in ``pairgen build NAME``."""
    title: str
    """Heading of the dataset card; ``{source}`` in it becomes the name of the files or of the Hub dataset."""
    description: str
    """How the pairs are made, in one or two sentences for the dataset card."""
    summary: str
    """One line for help texts."""
    columns: frozenset[str]
    """Columns that every source row must have."""
    read: Callable[[Mapping[str, Any]], Example]
    """Parse a source row. Raises DropRow for a row that yields no pair."""
    reject: Callable[[Example, RowRng, CorruptionOptions], list[Rejection]]
    """The rejected completions of an example, at least one. Raises DropRow where there is none."""
    optional: frozenset[str] = frozenset()
    """Further columns that ``read`` uses where a row has them."""
    unlisted: frozenset[str] = frozenset()
    """More of these: names that are recognized, but too many to list in messages."""
    hub: Hub | None = None
    """Where the dataset is on the Hub; without it, ``--source`` is required."""
    license: str | None = None
    """License of the source as a Hub identifier, such as ``cc-by-sa-4.0``; the pairs inherit it. None if unknown."""
    style: str = "lm-eval"
    """Default prompt style."""
    styles: Mapping[str, Style] = field(default_factory=lambda: STYLES)
    """Prompt styles by name."""
    corrupts: bool = False
    """Whether ``reject`` generates wrong answers, so that ``CorruptionOptions`` apply."""
    multiple_choice: bool = False
    """Whether the pairs of a group are the choices of a question, of which chosen is the right one.

    It goes into the manifest if True; training takes other datasets for such questions if no pair has a corruption.
    """
    is_import: bool = False
    """Whether the rows are prompts and completions as they will be trained on: no prompt style applies, and ``read``
    may use any column."""
    arrange: Callable[[Source], Source] | None = None
    """The source with rows as ``read`` takes them, if they are stored in another form."""
    adapt: Callable[[Mapping[str, Source]], "Builder"] | None = None
    """The builder for these sources by split, where it depends on their rows how one is read."""
    on_unchecked: str = "keep"
    """Default of ``--on-unchecked``: keep or drop pairs whose corruption could not be verified."""
    recorded: Mapping[str, str] = field(default_factory=dict)
    """Options of its own, which the manifest and the command of the card record."""
    command: str = ""
    """The command that makes the dataset, if it is not ``pairgen build NAME``."""
    sft: bool = False
    """Whether the rows have no rejected completion; it goes into the manifest if True."""
    eval_size: int = 0
    """Default number of held-out rows if the dataset comes from the Hub, for datasets without such a split there."""


def clean_text(value: Any, what: str) -> str:
    """A text without surrounding whitespace.

    Raises:
        DropRow: ``value`` is not a string, is blank, or is longer than ``MAX_LENGTH``; the reason begins with ``what``.
    """
    if type(value) is not str:
        raise DropRow(f"{what} is null" if value is None else f"{what} is not a string")
    text = value.strip()
    if not text:
        raise DropRow(f"{what} is empty")
    if len(text) > MAX_LENGTH:
        raise DropRow(f"{what} is over {MAX_LENGTH:,} characters")
    return text
