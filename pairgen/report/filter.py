"""Selects rows by simple conditions on their columns."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import SCHEMA

_CONDITION = re.compile(r"(\w+)\s*(!=|=|<|>|~)(.*)", re.DOTALL)

FILTERABLE = [field.name for field in SCHEMA if not pa.types.is_nested(field.type)]
"""The columns that conditions can name."""


class Condition(NamedTuple):
    """A column, an operator, and the value it is compared with."""

    column: str
    operator: str
    value: str


def parse_condition(text: str) -> Condition:
    """Read ``column=value``, ``column!=value``, ``column<number``, ``column>number`` or ``column~text`` (contains).

    Raises:
        UsageError: another form, an unknown column, or an operator or value that does not fit the column's type.
    """
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--where {text}: expected column=value, column!=value, column<number, column>number or column~text"
        )
    column, operator, value = match.group(1), match.group(2), match.group(3).strip()
    if column not in FILTERABLE:
        raise UsageError(f"--where {text}: unknown column {column}; available: {', '.join(FILTERABLE)}")
    textual = SCHEMA.field(column).type == pa.string()
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


def _mask(batch: pa.RecordBatch, condition: Condition) -> pa.Array:
    """Which rows meet the condition; a null meets only ``!=``."""
    values = batch[condition.column]
    if condition.operator == "~":
        return pc.fill_null(pc.match_substring(values, condition.value), False)
    other = condition.value if values.type == pa.string() else float(condition.value)
    return pc.fill_null(_COMPARE[condition.operator](values, other), condition.operator == "!=")


def select(
    dataset: PairDataset, limit: int, where: Iterable[str] = (), split: str | None = None, seed: int | None = None
) -> list[dict[str, Any]]:
    """The first ``limit`` rows, in order, that meet every condition; with a seed, as many of them at random.

    Raises:
        UsageError: an invalid condition (see ``parse_condition``), or an unknown split.
    """
    conditions = [parse_condition(text) for text in where]
    if split is not None and split not in dataset.splits:
        raise UsageError(f"--split {split}: unknown split; available: {', '.join(dataset.splits)}")
    matching = _matching(dataset, conditions, [split] if split else list(dataset.splits))
    if seed is not None:
        return _sample(matching, limit, seed)
    rows: list[dict[str, Any]] = []
    for batch in matching:
        rows += batch.slice(0, limit - len(rows)).to_pylist()
        if len(rows) >= limit:
            break
    return rows


def _matching(dataset: PairDataset, conditions: Iterable[Condition], splits: Iterable[str]) -> Iterator[pa.RecordBatch]:
    for name in splits:
        for batch in dataset.splits[name].batches():
            for condition in conditions:
                batch = batch.filter(_mask(batch, condition))
            yield batch


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
