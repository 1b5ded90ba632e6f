"""Random draws that depend on a row and a seed alone: order, shards and workers change no byte."""

import xxhash

_MASK = (1 << 64) - 1


class Draws:
    """A stream of 64-bit draws for one row. ``Draws(row_id, seed)`` gives the same stream everywhere and always."""

    __slots__ = ("_key", "_next")

    def __init__(self, row_id: str, seed: int) -> None:
        self._key = row_id.encode()
        self._next = xxhash.xxh3_64_intdigest(str(seed).encode())

    def below(self, bound: int) -> int:
        """A whole number from 0 to ``bound - 1``."""
        self._next = (self._next + 1) & _MASK
        return xxhash.xxh3_64_intdigest(self._key, self._next) % bound
