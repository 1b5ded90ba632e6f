"""Token groups: the pairs that share prompt and chosen, as token ids. What the trainer shuffles, batches and packs."""

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
"""One row per group: what ``TokenGroup`` holds; ``edit`` is flat, two numbers per pair."""


@dataclass(frozen=True)
class TokenGroup:
    """Pairs that share prompt and chosen.

    P is the number of pairs. Positions in ``edit`` count tokens of the chosen completion.
    """

    prompt: Ids
    """Token ids of the prompt, BOS included; at least one."""
    completions: tuple[Ids, ...]
    """1 + P completions, EOS included where the text ends: chosen first, then each pair's rejected; none is empty."""
    pair_ids: tuple[str, ...]
    """[P] what a pair is known by: its pair_id, unique over all that is trained on."""
    edit: NDArray[np.int32]
    """[P, 2] start and stop of the edit in chosen, in tokens; what is before and after it is equal in rejected."""
    num_chars: NDArray[np.int32]
    """[1 + P] characters of each completion, for accuracy per character."""

    @property
    def pairs(self) -> int:
        return len(self.pair_ids)

    @property
    def padded_tokens(self) -> int:
        """Tokens that a trainer runs which repeats prompt and chosen for every pair."""
        chosen, *rejected = self.completions
        others = [len(self.prompt) + len(ids) for ids in rejected if ids is not chosen]
        return self.pairs * (len(self.prompt) + len(chosen)) + sum(others)

    def chosen_only(self) -> "TokenGroup":
        """The same with chosen in place of every rejected, for a loss that looks at chosen alone."""
        return replace(self, completions=(self.completions[0],) * len(self.completions))


class GroupTable:
    """Groups in Arrow tables of ``SCHEMA``, memory-mapped: a row is made a ``TokenGroup`` when it is asked for.

    Args:
        tables: one per dataset, in order.
        prefixes: per table, what is put in front of its keys, so that they differ from other tables' keys.
    """

    def __init__(self, tables: Sequence[pa.Table], prefixes: Sequence[str] | None = None) -> None:
        self._tables = [table.combine_chunks() for table in tables]
        self._prefixes = prefixes or [""] * len(tables)
        self._stops = list(accumulate(table.num_rows for table in tables))
        lengths = [np.asarray(pc.list_value_length(table["pair_ids"]), dtype=np.int64) for table in self._tables]
        self.pairs: NDArray[np.int64] = np.concatenate([np.zeros(0, np.int64), *lengths])
        """[G] pairs of each group."""
        sizes = [_tokens(table) for table in self._tables]
        self.tokens: NDArray[np.int64] = np.concatenate([np.zeros(0, np.int64), *sizes])
        """[G] tokens of each group's prompt and completions."""

    def __len__(self) -> int:
        return self._stops[-1] if self._stops else 0

    def __getitem__(self, index: int) -> TokenGroup:
        which = bisect_right(self._stops, index)
        table, prefix = self._tables[which], self._prefixes[which]
        at = int(index) - (self._stops[which - 1] if which else 0)
        prompt, completions, keys, edit, chars = (table[name][at] for name in COLUMNS)
        return TokenGroup(
            prompt=_array(prompt),
            completions=tuple(map(_array, completions)),
            pair_ids=tuple(prefix + key for key in keys.as_py()),
            edit=_array(edit).reshape(-1, 2),
            num_chars=_array(chars),
        )

    def __iter__(self) -> Iterator[TokenGroup]:
        return (self[index] for index in range(len(self)))

    def unknown(self, known: Container[str]) -> NDArray[np.bool_]:
        """[G] whether a group has a pair whose key is not known."""
        keys = [
            prefix + key for table, prefix in zip(self._tables, self._prefixes, strict=True) for key in _keys(table)
        ]
        new = np.fromiter((key not in known for key in keys), dtype=bool, count=len(keys))
        starts = np.cumsum(self.pairs) - self.pairs
        return np.logical_or.reduceat(new, starts) if len(keys) else new


def joined(parts: Sequence[GroupTable]) -> GroupTable:
    """One row of groups; where there are several parts, each one's keys get its number in front."""
    if len(parts) == 1:
        return parts[0]
    tables = [table for part in parts for table in part._tables]
    return GroupTable(tables, [f"{index}:" for index, part in enumerate(parts) for _ in part._tables])


def common_prefix_length(a: Ids, b: Ids) -> int:
    """How many tokens two sequences start with in common."""
    shorter = min(len(a), len(b))
    differs = a[:shorter] != b[:shorter]
    first = int(differs.argmax()) if shorter else 0
    return first if shorter and differs[first] else shorter


def _tokens(table: pa.Table) -> NDArray[np.int64]:
    """Tokens of each row: those of the prompt, and of every completion."""
    tokens = np.asarray(pc.list_value_length(table["prompt"]), dtype=np.int64)
    of_each = np.asarray(pc.list_value_length(pc.list_flatten(table["completions"])), dtype=np.int64)
    counts = np.asarray(pc.list_value_length(table["completions"]), dtype=np.int64)
    if len(of_each):
        tokens = tokens + np.add.reduceat(of_each, np.cumsum(counts) - counts)
    return tokens


def _keys(table: pa.Table) -> list[str]:
    keys: list[str] = pc.list_flatten(table["pair_ids"]).to_pylist()
    return keys


def _array(scalar: pa.ListScalar) -> Ids:
    values: Ids = scalar.values.to_numpy(zero_copy_only=True)
    return values
