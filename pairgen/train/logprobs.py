"""Log-probs of labelled positions without ever holding the logits of all of them.

The head's matrix product runs in chunks of positions, and again in the backward pass: memory is one chunk of logits
(``CHUNK`` x vocabulary) instead of three times all of them. The slow twin in the tests is one ``log_softmax``.
"""

from typing import Any

import torch
from torch import Tensor

CHUNK = 512
"""Positions whose logits are held at once."""


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, cap: float) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias, targets)
        ctx.cap = cap
        out = torch.empty(len(targets), dtype=_exact(hidden), device=hidden.device)
        for part in _chunks(len(targets)):
            logits, _ = _logits(hidden[part], weight, bias, cap)
            out[part] = logits.gather(1, targets[part, None])[:, 0] - logits.logsumexp(1)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """With s = softmax(logits): d logp / d logits = onehot(target) - s; the cap's tanh' = 1 - tanh^2."""
        (grad,) = grads
        hidden, weight, bias, targets = ctx.saved_tensors
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        d_hidden = torch.zeros_like(hidden) if wants_hidden else None
        d_weight = torch.zeros_like(weight) if wants_weight else None
        d_bias = torch.zeros_like(bias) if bias is not None and wants_bias else None
        for part in _chunks(len(targets)):
            logits, slope = _logits(hidden[part], weight, bias, ctx.cap)
            down = logits.softmax(1).mul_(-grad[part, None])
            down.scatter_add_(1, targets[part, None], grad[part, None])
            if slope is not None:
                down.mul_(slope)
            down = down.to(weight.dtype)
            if d_hidden is not None:
                d_hidden[part] = down @ weight
            if d_weight is not None:
                d_weight.addmm_(down.T, hidden[part])
            if d_bias is not None:
                d_bias.add_(down.sum(0))
        return d_hidden, d_weight, d_bias, None, None


def _exact(hidden: Tensor) -> torch.dtype:
    return torch.promote_types(hidden.dtype, torch.float32)


def _chunks(count: int) -> list[slice]:
    return [slice(at, min(at + CHUNK, count)) for at in range(0, count, CHUNK)]


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, cap: float) -> tuple[Tensor, Tensor | None]:
    """Logits in float32 or better, and the slope of the soft cap, cap * tanh(logits / cap), where there is one."""
    logits = torch.nn.functional.linear(hidden, weight, bias).to(_exact(hidden))
    if not cap:
        return logits, None
    bent = logits.div_(cap).tanh_()
    slope = 1 - bent * bent
    return bent * cap, slope


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
        result: Tensor = _LogProbs.apply(cast[0], cast[1], cast[2], targets, cap)
        return result
