"""The data of a run, and the batches in which the trainer gives it to the model."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairgen.train.config import Config
from pairgen.train.data.order import BatchSampler, Indices, chunks, split_batch
from pairgen.train.data.splits import TokenizedSplit
from pairgen.train.distributed import World


class Scheduled(NamedTuple):
    """A split, and the batches in which one process gives its groups to the policy."""

    split: TokenizedSplit
    batches: list[NDArray[np.int64]]
    """The groups of each batch."""
    trained_on: bool
    """Whether the policy computes gradients for them."""


@dataclass(frozen=True)
class TrainingData:
    """The pairs of a run, and the order in which they are used."""

    pairs: TokenizedSplit
    evaluation: TokenizedSplit | None
    sampler: BatchSampler
    steps: int
    """Optimizer steps of the complete run."""

    def groups_by_split(self) -> list[tuple[TokenizedSplit, NDArray[np.int64]]]:
        """The splits, each with the indices of its groups that are used."""
        used = [(self.pairs, self.sampler.used(self.steps))]
        return [*used, (self.evaluation, np.arange(len(self.evaluation.groups)))] if self.evaluation else used

    def batches_by_split(self, config: Config, world: World) -> list[Scheduled]:
        """The batches of one process: all of the first epoch, and of an evaluation."""
        steps = range(min(self.steps, self.sampler.steps(1)))
        training = [part for step in steps for part, weighted in self.micro_batches(step, config, world) if weighted]
        scheduled = [Scheduled(self.pairs, training, trained_on=True)]
        if not self.evaluation:
            return scheduled
        evaluation = [
            np.arange(start, stop)
            for _, first, end in self.evaluation.ranges()
            for start, stop in evaluation_batches(self.evaluation.groups.pairs, first, end, config)[
                world.rank :: world.size
            ]
        ]
        return [*scheduled, Scheduled(self.evaluation, evaluation, trained_on=False)]

    def micro_batches(self, step: int, config: Config, world: World) -> list[tuple[NDArray[np.int64], bool]]:
        """The micro-batches of one process at a step, counted from 0: groups, and whether they are weighted."""
        batch, pairs = self.sampler.batch(step), self.pairs.groups.pairs
        return split_batch(batch, pairs, config.micro_batch_size, world.rank, world.size)


def evaluation_batches(pairs: Indices, first: int, end: int, config: Config) -> list[tuple[int, int]]:
    """Start and stop of the batches in which groups ``first`` to ``end`` (exclusive) are evaluated by all processes.

    Args:
        pairs: pairs of each group.
    """
    parts = chunks(pairs[first:end], config.micro_batch_size or config.batch_size)
    return [(first + start, first + stop) for start, stop in parts]
