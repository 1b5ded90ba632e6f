"""Log-probs of the reference model in files, and by pair."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import xxhash
from numpy.typing import NDArray
from torch import Tensor

from pairgen.train.reference.hashes import Hashes, HashTable, digest, from_digests, hashes_of

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


@dataclass(frozen=True)
class Wanted:
    """The batches in which pairs should have been scored."""

    pairs: Hashes
    """[2, M] of M pairs, each once."""
    batches: Sequence[str]
    """The key of each batch."""
    counts: NDArray[np.int64]
    """Pairs of each batch, in the order of ``pairs``."""

    def are_exact(self, pairs: Hashes, batches: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """[N] whether pairs were scored in the batch that is wanted, by the hash of its key."""
        table, keys = self._by_pair
        found = table.find(pairs)
        return (found >= 0) & (keys[found] == batches) if len(table) else np.zeros(len(found), bool)

    @cached_property
    def _by_pair(self) -> tuple[HashTable, NDArray[np.uint64]]:
        table = HashTable(self.pairs)
        keys = np.fromiter(map(_key_hash, self.batches), np.uint64, len(self.batches))
        return table, np.repeat(keys, self.counts)[table.order]


def _key_hash(key: str) -> int:
    return xxhash.xxh3_64_intdigest(key.encode())


@dataclass(frozen=True)
class Stream:
    """The rows of a file, which is memory-mapped."""

    content: pa.Buffer
    starts: NDArray[np.int64]
    """[B] where each record batch starts in it, in bytes."""
    counts: NDArray[np.int64]
    """[B] rows of each record batch."""
    pairs: Hashes
    """[2, N] of each row."""
    exact: NDArray[np.bool_]
    """[N] whether each row is of the batch that was wanted."""


class ReferenceLogps:
    """Reference log-probs by pair, read from memory-mapped files when they are needed.

    Memory grows by some 30 bytes per row of the files. Of several rows of a pair, that of the wanted batch is used,
    else the first.
    """

    def __init__(self, streams: Sequence[Stream] = ()) -> None:
        self._contents = [stream.content for stream in streams]
        self._file = np.repeat(np.arange(len(streams)), [len(stream.starts) for stream in streams])
        self._starts = _joined([stream.starts for stream in streams])
        counts = _joined([stream.counts for stream in streams])
        pairs = np.concatenate([np.zeros((2, 0), np.uint64), *(stream.pairs for stream in streams)], axis=1)
        exact = np.concatenate([np.zeros(0, bool), *(stream.exact for stream in streams)])
        self._table = HashTable(pairs, ~exact)
        order = self._table.order
        self._exact = exact[order]
        self._batch = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order]
        self._row = (order - (np.cumsum(counts) - counts)[self._batch]).astype(np.int32)

    def contain(self, pairs: Hashes, exact: bool = False) -> NDArray[np.bool_]:
        """[M] whether each of M pairs is known; with ``exact``, from the batch that was wanted."""
        found = self._table.find(pairs)
        return (found >= 0) & (self._exact[found] | (not exact)) if len(self._table) else np.zeros(len(found), bool)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(self.contain(hashes_of([key])).all())

    def tokens(self, keys: Sequence[str], width: int, rejected: bool = True) -> Tensor:
        """Log-probs of all tokens of P pairs.

        Args:
            width: tokens of the longest completion.
            rejected: whether the batch contains rejected completions; if not, their rows repeat chosen.

        Returns:
            [2P, width] float64: chosen of each pair, then rejected of each; 0 after a completion's end.

        Raises:
            KeyError: a pair is not known.
        """
        found = self._table.find(hashes_of(keys))
        if (found < 0).any():
            raise KeyError(keys[int(found.argmin())])
        values = np.zeros((2 * len(keys), width))
        batches = {batch: self._read(batch) for batch in set(self._batch[found].tolist())}
        columns = ("chosen", "rejected" if rejected else "chosen")
        for line, (column, at) in zip(values, product(columns, found), strict=True):
            row = batches[int(self._batch[at])][column][int(self._row[at])].values.to_numpy()
            line[: len(row)] = row
        return torch.from_numpy(values)

    def _read(self, batch: int) -> pa.RecordBatch:
        content = self._contents[self._file[batch]]
        return pa.ipc.read_record_batch(pa.ipc.read_message(content.slice(int(self._starts[batch]))), SCHEMA)


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def folder_of(dataset: Path, chosen: str, fallback: Path) -> Path:
    """The folder for a dataset's log-probs: ``chosen``, else inside the dataset, or ``fallback`` if it is read-only."""
    if chosen:
        return Path(chosen)
    folder = dataset / "reference"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
    return folder if os.access(folder, os.W_OK) else fallback


def read(folder: Path, prefix: str = "", wanted: Wanted | None = None) -> list[Stream]:
    """The complete record batches of all streams in a folder.

    Args:
        prefix: what to prepend to the keys of the pairs.
        wanted: by which ``Stream.exact`` is decided; without it, no row is exact.
    """
    return [_read_stream(file, prefix, wanted) for file in sorted(folder.glob("*.arrows"))]


def _read_stream(file: Path, prefix: str, wanted: Wanted | None) -> Stream:
    with pa.memory_map(str(file)) as source:
        content = source.read_buffer()
    starts, counts, digests, scored_in = list[int](), list[int](), bytearray(), bytearray()
    reader = pa.BufferReader(content)
    with contextlib.suppress(EOFError, pa.ArrowInvalid, OSError):
        pa.ipc.read_message(reader)  # the schema
        while True:  # until the end, or what was written last before the process was killed
            start = reader.tell()
            batch = pa.ipc.read_record_batch(pa.ipc.read_message(reader), SCHEMA)
            pairs, keys = batch["pair"].to_pylist(), batch["batch"].to_pylist()
            digests += b"".join([digest(prefix + pair) for pair in pairs])
            scored_in += b"".join([_key_hash(key).to_bytes(8, "little") for key in keys])
            starts.append(start)
            counts.append(len(pairs))
    hashes, batches = from_digests(digests), np.frombuffer(scored_in, "<u8").astype(np.uint64)
    exact = wanted.are_exact(hashes, batches) if wanted else np.zeros(len(batches), bool)
    return Stream(content, np.array(starts, np.int64), np.array(counts, np.int64), hashes, exact)
