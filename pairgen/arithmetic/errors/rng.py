"""Random numbers that depend only on a row and a seed, not on the order of rows, shards or workers."""

import xxhash

_MASK = (1 << 64) - 1
_SEED_STEP = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: counters of consecutive seeds start far apart and do not overlap in practice."""


class RowRng:
    """A stream of random 64-bit integers for one row; equal row ids and seeds give equal streams."""

    __slots__ = ("_counter", "_key")

    def __init__(self, row_id: str, seed: int) -> None:
        self._key = row_id.encode()
        self._counter = seed * _SEED_STEP & _MASK

    def bits(self) -> int:
        """64 random bits."""
        self._counter = (self._counter + 1) & _MASK
        return xxhash.xxh3_64_intdigest(self._key, self._counter)

    def below(self, bound: int) -> int:
        """An integer from 0 to ``bound - 1``; the bias of the remainder is under ``bound / 2**64``."""
        return self.bits() % bound
