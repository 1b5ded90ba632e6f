"""What every loss must satisfy, checked before a run starts on made-up log-probs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pairgen.errors import UsageError
from pairgen.train.config import Config
from pairgen.train.losses import LOSSES, Loss
from pairgen.train.scores.pair_logps import PairLogps

PAIRS, TOKENS = 3, 6


def check_loss(config: Config) -> None:
    """Check the loss of a run: one finite value per pair, with a finite gradient, that depends on no other pair.

    Raises:
        UsageError: it fails, or does something else.
    """
    loss = LOSSES[config.loss]
    logps = _made_up(loss).on(config.loss_on if loss.uses_rejected else "all")
    try:
        problem = _problem(loss.function(logps, config), logps.policy)
    except Exception as error:
        problem = f"fails with {type(error).__name__}: {error}"
    if problem:
        raise UsageError(f"--loss {config.loss}: {problem}")


def _problem(losses: Any, policy: Tensor) -> str:
    """What is wrong with the losses of ``PAIRS`` pairs; "" if nothing is."""
    if not isinstance(losses, Tensor):
        return f"returns {type(losses).__name__} instead of a tensor with one loss per pair"
    if losses.shape != (PAIRS,):
        return f"returns shape {list(losses.shape)} for {PAIRS} pairs; it must return one loss per pair, [{PAIRS}]"
    if not losses.isfinite().all():
        return f"returns {losses.tolist()} for ordinary log-probs; losses must be finite"
    if not losses.requires_grad:
        return "does not depend on the policy's log-probs, so there is nothing to train"
    gradients = [torch.autograd.grad(one, policy, retain_graph=True)[0] for one in losses]
    if not all(gradient.isfinite().all() for gradient in gradients):
        return "has a gradient that is not finite for ordinary log-probs"
    if not any(gradient.any() for gradient in gradients):
        return "has a gradient of 0 for ordinary log-probs, so there is nothing to train"
    for pair, gradient in enumerate(gradients):
        gradient[[pair, PAIRS + pair]] = 0
        if gradient.any():
            return "lets a pair's loss depend on other pairs of the batch; it would change with --micro-batch-size"
    return ""


def _made_up(loss: Loss) -> PairLogps:
    """Pairs of several lengths, of which one lost a token, in float64, near the reference: no loss is flat there.

    The margin of the first pair is negative: chosen fell and rejected rose.
    """
    random = torch.Generator().manual_seed(0)
    lengths = torch.tensor([4, 6, 3, 4, 5, 3] if loss.uses_rejected else [4, 6, 3] * 2)
    mask = torch.arange(TOKENS) < lengths[:, None]
    reference = -3 * torch.rand(2 * PAIRS, TOKENS, generator=random, dtype=torch.float64) * mask
    change = torch.rand(2 * PAIRS, TOKENS, generator=random, dtype=torch.float64) * mask / 10
    policy = (reference + change * torch.tensor([-1, -1, 1, 1, -1, 1])[:, None]).requires_grad_()
    edit = torch.tensor([[1, 2], [2, 3], [0, 2], [1, 2], [2, 2], [0, 2]] if loss.uses_rejected else [[1, 2]] * 6)
    return PairLogps(policy, reference if loss.needs_reference else None, mask, edit)
