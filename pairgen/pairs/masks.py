"""Rows of a batch in the forms that checks of the invariants need."""

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
"""One boolean per row: True where an invariant is violated."""


class Rows:
    """Rows of a batch without nulls in required columns, in the forms that the checks need."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch

    def __getitem__(self, name: str) -> Any:
        return self.batch[name]

    @cached_property
    def chosen(self) -> list[str]:
        return list(self["chosen"].to_pylist())

    @cached_property
    def rejected(self) -> list[str]:
        return list(self["rejected"].to_pylist())

    @cached_property
    def spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Start, stop in chosen, stop in rejected."""
        start, stop, other = (
            self[name].to_numpy().astype(np.int64) for name in ("edit_start", "chosen_edit_stop", "rejected_edit_stop")
        )
        return start, stop, other

    @cached_property
    def lengths(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Code points of chosen and of rejected."""
        chosen, rejected = (pc.utf8_length(self[name]).to_numpy().astype(np.int64) for name in ("chosen", "rejected"))
        return chosen, rejected


def mask(condition: Any) -> Mask:
    """A boolean Arrow array as a mask; null counts as False."""
    truth: Mask = condition.fill_null(False).to_numpy(zero_copy_only=False)
    return truth


def is_set(rows: Rows, *names: str) -> Mask:
    """Where any of these columns holds a value."""
    truth: Mask = np.logical_or.reduce([mask(rows[name].is_valid()) for name in names])
    return truth
