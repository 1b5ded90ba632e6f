"""Log-probs of labelled positions without ever holding the logits of all of them, unless they are few.

The head's matrix product runs in chunks of positions, and again in the backward pass: memory is one chunk of logits
(``CHUNK`` x vocabulary) instead of three times all of them. Where all logits are few (``KEPT``) they are kept instead.

A position whose log-prob has no gradient, but for rounding, has no backward pass. Tokens that chosen and rejected
share are such: in a loss of the difference of the two, as DPO's, and DPOP's above the reference, they cancel. The slow
twin in the tests is one ``log_softmax``.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 512
"""Positions whose logits are computed at once."""
KEPT = 1 << 26
"""Logits of a batch that are kept for its backward pass, at most: 256 MB in float32."""
NOTHING = 1e-13
"""A gradient so many times smaller than the largest is what is left of a sum that cancels."""


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, cap: float, kept: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias, targets)
        ctx.cap, ctx.kept = cap, kept
        out = torch.empty(len(targets), dtype=_exact(hidden), device=hidden.device)
        for part in _chunks(len(targets)):
            logits = _logits(hidden[part], weight, bias, cap)
            out[part] = logits.gather(1, targets[part, None])[:, 0] - logits.logsumexp(1)
            if kept is not None:
                kept[part] = logits
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """With s = softmax(logits): d logp / d logits = onehot(target) - s; the cap's tanh' = 1 - tanh^2."""
        (grad,) = grads
        hidden, weight, bias, targets = ctx.saved_tensors
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        kept, ctx.kept = ctx.kept, None  # memory that the rest of the backward pass can have
        d_hidden = torch.zeros_like(hidden) if wants_hidden else None
        d_weight = torch.zeros_like(weight) if wants_weight else None
        d_bias = torch.zeros_like(bias) if bias is not None and wants_bias else None
        rows = (~(grad.abs() <= NOTHING * grad.abs().max())).nonzero()[:, 0] if len(grad) else grad.long()  # NaN stays
        for at in _chunks(len(grad)) if len(rows) == len(grad) else rows.split(CHUNK):
            given = hidden[at]
            logits = _logits(given, weight, bias, ctx.cap) if kept is None else kept[at]
            down = logits.softmax(1).mul_(-grad[at, None])
            down.scatter_add_(1, targets[at, None], grad[at, None])
            if ctx.cap:
                down.mul_(1 - (logits / ctx.cap).square_())
            down = down.to(weight.dtype)
            if d_hidden is not None:
                d_hidden[at] = down @ weight
            if d_weight is not None:
                d_weight.addmm_(down.T, given)
            if d_bias is not None:
                d_bias.add_(down.sum(0))
        return d_hidden, d_weight, d_bias, None, None, None


def _exact(hidden: Tensor) -> torch.dtype:
    return torch.promote_types(hidden.dtype, torch.float32)


def _chunks(count: int) -> list[slice]:
    return [slice(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)]


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, cap: float) -> Tensor:
    """Logits in float32 or better; with a soft cap, cap * tanh(logits / cap)."""
    logits = torch.nn.functional.linear(hidden, weight, bias).to(_exact(hidden))
    return logits.div_(cap).tanh_().mul_(cap) if cap else logits


def logprobs(hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None, cap: float = 0.0) -> Tensor:
    """Log-prob of each target under softmax(hidden @ weight.T + bias).

    Args:
        hidden: [N, D] hidden states, of the dtype the product shall run in.
        weight: [V, D] the head.
        targets: [N] int64 token ids.
        bias: [V], or None.
        cap: soft cap on logits as in Gemma 2, logits become cap * tanh(logits / cap); 0 is none.

    Returns:
        [N] log-probs in nats, in float32 (float64 for float64 input).
    """
    dtype = hidden.dtype
    if torch.is_autocast_enabled(hidden.device.type):
        dtype = torch.get_autocast_dtype(hidden.device.type)
    with torch.autocast(hidden.device.type, enabled=False):
        cast = [value.to(dtype) if value is not None else None for value in (hidden, weight, bias)]
        few = torch.is_grad_enabled() and len(hidden) * len(weight) <= KEPT
        kept = hidden.new_empty((len(hidden), len(weight)), dtype=_exact(hidden)) if few else None
        result: Tensor = _LogProbs.apply(cast[0], cast[1], cast[2], targets, cap, kept)
        return result
