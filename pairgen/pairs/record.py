"""The row contract: what one pair is, how it is laid out in Arrow, and what one dropped row is.

Columns are flat and of plain types, so that pandas, TRL, ``load_from_disk``, ``load_dataset(folder)`` and older
releases of ``datasets`` open them (dictionary-encoded strings do not open in ``datasets`` 2 and 3).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pairgen.pairs import edits


class Drop(NamedTuple):
    """A source row that makes no pair, and why. Reasons are counted, so they name the kind and no row."""

    reason: str


class Rejection(NamedTuple):
    """One rejected completion of an example, and what is known about how it differs from the chosen one.

    ``edit`` counts code points of the completions as given here, before any lead is put in front.
    The rest is provenance, filled in by corruption builders only.
    """

    completion: str
    edit: edits.Edit
    correct: str | None = None
    corrupted: str | None = None
    correct_value: str | None = None
    corrupted_value: str | None = None
    expression: str | None = None
    check: str | None = None
    reason: str | None = None
    strategy: str | None = None
    step: int | None = None
    steps: int | None = None


class Pair(NamedTuple):
    """One row of a dataset, in the order of ``SCHEMA`` less ``edit_distance``, which is computed for many at once."""

    prompt: str
    chosen: str
    rejected: str
    pair_id: str
    group_id: str
    source: str
    edit_start: int
    chosen_edit_stop: int
    rejected_edit_stop: int
    correct: str | None = None
    corrupted: str | None = None
    correct_value: str | None = None
    corrupted_value: str | None = None
    expression: str | None = None
    check: str | None = None
    reason: str | None = None
    strategy: str | None = None
    step: int | None = None
    steps: int | None = None


class Column(NamedTuple):
    """A column of the contract: its Arrow type, whether it may be null, and its meaning in one line."""

    type: pa.DataType
    nullable: bool
    meaning: str


COLUMNS: dict[str, Column] = {
    "prompt": Column(pa.string(), False, "what the model is given; ends without white space"),
    "chosen": Column(pa.string(), False, "the preferred completion; owns its leading space or newline"),
    "rejected": Column(pa.string(), False, "the dispreferred completion; differs from chosen"),
    "pair_id": Column(pa.string(), False, "unique in the dataset, derived from the source row alone"),
    "group_id": Column(pa.string(), False, "equal for exactly the pairs that share prompt and chosen"),
    "source": Column(pa.string(), False, "dataset and type, e.g. metamath/GSM_AnsAug"),
    "edit_start": Column(pa.int32(), False, "first code point that may differ; the texts before it are equal"),
    "chosen_edit_stop": Column(pa.int32(), False, "end of the differing span in chosen, exclusive"),
    "rejected_edit_stop": Column(pa.int32(), False, "end of the differing span in rejected; the tails are equal"),
    "edit_distance": Column(pa.float32(), False, "Levenshtein over code points / longer length, 0 to 1"),
    "correct": Column(pa.string(), True, "the literal that was replaced, as written"),
    "corrupted": Column(pa.string(), True, "what replaced it, as written"),
    "correct_value": Column(pa.string(), True, "exact value of correct as p/q; null if unchecked"),
    "corrupted_value": Column(pa.string(), True, "exact value of corrupted as p/q; null if unchecked"),
    "expression": Column(pa.string(), True, "the calculation, recomputed: plain ASCII arithmetic that sympy reads"),
    "check": Column(pa.string(), True, "verified: exact arithmetic says correct is right and corrupted wrong"),
    "reason": Column(pa.string(), True, "why it is unchecked; null if verified"),
    "strategy": Column(pa.string(), True, "the rule that found the corrupted place"),
    "step": Column(pa.int32(), True, "which result of the solution was corrupted, from 1"),
    "steps": Column(pa.int32(), True, "how many results the solution states"),
}

CHECKS = ("verified", "unchecked")

SCHEMA = pa.schema([pa.field(name, column.type, nullable=True) for name, column in COLUMNS.items()])
"""Every field is declared nullable, as ``datasets`` itself writes them; ``validate`` holds the non-null promise."""


def to_batch(pairs: Sequence[Pair]) -> pa.RecordBatch:
    """Lay pairs out as one Arrow batch of ``SCHEMA``, edit distances computed in bulk."""
    values: Iterable[Sequence[Any]] = zip(*pairs, strict=True) if pairs else ((),) * len(Pair._fields)
    columns: dict[str, Sequence[Any]] = dict(zip(Pair._fields, values, strict=True))
    columns["edit_distance"] = edits.distances(columns["chosen"], columns["rejected"]).tolist()
    return pa.record_batch([pa.array(columns[name], COLUMNS[name].type) for name in COLUMNS], schema=SCHEMA)
