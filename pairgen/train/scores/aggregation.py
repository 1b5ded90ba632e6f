"""Metrics of a run: means over the eval split, and means and throughput of the steps between two logged lines."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

import torch

from pairgen.run_folder import EVAL
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.groups import GroupTable
from pairgen.train.data.order import chunks
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.model.step_timer import PARTS
from pairgen.train.scores.metrics import Sums, add, global_means
from pairgen.train.scores.objective import Objective


def evaluate(
    objective: Objective, groups: GroupTable, pairs_at_once: int, context: RunContext, baseline: float
) -> dict[str, float]:
    """Mean metrics over all pairs of all processes, their names prefixed with ``eval/``.

    All processes run equally many batches, since a sharded model needs all of them for each; a process that has fewer
    runs the last one again, without weight.

    Args:
        baseline: KTO's reference point, in nats.
    """
    world = context.world
    parts = chunks(groups.pairs, pairs_at_once)
    sums: Sums = {}
    objective.module.eval()
    with torch.no_grad():
        for first in range(0, len(parts), world.size):
            index = first + world.rank
            start, stop = parts[min(index, len(parts) - 1)]
            batch = objective.batch([groups[at] for at in range(start, stop)], weighted=index < len(parts))
            sums = add(sums, objective.losses(batch, baseline)[1])
            context.progress(Phase.EVALUATION, stop, len(groups), {})
    objective.module.train()
    return {EVAL + name: value for name, value in global_means(sums, world).items()}


class Interval:
    """Accumulates steps until they are logged."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Discard everything, and restart the clock."""
        self._sums: Sums = {}
        self._pairs = self._padded_tokens = self._processed_tokens = 0
        self._seconds: Counter[str] = Counter()
        self.restart_clock()

    def restart_clock(self) -> None:
        """Exclude the time until now, such as that of an evaluation, from the throughput."""
        self._started = time.monotonic()

    def add(self, sums: Sums, batches: Sequence[Batch], pairs: int, seconds: Mapping[str, float]) -> None:
        """Add a step.

        Args:
            sums: of the metrics, of this process.
            batches: of this process.
            pairs: of all processes.
            seconds: of each part of the step, if they were measured.
        """
        self._sums = add(self._sums, sums)
        self._pairs += pairs
        self._padded_tokens += sum(batch.padded_tokens for batch in batches)
        self._processed_tokens += sum(batch.processed_tokens for batch in batches)
        self._seconds.update(seconds)

    def means(self, world: World) -> dict[str, float]:
        """The mean of each metric over all pairs of all processes."""
        return global_means(self._sums, world)

    def throughput(self, world: World, device: torch.device) -> dict[str, float]:
        """Pairs per second; tokens without and with sharing; and each part's fraction of the measured step time.

        Attention of padded rows counts as part of the rest.
        """
        tokens = world.sum(torch.tensor([self._padded_tokens, self._processed_tokens], device=device))
        padded, processed = tokens.tolist()
        measured = {part: self._seconds[part] for part in PARTS if self._seconds[part]}
        return {
            "pairs_per_second": self._pairs / max(time.monotonic() - self._started, 1e-9),
            "tokens/padded": padded,
            "tokens/processed": processed,
            "tokens/ratio": padded / processed,
            **{f"time/{part}": seconds / sum(measured.values()) for part, seconds in measured.items()},
        }
