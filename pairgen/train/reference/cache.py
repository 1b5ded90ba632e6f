"""Reference log-probs on disk: one row per pair, written as they are computed.

They are kept next to the dataset in ``reference/<weights>-<precision>-<tokens>-v<FORMAT>/``, named by hashes of the
weights and of the tokens they were computed from, so that every run with the same reference model uses them. Each
process writes an Arrow stream of its own; of a stream that was cut short, the complete record batches count.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from pairgen.atomic import os_errors
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.order import chunks
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch

FORMAT = 2
"""Version of ``SCHEMA``, part of a cache's name."""

SCHEMA = pa.schema(
    {"pair": pa.string(), "chosen": pa.list_(pa.float32()), "rejected": pa.list_(pa.float32())}  # FORMAT names these
)
"""Per pair: its key, and the log-prob of each token of both completions, in nats."""

Score = Callable[[Sequence[TokenGroup]], tuple[Batch, Tensor]]
"""Scores groups with the reference model: the batch, and [2P, T] log-probs of its completions' tokens."""


class ReferenceLogps:
    """Reference log-probs by pair. Their values stay in the memory-mapped files until they are asked for."""

    def __init__(self, batches: Iterable[pa.RecordBatch] = ()) -> None:
        self._rows: dict[str, tuple[pa.RecordBatch, int]] = {}
        self.add(batches)

    def add(self, batches: Iterable[pa.RecordBatch], prefix: str = "") -> None:
        """Add pairs under ``prefix`` and their key; of a pair that is known, the first values stay."""
        for batch in batches:
            for row, key in enumerate(batch["pair"].to_pylist()):
                self._rows.setdefault(prefix + key, (batch, row))

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def tokens(self, keys: Sequence[str], width: int, rejected: bool = True) -> Tensor:
        """Log-probs of all tokens of P pairs.

        Args:
            width: tokens of the longest completion.
            rejected: whether rejected completions are part of the batch; if not, their rows are those of chosen.

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
    """The folder for a dataset's log-probs: ``chosen``, else next to the data, else (read-only data) the fallback."""
    if chosen:
        return Path(chosen)
    folder = dataset / "reference"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return fallback
    return folder if os.access(folder, os.W_OK) else fallback


def read(folder: Path) -> list[pa.RecordBatch]:
    """All complete record batches of all streams in a folder."""
    found: list[pa.RecordBatch] = []
    for file in sorted(folder.glob("*.arrows")):
        try:
            with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
                while True:
                    found.append(reader.read_next_batch())
        except (StopIteration, pa.ArrowInvalid, OSError):  # its end, or the process that wrote it was killed
            continue
    return found


@dataclass(frozen=True)
class ReferencePass:
    """One pass of the reference model over the groups that are needed."""

    groups: GroupTable
    needed: NDArray[np.int64]
    """Indices of groups."""
    score: Score
    pairs_at_once: int

    def missing(self, known: ReferenceLogps, world: World = World()) -> list[NDArray[np.int64]]:
        """The batches of this process that have a pair which is not known yet.

        Groups of similar length go together. The batches are derived from what is needed, not from what is known, so
        that an interrupted pass ends with the same values. Each process takes every ``world.size``-th batch.
        """
        unknown = self.groups.unknown(known)
        order = self.needed[np.argsort(self.groups.tokens[self.needed], kind="stable")]
        runs = [order[start:stop] for start, stop in chunks(self.groups.pairs[order], self.pairs_at_once)]
        return [run for run in runs[world.rank :: world.size] if unknown[run].any()]


def compute(
    work: ReferencePass, folder: Path, world: World = World(), progress: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Compute what is needed and missing in ``folder``, and write it there.

    Args:
        progress: receives the number of batches done, and of batches to do.
    """
    missing = work.missing(ReferenceLogps(read(folder)), world)
    if not missing:
        return
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(folder / f"{uuid4().hex}.arrows"), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
            for number, run in enumerate(missing, 1):
                stream.write_batch(_scored(*work.score([work.groups[index] for index in run])))
                sink.flush()
                progress(number, len(missing))


def _scored(batch: Batch, tokens: Tensor) -> pa.RecordBatch:
    """A row per pair. Log-probs are float32 to begin with: nothing is lost by storing them so."""
    rows = zip(tokens.float().cpu().numpy(), batch.lengths.tolist(), strict=True)
    values = [row[:length] for row, length in rows]
    columns = (values[: batch.pairs], values[batch.pairs :])
    return pa.record_batch(
        [list(batch.pair_ids), *(pa.array(part, SCHEMA.types[1]) for part in columns)], schema=SCHEMA
    )
