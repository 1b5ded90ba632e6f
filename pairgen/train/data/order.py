"""Which groups make up each optimizer step, as a function of the seed and the epoch alone.

There is no state from step to step, so that a run resumed at step n takes the same pairs as one that never stopped.
"""

import threading
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class BatchSampler:
    """Batches of complete groups: the next groups of the shuffled epoch, up to ``batch_size`` pairs.

    A group with more pairs than that makes a batch by itself; the last batch of an epoch may be smaller.
    """

    def __init__(self, pairs: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self.pairs, self.batch_size, self.seed = pairs, batch_size, seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)
        self._first_steps = [0]
        self._lock = threading.Lock()  # used by the training loop and by the thread that prepares its batches

    def steps(self, epochs: float) -> int:
        """How many steps ``epochs`` take, at least one."""
        complete = int(epochs)
        part = epochs - complete
        return max(1, self._first_step(complete) + (round(part * len(self._epoch(complete))) if part else 0))

    def batch(self, step: int) -> Indices:
        """The groups of a step, counted from 0."""
        epoch = self._epoch_of(step)
        return self._epoch(epoch)[step - self._first_step(epoch)]

    def used(self, steps: int) -> Indices:
        """The groups that the first ``steps`` steps take, sorted."""
        if steps >= self._first_step(1):
            return np.arange(len(self.pairs))
        return np.sort(np.concatenate([self.batch(step) for step in range(steps)]))

    def epoch(self, step: int) -> float:
        """Epochs completed after ``step`` steps."""
        epoch = self._epoch_of(step)
        return epoch + (step - self._first_step(epoch)) / len(self._epoch(epoch))

    def _epoch_of(self, step: int) -> int:
        with self._lock:
            while self._first_steps[-1] <= step:
                self._add_epoch()
        return bisect_right(self._first_steps, step) - 1

    def _first_step(self, epoch: int) -> int:
        with self._lock:
            while len(self._first_steps) <= epoch:
                self._add_epoch()
        return self._first_steps[epoch]

    def _add_epoch(self) -> None:
        self._first_steps.append(self._first_steps[-1] + len(self._epoch(len(self._first_steps) - 1)))

    def _shuffled(self, epoch: int) -> list[Indices]:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
        return [order[start:stop] for start, stop in chunks(self.pairs[order], self.batch_size)]


def chunks(pairs: Sequence[int] | NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Divide consecutive groups into chunks of at most ``size`` pairs; a larger group is a chunk by itself.

    Args:
        pairs: pairs of each group.

    Returns:
        Start and stop of each chunk, in groups.
    """
    starts, count = [0], 0
    for index, more in enumerate(np.asarray(pairs).tolist()):
        if count and count + more > size:
            starts.append(index)
            count = 0
        count += more
    return list(zip(starts, [*starts[1:], len(pairs)], strict=True)) if len(pairs) else []


def split_batch(
    batch: Indices, pairs: NDArray[np.int64], micro: int, rank: int, size: int
) -> list[tuple[Indices, bool]]:
    """The micro-batches that one of ``size`` processes takes of a batch.

    All processes get equally many, since they exchange gradients after each one; a process that has fewer gets filler
    groups, which do not count.

    Args:
        micro: pairs per micro-batch; 0: all in one.

    Returns:
        The groups of each micro-batch, and whether they count.
    """
    by_rank = [_micro_batches(batch[other::size], pairs, micro) for other in range(size)]
    own = [(groups, True) for groups in by_rank[rank]]
    return own + [(batch[:1], False)] * (max(map(len, by_rank)) - len(own))


def _micro_batches(groups: Indices, pairs: NDArray[np.int64], micro: int) -> list[Indices]:
    if not micro:
        return [groups] if len(groups) else []
    return [groups[start:stop] for start, stop in chunks(pairs[groups], micro)]
