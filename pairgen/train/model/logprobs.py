"""Log-probs of labeled positions without materializing all logits, unless there are few.

The LM head's matrix product runs in chunks of positions, and again in the backward pass: memory is one chunk of logits
(``CHUNK`` x vocabulary) instead of three times all of them. If there are few logits (``MAX_KEPT``), they are kept.

The backward pass skips positions whose gradient is zero up to rounding, such as tokens that chosen and rejected share:
their gradients cancel in losses of the difference of the two, such as DPO, and DPOP above the reference. The tests
compare with a single ``log_softmax``.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 512
"""Positions per chunk of logits."""
MAX_KEPT = 1 << 26
"""Maximum number of logits kept for the backward pass: 256 MB in float32."""
ROUNDING = 1e-13
"""A gradient at most this fraction of the largest is the rounding error of a sum that cancels."""


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, cap: float, kept: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias, targets)
        ctx.cap, ctx.kept = cap, kept
        out = torch.empty(len(targets), dtype=_result_dtype(hidden), device=hidden.device)
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
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        kept, ctx.kept = ctx.kept, None  # frees the memory for the rest of the backward pass
        d_hidden = torch.zeros_like(hidden) if needs_hidden else None
        d_weight = torch.zeros_like(weight) if needs_weight else None
        d_bias = torch.zeros_like(bias) if bias is not None and needs_bias else None
        # not ">", which would skip NaN
        rows = (~(grad.abs() <= ROUNDING * grad.abs().max())).nonzero()[:, 0] if len(grad) else grad.long()
        for at in _chunks(len(grad)) if len(rows) == len(grad) else rows.split(CHUNK):
            chunk = hidden[at]
            logits = _logits(chunk, weight, bias, ctx.cap) if kept is None else kept[at]
            d_logits = logits.softmax(1).mul_(-grad[at, None])
            d_logits.scatter_add_(1, targets[at, None], grad[at, None])
            if ctx.cap:
                d_logits.mul_(1 - (logits / ctx.cap).square_())
            d_logits = d_logits.to(weight.dtype)
            if d_hidden is not None:
                d_hidden[at] = d_logits @ weight
            if d_weight is not None:
                d_weight.addmm_(d_logits.T, chunk)
            if d_bias is not None:
                d_bias.add_(d_logits.sum(0))
        return d_hidden, d_weight, d_bias, None, None, None


def _result_dtype(hidden: Tensor) -> torch.dtype:
    return torch.promote_types(hidden.dtype, torch.float32)


def _chunks(count: int) -> list[slice]:
    return [slice(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)]


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, cap: float) -> Tensor:
    """Logits in float32 or better; with a soft cap, cap * tanh(logits / cap)."""
    logits = torch.nn.functional.linear(hidden, weight, bias).to(_result_dtype(hidden))
    return logits.div_(cap).tanh_().mul_(cap) if cap else logits


def logprobs(hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None, cap: float = 0.0) -> Tensor:
    """Log-prob of each target under softmax(hidden @ weight.T + bias).

    Args:
        hidden: [N, D] hidden states, in the dtype of the matrix product.
        weight: [V, D] weight of the LM head.
        targets: [N] int64 token ids.
        bias: [V], or None.
        cap: soft cap on logits as in Gemma 2, logits become cap * tanh(logits / cap); 0: no cap.

    Returns:
        [N] log-probs in nats, in float32 (float64 for float64 input).
    """
    dtype = hidden.dtype
    if torch.is_autocast_enabled(hidden.device.type):
        dtype = torch.get_autocast_dtype(hidden.device.type)
    with torch.autocast(hidden.device.type, enabled=False):
        cast = [value.to(dtype) if value is not None else None for value in (hidden, weight, bias)]
        few = torch.is_grad_enabled() and len(hidden) * len(weight) <= MAX_KEPT
        kept = hidden.new_empty((len(hidden), len(weight)), dtype=_result_dtype(hidden)) if few else None
        result: Tensor = _LogProbs.apply(cast[0], cast[1], cast[2], targets, cap, kept)
        return result
