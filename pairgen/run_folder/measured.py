"""Log-probs of the tokens of pairs, as runs and studies measure them: the file ``pairs.parquet``.

A run writes the file after each evaluation, over the one before it, with all pairs of the evaluation. Without an eval
split it writes the first training pairs after its last step. For a loss that has no reference, the reference is the
model that the run started from. The texts of a completion's tokens, joined, are the
completion as the model saw it, and what ends it, such as EOS. Of a character that is spread over several tokens, the
last token has the text, and the others have none.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pairgen.atomic import os_errors, staging
from pairgen.errors import RunFolderError

T = TypeVar("T")

LOGPS, TEXTS = pa.list_(pa.float32()), pa.list_(pa.string())

SCORED = pa.schema(
    {
        "split": pa.string(),  # train or eval
        "dataset": pa.string(),  # its name, as in the names of metrics
        "pair_id": pa.string(),
        "chosen": LOGPS,  # under the policy
        "rejected": LOGPS,  # null for a loss that does not use rejected completions
        "reference_chosen": LOGPS,  # under the reference model; null where that is not known
        "reference_rejected": LOGPS,
        "chosen_tokens": TEXTS,
        "rejected_tokens": TEXTS,
        "edit_start": pa.int32(),
        "chosen_edit_stop": pa.int32(),
        "rejected_edit_stop": pa.int32(),
    }
)
"""One row per pair: log-probs of the tokens of both completions, EOS included, in nats; the texts of the tokens; token
indices of the edit. A later version may have more columns."""

NEEDED = ("split", "pair_id", "chosen", "rejected", "edit_start", "chosen_edit_stop", "rejected_edit_stop")
"""Columns without which a file cannot be read."""

Numbers = NDArray[np.float64]
Offsets = NDArray[np.int64]
PARTS = ("before", "at", "after")
SIDES = ("chosen", "rejected")


class MeasuredAt(NamedTuple):
    """When the pairs of a file were measured."""

    step: int
    steps: int
    """Of the complete run."""


_STEP, _STEPS, _MACHINE = b"step", b"steps", b"machine"


def with_origin(table: pa.Table, at: MeasuredAt, machine: str) -> pa.Table:
    """The table with the step that it was measured at, and the machine, in the metadata of its schema."""
    return table.replace_schema_metadata({_STEP: str(at.step), _STEPS: str(at.steps), _MACHINE: machine})


def measured_at(file: Path) -> MeasuredAt | None:
    """When the pairs of a file were measured; None if it does not say. Raises RunFolderError if it cannot be read."""
    metadata = _read(file, pq.read_schema).metadata or {}
    return MeasuredAt(int(metadata[_STEP]), int(metadata[_STEPS])) if {_STEP, _STEPS} <= metadata.keys() else None


def machine_of(file: Path) -> str:
    """The machine that a file was measured on, in words; empty if it does not say.

    Raises:
        RunFolderError: it cannot be read.
    """
    metadata: dict[bytes, bytes] = _read(file, pq.read_schema).metadata or {}
    return metadata.get(_MACHINE, b"").decode()


def read_table(file: Path) -> pa.Table:
    """A table of ``SCORED``. Raises RunFolderError if the file is missing, damaged, or something else."""
    table = _read(file, pq.read_table)
    if missing := [name for name in NEEDED if name not in table.column_names]:
        raise RunFolderError(f"{file}: has no column {missing[0]}; pass a file that `pairgen train` wrote")
    return table


def write_table(table: pa.Table, file: Path) -> None:
    """Write a Parquet file, whole or not at all. Raises OutputError."""
    with os_errors(file), staging(file) as folder:
        pq.write_table(table, folder / file.name, compression="zstd")
        (folder / file.name).replace(file)


def _read(file: Path, read: Callable[[Path], T]) -> T:
    if not file.is_file():
        raise RunFolderError(f"{file}: no such file; `pairgen train --resume` writes it")
    try:
        return read(file)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise RunFolderError(
            f"{file}: cannot be read ({reason}); delete it; `pairgen train --resume` writes another"
        ) from error


def edit_offsets(length: int, start: int, stop: int) -> Offsets:
    """[length] each token's offset from the edit: 0 at it, -1 just before it, 1 just after it.

    >>> edit_offsets(5, 2, 3).tolist()
    [-2, -1, 0, 1, 2]
    """
    at = np.arange(length)
    return np.where(at < start, at - start, np.where(at < stop, 0, at - max(stop, start) + 1))


class Measured:
    """The pairs of a run, with log-probs under its policy and under its reference.

    ``side`` is ``chosen`` or ``rejected``, ``of`` is ``policy`` or ``reference``; P is the number of pairs.
    """

    def __init__(self, policy: pa.Table, reference: pa.Table | None = None) -> None:
        """Pairs of one or two tables.

        Args:
            policy: of ``SCORED``; columns that are not in ``NEEDED`` may be missing.
            reference: the same pairs in the same order, with log-probs of the reference in the columns of the policy;
                without it, they are in the columns of ``policy`` that begin with ``reference_``.

        Raises:
            ValueError: the tables are of different pairs.
        """
        if reference is not None and policy["pair_id"] != reference["pair_id"]:
            raise ValueError("policy and reference were measured on different pairs")
        self._table, self._reference = policy, reference

    @classmethod
    def read(cls, policy: Path, reference: Path | None = None) -> "Measured":
        """Read what a run measured, from Parquet files.

        Raises:
            RunFolderError: a file is missing, damaged, or something else.
        """
        return cls(*(read_table(file) for file in (policy, reference) if file))

    def split(self, name: str) -> "Measured":
        """The pairs of one split: ``train`` or ``eval``."""
        return self._where(np.asarray(self._table["split"]) == name)

    @property
    def held_out(self) -> "Measured":
        """The held-out pairs; without any, the training pairs."""
        found = self.split("eval")
        return found if len(found) else self

    def _where(self, chosen: NDArray[np.bool_]) -> "Measured":
        mask = pa.array(chosen)
        return Measured(self._table.filter(mask), self._reference and self._reference.filter(mask))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def step(self) -> int | None:
        """The step that the policy was measured at, if the file says."""
        found = (self._table.schema.metadata or {}).get(_STEP)
        return None if found is None else int(found)

    @property
    def pair_ids(self) -> list[str]:
        """[P]."""
        return list(self._table["pair_id"].to_pylist())

    @property
    def datasets(self) -> list[str]:
        """[P] the name of each pair's dataset; empty if it was not written."""
        return list(self._table["dataset"].to_pylist()) if "dataset" in self._table.column_names else [""] * len(self)

    def has(self, side: str, of: str = "policy") -> bool:
        """Whether there are log-probs: a loss may need no reference, or no rejected completions."""
        column = self._column(side, of)
        return column is not None and len(column) > 0 and column.null_count == 0

    def _column(self, side: str, of: str) -> pa.ChunkedArray | None:
        if of == "policy":
            return self._table[side]
        if self._reference is not None:
            return self._reference[side]
        name = f"reference_{side}"
        return self._table[name] if name in self._table.column_names else None

    @cached_property
    def _edit(self) -> dict[str, tuple[list[int], list[int]]]:
        start = self._table["edit_start"].to_pylist()
        return {side: (start, self._table[f"{side}_edit_stop"].to_pylist()) for side in SIDES}

    def edit(self, side: str) -> list[tuple[int, int]]:
        """[P] first and, exclusive, last token of each edit."""
        return list(zip(*self._edit[side], strict=True))

    def tokens(self, side: str, of: str = "policy") -> list[Numbers]:
        """[P] log-probs of each completion's tokens, in nats. Raises ValueError if there are none, see ``has``."""
        column = self._column(side, of)
        if column is None or column.null_count:
            raise ValueError(f"no log-probs of {side} under the {of} were measured")
        return [np.asarray(row.values, dtype=np.float64) for row in column]

    def texts(self, side: str) -> list[list[str]] | None:
        """[P] the text of each completion's tokens; None if it was not written."""
        name = f"{side}_tokens"
        if name not in self._table.column_names or self._table[name].null_count:
            return None
        return list(self._table[name].to_pylist())

    def sums(self, side: str, of: str = "policy", part: str = "") -> Numbers:
        """[P] log-prob of each completion, in nats; with a ``part`` of ``PARTS``, of its tokens there."""
        rows = self.tokens(side, of)
        if part:
            sign = PARTS.index(part) - 1
            rows = [row[np.sign(at) == sign] for row, at in zip(rows, self.offsets(side), strict=True)]
        return np.array([row.sum() for row in rows])

    def logratio(self, side: str, part: str = "") -> Numbers:
        """[P] log pi(y|x) - log pi_ref(y|x), in nats; with a ``part`` of ``PARTS``, of its tokens there."""
        return self.sums(side, "policy", part) - self.sums(side, "reference", part)

    @property
    def margin(self) -> Numbers:
        """[P] chosen log-ratio minus rejected log-ratio, in nats."""
        return self.logratio("chosen") - self.logratio("rejected")

    def offsets(self, side: str) -> list[Offsets]:
        """[P] each token's offset from the edit, see ``edit_offsets``."""
        rows = zip(self.tokens(side), self.edit(side), strict=True)
        return [edit_offsets(len(tokens), *edit) for tokens, edit in rows]

    def pooled(self, side: str, part: str, of: str = "policy") -> float:
        """Mean log-prob per token before, at or after the edit, over the tokens of all pairs; NaN if there are none."""
        return float(np.mean(self._values(side, part, of))) if len(self) else float("nan")

    def _values(self, side: str, part: str, of: str) -> Numbers:
        values, offsets = np.concatenate(self.tokens(side, of)), np.concatenate(self.offsets(side))
        sign = PARTS.index(part) - 1
        found: Numbers = values[np.sign(offsets) == sign]
        return found if len(found) else np.array([np.nan])

    def profile(self, side: str, of: str, first: int, last: int) -> Numbers:
        """[last - first + 1] mean log-prob of the tokens at each offset from the edit; NaN where there are none."""
        values, offsets = np.concatenate(self.tokens(side, of)), np.concatenate(self.offsets(side))
        inside = (offsets >= first) & (offsets <= last)
        size = last - first + 1
        counts = np.bincount(offsets[inside] - first, minlength=size)
        totals = np.bincount(offsets[inside] - first, values[inside], minlength=size)
        means: Numbers = np.divide(totals, counts, out=np.full(size, np.nan), where=counts > 0)
        return means
