"""The data of a run, and the batches in which the trainer gives it to the model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairgen.train.config import Config
from pairgen.train.data.groups import GroupTable
from pairgen.train.data.order import BatchSampler, Indices, chunks
from pairgen.train.data.ranks import arrange, split_batch
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
    cost_of: Callable[[GroupTable], NDArray[np.float64]] = lambda groups: groups.tokens.astype(np.float64)
    """What each group of a table costs, by which the work of processes is balanced: their tokens, or ``GroupCost``."""

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
        groups = np.arange(len(self.evaluation.groups))
        evaluation = [
            groups[start:stop]
            for _, first, end in self.evaluation.ranges()
            for start, stop, weighted in self.passes(self.evaluation, groups, (first, end), config, world)
            if weighted
        ]
        return [*scheduled, Scheduled(self.evaluation, evaluation, trained_on=False)]

    def micro_batches(self, step: int, config: Config, world: World) -> list[tuple[NDArray[np.int64], bool]]:
        """The micro-batches of one process at a step, counted from 0: groups, and whether they are weighted.

        All processes get the same number, since they exchange gradients after each one; a process that has fewer gets
        the cheapest group of the step as a filler with weight 0.
        """
        batch, costs = self.sampler.batch(step), self._costs
        shares = split_batch(batch, self.pairs.groups.pairs, costs, config.micro_batch_size, world.size)
        own = [(part, True) for part in shares[world.rank]]
        cheapest = int(costs[batch].argmin())
        return own + [(batch[cheapest : cheapest + 1], False)] * (max(map(len, shares)) - len(own))

    def passes(
        self, split: TokenizedSplit, groups: Indices, within: tuple[int, int], config: Config, world: World
    ) -> list[tuple[int, int, bool]]:
        """The batches in which one process scores groups without training on them.

        The batches do not depend on the number of processes. All processes get the same number, since a sharded model
        needs all of them for each; a process that has fewer gets the cheapest batch again, with weight 0.

        Args:
            groups: indices of groups of the split.
            within: first and last, exclusive, of those in ``groups`` to score.

        Returns:
            Start and stop in ``groups``, and whether the batch is weighted.
        """
        first, end = within
        parts = chunks(split.groups.pairs[groups[first:end]], config.micro_batch_size or config.batch_size)
        costs = self._costs if split is self.pairs else self._evaluation_costs
        by_part = [float(costs[groups[first + start : first + stop]].sum()) for start, stop in parts]
        shares = arrange(by_part, world.size)
        own = [(first + parts[index][0], first + parts[index][1], True) for index in shares[world.rank]]
        start, stop = parts[by_part.index(min(by_part))]
        return own + [(first + start, first + stop, False)] * (max(map(len, shares)) - len(own))

    @cached_property
    def _costs(self) -> NDArray[np.float64]:
        """[G] what each group of ``pairs`` costs."""
        return self.cost_of(self.pairs.groups)

    @cached_property
    def _evaluation_costs(self) -> NDArray[np.float64]:
        """[G] what each group of ``evaluation`` costs."""
        return self.cost_of(self.evaluation.groups) if self.evaluation else np.zeros(0)
