"""Pairs by the 128-bit hash of their ids: millions of strings in a dict would take half a kilobyte each."""

from collections.abc import Iterable

import numpy as np
import xxhash
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""[2, N] upper and lower halves of N hashes."""


def hashes_of(ids: Iterable[str]) -> Hashes:
    """[2, N] hashes of pair ids (xxh3). Among 10^9 pairs, two have the same with a probability of 10^-21."""
    return from_digests(b"".join(map(digest, ids)))


def digest(pair_id: str) -> bytes:
    """The 16 bytes of a pair's hash."""
    return xxhash.xxh3_128_digest(pair_id.encode())


def from_digests(digests: bytes | bytearray) -> Hashes:
    """[2, N] hashes from N digests, one after the other."""
    return np.frombuffer(digests, ">u8").reshape(-1, 2).T.astype(np.uint64, order="C")


class HashTable:
    """Hashes in sorted order.

    Args:
        hashes: [2, N], in which a pair may occur several times.
        later: [N] of equal hashes, those where this is false come first, and then those given first.
    """

    def __init__(self, hashes: Hashes, later: NDArray[np.bool_] | None = None) -> None:
        self.order = np.lexsort((hashes[1], hashes[0]) if later is None else (later, hashes[1], hashes[0]))
        """[N] indices of the given hashes."""
        self._upper, self._lower = hashes[0, self.order], hashes[1, self.order]

    def __len__(self) -> int:
        return len(self._upper)

    def find(self, hashes: Hashes) -> NDArray[np.int64]:
        """[M] the place in ``order`` of the first hash equal to each of M hashes; -1 if there is none."""
        upper, lower = hashes
        if not len(self):
            return np.full(len(upper), -1)
        at = np.searchsorted(self._upper, upper)
        while True:
            here = np.minimum(at, len(self) - 1)
            same = (self._upper[here] == upper) & (at < len(self))
            smaller = same & (self._lower[here] < lower)  # another pair with the same upper half
            if not smaller.any():
                return np.where(same & (self._lower[here] == lower), at, -1)
            at += smaller
