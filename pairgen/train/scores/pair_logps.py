"""Log-probabilities of pairs, token by token: the input of losses and metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    loss_on: str = "all"
    """Which tokens count (``Config.loss_on``): sums, lengths and whatever is made of them are over these alone."""

    @property
    def pairs(self) -> int:
        """P."""
        return len(self.policy) // 2

    @cached_property
    def counted(self) -> Tensor:
        """[2P, T] bool: the tokens that count in the loss.

        The edit of a pair that has several is the span from the first to the last. A completion without a token in the
        edit, since the other only inserts there, counts the first token after it: the one that the model is to choose
        or not to choose in place of the insertion. If it ends there, none counts, and its log-prob is 0.

        Worked example, chosen ``1 2 3 4``, rejected ``1 3 4``: with ``edit``, 2 and 3 count; with ``from-edit``,
        2 3 4 and 3 4.
        """
        start, stop = self.edit[:, :1], self.edit[:, 1:]
        if self.loss_on == "edit":
            return self.mask & (self._index >= start) & (self._index < stop.maximum(start + 1))
        return self.mask & (self._index >= start) if self.loss_on == "from-edit" else self.mask

    @cached_property
    def _sums(self) -> Tensor:
        """[2P] log-probs under the policy, summed over the tokens that count."""
        return self.policy.where(self.counted, 0).sum(1)

    @cached_property
    def _reference_sums(self) -> Tensor:
        """[2P] the same under the reference model."""
        return self.reference_tokens.where(self.counted, 0).sum(1)

    @property
    def chosen(self) -> Tensor:
        """[P] log pi(y_w|x), summed over the tokens that count."""
        return self._sums[: self.pairs]

    @property
    def rejected(self) -> Tensor:
        """[P] log pi(y_l|x)."""
        return self._sums[self.pairs :]

    @property
    def reference_chosen(self) -> Tensor:
        """[P] log pi_ref(y_w|x)."""
        return self._reference_sums[: self.pairs]

    @property
    def reference_rejected(self) -> Tensor:
        """[P] log pi_ref(y_l|x)."""
        return self._reference_sums[self.pairs :]

    @property
    def reference_tokens(self) -> Tensor:
        """[2P, T] ``reference``. Raises TypeError if it is None."""
        if self.reference is None:
            raise TypeError("this loss needs reference log-probs")
        return self.reference

    @property
    def chosen_logratio(self) -> Tensor:
        """[P] log pi(y_w|x) - log pi_ref(y_w|x)."""
        return self.chosen - self.reference_chosen

    @property
    def rejected_logratio(self) -> Tensor:
        """[P] log pi(y_l|x) - log pi_ref(y_l|x)."""
        return self.rejected - self.reference_rejected

    @property
    def margin(self) -> Tensor:
        """[P] chosen log-ratio minus rejected log-ratio."""
        return self.chosen_logratio - self.rejected_logratio

    @cached_property
    def lengths(self) -> Tensor:
        """[2P] int64 tokens of each completion that count, at least 1."""
        return self.counted.sum(1).clamp(min=1)

    @property
    def chosen_lengths(self) -> Tensor:
        """[P] tokens of each chosen completion that count."""
        return self.lengths[: self.pairs]

    @property
    def rejected_lengths(self) -> Tensor:
        """[P] tokens of each rejected completion that count."""
        return self.lengths[self.pairs :]

    def on(self, tokens: str) -> PairLogps:
        """The same pairs with other tokens counted: ``all``, ``edit`` or ``from-edit``."""
        return replace(self, loss_on=tokens)

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
