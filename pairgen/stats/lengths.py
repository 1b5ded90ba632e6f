"""How long the texts are, how much of a completion comes before its edit, how many pairs a group holds."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray


def code_points(texts: Any) -> NDArray[np.int32]:
    """Length of each string of an Arrow array."""
    lengths: NDArray[np.int32] = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    return lengths


def prompt_length(batch: pa.RecordBatch) -> NDArray[np.int32]:
    return code_points(batch["prompt"])


def chosen_length(batch: pa.RecordBatch) -> NDArray[np.int32]:
    return code_points(batch["chosen"])


def rejected_length(batch: pa.RecordBatch) -> NDArray[np.int32]:
    return code_points(batch["rejected"])


def shared_prefix(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """Share of the longer completion that lies before the edit.

    The tails behind the stops are equal, so rejected is longer than chosen by as much as its span is: counting the
    code points of one text is enough.
    """
    grown = batch["rejected_edit_stop"].to_numpy() - batch["chosen_edit_stop"].to_numpy()
    longer = code_points(batch["chosen"]) + np.maximum(grown, 0)
    share: NDArray[np.float32] = (batch["edit_start"].to_numpy() / np.maximum(longer, 1)).astype(np.float32)
    return share


def group_keys(batch: pa.RecordBatch) -> NDArray[np.uint64]:
    """A 64-bit hash of each pair's group id: a group may be spread over batches, and ids are dear to keep."""
    names = batch["group_id"].cast(pa.binary()).to_pylist()
    return np.fromiter(map(xxhash.xxh3_64_intdigest, names), dtype=np.uint64, count=len(names))


def pairs_per_group(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many pairs each group has: one number per group, in no order of meaning."""
    return np.unique(keys, return_counts=True)[1]
