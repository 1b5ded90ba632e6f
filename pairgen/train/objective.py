"""From groups to a batch with its log-probs, policy's and reference's: all that the loop and the evaluation share."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.losses import LOSSES, LossOptions, Scores
from pairgen.train.metrics import Sums, measure
from pairgen.train.reference.cache import Reference

ROUNDING = 2e-6
Layout = Callable[[Sequence[TokenGroup]], Batch]
"""How groups become rows of tokens."""


@dataclass
class Scoring:
    """The policy, its reference and the loss, as functions of a batch."""

    module: nn.Module
    """What passes go through: the ``Scorer``, maybe spread over processes."""
    layout: Layout
    device: torch.device
    autocast: bool
    """Arithmetic in bfloat16, weights in float32."""
    loss: str
    options: LossOptions
    reference: Reference | nn.Module | None
    """Log-probs by pair; or a module that scores anew (under LoRA the policy itself); None if the loss needs none."""
    chooses: bool
    """Groups are choices with several wrong ones, as of ARC and HellaSwag."""

    @property
    def rounding(self) -> float:
        """Relative error of a completion's log-prob in float32, some ten units of its last place; else not known."""
        return 0.0 if self.autocast else ROUNDING

    @property
    def compares(self) -> bool:
        """Whether the loss looks at rejected."""
        return self.loss != "sft"

    def laid_out(self, groups: Sequence[TokenGroup], counts: bool = True) -> Batch:
        """A batch on the device, on its way there at least; ``counts=False`` makes its pairs weigh nothing."""
        if not self.compares:
            groups = [group.chosen_only() for group in groups]
        batch = self.layout(groups)
        if not counts:
            batch.weight.zero_()
        if isinstance(self.reference, Reference):
            chosen, rejected, tokens = self.reference.values(batch.pair_ids, batch.completion_index.shape[1])
            batch = replace(batch, reference_chosen=chosen, reference_rejected=rejected, reference_tokens=tokens)
        if self.device.type == "cuda":
            batch = batch.pinned()
        return batch.to(self.device)

    def tokens(self, batch: Batch, module: nn.Module | None = None) -> Tensor:
        """[2P, T] log-prob of each token of each completion, 0 behind its end."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            logps = (module or self.module)(batch)
        return batch.completions(logps)

    def losses(self, batch: Batch, baseline: Tensor | float = 0.0) -> tuple[Tensor, Sums]:
        """[P] loss of each pair, and the batch's metrics."""
        tokens = self.tokens(batch)
        scores = self._scores(batch, tokens, baseline)
        losses = LOSSES[self.loss].function(scores, self.options)
        return losses, measure(batch, tokens, scores, losses, self.options, self.compares, self.chooses)

    def _scores(self, batch: Batch, tokens: Tensor, baseline: Tensor | float) -> Scores:
        pairs = batch.pairs
        sums = tokens.sum(1)
        lengths = batch.lengths.to(tokens.dtype)
        policy = Scores(
            sums[:pairs], sums[pairs:], lengths[:pairs], lengths[pairs:], baseline=baseline, rounding=self.rounding
        )
        if self.reference is None:
            return policy
        if isinstance(self.reference, Reference):
            known = (batch.reference_chosen, batch.reference_rejected, batch.reference_tokens)
        else:
            with torch.no_grad(), _as_reference(self.reference):
                again = self.tokens(batch, self.reference)
            known = (again[:pairs].sum(1), again[pairs:].sum(1), again[:pairs])
        chosen, rejected, by_token = known
        return replace(
            policy,
            reference_chosen=chosen,
            reference_rejected=rejected,
            chosen_tokens=tokens[:pairs],
            reference_chosen_tokens=by_token,
        )


@contextlib.contextmanager
def _as_reference(module: Any) -> Any:
    """Within, a policy that has an adapter scores without it."""
    scorer = module.module if hasattr(module, "module") else module
    if hasattr(scorer.model, "disable_adapter"):
        with scorer.model.disable_adapter():
            yield
    else:
        yield


def options_of(config: Config) -> LossOptions:
    """What a config tells the losses."""
    return LossOptions(
        beta=config.beta,
        dpop_lambda=config.dpop_lambda,
        dpop_form=config.dpop_form,
        dpop_level=config.dpop_level,
        ipo_level=config.ipo_level,
        cpo_alpha=config.cpo_alpha,
        kto_desirable=config.kto_desirable,
        kto_undesirable=config.kto_undesirable,
    )
