"""What groups give a model to compute, from lengths alone: what a layout would count, without laying them out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairgen.train.data.groups import GroupTable
from pairgen.train.scores.flops import Amounts

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class GroupCost:
    """The FLOPs of each group of a table, as of a batch by itself: a prefix that prompts share counts in each."""

    flops: Callable[[Amounts], NDArray[np.float64]]
    """Of each of some work: ``Flops.of_each``."""
    share: str
    """What the layout shares, as in ``tree_batch``."""
    uses_rejected: bool = True
    """Whether the loss uses rejected completions."""

    def __call__(self, groups: GroupTable) -> NDArray[np.float64]:
        """[G] FLOPs of each group, forward and backward."""
        return self.flops(work_of_groups(groups, self.share, self.uses_rejected))


def work_of_groups(groups: GroupTable, share: str, uses_rejected: bool = True) -> Amounts:
    """The ``Work`` of a batch of each group alone.

    Rejected completions are taken to share with chosen what comes before the edit, and nothing else with one another.
    With ``share`` group or shots, the few that share more make this an upper bound; else it is exact.

    Args:
        share: as in ``tree_batch``.
        uses_rejected: whether rejected completions are scored.
    """
    prompt, chosen, rejected, shared = groups.lengths()
    first = np.cumsum(groups.pairs) - groups.pairs
    by_pair = share not in ("group", "shots")  # a tree for each pair
    if by_pair:
        prompt, chosen = np.repeat(prompt, groups.pairs), np.repeat(chosen, groups.pairs)
    work = Amounts(prompt + chosen, _keys(prompt + chosen), chosen, np.zeros_like(chosen))
    if uses_rejected:
        prompts = prompt if by_pair else np.repeat(prompt, groups.pairs)
        if share in ("none", "prompt"):
            shared = np.zeros_like(shared)
        before = shared if share == "none" else prompts + shared  # tokens of the path that are computed for chosen
        path = prompts + rejected
        tokens, keys, labels = path - before, _keys(path) - _keys(before), rejected - shared
        if not by_pair:
            tokens, keys, labels = (np.add.reduceat(each, first) for each in (tokens, keys, labels))
            shared = np.minimum.reduceat(shared, first)  # what all completions share cancels
        labels += chosen
        work = Amounts(work.tokens + tokens, work.attended + keys, labels, labels - shared)
    return Amounts(*(np.add.reduceat(each, first) for each in work)) if by_pair else work


def _keys(length: Indices) -> Indices:
    """Keys that the tokens of a path attend to: 1 for the first one, 2 for the second and so on."""
    return length * (length + 1) // 2
