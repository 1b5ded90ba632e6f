"""The plain layout: every completion of every pair is a row of its own, padded to the longest.

Prompt and chosen are run again for every pair that has them. Simple enough to be right: the twin of every other layout.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch


def padded(groups: Sequence[TokenGroup], pad: int = 0) -> Batch:
    """Lay groups out as rows: chosen of each pair, then rejected of each pair, unless that is chosen itself (SFT).

    Padding stands on the right, so under causal attention no token sees it and no mask is needed.
    """
    prompts = [group.prompt for group in groups for _ in group.pair_ids]
    chosen = [group.completions[0] for group in groups for _ in group.pair_ids]
    rejected = [ids for group in groups for ids in group.completions[1:]]
    pair = np.arange(len(prompts))
    other = np.array([left is not right for left, right in zip(chosen, rejected, strict=True)])
    row_of = np.concatenate([pair, np.where(other, len(pair) + np.cumsum(other) - 1, pair)])
    completions = [*chosen, *(rejected[index] for index in pair[other])]
    prompts += [prompts[index] for index in pair[other]]
    rows = [np.concatenate(parts) for parts in zip(prompts, completions, strict=True)]
    lengths = np.array([len(ids) for ids in completions])
    prompt_lengths = np.array([len(ids) for ids in prompts])

    width = max(map(len, rows))
    tokens = np.full((len(rows), width), pad, dtype=np.int64)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = ids

    longest = int(lengths.max())
    column = np.arange(longest)
    inside = column < lengths[:, None]
    score = (np.arange(len(rows)) * width + prompt_lengths - 1)[:, None] + column
    count = int(lengths.sum())
    owner = np.full((len(rows), longest), count)
    owner[inside] = np.arange(count)
    return Batch(
        tokens=torch.from_numpy(tokens),
        positions=None,
        subtree_end=None,
        label_positions=torch.from_numpy(score[inside]),
        targets=torch.from_numpy(np.concatenate(completions).astype(np.int64)),
        completion_index=torch.from_numpy(owner[row_of]),
        padded_tokens=sum(map(len, rows)),
        processed_tokens=sum(map(len, rows)),
        **about_pairs(groups),
    )


def about_pairs(groups: Sequence[TokenGroup]) -> dict[str, Any]:
    """What a batch says of its pairs, whatever its layout."""
    pairs = [group.pairs for group in groups]
    edit = np.concatenate([group.edit for group in groups]).astype(np.int64)

    def per_completion(numbers: Sequence[Sequence[int]]) -> torch.Tensor:
        first = np.repeat([of_group[0] for of_group in numbers], pairs)
        rest = [number for of_group in numbers for number in of_group[1:]]
        return torch.from_numpy(np.concatenate([first, rest]).astype(np.int64))

    lengths = per_completion([[len(ids) for ids in group.completions] for group in groups])
    return {
        "lengths": lengths,
        "num_chars": per_completion([group.num_chars.tolist() for group in groups]),
        "edit": _edits(torch.from_numpy(edit), *lengths.chunk(2)),
        "group": torch.from_numpy(np.repeat(np.arange(len(groups)), pairs)),
        "weight": torch.ones(sum(pairs)),
        "pair_ids": tuple(key for group in groups for key in group.pair_ids),
    }


def _edits(chosen: torch.Tensor, chosen_lengths: torch.Tensor, rejected_lengths: torch.Tensor) -> torch.Tensor:
    """[2P, 2] the edit in chosen and in rejected: it starts at the same token, and equal tokens follow it.

    Worked example: chosen ``1 2 3 9`` has the edit 2 to 3, so in rejected ``1 2 5 6 7 9`` it is 2 to 5.
    """
    start, stop = chosen.T
    return torch.cat([chosen, torch.stack([start, stop + rejected_lengths - chosen_lengths], dim=1)])
