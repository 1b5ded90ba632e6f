"""The pairs of a dataset by number, memory-mapped: opening reads no texts."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pairgen.pairs.dataset import PairDataset


class Book:
    """The pairs of some splits, one after the other, counted from 0."""

    def __init__(self, dataset: PairDataset, splits: Sequence[str]) -> None:
        parts = [(name, batch) for name in splits for batch in dataset.splits[name].batches() if batch.num_rows]
        self.name = dataset.path.resolve().name
        self.batches: list[pa.RecordBatch] = [batch for _, batch in parts]
        self.starts: list[int] = [0, *accumulate(batch.num_rows for batch in self.batches)]
        """The number of the first pair of each batch, and then that of all pairs."""
        self._splits = [name for name, _ in parts]
        self.row = lru_cache(maxsize=64)(self._row)
        """A pair by number: its columns."""

    def __len__(self) -> int:
        return self.starts[-1]

    def _row(self, number: int) -> dict[str, Any]:
        at = self.batch_of(number)
        row: dict[str, Any] = self.batches[at].slice(number - self.starts[at], 1).to_pylist()[0]
        return row

    def batch_of(self, number: int) -> int:
        """The batch that has this pair."""
        return bisect_right(self.starts, number) - 1

    def split_of(self, number: int) -> str:
        """The split that has this pair."""
        return self._splits[self.batch_of(number)]

    def find(self, pair_id: str) -> Iterator[int]:
        """The numbers of the pairs with this id."""
        for start, batch in zip(self.starts, self.batches, strict=False):
            found: int = pc.index(batch["pair_id"], pair_id).as_py()
            if found >= 0:
                yield start + found
