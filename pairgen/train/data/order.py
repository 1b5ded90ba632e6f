"""The groups of each optimizer step, as a function of the seed and the epoch alone.

No state is kept between steps, so a run resumed at step n takes the same pairs as an uninterrupted one.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


class BatchSampler:
    """Batches of complete groups in shuffled order, each with at most ``batch_size`` pairs.

    A group with more pairs is a batch by itself; the last batch of an epoch may be smaller.
    """

    def __init__(self, pairs: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self.pairs, self.batch_size, self.seed = pairs, batch_size, seed
        self._batches = lru_cache(maxsize=2)(self._shuffled)
        self._steps = cache(lambda epoch: len(self._batches(epoch)))

    def steps(self, epochs: float) -> int:
        """The number of steps in ``epochs``, at least one."""
        complete = int(epochs)
        part = epochs - complete
        return max(1, sum(map(self._steps, range(complete))) + (round(part * self._steps(complete)) if part else 0))

    def batch(self, step: int) -> Indices:
        """The groups of a step, counted from 0."""
        epoch, step = self._locate(step)
        return self._batches(epoch)[step]

    def used(self, steps: int) -> Indices:
        """The groups of the first ``steps`` steps, sorted."""
        if steps >= self._steps(0):
            return np.arange(len(self.pairs))
        return np.sort(np.concatenate([self.batch(step) for step in range(steps)]))

    def epoch(self, step: int) -> float:
        """Epochs completed after ``step`` steps."""
        epoch, step = self._locate(step)
        return epoch + step / self._steps(epoch)

    def _locate(self, step: int) -> tuple[int, int]:
        """The epoch of a step, and the step within that epoch, both counted from 0."""
        epoch = 0
        while step >= self._steps(epoch):
            step -= self._steps(epoch)
            epoch += 1
        return epoch, step

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
