"""A batch on the device: rows of tokens for the model, and which of their log-probs belong to which completion.

This is the seam between how pairs are laid out and everything else. A layout (``padded.py``) is a function
from groups to a ``Batch``; the model scores its N labelled positions in one pass (``scorer.py``), and ``completions``
hands the N log-probs back to each completion. A position may belong to several completions: that is how a shared token
is computed once and counted everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """P pairs laid out in R rows of L tokens, of which N positions are scored; T is the longest completion.

    Worked example, two rows of one pair, padded with 0::

        tokens   [[5, 6, 7, 2], [5, 6, 8, 0]]     prompt 5 6; chosen 7 2; rejected 8
        score    [1, 2, 5]                        the hidden states after 6, after 7, and after 6 of row 2
        targets  [7, 2, 8]
        owner    [[0, 1], [2, 3]]                 chosen is scores 0 and 1, rejected is score 2; 3 = N is nothing
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
    """[2P, T] int64: for chosen of each pair, then rejected of each pair, the scores of its tokens in order; N pads."""
    lengths: Tensor
    """[2P] int64 tokens of each completion."""
    num_chars: Tensor
    """[2P] int64 characters of each completion."""
    edit: Tensor
    """[2P, 2] int64: start and stop of the edit in each completion, in tokens; outside it, both of a pair are equal."""
    group: Tensor
    """[P] int64: equal for pairs of one group."""
    weight: Tensor
    """[P] float32: 1, or 0 for a pair that only fills up (so that all processes do as many passes)."""
    pair_ids: tuple[str, ...]
    """[P] the pairs' names."""
    padded_tokens: int
    """Tokens that a trainer runs which repeats prompt and chosen for every pair."""
    processed_tokens: int
    """Tokens of this batch that are no padding."""
    reference: Tensor | None = None
    """[2P, T] float64: log-prob of each token under the reference model, where it was precomputed; 0 after the end."""

    @property
    def pairs(self) -> int:
        return len(self.pair_ids)

    def to(self, device: torch.device) -> "Batch":
        """The same on a device; copies from pinned memory do not block."""
        return self._with(lambda value: value.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The same in memory that a GPU copies from by itself."""
        return self._with(lambda value: value.pin_memory())

    def _with(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: change(value) for name, value in tensors.items() if isinstance(value, Tensor)})

    def completions(self, logps: Tensor) -> Tensor:
        """Hand the log-probs of the N scored positions back to the completions.

        Args:
            logps: [N] log-probs in float32.

        Returns:
            [2P, T] log-prob of each token of chosen of each pair, then of rejected; 0 behind a completion's end.
            In float64, so that a sum of a thousand tokens keeps its last digits.
        """
        exact = logps.double()
        return torch.cat([exact, exact.new_zeros(1)])[self.completion_index]
