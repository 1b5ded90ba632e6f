"""Log-probabilities of pairs, token by token: the input of losses and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PairLogps:
    """Log-probabilities of P pairs under the policy and the reference model, in nats.

    The first P of the 2P rows are the chosen completions, the others the rejected ones of the same pairs; T is the
    length of the longest completion. For a loss that does not use rejected completions (``Loss.uses_rejected``), their
    rows repeat chosen.
    """

    policy: Tensor
    """[2P, T] log-prob of each token, 0 after a completion's end."""
    reference: Tensor | None
    """[2P, T] the same under the reference model; None for a loss that needs no reference."""
    mask: Tensor
    """[2P, T] bool: true for tokens of the completion, EOS included."""
    edit: Tensor
    """[2P, 2] int64: first and, exclusive, last token of the edit. Before and after it, both completions are equal."""
    baseline: Tensor | float = 0.0
    """KTO's reference point z."""
    rounding: float = 0.0
    """Relative rounding error of log-probs: those of equal models may differ by as much if batched differently."""

    @property
    def pairs(self) -> int:
        """P."""
        return len(self.policy) // 2

    @cached_property
    def chosen(self) -> Tensor:
        """[P] log pi(y_w|x), summed over tokens."""
        return self.policy[: self.pairs].sum(1)

    @cached_property
    def rejected(self) -> Tensor:
        """[P] log pi(y_l|x)."""
        return self.policy[self.pairs :].sum(1)

    @cached_property
    def reference_chosen(self) -> Tensor:
        """[P] log pi_ref(y_w|x)."""
        return self.reference_tokens[: self.pairs].sum(1)

    @property
    def reference_tokens(self) -> Tensor:
        """[2P, T] ``reference``. Raises TypeError if it is None."""
        if self.reference is None:
            raise TypeError("this loss needs reference log-probs")
        return self.reference

    @cached_property
    def chosen_logratio(self) -> Tensor:
        """[P] log pi(y_w|x) - log pi_ref(y_w|x)."""
        return self.chosen - self.reference_chosen

    @cached_property
    def rejected_logratio(self) -> Tensor:
        """[P] log pi(y_l|x) - log pi_ref(y_l|x)."""
        return self.rejected - self.reference_tokens[self.pairs :].sum(1)

    @property
    def margin(self) -> Tensor:
        """[P] chosen log-ratio minus rejected log-ratio."""
        return self.chosen_logratio - self.rejected_logratio

    @cached_property
    def lengths(self) -> Tensor:
        """[2P] int64 tokens of each completion."""
        return self.mask.sum(1)

    @property
    def chosen_lengths(self) -> Tensor:
        """[P] tokens of each chosen completion."""
        return self.lengths[: self.pairs]

    @property
    def rejected_lengths(self) -> Tensor:
        """[P] tokens of each rejected completion."""
        return self.lengths[self.pairs :]

    @cached_property
    def _index(self) -> Tensor:
        """[2P, T] each token's index in its completion."""
        return self.mask.cumsum(1) - 1

    @property
    def before_edit(self) -> Tensor:
        """[2P, T] bool: tokens before the edit, which both completions share."""
        return self.mask & (self._index < self.edit[:, :1])

    @property
    def at_edit(self) -> Tensor:
        """[2P, T] bool: tokens of the edit; none in a completion from which it only deletes."""
        return self.mask & (self._index >= self.edit[:, :1]) & (self._index < self.edit[:, 1:])

    @property
    def after_edit(self) -> Tensor:
        """[2P, T] bool: tokens after the edit, with different contexts in the two completions."""
        return self.mask & (self._index >= self.edit[:, 1:])
