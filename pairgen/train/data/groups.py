"""Token groups: pairs that share prompt and chosen, as token ids. The unit of shuffling, batching and packing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ids = NDArray[np.int32]

SCHEMA = pa.schema(
    {
        "prompt": pa.list_(pa.int32()),
        "completions": pa.list_(pa.list_(pa.int32())),
        "pair_ids": pa.list_(pa.string()),
        "edit": pa.list_(pa.int32()),
        "num_chars": pa.list_(pa.int32()),
    }
)
"""One row per group, with the fields of ``TokenGroup``; ``edit`` is flat, two numbers per pair."""


@dataclass(frozen=True)
class TokenGroup:
    """P pairs that share prompt and chosen."""

    prompt: Ids
    """Token ids of the prompt with BOS; at least one."""
    completions: tuple[Ids, ...]
    """Token ids of chosen, then of the P rejected completions, or only of chosen if the loss does not use rejected.
    None is empty; each ends with EOS."""
    pair_ids: tuple[str, ...]
    """[P] pair ids, unique across all datasets of a run."""
    edit: NDArray[np.int32]
    """[P, 2] start and stop of the edit in chosen, in tokens; rejected has the same tokens before and after it."""
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

    def select(self, pairs: Sequence[int]) -> "TokenGroup":
        """The group with a subset of its pairs."""
        completions = [0, *(1 + at for at in pairs)] if len(self.completions) > 1 else [0]
        return TokenGroup(
            prompt=self.prompt,
            completions=tuple(self.completions[at] for at in completions),
            pair_ids=tuple(self.pair_ids[at] for at in pairs),
            edit=self.edit[list(pairs)],
            num_chars=self.num_chars[completions],
        )

    def chosen_only(self) -> "TokenGroup":
        """The same pairs without their rejected completions, for a loss that does not use them."""
        return replace(self, completions=self.completions[:1], num_chars=self.num_chars[:1])


class Lengths(NamedTuple):
    """Tokens of G groups with P pairs in all."""

    prompt: NDArray[np.int64]
    """[G]"""
    chosen: NDArray[np.int64]
    """[G]"""
    rejected: NDArray[np.int64]
    """[P] in the order of the groups; empty without rejected completions."""
    edit_start: NDArray[np.int64]
    """[P] tokens of chosen before the edit, which rejected has, too."""


class GroupTable:
    """Groups in memory-mapped Arrow tables of ``SCHEMA``; indexing converts a row to a ``TokenGroup``.

    Args:
        tables: one per dataset. If there are several, "0:", "1:" and so on are prepended to their pair ids, which
            makes these unique.
    """

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        self.tables = list(tables)
        self.prefixes = [f"{index}:" for index in range(len(tables))] if len(tables) > 1 else [""]
        """What is prepended to the pair ids of each table."""
        self._stops = np.cumsum([table.num_rows for table in tables])
        table = pa.concat_tables(tables)
        self._columns = [table[name] for name in SCHEMA.names]
        self.pairs = _lengths(table["pair_ids"])
        """[G] pairs of each group."""
        self.tokens = _lengths(table["prompt"])
        """[G] tokens of each group's prompt and completions."""
        self.shortest = self.longest = self.tokens
        """[G] tokens of each group's prompt and its shortest, its longest completion."""
        counts = _lengths(table["completions"])
        if len(counts):
            completions, start = _lengths(pc.list_flatten(table["completions"])), np.cumsum(counts) - counts
            prompts = self.tokens
            self.tokens = prompts + np.add.reduceat(completions, start)
            self.shortest = prompts + np.minimum.reduceat(completions, start)
            self.longest = prompts + np.maximum.reduceat(completions, start)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> TokenGroup:
        prompt, completions, _, edit, num_chars = (column[int(index)] for column in self._columns)
        return TokenGroup(
            prompt=_array(prompt),
            completions=tuple(map(_array, completions)),
            pair_ids=self.pair_ids(index),
            edit=_array(edit).reshape(-1, 2),
            num_chars=_array(num_chars),
        )

    def __iter__(self) -> Iterator[TokenGroup]:
        return (self[index] for index in range(len(self)))

    def lengths(self) -> Lengths:
        """The lengths of all groups, without reading their tokens."""
        prompt, completions, _, edit, _ = self._columns
        lengths = _lengths(pc.list_flatten(completions))
        counts = _lengths(completions)
        is_chosen = np.zeros(len(lengths), bool)
        is_chosen[np.cumsum(counts) - counts] = True
        starts = np.asarray(pc.list_flatten(edit), dtype=np.int64)[::2]
        return Lengths(_lengths(prompt), lengths[is_chosen], lengths[~is_chosen], starts)

    def table_of(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The table of each of some groups."""
        return np.searchsorted(self._stops, indices, side="right")

    def pair_ids(self, index: int) -> tuple[str, ...]:
        """The pair ids of a group, without reading its tokens."""
        prefix = self.prefixes[np.searchsorted(self._stops, index, side="right")]
        return tuple(prefix + pair_id for pair_id in self._columns[2][int(index)].as_py())


def common_prefix_length(a: Ids, b: Ids) -> int:
    """The length of the longest common prefix of two token sequences."""
    shorter = min(len(a), len(b))
    differs = a[:shorter] != b[:shorter]
    first = int(differs.argmax()) if shorter else 0
    return first if shorter and differs[first] else shorter


def _lengths(lists: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(pc.list_value_length(lists), dtype=np.int64)


def _array(scalar: pa.ListScalar) -> Ids:
    values: Ids = scalar.values.to_numpy(zero_copy_only=True)
    return values
