"""From groups to a batch on the device, and from a batch to the log-probs of its completions' tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch

Layout = Callable[[Sequence[TokenGroup]], Batch]
"""How groups become rows of tokens."""


@dataclass(frozen=True)
class Forward:
    """How groups are laid out and run through a model; the same for policy and reference."""

    name: str
    """Precision and layout, such as ``bf16-shots``: for equal names, log-probs of equal batches are bitwise equal."""
    layout: Layout
    device: torch.device
    autocast: bool
    """Whether to compute in bfloat16 with weights in float32."""
    share: str = "shots"
    """What the layout shares, as in ``tree_batch``."""

    @property
    def low_precision(self) -> bool:
        """Whether log-probs depend noticeably on the pairs that a pair is batched with: not in float32."""
        return not self.name.startswith("float32")

    def token_logps(self, module: nn.Module, batch: Batch) -> Tensor:
        """[2P, T] float64 log-prob of each token of each completion, 0 after its end."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            logps = module(batch)
        return batch.completions(logps)
