"""Choices that depend on a key alone, and the rule that keeps the splits apart."""

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import TypeVar
from zlib import crc32

Item = TypeVar("Item")

SPLITS = ("train", "eval")


class Draw:
    """A stream of choices fixed by a key.

    Everything is built on ``Random.random``, the one method whose sequence Python promises to keep between versions.
    """

    __slots__ = ("random",)

    def __init__(self, *key: object) -> None:
        digest = blake2b("|".join(map(str, key)).encode(), digest_size=8).digest()
        self.random = Random(int.from_bytes(digest, "big")).random

    def whole(self, low: int, high: int, step: int = 1) -> int:
        """A whole number from ``low`` to ``high``, both included, in steps of ``step``."""
        return low + step * int(self.random() * ((high - low) // step + 1))

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[int(self.random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.random() < probability

    def some(self, items: Sequence[Item], count: int) -> list[Item]:
        """``count`` different items in a random order."""
        left = list(items)
        return [left.pop(int(self.random() * len(left))) for _ in range(count)]


def side_of(split: str, key: str) -> int:
    """0 or 1 from a checksum of the key, the other way round in the other split.

    Whatever takes its last choice from this (one of two lists; to keep or to draw again) can turn up in one split only,
    however many rows are made.
    """
    return crc32(key.encode()) & 1 ^ SPLITS.index(split)


def belongs(split: str, key: str) -> bool:
    """Whether a question belongs to a split."""
    return side_of(split, key) == 0
