"""Random draws that depend on a row and a seed alone: order, shards and workers change no byte."""

import xxhash

_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15


class RowRng:
    """A stream of 64-bit draws for one row. ``RowRng(row_id, seed)`` gives the same stream everywhere and always."""

    __slots__ = ("_key", "_next")

    def __init__(self, row_id: str, seed: int) -> None:
        self._key = row_id.encode()
        self._next = seed * _SPREAD & _MASK  # streams of neighbouring seeds start far apart

    def bits(self) -> int:
        """64 random bits."""
        self._next = (self._next + 1) & _MASK
        return xxhash.xxh3_64_intdigest(self._key, self._next)

    def below(self, bound: int) -> int:
        """A whole number from 0 to ``bound - 1``; the bias of the remainder is under ``bound / 2**64``."""
        return self.bits() % bound
