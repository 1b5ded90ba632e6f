"""A batch of pairs: rows of tokens for the model, and the mapping from their log-probs to completions.

This is the interface between layouts and the rest of the trainer. A layout (``padded.py``, ``tree.py``) is a function
from groups to a ``Batch``; the model scores its N labels in one pass (``scorer.py``), and ``Batch.completions`` maps
the N log-probs back to completions. The label of a shared token belongs to several completions.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Work(NamedTuple):
    """What a model has to compute for a batch."""

    tokens: int
    """Tokens without padding."""
    attended: int
    """Keys that tokens attend to, summed over tokens; a sliding window is not considered."""
    labels: int
    """Log-probs."""
    differing: int
    """Log-probs that do not cancel in the difference of chosen and rejected."""


def work_of(positions: NDArray[np.int64], index: NDArray[np.int64], labels: int, tokens: int) -> Work:
    """The work of a batch.

    Args:
        positions: the position of each token, 0 for padding; a token attends to all of its path and to itself.
        index: [2P, T] as ``Batch.completion_index``.
        labels: number of labels.
        tokens: number of tokens without padding.
    """
    chosen, rejected = (np.bincount(part.ravel(), minlength=labels + 1)[:labels] for part in np.split(index, 2))
    return Work(tokens, int(positions.sum()) + tokens, labels, int((chosen != rejected).sum()))


@dataclass(frozen=True)
class Batch:
    """P pairs laid out in R rows of L tokens, with N labels; T is the length of the longest completion.

    Worked example, a pair in two rows, padded with 0::

        tokens            [[5, 6, 7, 2], [5, 6, 8, 0]]     prompt 5 6; chosen 7 2; rejected 8
        label_positions   [1, 2, 5]                        the hidden states of 6, of 7, and of 6 in the second row
        targets           [7, 2, 8]
        completion_index  [[0, 1], [2, 3]]                 chosen has labels 0 and 1, rejected has label 2; N = 3 pads
    """

    tokens: Tensor
    """[R, L] int64 token ids."""
    positions: Tensor | None
    """[R, L] int64 positions; None if every row counts from 0."""
    subtree_end: Tensor | None
    """[R, L] int64: token q of a row attends to token k iff k <= q <= subtree_end[k]; None: plain causal."""
    label_positions: Tensor
    """[N] int64: flat index (row * L + column) of the hidden state that predicts the target."""
    targets: Tensor
    """[N] int64 token ids."""
    completion_index: Tensor
    """[2P, T] int64: for chosen of each pair, then rejected of each pair, the labels of its tokens; padded with N."""
    lengths: Tensor
    """[2P] int64 tokens of each completion."""
    num_chars: Tensor
    """[2P] int64 characters of each completion."""
    edit: Tensor
    """[2P, 2] int64: start and stop of the edit in each completion, in tokens; a pair has equal tokens outside it."""
    group: Tensor
    """[P] int64: equal for pairs of one group."""
    weight: Tensor
    """[P] float32: 1, or 0 for filler pairs, with which all processes run the same number of passes."""
    pair_ids: tuple[str, ...]
    """[P] pair ids."""
    padded_tokens: int
    """Tokens of the same pairs in the padded layout."""
    work: Work
    reference: Tensor | None = None
    """[2P, T] float64: precomputed log-prob of each token under the reference model, 0 after the end."""

    @property
    def pairs(self) -> int:
        return len(self.pair_ids)

    @property
    def mask(self) -> Tensor:
        """[2P, T] bool: true for tokens of the completions, EOS included."""
        width = self.completion_index.shape[1]
        return torch.arange(width, device=self.lengths.device) < self.lengths[:, None]

    @property
    def processed_tokens(self) -> int:
        """Tokens of this batch without padding."""
        return self.work.tokens

    def to(self, device: torch.device) -> "Batch":
        """This batch on a device; a GPU copies it from pinned memory in the background."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        if device.type == "cuda":
            tensors = {name: value.pin_memory() for name, value in tensors.items()}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})

    def completions(self, logps: Tensor) -> Tensor:
        """Map the log-probs of the N labels back to completions.

        Args:
            logps: [N] log-probs in float32.

        Returns:
            [2P, T] log-prob of each token of chosen of each pair, then of rejected; 0 after its end.
            In float64, so that a sum of a thousand tokens keeps its last digits.
        """
        exact = logps.double()
        return torch.cat([exact, exact.new_zeros(1)])[self.completion_index]
