"""Rows to look at, picked by simple tests on their columns."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import SCHEMA

_TEST = re.compile(r"(\w+)\s*(!=|=|<|>|~)(.*)", re.DOTALL)


class Where(NamedTuple):
    """One test: a column, an operator, and what it is compared with."""

    column: str
    operator: str
    value: str


def parse_where(text: str) -> Where:
    """Read ``column=value``, ``column!=value``, ``column<number``, ``column>number`` or ``column~part``.

    Raises:
        UsageError: none of these, an unknown column, a number wanted and not given, ``~`` on a column of numbers.
    """
    match = _TEST.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--where {text}: write column=value, column!=value, column<0.1, column>0.1 or column~part")
    column, operator, value = match.group(1), match.group(2), match.group(3).strip()
    if column not in SCHEMA.names:
        raise UsageError(f"--where {text}: no column {column!r}; there are {', '.join(SCHEMA.names)}")
    textual = SCHEMA.field(column).type == pa.string()
    if textual and operator in "<>":
        raise UsageError(f"--where {text}: {column} holds text; use =, != or ~")
    if not textual:
        if operator == "~":
            raise UsageError(f"--where {text}: {column} holds numbers; use =, !=, < or >")
        try:
            float(value)
        except ValueError:
            raise UsageError(f"--where {text}: {column} holds numbers, and {value!r} is none") from None
    return Where(column, operator, value)


_COMPARE = {"=": pc.equal, "!=": pc.not_equal, "<": pc.less, ">": pc.greater}


def _mask(batch: pa.RecordBatch, where: Where) -> pa.Array:
    """Which rows pass; a null passes ``!=`` alone."""
    values = batch[where.column]
    if where.operator == "~":
        return pc.fill_null(pc.match_substring(values, where.value), False)
    other = where.value if values.type == pa.string() else float(where.value)
    return pc.fill_null(_COMPARE[where.operator](values, other), where.operator == "!=")


def select(dataset: PairDataset, n: int, where: Iterable[str] = (), split: str | None = None) -> list[dict[str, Any]]:
    """The first ``n`` rows, in order, that pass every test.

    Raises:
        UsageError: a test that cannot be read (see ``parse_where``), or a split that is not there.
    """
    tests = [parse_where(text) for text in where]
    if split is not None and split not in dataset.splits:
        raise UsageError(f"--split {split}: there are {', '.join(dataset.splits)}")
    rows: list[dict[str, Any]] = []
    for name in [split] if split else dataset.splits:
        for batch in dataset.splits[name].batches():
            for test in tests:
                batch = batch.filter(_mask(batch, test))
            rows += batch.slice(0, n - len(rows)).to_pylist()
            if len(rows) >= n:
                return rows
    return rows
