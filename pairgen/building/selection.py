"""Choices that depend on all rows: the held-out split, the few-shot examples, numbers for duplicate ids.

They are made on 64-bit keys, and depend only on the keys and the seed, not on the order of files or the number of
workers.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from pairgen.errors import UsageError

Keys = NDArray[np.uint64]


def text_key(text: str) -> int:
    """64-bit key of a text, ignoring case and whitespace."""
    return xxhash.xxh3_64_intdigest(" ".join(text.split()).casefold().encode("utf-8", "surrogatepass"))


def id_keys(pair_ids: Sequence[str]) -> Keys:
    """64-bit keys of pair ids, without the numbers of duplicates: ``0f-0`` and ``0f-0~2`` have the same."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(one.partition("~")[0].encode()) for one in pair_ids), np.uint64, len(pair_ids))


def shuffled_questions(keys: Sequence[Keys], seed: int, purpose: str) -> tuple[Keys, NDArray[np.int64]]:
    """The distinct keys in an order that depends on seed and purpose, and the number of rows of each."""
    questions, counts = np.unique(np.concatenate([*keys, np.empty(0, np.uint64)]), return_counts=True)
    mixed = questions ^ np.uint64(xxhash.xxh3_64_intdigest(f"{purpose}:{seed}".encode()))
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):  # the finalizer of MurmurHash3
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    order = np.argsort(mixed ^ (mixed >> np.uint64(33)), kind="stable")
    return questions[order], counts[order]


def held_out_questions(keys: Sequence[Keys], size: int, seed: int) -> tuple[frozenset[int], int]:
    """Questions to hold out, and the number of their rows: ``size``, or fewer if whole questions do not add up to it.

    Questions are taken in shuffled order, except those with more rows than are still needed.

    Raises:
        UsageError: no row would be left to train on, or every question has more than ``size`` rows.
    """
    questions, counts = shuffled_questions(keys, seed, "eval")
    total = int(counts.sum())
    if size >= total:
        raise UsageError(f"--eval-size {size}: the source has only {total:,} usable rows; choose a smaller --eval-size")
    chosen, missing = [], size
    for question, count in zip(_values(questions), _values(counts), strict=True):
        if count <= missing:
            chosen.append(question)
            missing -= count
            if not missing:
                break
    if not chosen:
        raise UsageError(f"--eval-size {size}: every question has at least {counts.min()} rows; hold out that many")
    return frozenset(chosen), size - missing


def few_shot_questions(keys: Sequence[Keys], held_out: frozenset[int], count: int, seed: int) -> list[int]:
    """The first ``count`` questions of the training rows in shuffled order; fewer if there are fewer."""
    questions, _ = shuffled_questions(keys, seed, "shots")
    return list(islice((question for question in _values(questions) if question not in held_out), count))


def _values(array: NDArray[Any]) -> Iterator[int]:
    """The values of an array, of which only some are Python objects at a time: they take five times as much memory."""
    return (value for start in range(0, len(array), 4096) for value in array[start : start + 4096].tolist())


MAX_RUN = 1 << 20
"""Keys of a sorted run in memory: 8 MB."""


class SeenKeys:
    """Counts how often keys occurred before, with 8 bytes per distinct key.

    Keys are held in sorted runs. As in a log-structured merge tree, a run is merged with the one before it once it is
    as large, so that there are few; but not beyond ``MAX_RUN``, as a merge takes twice the memory of what it merges.
    """

    def __init__(self) -> None:
        self._runs: list[Keys] = []
        self._counts: dict[int, int] = {}  # of keys that occurred more than once

    def count_and_add(self, keys: Keys) -> NDArray[np.int64] | None:
        """How often each key occurred before; None if none did. ``[7, 8, 7]`` gives ``[0, 0, 1]``, and again
        ``[2, 1, 3]``.
        """
        distinct, first = np.unique(keys, return_index=True)
        is_old = np.zeros(len(distinct), bool)
        for run in self._runs:
            at = np.searchsorted(run, distinct)
            is_old |= run[np.minimum(at, len(run) - 1)] == distinct
        self._add(distinct[~is_old])
        if len(distinct) == len(keys) and not is_old.any():
            return None
        before = np.zeros(len(keys), np.int64)
        repeated = np.ones(len(keys), bool)
        repeated[first[~is_old]] = False
        for index in np.flatnonzero(repeated).tolist():
            key = int(keys[index])
            before[index] = self._counts.get(key, 1)
            self._counts[key] = int(before[index]) + 1
        return before

    def _add(self, run: Keys) -> None:
        if not len(run):
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) <= len(self._runs[-1]) <= MAX_RUN // 2:
            last = self._runs.pop()
            merged = np.concatenate([self._runs[-1], last])
            merged.sort(kind="stable")
            self._runs[-1] = merged


def number_duplicates(batch: pa.RecordBatch, before: Iterable[int] | None) -> pa.RecordBatch:
    """Append ``~2`` to the id of a pair whose row occurred once before, ``~3`` to the next, and so on.

    Rows that are exact duplicates have the same id otherwise.
    """
    if before is None:
        return batch
    ids = batch["pair_id"].to_pylist()
    numbered = [f"{pair_id}~{times + 1}" if times else pair_id for pair_id, times in zip(ids, before, strict=True)]
    return batch.set_column(batch.schema.get_field_index("pair_id"), batch.schema.field("pair_id"), pa.array(numbered))
