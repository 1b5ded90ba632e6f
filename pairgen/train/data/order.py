"""Which groups make up which optimizer step: a shuffle that follows from the seed and the epoch alone.

Nothing is carried from step to step, so a run that goes on at step n takes the same pairs as one that never stopped.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class BatchSampler:
    """Batches of whole groups: each takes groups of the shuffled epoch while it holds at most ``batch_size`` pairs.

    A group of more pairs is a batch by itself. The last batch of an epoch may be smaller.
    """

    def __init__(self, pairs: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self.pairs, self.batch_size, self.seed = pairs, batch_size, seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)
        self._before = [0]
        self._lock = threading.Lock()  # the loop and the thread that lays out its batches both ask

    def steps(self, epochs: float) -> int:
        """Steps that ``epochs`` passes take, at least one."""
        whole = int(epochs)
        part = epochs - whole
        return max(1, self._starts(whole) + (round(part * len(self._epoch(whole))) if part else 0))

    def batch(self, step: int) -> Indices:
        """The groups of a step, counted from 0."""
        epoch = self._of(step)
        return self._epoch(epoch)[step - self._starts(epoch)]

    def used(self, steps: int) -> Indices:
        """The groups that the first ``steps`` steps take."""
        if steps >= self._starts(1):
            return np.arange(len(self.pairs))
        return np.sort(np.concatenate([self.batch(step) for step in range(steps)]))

    def epoch(self, step: int) -> float:
        """How many passes are done when ``step`` steps are."""
        epoch = self._of(step)
        return epoch + (step - self._starts(epoch)) / len(self._epoch(epoch))

    def _of(self, step: int) -> int:
        with self._lock:
            while self._before[-1] <= step:
                self._before.append(self._before[-1] + len(self._epoch(len(self._before) - 1)))
        return bisect_right(self._before, step) - 1

    def _starts(self, epoch: int) -> int:
        """The first step of an epoch."""
        with self._lock:
            while len(self._before) <= epoch:
                self._before.append(self._before[-1] + len(self._epoch(len(self._before) - 1)))
        return self._before[epoch]

    def _shuffled(self, epoch: int) -> list[Indices]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
        return [order[start:stop] for start, stop in chunks(self.pairs[order], self.batch_size)]


def chunks(pairs: Sequence[int] | NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Cut a row of groups into runs of at most ``size`` pairs each; a larger group stands alone.

    Args:
        pairs: pairs of each group.

    Returns:
        start and stop of each run.
    """
    cuts, held = [0], 0
    for index, count in enumerate(np.asarray(pairs).tolist()):
        if held and held + count > size:
            cuts.append(index)
            held = 0
        held += count
    return list(zip(cuts, [*cuts[1:], len(pairs)], strict=True)) if len(pairs) else []


def split_batch(
    batch: Indices, pairs: NDArray[np.int64], micro: int, rank: int, size: int
) -> list[tuple[Indices, bool]]:
    """What one of ``size`` processes takes of a batch, in parts of at most ``micro`` pairs (0: in one part).

    Every process gets as many parts as every other, since they exchange gradients part by part; one that runs out gets
    a group again that counts nothing.

    Returns:
        the groups of each part, and whether they count.
    """
    everybody = [_parts(batch[other::size], pairs, micro) for other in range(size)]
    most = max(map(len, everybody))
    mine = [(part, True) for part in everybody[rank]]
    return mine + [(batch[:1], False)] * (most - len(mine))


def _parts(groups: Indices, pairs: NDArray[np.int64], micro: int) -> list[Indices]:
    if not len(groups):
        return []
    if not micro:
        return [groups]
    return [groups[start:stop] for start, stop in chunks(pairs[groups], micro)]
