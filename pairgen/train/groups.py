"""Token groups: the pairs that share prompt and chosen, as token ids. What the trainer shuffles, batches and packs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ids = NDArray[np.int32]

COLUMNS = {
    "prompt": pa.list_(pa.int32()),
    "completions": pa.list_(pa.list_(pa.int32())),
    "keys": pa.list_(pa.string()),
    "edit": pa.list_(pa.int32()),
    "chars": pa.list_(pa.int32()),
}
SCHEMA = pa.schema(list(COLUMNS.items()))
"""One row per group: what ``Group`` holds; ``edit`` is flat, two numbers per pair."""


@dataclass(frozen=True)
class Group:
    """Pairs that share prompt and chosen.

    P is the number of pairs. Positions in ``edit`` count tokens of the chosen completion.
    """

    prompt: Ids
    """Token ids of the prompt, BOS included; at least one."""
    completions: tuple[Ids, ...]
    """1 + P completions, EOS included where the text ends: chosen first, then each pair's rejected; none is empty."""
    keys: tuple[str, ...]
    """[P] what a pair is known by: its pair_id, unique over all that is trained on."""
    edit: NDArray[np.int32]
    """[P, 2] tokens of chosen that the edit touches, start and stop; everything before and behind is as in rejected."""
    chars: NDArray[np.int32]
    """[1 + P] characters of each completion, for accuracy per character."""

    @property
    def pairs(self) -> int:
        return len(self.keys)

    @property
    def plain_tokens(self) -> int:
        """Tokens that a trainer runs which repeats prompt and chosen for every pair."""
        chosen, *rejected = (len(ids) for ids in self.completions)
        return self.pairs * (2 * len(self.prompt) + chosen) + sum(rejected)


class Groups:
    """Groups in an Arrow table of ``SCHEMA``, memory-mapped: a row is made a ``Group`` when it is asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table.combine_chunks()
        self.pairs = self._lengths("keys")
        """[G] pairs of each group."""

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: int) -> Group:
        row = {name: self._table[name][int(index)] for name in COLUMNS}
        return Group(
            prompt=_array(row["prompt"]),
            completions=tuple(_array(ids) for ids in row["completions"]),
            keys=tuple(row["keys"].as_py()),
            edit=_array(row["edit"]).reshape(-1, 2),
            chars=_array(row["chars"]),
        )

    def __iter__(self) -> Iterator[Group]:
        return (self[index] for index in range(len(self)))

    def _lengths(self, name: str) -> NDArray[np.int64]:
        lengths: NDArray[np.int64] = np.asarray(pa.compute.list_value_length(self._table[name]), dtype=np.int64)
        return lengths


def _array(scalar: pa.ListScalar) -> Ids:
    values: Ids = scalar.values.to_numpy(zero_copy_only=True)
    return values
