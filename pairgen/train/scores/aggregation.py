"""Metrics of a run: means over the eval split, and means and throughput of the steps between two logged lines."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


def evaluate(objective: Objective, groups: GroupTable, context: RunContext, baseline: float) -> dict[str, float]:
    """Mean metrics over all pairs of all processes, their names prefixed with ``eval/``.

    All processes run the same number of batches, since a sharded model needs all of them for each; a process that has
    fewer runs the last one again, with weight 0.

    Args:
        baseline: KTO's reference point, in nats.
    """
    world, config = context.world, objective.config
    parts = chunks(groups.pairs, config.micro_batch_size or config.batch_size)
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


@dataclass
class Interval:
    """The steps since the last logged line."""

    started: float = field(default_factory=time.monotonic)
    sums: Sums = field(default_factory=dict)
    """Of this process, as are the tokens."""
    padded_tokens: int = 0
    processed_tokens: int = 0
    pairs: int = 0
    """Of all processes."""
    seconds: Counter[str] = field(default_factory=Counter)
    """Of each part of the steps that were timed."""

    def add(self, sums: Sums, batches: Sequence[Batch], pairs: int, seconds: Mapping[str, float]) -> None:
        """Add a step; ``seconds`` is empty if it was not timed."""
        self.sums = add(self.sums, sums)
        self.pairs += pairs
        self.padded_tokens += sum(batch.padded_tokens for batch in batches)
        self.processed_tokens += sum(batch.processed_tokens for batch in batches)
        self.seconds.update(seconds)

    def means(self, world: World) -> dict[str, float]:
        """The mean of each metric over all pairs of all processes."""
        return global_means(self.sums, world)

    def throughput(self, world: World, device: torch.device) -> dict[str, float]:
        """Pairs per second; tokens without and with sharing; and each part's fraction of the time of timed steps.

        Attention of padded rows counts as part of the rest.
        """
        tokens = torch.tensor([self.padded_tokens, self.processed_tokens], device=device)
        padded, processed = world.sum(tokens).tolist()
        timed = {part: self.seconds[part] for part in PARTS if self.seconds[part]}
        return {
            "pairs_per_second": self.pairs / max(time.monotonic() - self.started, 1e-9),
            "tokens/padded": padded,
            "tokens/processed": processed,
            "tokens/ratio": padded / processed,
            **{f"time/{part}": seconds / sum(timed.values()) for part, seconds in timed.items()},
        }
