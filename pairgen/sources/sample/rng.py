"""Random choices that depend on a key alone, and the rule that keeps the splits disjoint."""

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar
from zlib import crc32

Item = TypeVar("Item")

SPLITS = ("train", "eval")


class SampleRng:
    """A random number generator seeded by a key of any number of parts.

    It only calls ``Random.random``, the one method whose sequence Python guarantees not to change between versions.
    """

    __slots__ = ("random",)

    def __init__(self, *key: object) -> None:
        digest = blake2b("|".join(map(str, key)).encode(), digest_size=8).digest()
        self.random = Random(int.from_bytes(digest, "big")).random

    def integer(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return low + int(self.random() * (high - low + 1))

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[int(self.random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.random() < probability

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """``count`` different items in random order."""
        remaining = list(items)
        return [remaining.pop(int(self.random() * len(remaining))) for _ in range(count)]


def split_bit(split: str, key: str) -> int:
    """0 or 1 from a checksum of the key, with the two values swapped in the other split.

    A row whose last choice depends on this bit (which of two name lists; accept or sample again) can occur in one split
    only, however many rows are generated.
    """
    return crc32(key.encode()) & 1 ^ SPLITS.index(split)


def in_split(split: str, key: str) -> bool:
    """Whether a question belongs to a split."""
    return split_bit(split, key) == 0
