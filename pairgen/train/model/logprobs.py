"""Log-probs of labeled positions without materializing all logits, unless there are few.

The LM head's matrix product runs in blocks, of some positions by some tokens of the vocabulary, and again in the
backward pass: memory is one block of logits instead of three times all of them. If there are few logits
(``MAX_KEPT``), they are kept. On a CPU, a block stays in the cache, where its softmax costs little beside its products.

The backward pass skips positions whose gradient is zero up to rounding, such as tokens that chosen and rejected share:
their gradients cancel in losses of the difference of the two, such as DPO, and DPOP above the reference. The tests
compare with a single ``log_softmax``.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCKS = {"cpu": (4096, 2048)}
"""By device, positions and tokens of the vocabulary in a block of logits."""
OTHER_BLOCK = (512, 1 << 30)
"""The same for other devices: the whole vocabulary, to launch few kernels."""
MAX_KEPT = 1 << 26
"""Maximum number of logits kept for the backward pass: 256 MB in float32."""
ROUNDING = 1e-13
"""A gradient at most this fraction of the largest is the rounding error of a sum that cancels."""


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, cap: float, kept: Tensor | None
    ) -> Tensor:
        picked, log_total, _ = _blockwise(hidden, weight, bias, targets, cap, kept)
        ctx.save_for_backward(hidden, weight, bias, targets, log_total)
        ctx.cap, ctx.kept = cap, kept
        return picked - log_total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """With s = softmax(logits): d logp / d logits = onehot(target) - s; the cap's tanh' = 1 - tanh^2."""
        (grad,) = grads
        hidden, weight, bias, targets, log_total = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        kept, ctx.kept = ctx.kept, None  # frees the memory for the rest of the backward pass
        d_hidden = torch.zeros_like(hidden) if needs_hidden else None
        d_weight = torch.zeros_like(weight) if needs_weight else None
        d_bias = torch.zeros_like(bias) if bias is not None and needs_bias else None
        positions, tokens = BLOCKS.get(hidden.device.type, OTHER_BLOCK)
        for at in _rows_with_gradient(grad, positions):
            chunk, target, scale = hidden[at], targets[at], grad[at, None]
            d_chunk = torch.zeros_like(chunk, dtype=_result_dtype(hidden))
            for block in _slices(len(weight), tokens):
                logits = _logits(chunk, weight, bias, ctx.cap, block) if kept is None else kept[at, block]
                d_logits = (logits - log_total[at, None]).exp_().mul_(-scale)
                inside, index = _in_block(target, block)
                d_logits.scatter_add_(1, index, scale.where(inside[:, None], 0))
                if ctx.cap:
                    d_logits.mul_(1 - (logits / ctx.cap).square_())
                d_logits = d_logits.to(weight.dtype)
                if d_hidden is not None:
                    d_chunk += d_logits @ weight[block]
                if d_weight is not None:
                    d_weight[block].addmm_(d_logits.T, chunk)
                if d_bias is not None:
                    d_bias[block] += d_logits.sum(0)
            if d_hidden is not None:
                d_hidden[at] = d_chunk.to(d_hidden.dtype)
        return d_hidden, d_weight, d_bias, None, None, None


def _blockwise(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, cap: float, kept: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """[N] the logit of each target, the logarithm of the sum of all exp(logit), and the largest logit.

    With m the largest logit so far and t = sum exp(logit - m), a block rescales t by exp(old m - new m).
    """
    picked = torch.empty(len(targets), dtype=_result_dtype(hidden), device=hidden.device)
    log_total, all_largest = torch.empty_like(picked), torch.empty_like(picked)
    positions, tokens = BLOCKS.get(hidden.device.type, OTHER_BLOCK)
    for part in _slices(len(targets), positions):
        chunk, target = hidden[part], targets[part]
        largest = torch.full_like(log_total[part], -math.inf)
        total = torch.zeros_like(largest)
        for block in _slices(len(weight), tokens):
            logits = _logits(chunk, weight, bias, cap, block)
            if kept is not None:
                kept[part, block] = logits
            inside, index = _in_block(target, block)
            picked[part] = logits.gather(1, index)[:, 0].where(inside, picked[part])
            before, largest = (
                largest,
                torch.maximum(largest, logits.amax(1)).clamp_(min=torch.finfo(largest.dtype).min),
            )
            total = total * (before - largest).exp_() + logits.sub_(largest[:, None]).exp_().sum(1)
        log_total[part], all_largest[part] = largest + total.log(), largest
    return picked, log_total, all_largest


def _rows_with_gradient(grad: Tensor, positions: int) -> Iterator[Any]:
    """Slices or indices of the positions whose gradient is more than rounding."""
    if not len(grad):
        return
    rows = (~(grad.abs() <= ROUNDING * grad.abs().max())).nonzero()[:, 0]  # not ">", which would skip NaN
    yield from _slices(len(grad), positions) if len(rows) == len(grad) else rows.split(positions)


def _in_block(target: Tensor, block: slice) -> tuple[Tensor, Tensor]:
    """[N] whether each target is in a block of the vocabulary, and [N, 1] its index there, any if it is not."""
    inside = (target >= block.start) & (target < block.stop)
    return inside, (target - block.start).where(inside, 0)[:, None]


def _result_dtype(hidden: Tensor) -> torch.dtype:
    return torch.promote_types(hidden.dtype, torch.float32)


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, cap: float, block: slice) -> Tensor:
    """Logits of a block of the vocabulary, in float32 or better; with a soft cap, cap * tanh(logits / cap)."""
    product = torch.nn.functional.linear(hidden, weight[block], None if bias is None else bias[block])
    logits = product.to(_result_dtype(hidden))
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
    with _without_autocast(hidden, weight, bias) as cast:
        few = torch.is_grad_enabled() and len(hidden) * len(weight) <= MAX_KEPT
        kept = hidden.new_empty((len(hidden), len(weight)), dtype=_result_dtype(hidden)) if few else None
        result: Tensor = _LogProbs.apply(cast[0], cast[1], cast[2], targets, cap, kept)
        return result


@torch.no_grad()
def greedy_logprobs(
    hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None, cap: float = 0.0
) -> tuple[Tensor, Tensor]:
    """[N] what ``logprobs`` returns, and [N] bool: whether no token has a larger logit than the target."""
    with _without_autocast(hidden, weight, bias) as cast:
        picked, log_total, largest = _blockwise(cast[0], cast[1], cast[2], targets, cap)
        return picked - log_total, picked >= largest


@contextmanager
def _without_autocast(*values: Tensor | None) -> Iterator[list[Any]]:
    """Values in the dtype of autocast, if it is enabled, with it disabled: sums are computed in float32 or better."""
    device = next(value.device.type for value in values if value is not None)
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    with torch.autocast(device, enabled=False):
        first = next(value.dtype for value in values if value is not None)
        yield [value.to(dtype or first) if value is not None else None for value in values]
