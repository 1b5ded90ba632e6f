"""A reference model that scores every batch during training."""

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pairgen.train import distributed
from pairgen.train.layout.batch import Batch
from pairgen.train.model.scorer import Scorer
from pairgen.train.scores.forward import Forward


@dataclass(frozen=True)
class OnlineReference:
    """The reference model: a frozen copy of the starting model or, under LoRA, the policy without its adapter."""

    module: nn.Module
    is_policy: bool

    @classmethod
    def frozen(cls, scorer: Scorer, policy: Scorer) -> "OnlineReference":
        """A copy of the starting model; its time counts as part of the policy's step."""
        scorer.timer = policy.timer
        return cls(scorer.requires_grad_(False).eval(), is_policy=False)

    @classmethod
    def without_adapter(cls, policy: nn.Module) -> "OnlineReference":
        """The policy with its LoRA adapter disabled."""
        return cls(policy, is_policy=True)

    def token_logps(self, forward: Forward, batch: Batch) -> Tensor:
        """[2P, T] float64 log-prob of each token of each completion, without a gradient."""
        adapter = (
            distributed.unwrapped(self.module).model.disable_adapter() if self.is_policy else contextlib.nullcontext()
        )
        with torch.no_grad(), adapter:
            return forward.token_logps(self.module, batch)
