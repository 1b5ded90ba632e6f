"""Token groups: pairs that share prompt and chosen, as token ids. The unit of shuffling, batching and packing."""

from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ids = NDArray[np.int32]

COLUMNS = {
    "prompt": pa.list_(pa.int32()),
    "completions": pa.list_(pa.list_(pa.int32())),
    "pair_ids": pa.list_(pa.string()),
    "edit": pa.list_(pa.int32()),
    "num_chars": pa.list_(pa.int32()),
}
SCHEMA = pa.schema(list(COLUMNS.items()))
"""One row per group, with the fields of ``TokenGroup``; ``edit`` is flat, two numbers per pair."""


@dataclass(frozen=True)
class TokenGroup:
    """P pairs that share prompt and chosen."""

    prompt: Ids
    """Token ids of the prompt, BOS included; at least one."""
    completions: tuple[Ids, ...]
    """Chosen, then the P rejected ones, or chosen alone where the loss does not use rejected. None is empty; EOS is
    included where the text ends."""
    pair_ids: tuple[str, ...]
    """[P] pair ids, unique across all datasets of a run."""
    edit: NDArray[np.int32]
    """[P, 2] start and stop of the edit in chosen, in tokens; what is before and after it is equal in rejected."""
    num_chars: NDArray[np.int32]
    """Characters of each completion, for accuracy per character."""

    @property
    def pairs(self) -> int:
        return len(self.pair_ids)

    @property
    def padded_tokens(self) -> int:
        """Tokens of the padded layout, which repeats prompt and chosen for every pair."""
        chosen, *rejected = map(len, self.completions)
        return self.pairs * (len(self.prompt) + chosen) + len(rejected) * len(self.prompt) + sum(rejected)

    def chosen_only(self) -> "TokenGroup":
        """The same pairs without their rejected completions, for a loss that does not use them."""
        return replace(self, completions=self.completions[:1], num_chars=self.num_chars[:1])


class GroupTable:
    """Groups in memory-mapped Arrow tables of ``SCHEMA``; indexing makes a ``TokenGroup`` of a row.

    Args:
        tables: one per dataset, in order.
        prefixes: for each table, what to prepend to its pair ids, so that they are unique across tables.
    """

    def __init__(self, tables: Sequence[pa.Table], prefixes: Sequence[str] | None = None) -> None:
        self._tables = [table.combine_chunks() for table in tables]
        self._prefixes = prefixes or [""] * len(tables)
        self._stops = list(accumulate(table.num_rows for table in tables))
        self.pairs: NDArray[np.int64] = _concatenate([_lengths(table["pair_ids"]) for table in self._tables])
        """[G] pairs of each group."""
        self.tokens: NDArray[np.int64] = _concatenate([_tokens(table) for table in self._tables])
        """[G] tokens of each group's prompt and completions."""

    def __len__(self) -> int:
        return self._stops[-1] if self._stops else 0

    def __getitem__(self, index: int) -> TokenGroup:
        which = bisect_right(self._stops, index)
        row = int(index) - (self._stops[which - 1] if which else 0)
        prompt, completions, pair_ids, edit, num_chars = (self._tables[which][name][row] for name in COLUMNS)
        return TokenGroup(
            prompt=_array(prompt),
            completions=tuple(map(_array, completions)),
            pair_ids=tuple(self._prefixes[which] + pair_id for pair_id in pair_ids.as_py()),
            edit=_array(edit).reshape(-1, 2),
            num_chars=_array(num_chars),
        )

    def __iter__(self) -> Iterator[TokenGroup]:
        return (self[index] for index in range(len(self)))

    def unknown(self, known: Container[str]) -> NDArray[np.bool_]:
        """[G] whether a group has a pair whose id is not in ``known``."""
        pair_ids = [
            prefix + pair_id
            for table, prefix in zip(self._tables, self._prefixes, strict=True)
            for pair_id in pc.list_flatten(table["pair_ids"]).to_pylist()
        ]
        unknown = np.fromiter((pair_id not in known for pair_id in pair_ids), dtype=bool, count=len(pair_ids))
        starts = np.cumsum(self.pairs) - self.pairs
        return np.logical_or.reduceat(unknown, starts) if len(pair_ids) else unknown


def concatenate(tables: Sequence[GroupTable]) -> GroupTable:
    """One table of several; where there are several, ``pair_id_prefixes`` are prepended to their pair ids."""
    if len(tables) == 1:
        return tables[0]
    prefixes = pair_id_prefixes(len(tables))
    arrow = [(part, prefix) for table, prefix in zip(tables, prefixes, strict=True) for part in table._tables]
    return GroupTable([part for part, _ in arrow], [prefix for _, prefix in arrow])


def pair_id_prefixes(count: int) -> list[str]:
    """What makes pair ids unique across ``count`` datasets: "0:", "1:" and so on; nothing for a single one."""
    return [f"{index}:" for index in range(count)] if count > 1 else [""] * count


def common_prefix_length(a: Ids, b: Ids) -> int:
    """How many tokens two sequences start with in common."""
    shorter = min(len(a), len(b))
    differs = a[:shorter] != b[:shorter]
    first = int(differs.argmax()) if shorter else 0
    return first if shorter and differs[first] else shorter


def _tokens(table: pa.Table) -> NDArray[np.int64]:
    """Tokens of each row's prompt and completions."""
    tokens = _lengths(table["prompt"])
    completions = _lengths(pc.list_flatten(table["completions"]))
    counts = _lengths(table["completions"])
    return tokens + np.add.reduceat(completions, np.cumsum(counts) - counts) if len(completions) else tokens


def _lengths(lists: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(pc.list_value_length(lists), dtype=np.int64)


def _concatenate(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _array(scalar: pa.ListScalar) -> Ids:
    values: Ids = scalar.values.to_numpy(zero_copy_only=True)
    return values
