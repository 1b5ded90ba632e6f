"""Lengths of texts in code points, and the share of a completion before its edit."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
    """Length of the common prefix / length of the longer completion.

    The texts after the edit are equal, so the completions differ in length as their spans do, and it is enough to
    measure one of them.
    """
    grown = batch["rejected_edit_stop"].to_numpy() - batch["chosen_edit_stop"].to_numpy()
    longer = code_points(batch["chosen"]) + np.maximum(grown, 0)
    share: NDArray[np.float32] = (batch["edit_start"].to_numpy() / np.maximum(longer, 1)).astype(np.float32)
    return share
