"""The padded layout: one row per completion of every pair, padded to the longest; prompt and chosen are repeated.

This is the reference implementation for every other layout.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch


def padded_batch(groups: Sequence[TokenGroup], pad: int = 0) -> Batch:
    """Lay groups out as rows: chosen of each pair, then rejected of each pair, except for SFT.

    Padding is on the right, so under causal attention no token attends to it and no mask is needed.
    """
    prompts = [group.prompt for group in groups for _ in group.pair_ids]
    chosen = [group.completions[0] for group in groups for _ in group.pair_ids]
    has_rejected = np.array([len(group.completions) > 1 for group in groups for _ in group.pair_ids])
    completions = [*chosen, *(ids for group in groups for ids in group.completions[1:])]
    pair = np.arange(len(prompts))
    row_of = np.concatenate([pair, np.where(has_rejected, len(pair) + np.cumsum(has_rejected) - 1, pair)])
    prompts += [prompts[index] for index in pair[has_rejected]]
    rows = [np.concatenate(parts) for parts in zip(prompts, completions, strict=True)]
    lengths, prompt_lengths = (np.array(list(map(len, sequences))) for sequences in (completions, prompts))

    width = max(map(len, rows))
    tokens = np.full((len(rows), width), pad, dtype=np.int64)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = ids

    column = np.arange(int(lengths.max()))
    inside = column < lengths[:, None]
    label_positions = (np.arange(len(rows)) * width + prompt_lengths - 1)[:, None] + column
    count = int(lengths.sum())
    labels = np.full(inside.shape, count)
    labels[inside] = np.arange(count)
    return Batch(
        tokens=torch.from_numpy(tokens),
        positions=None,
        subtree_end=None,
        label_positions=torch.from_numpy(label_positions[inside]),
        targets=torch.from_numpy(np.concatenate(completions).astype(np.int64)),
        completion_index=torch.from_numpy(labels[row_of]),
        padded_tokens=sum(map(len, rows)),
        processed_tokens=sum(map(len, rows)),
        **pair_fields(groups),
    )


def pair_fields(groups: Sequence[TokenGroup]) -> dict[str, Any]:
    """The fields of a batch that do not depend on the layout."""
    pairs = [group.pairs for group in groups]
    edit = np.concatenate([group.edit for group in groups]).astype(np.int64)

    def per_completion(numbers: Sequence[Sequence[int]]) -> torch.Tensor:
        chosen = np.repeat([of_group[0] for of_group in numbers], pairs)
        rejected = [
            number
            for of_group, count in zip(numbers, pairs, strict=True)
            for number in (of_group[1:] or [of_group[0]] * count)
        ]
        return torch.from_numpy(np.concatenate([chosen, rejected]).astype(np.int64))

    lengths = per_completion([[len(ids) for ids in group.completions] for group in groups])
    return {
        "lengths": lengths,
        "num_chars": per_completion([group.num_chars.tolist() for group in groups]),
        "edit": _edits(torch.from_numpy(edit), *lengths.chunk(2)),
        "group": torch.from_numpy(np.repeat(np.arange(len(groups)), pairs)),
        "weight": torch.ones(sum(pairs)),
        "pair_ids": tuple(pair_id for group in groups for pair_id in group.pair_ids),
    }


def _edits(chosen: torch.Tensor, chosen_lengths: torch.Tensor, rejected_lengths: torch.Tensor) -> torch.Tensor:
    """[2P, 2] the edit in chosen and in rejected, which starts at the same token and is followed by the same tokens.

    Worked example: chosen ``1 2 3 9`` has the edit 2 to 3, so in rejected ``1 2 5 6 7 9`` it is 2 to 5.
    """
    start, stop = chosen.T
    return torch.cat([chosen, torch.stack([start, stop + rejected_lengths - chosen_lengths], dim=1)])
