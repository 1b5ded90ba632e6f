"""Metrics of the eval split."""

import torch

from pairgen.run_folder import EVAL
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.groups import GroupTable
from pairgen.train.data.order import chunks
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
