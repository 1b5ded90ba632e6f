"""Selects rows by simple conditions on their columns, and on the marks that a reader gave them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import SCHEMA
from pairgen.report.viewer.marks import MARK_COLUMNS, Marks, mark_columns

_CONDITION = re.compile(r"(\w+)\s*(!=|=|<|>|~)(.*)", re.DOTALL)

FILTERABLE = [field.name for field in SCHEMA if not pa.types.is_nested(field.type)]
"""The columns that conditions can name. With marks, also ``MARK_COLUMNS``."""


class Condition(NamedTuple):
    """A column, an operator, and the value it is compared with."""

    column: str
    operator: str
    value: str


def parse_condition(text: str, marked: bool = False) -> Condition:
    """Read ``column=value``, ``column!=value``, ``column<number``, ``column>number`` or ``column~text`` (contains).

    Args:
        text: the condition.
        marked: whether there are marks, so that it can name ``MARK_COLUMNS``.

    Raises:
        UsageError: another form, an unknown column, or an operator or value that does not fit the column's type.
    """
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--where {text}: expected column=value, column!=value, column<number, column>number or column~text"
        )
    column, operator, value = match.group(1), match.group(2), match.group(3).strip()
    available = [*FILTERABLE, *(MARK_COLUMNS if marked else ())]
    if column not in available:
        if column in MARK_COLUMNS:
            raise UsageError(f"--where {text}: there are no marks; add --marks FILE")
        raise UsageError(f"--where {text}: unknown column {column}; available: {', '.join(available)}")
    textual = column in MARK_COLUMNS or SCHEMA.field(column).type == pa.string()
    if textual and operator in "<>":
        raise UsageError(f"--where {text}: {column} is a text column; use =, != or ~")
    if not textual:
        if operator == "~":
            raise UsageError(f"--where {text}: {column} is numeric; use =, !=, < or >")
        try:
            float(value)
        except ValueError:
            raise UsageError(f"--where {text}: {column} is numeric, but {value!r} is not a number") from None
    return Condition(column, operator, value)


_COMPARE = {"=": pc.equal, "!=": pc.not_equal, "<": pc.less, ">": pc.greater}


def matching_rows(batch: pa.RecordBatch, conditions: Sequence[Condition], marks: Marks | None) -> NDArray[np.int64]:
    """The rows of a batch that meet every condition, counted from 0."""
    if any(condition.column in MARK_COLUMNS for condition in conditions):
        columns = mark_columns(batch["pair_id"], marks or {})
        batch = pa.record_batch([*batch.columns, *columns.values()], [*batch.schema.names, *columns])
    rows = np.arange(batch.num_rows)
    batch = batch.select(list(dict.fromkeys(condition.column for condition in conditions)))
    for condition in conditions:
        met = _mask(batch[condition.column], condition)
        batch, rows = batch.filter(met), rows[np.asarray(met)]
    return rows


def _mask(values: pa.Array, condition: Condition) -> pa.Array:
    """Which values meet the condition; a null meets only ``!=``."""
    if condition.operator == "~":
        return pc.fill_null(pc.match_substring(values, condition.value), False)
    other = condition.value if values.type == pa.string() else float(condition.value)
    return pc.fill_null(_COMPARE[condition.operator](values, other), condition.operator == "!=")


def select(
    dataset: PairDataset,
    limit: int,
    where: Iterable[str] = (),
    split: str | None = None,
    seed: int | None = None,
    marks: Marks | None = None,
) -> list[dict[str, Any]]:
    """The first ``limit`` rows, in order, that meet every condition; with a seed, as many of them at random.

    Args:
        dataset: where the rows are.
        limit: how many of them at most.
        where: conditions; see ``parse_condition``.
        split: only rows of this split.
        seed: random seed.
        marks: marks by pair id. With them, each row has the columns ``mark`` and ``note``, null where there is none.

    Raises:
        UsageError: an invalid condition, or an unknown split.
    """
    conditions = [parse_condition(text, marks is not None) for text in where]
    matching = _matching(dataset, conditions, chosen_splits(dataset, split), marks)
    rows = _first(matching, limit) if seed is None else _sample(matching, limit, seed)
    if marks is not None:
        for row in rows:
            row |= marks[row["pair_id"]].columns() if row["pair_id"] in marks else dict.fromkeys(MARK_COLUMNS)
    return rows


def chosen_splits(dataset: PairDataset, split: str | None) -> list[str]:
    """The names of all splits, or only this one. Raises UsageError if there is none of that name."""
    if split is not None and split not in dataset.splits:
        raise UsageError(f"--split {split}: unknown split; available: {', '.join(dataset.splits)}")
    return list(dataset.splits) if split is None else [split]


def _matching(
    dataset: PairDataset, conditions: Sequence[Condition], splits: Iterable[str], marks: Marks | None
) -> Iterator[pa.RecordBatch]:
    for name in splits:
        for batch in dataset.splits[name].batches():
            yield batch.take(matching_rows(batch, conditions, marks)) if conditions else batch


def _first(batches: Iterable[pa.RecordBatch], limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in batches:
        rows += batch.slice(0, limit - len(rows)).to_pylist()
        if len(rows) >= limit:
            break
    return rows


def _sample(batches: Iterable[pa.RecordBatch], limit: int, seed: int) -> list[dict[str, Any]]:
    """The rows with the ``limit`` smallest of random keys."""
    rng = np.random.default_rng(seed)
    chosen: list[tuple[float, dict[str, Any]]] = []
    for batch in batches:
        keys = rng.random(batch.num_rows)
        indices = np.argsort(keys)[:limit]
        chosen += zip(keys[indices].tolist(), batch.take(indices).to_pylist(), strict=True)
        chosen = sorted(chosen, key=lambda item: item[0])[:limit]
    return [row for _, row in chosen]
