"""The training objective: from groups to a batch, and from a batch to its losses and metrics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.losses import LOSSES, Loss
from pairgen.train.reference.cache import ReferenceLogps
from pairgen.train.reference.compute import OnlineReference
from pairgen.train.scores.forward import Forward
from pairgen.train.scores.metrics import Sums, measure
from pairgen.train.scores.pair_logps import PairLogps


@dataclass(frozen=True)
class Objective:
    """The policy, its reference and the loss, as functions of a batch."""

    config: Config
    module: nn.Module
    """The policy: a ``Scorer``, or the module that distributes it over processes."""
    forward: Forward
    reference: ReferenceLogps | OnlineReference | None
    """None if the loss needs none."""
    multiple_choice: bool
    """Whether groups are questions of which chosen is the right answer, as in ARC and HellaSwag."""

    @property
    def loss(self) -> Loss:
        """The entry of ``LOSSES``."""
        return LOSSES[self.config.loss]

    def batch(self, groups: Sequence[TokenGroup], weighted: bool = True) -> Batch:
        """Lay groups out on the device; with ``weighted=False`` no pair counts in losses and metrics."""
        uses_rejected = self.loss.uses_rejected
        batch = self.forward.layout(groups if uses_rejected else [group.chosen_only() for group in groups])
        if not weighted:
            batch.weight.zero_()
        if isinstance(self.reference, ReferenceLogps):
            tokens = self.reference.tokens(batch.pair_ids, batch.completion_index.shape[1], uses_rejected)
            batch = replace(batch, reference=tokens)
        return self.forward.to_device(batch)

    def losses(self, batch: Batch, baseline: float = 0.0) -> tuple[Tensor, Sums]:
        """[P] loss of each pair, and the batch's metrics.

        Args:
            baseline: KTO's reference point, in nats.
        """
        logps = self.pair_logps(batch, baseline)
        losses = self.loss.function(logps, self.config)
        return losses, measure(batch, logps, losses, self.config, self.multiple_choice)

    def pair_logps(self, batch: Batch, baseline: float = 0.0) -> PairLogps:
        """Log-probs of all tokens under policy and reference."""
        policy = self.forward.token_logps(self.module, batch)
        known = batch.reference
        if isinstance(self.reference, OnlineReference):
            known = self.reference.token_logps(self.forward, batch)
        return PairLogps(
            policy=policy,
            reference=known,
            mask=torch.arange(policy.shape[1], device=policy.device) < batch.lengths[:, None],
            edit=batch.edit,
            baseline=baseline,
            rounding=self.forward.rounding,
        )
