"""The padded layout: one row per completion of every pair, padded to the longest; prompt and chosen are repeated.

This is the reference implementation for every other layout.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch, work_of


def padded_batch(groups: Sequence[TokenGroup], pad: int = 0) -> Batch:
    """Lay groups out as rows: chosen of each pair, then rejected of each pair, except for SFT.

    Padding is on the right, so under causal attention no token attends to it and no mask is needed.
    """
    completions = _completions(groups)
    pairs = np.arange(len(completions) // 2)
    has_rejected = np.array([index > 0 for _, index in completions[len(pairs) :]])
    row_of = np.concatenate([pairs, np.where(has_rejected, len(pairs) + np.cumsum(has_rejected) - 1, pairs)])
    in_rows = completions[: len(pairs)] + [rejected for rejected in completions[len(pairs) :] if rejected[1]]
    scored = [(groups[at].prompt, groups[at].completions[index]) for at, index in in_rows]
    prompt_lengths, lengths = np.array([(len(prompt), len(ids)) for prompt, ids in scored]).T
    processed_tokens = int(prompt_lengths.sum() + lengths.sum())

    width = int((prompt_lengths + lengths).max())
    tokens = np.full((len(scored), width), pad, dtype=np.int64)
    for row, (prompt, ids) in zip(tokens, scored, strict=True):
        row[: len(prompt) + len(ids)] = np.concatenate([prompt, ids])

    column = np.arange(int(lengths.max()))
    inside = column < lengths[:, None]
    label_positions = (np.arange(len(scored)) * width + prompt_lengths - 1)[:, None] + column
    count = int(lengths.sum())
    labels = np.full(inside.shape, count)
    labels[inside] = np.arange(count)
    positions = np.concatenate([np.arange(length) for length in prompt_lengths + lengths])
    return Batch(
        tokens=torch.from_numpy(tokens),
        positions=None,
        subtree_end=None,
        label_positions=torch.from_numpy(label_positions[inside]),
        targets=torch.from_numpy(np.concatenate([ids for _, ids in scored]).astype(np.int64)),
        completion_index=torch.from_numpy(labels[row_of]),
        padded_tokens=processed_tokens,
        work=work_of(positions, labels[row_of], count, processed_tokens),
        **pair_fields(groups),
    )


def pair_fields(groups: Sequence[TokenGroup]) -> dict[str, Any]:
    """The fields of a batch that do not depend on the layout.

    Worked example for the edit: chosen ``1 2 3 9`` has the edit 2 to 3, so rejected ``1 2 5 6 7 9`` has 2 to 5.
    """
    completions = _completions(groups)
    lengths = torch.tensor([len(groups[at].completions[index]) for at, index in completions])
    chosen_lengths, rejected_lengths = lengths.chunk(2)
    chosen_edit = torch.from_numpy(np.concatenate([group.edit for group in groups]).astype(np.int64))
    rejected_stop = chosen_edit[:, 1] + rejected_lengths - chosen_lengths
    num_chars = [group.num_chars.tolist() for group in groups]
    return {
        "lengths": lengths,
        "num_chars": torch.tensor([num_chars[at][index] for at, index in completions]),
        "edit": torch.cat([chosen_edit, torch.stack([chosen_edit[:, 0], rejected_stop], dim=1)]),
        "group": torch.tensor([at for at, _ in completions[: len(chosen_edit)]]),
        "weight": torch.ones(len(chosen_edit)),
        "pair_ids": tuple(pair_id for group in groups for pair_id in group.pair_ids),
    }


def _completions(groups: Sequence[TokenGroup]) -> list[tuple[int, int]]:
    """Group and index of chosen of each pair, then of rejected of each pair, or of chosen again if there is none."""
    chosen, rejected = [], []
    for at, group in enumerate(groups):
        chosen += [(at, 0)] * group.pairs
        rejected += [(at, index) for index in range(1, len(group.completions))] or [(at, 0)] * group.pairs
    return chosen + rejected
