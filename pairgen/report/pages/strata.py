"""A sample of the pairs of a dataset, from all of it and from each of its strata, the same one every time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.pairs.dataset import PairDataset, Split

STRATA = ("source", "strategy", "error", "check")
"""Columns whose combinations of values are the strata of a split."""

Indices = NDArray[np.int64]


def sample(dataset: PairDataset, size: int) -> list[dict[str, Any]]:
    """Up to ``size`` rows, each with its ``split``, in the order of the dataset.

    Every stratum is represented, the largest first if there are more strata than rows; the other rows are in proportion
    to the strata. Raises InvalidDataset for a damaged shard.
    """
    keys, firsts = [], []
    for split in dataset.splits.values():
        stratum = _strata(split)
        sizes = np.bincount(stratum, minlength=1)
        order = np.lexsort((scrambled(len(stratum)), stratum))  # by stratum, then as if at random
        rank = np.empty(len(stratum), np.int64)
        rank[order] = np.arange(len(stratum)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        first = rank == 0
        keys.append(np.where(first, 1 / np.maximum(sizes[stratum], 1), (rank + 0.5) / np.maximum(sizes[stratum], 1)))
        firsts.append(first)
    chosen = np.lexsort((np.concatenate(keys), ~np.concatenate(firsts)))[:size] if keys else np.empty(0, np.int64)
    rows: list[dict[str, Any]] = []
    start = 0
    for name, split in dataset.splits.items():
        inside = np.sort(chosen[(chosen >= start) & (chosen < start + split.pairs)]) - start
        rows += [{"split": name, **row} for row in taken(split, inside).to_pylist()]
        start += split.pairs
    return rows


def at_random(split: Split, size: int, columns: Sequence[str]) -> pa.RecordBatch:
    """Some columns of ``size`` rows at most, each as likely as any other, in the order of the split."""
    return taken(split, np.sort(np.argsort(scrambled(split.pairs), kind="stable")[:size]), columns)


def taken(split: Split, indices: Indices, columns: Sequence[str] | None = None) -> pa.RecordBatch:
    """Rows of a split by their increasing indices. Raises InvalidDataset for a damaged shard."""
    batches, start = [], 0
    for batch in split.batches(columns):
        first, last = np.searchsorted(indices, (start, start + batch.num_rows))
        if last > first:
            batches.append(batch.take(pa.array(indices[first:last] - start)))
        start += batch.num_rows
    if not batches:
        return next((batch.slice(0, 0) for batch in split.batches(columns)), pa.RecordBatch.from_pylist([]))
    made: pa.RecordBatch = pa.concat_batches(batches)
    return made


def scrambled(count: int) -> NDArray[np.uint64]:
    """A number for each row that looks random and depends on its index alone.

    Source: the output function of splitmix64 (Steele, Lea and Flood, 2014).
    """
    with np.errstate(over="ignore"):
        mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return found


def _strata(split: Split) -> Indices:
    """The stratum of each row, numbered in order of first occurrence."""
    codes = np.zeros(split.pairs, np.int64)
    columns = split.table(STRATA)
    for name in STRATA:
        encoded = columns[name].combine_chunks().fill_null("").dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        own = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        combined = codes * max(len(encoded.dictionary), 1) + own
        _, codes = np.unique(combined, return_inverse=True)
    return codes.astype(np.int64)
