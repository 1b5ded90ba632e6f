"""Numbers of pairs counted into bins, batch by batch, so that a dataset of any size fits into memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.pairs.dataset import PairDataset, Split
from pairgen.stats.summary import Numbers

MOST = 1_000_000
"""Whole numbers above are counted as this one."""

IN_VIEW = 0.995
"""Share of the numbers that are in the bins of a histogram at least; a few very large ones would hide all others."""

BINS = 40
"""Bins of a histogram at most."""


def filled(dataset: PairDataset) -> dict[str, Split]:
    """The splits that have pairs, by name."""
    return {name: split for name, split in dataset.splits.items() if split.pairs}


def shares(parts: Iterable[Numbers], edges: Sequence[float]) -> NDArray[np.float64]:
    """Share of the numbers in each bin: from each edge up to, not including, the next; the last bin has both ends.

    Edges are compared in the type of the numbers, so that 0.7 stored as float32 is not below the edge 0.7.
    """
    counts, total = np.zeros(len(edges) - 1), 0
    for part in parts:
        counts += np.histogram(part, np.asarray(edges, part.dtype))[0]
        total += len(part)
    return counts / max(total, 1)


def whole_counts(parts: Iterable[Numbers]) -> NDArray[np.int64]:
    """How often each whole number from 0 on occurs; those above ``MOST`` are counted as ``MOST``."""
    counts = np.zeros(0, np.int64)
    for part in parts:
        found = np.bincount(np.minimum(part, MOST))
        if len(found) > len(counts):
            counts = np.pad(counts, (0, len(found) - len(counts)))
        counts[: len(found)] += found
    return counts


def whole_bins(counts: Iterable[NDArray[np.int64]]) -> list[int]:
    """Edges of at most ``BINS + 1`` bins of equal, round width for whole numbers.

    They hold ``IN_VIEW`` of each series, and begin at 0 unless the numbers are all far from it.
    """
    low, high = MOST, 0
    for series in counts:
        summed = np.cumsum(series) / series.sum()
        low = min(low, int(np.searchsorted(summed, 1 - IN_VIEW)))
        high = max(high, int(np.searchsorted(summed, IN_VIEW - 1e-12)))
    low = 0 if low < high / 2 else low
    width = next(
        factor * 10**power
        for power in range(8)
        for factor in (1, 2, 5)
        if high // (factor * 10**power) - low // (factor * 10**power) < BINS
    )
    return [*range(low // width * width, high + width + 1, width)]


def whole_shares(counts: NDArray[np.int64], edges: Sequence[int]) -> list[float]:
    """Share of the whole numbers in each bin."""
    padded = np.pad(counts, (0, max(edges[-1] + 1 - len(counts), 0)))
    found: list[float] = (np.add.reduceat(padded, edges)[:-1] / counts.sum()).tolist()
    return found


def batches(splits: Iterable[Split], columns: Sequence[str], of: Callable[[pa.RecordBatch], Any]) -> Iterator[Any]:
    """What a function makes of each batch of some splits."""
    return (of(batch) for split in splits for batch in split.batches(columns))


def sampled(splits: Sequence[Split], columns: Sequence[str], most: int) -> Iterator[pa.RecordBatch]:
    """About ``most`` pairs, spread evenly; all of them if there are fewer.

    Multiples of the golden ratio, modulo 1, are spread evenly, too, but have no period that groups could share.
    """
    share = most / max(sum(split.pairs for split in splits), 1)
    first = 0
    for split in splits:
        for batch in split.batches(columns):
            places = np.arange(first, first + batch.num_rows) * ((5**0.5 - 1) / 2) % 1
            first += batch.num_rows
            yield batch if share >= 1 else batch.filter(pa.array(places < share))
