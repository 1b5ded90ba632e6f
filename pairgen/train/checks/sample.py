"""Choose the pairs that a model is checked on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.splits import TokenizedSplit

FURTHER = 2
"""Groups besides those of the longest and the shortest sequence, with two pairs each."""


def sample_groups(
    splits: Sequence[tuple[TokenizedSplit, NDArray[np.int64]]], uses_rejected: bool = True
) -> list[TokenGroup]:
    """The pairs of the longest and of the shortest sequence of a run, and a few others.

    A model may compute something else in a batch of long and short sequences, beyond its sliding window, or beyond the
    length for which its rotary embeddings were trained.

    Args:
        splits: with the indices of their groups that the run uses.
        uses_rejected: whether the loss does; if not, only chosen completions are taken.
    """
    extremes = []
    for sign, of in ((-1, "longest"), (1, "shortest")):
        lengths = [getattr(split.groups, of)[indices] * sign for split, indices in splits]
        split, at = min(enumerate(map(np.argmin, lengths)), key=lambda found: lengths[found[0]][found[1]])
        group = splits[split][0].groups[splits[split][1][at]]
        rejected = [len(ids) * sign for ids in group.completions[1:]] or [0]
        extremes.append(group.select([int(np.argmin(rejected))]))
    split_of_training, indices = splits[0]
    spread = indices[np.linspace(0, len(indices) - 1, FURTHER + 2).astype(int)[1:-1]]
    groups = [split_of_training.groups[at] for at in spread]
    chosen = [*extremes, *(group.select(range(min(2, group.pairs))) for group in groups)]
    return chosen if uses_rejected else [group.chosen_only() for group in chosen]
