"""Updates of bfloat16 weights that round to nothing: what share of the weights a step really changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pairgen.progress import Warn
from pairgen.train.config import Config

SAMPLED = 1 << 20
"""Weights that are looked at, evenly spread over all."""

ENOUGH = 0.5
"""Share of weights that change at the peak learning rate with which nothing is said."""


class Sampled(NamedTuple):
    """Weights with a gradient, before a step: [N] values and the gradients' signs, and the tensors they are from."""

    before: Tensor
    sign: Tensor
    weights: list[Tensor]
    every: int

    def share_moved(self) -> float:
        """The share of them that has another value now."""
        now = torch.cat([_every(weight, self.every) for weight in self.weights])
        return _share(now != self.before, self.sign)

    def share_at(self, rate: float) -> float:
        """The share that the first update of Adam at this learning rate would change: it is the rate, up to sign."""
        moved = (self.before.float() - rate * self.sign.float()).to(self.before.dtype)
        return _share(moved != self.before, self.sign)


@contextmanager
def reported(optimizer: torch.optim.Optimizer, config: Config, is_first: bool, warn: Warn) -> Iterator[None]:
    """Take the first step of a run in here, to warn if most updates of bfloat16 weights are too small to change them.

    bfloat16 has 8 significant bits, so a weight of 0.02 changes if an update is at least 6e-5.
    """
    sampled = _sampled(optimizer) if is_first and config.precision == "bf16-pure" else None
    yield
    if sampled is None:
        return
    peak, rate = config.learning_rate or 0.0, optimizer.param_groups[0]["lr"]
    at_peak = sampled.share_at(peak)
    if at_peak < ENOUGH:
        warn(
            f"--precision bf16-pure: step 1 changed {sampled.share_moved():.2%} of the weights that have a gradient, "
            f"at a learning rate of {rate:.2g} ({at_peak:.2%} at {peak:.2g}, the highest); the other updates are below "
            "the rounding of bfloat16 and are lost. Use --precision bf16, which keeps weights in float32, or raise "
            "--learning-rate"
        )


def _sampled(optimizer: torch.optim.Optimizer) -> Sampled | None:
    weights = [
        weight
        for group in optimizer.param_groups
        for weight in group["params"]
        if weight.grad is not None and weight.dtype == torch.bfloat16
    ]
    if not weights:
        return None
    every = max(1, sum(weight.numel() for weight in weights) // SAMPLED)
    before = torch.cat([_every(weight, every) for weight in weights])
    return Sampled(before, torch.cat([_every(weight.grad, every).sign() for weight in weights]), weights, every)


@torch.no_grad()
def _every(weight: Any, step: int) -> Tensor:
    """Each ``step``-th value of a weight; of a sharded one, of the part of this process."""
    local = weight.to_local() if hasattr(weight, "to_local") else weight
    return local.flatten()[::step].clone()


def _share(moved: Tensor, sign: Tensor) -> float:
    has_gradient = sign != 0
    return float((moved & has_gradient).sum() / has_gradient.sum().clamp(min=1))
