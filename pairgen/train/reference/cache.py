"""Log-probs of the reference model in files, and by pair."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

FORMAT = 3
"""Version of ``SCHEMA``, part of a cache's name."""

SCHEMA = pa.schema(
    {
        "pair": pa.string(),
        "batch": pa.string(),
        "chosen": pa.list_(pa.float32()),
        "rejected": pa.list_(pa.float32()),
    }
)
"""Per pair: its key, that of the batch it was scored in, and log-probs of the tokens of both completions, in nats."""


_NONE: Mapping[str, str] = MappingProxyType({})


class ReferenceLogps:
    """Reference log-probs by pair, read from the memory-mapped files when they are needed."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[pa.RecordBatch, int]] = {}
        self._exact: set[str] = set()

    def add(self, batches: Iterable[pa.RecordBatch], prefix: str = "", wanted: Mapping[str, str] = _NONE) -> None:
        """Add pairs, with ``prefix`` prepended to their keys.

        Args:
            wanted: for each pair, with prefix, the key of the batch that it should have been scored in. Of several rows
                of a pair, that of this batch is kept, else the first one.
        """
        for batch in batches:
            columns = (batch["pair"].to_pylist(), batch["batch"].to_pylist())
            for row, (key, scored_in) in enumerate(zip(*columns, strict=True)):
                pair = prefix + key
                if wanted.get(pair) == scored_in:
                    self._exact.add(pair)
                    self._rows[pair] = (batch, row)
                else:
                    self._rows.setdefault(pair, (batch, row))

    def is_exact(self, key: str) -> bool:
        """Whether a pair was scored in the batch that was wanted."""
        return key in self._exact

    def update(self, other: "ReferenceLogps") -> None:
        """Add the pairs of another split."""
        self._rows |= other._rows
        self._exact |= other._exact

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def tokens(self, keys: Sequence[str], width: int, rejected: bool = True) -> Tensor:
        """Log-probs of all tokens of P pairs.

        Args:
            width: tokens of the longest completion.
            rejected: whether the batch contains rejected completions; if not, their rows repeat chosen.

        Returns:
            [2P, width] float64: chosen of each pair, then rejected of each; 0 after a completion's end.
        """
        values = np.zeros((2 * len(keys), width))
        columns = ("chosen", "rejected" if rejected else "chosen")
        for line, (column, key) in zip(values, product(columns, keys), strict=True):
            batch, row = self._rows[key]
            found = batch[column][row].values.to_numpy()
            line[: len(found)] = found
        return torch.from_numpy(values)


def folder_of(dataset: Path, chosen: str, fallback: Path) -> Path:
    """The folder for a dataset's log-probs: ``chosen``, else inside the dataset, or ``fallback`` if it is read-only."""
    if chosen:
        return Path(chosen)
    folder = dataset / "reference"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
    return folder if os.access(folder, os.W_OK) else fallback


def read(folder: Path) -> list[pa.RecordBatch]:
    """The complete record batches of all streams in a folder."""
    found: list[pa.RecordBatch] = []
    for file in sorted(folder.glob("*.arrows")):
        try:
            with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
                while True:
                    found.append(reader.read_next_batch())
        except (StopIteration, pa.ArrowInvalid, OSError):  # its end, or the process that wrote it was killed
            continue
    return found
