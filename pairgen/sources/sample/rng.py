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

    def __init__(self, *key: object) -> None:
        digest = blake2b("|".join(map(str, key)).encode(), digest_size=8).digest()
        self.random = Random(int.from_bytes(digest, "big")).random

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


def in_split(split: str, key: str) -> bool:
    """Whether a key (a question) belongs to a split: a checksum assigns each key to one split.

    Rows that belong to a split by their question can be sampled without end and still never occur in the other split.
    """
    return crc32(key.encode()) & 1 == SPLITS.index(split)
