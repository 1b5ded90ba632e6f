"""The training objective: from groups to a batch, and from a batch to its losses and metrics."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.distributed import unwrapped
from pairgen.train.layout.batch import Batch
from pairgen.train.losses import LOSSES, Loss
from pairgen.train.reference.cache import ReferenceLogps
from pairgen.train.scores.forward import Forward
from pairgen.train.scores.metrics import Sums, measure
from pairgen.train.scores.pair_logps import PairLogps

FLOAT32_ROUNDING = 2e-6
"""Relative error of a completion's log-prob in float32: some ten units in the last place, by the order of its sums."""


@dataclass(frozen=True)
class Objective:
    """The policy, its reference and the loss, as functions of a batch."""

    config: Config
    module: nn.Module
    """The policy: a ``Scorer``, or the module that distributes it over processes."""
    forward: Forward
    reference: ReferenceLogps | nn.Module | None
    """Precomputed log-probs, or the module that scores each batch: with --lora, the policy; None if not needed."""
    multiple_choice: bool
    """Whether groups are multiple-choice questions whose right answer is chosen, as in ARC and HellaSwag."""

    @property
    def loss(self) -> Loss:
        return LOSSES[self.config.loss]

    def batch(self, groups: Sequence[TokenGroup], weighted: bool = True) -> Batch:
        """Lay groups out on the device; with ``weighted=False``, all pairs have weight 0."""
        uses_rejected = self.loss.uses_rejected
        batch = self.forward.layout(groups if uses_rejected else [group.chosen_only() for group in groups])
        if not weighted:
            batch.weight.zero_()
        if isinstance(self.reference, ReferenceLogps):
            tokens = self.reference.tokens(batch.pair_ids, batch.completion_index.shape[1], uses_rejected)
            batch = replace(batch, reference=tokens)
        return batch.to(self.forward.device)

    def logps(self, batch: Batch, baseline: float = 0.0) -> PairLogps:
        """The log-probs of a batch; ``baseline`` is KTO's reference point, in nats."""
        return PairLogps(
            policy=self.forward.token_logps(self.module, batch),
            reference=self._reference_logps(batch),
            mask=batch.mask,
            edit=batch.edit,
            baseline=baseline,
            rounding=0.0 if self.forward.low_precision else FLOAT32_ROUNDING,  # see ``pairgen.train.reference``
            loss_on=self.config.loss_on if self.loss.uses_rejected else "all",
        )

    def losses(self, batch: Batch, baseline: float = 0.0) -> tuple[Tensor, Sums]:
        """[P] loss of each pair, and the batch's metrics."""
        return self.losses_of(batch, self.logps(batch, baseline))

    def losses_of(self, batch: Batch, logps: PairLogps) -> tuple[Tensor, Sums]:
        """The same from the log-probs of the batch."""
        losses = self.loss.function(logps, self.config)
        return losses, measure(batch, logps, losses, self.config, self.multiple_choice)

    def _reference_logps(self, batch: Batch) -> Tensor | None:
        """[2P, T] float64 log-prob of each token of each completion under the reference model."""
        if not isinstance(self.reference, nn.Module):
            return batch.reference
        lora = self.config.lora
        adapter = unwrapped(self.reference).model.disable_adapter() if lora else contextlib.nullcontext()
        with torch.no_grad(), adapter:
            return self.forward.token_logps(self.reference, batch)
