"""Attention over token trees on a CPU, in the blocks of a ``Plan``.

Two outputs for the same query are merged by their logsumexp l = log sum exp(scores): with m = logaddexp(l1, l2), the
merged output is out1 * exp(l1 - m) + out2 * exp(l2 - m). The backward pass of each block needs only the merged output
and m. The tests compare with ``masked_attention``.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from pairgen.train.model.kernels.block_plan import Plan, Tile
from pairgen.train.model.kernels.torch_internals import cpu_kernels


class _SplitAttention(torch.autograd.Function):
    """[T, H, D] attention of queries [T, H, D] to keys and values [T, H, D], by a ``Plan``."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, plan: Plan, scale: float) -> Tensor:
        kernel, _ = cpu_kernels()
        out = torch.zeros_like(query)
        logsumexp = query.new_zeros((*query.shape[:2], 1))
        for block in plan.self_blocks:
            inputs = [_slice(values, block.start, block.stop) for values in (query, key, value)]
            mask = block.additive_mask(query.dtype)
            part, part_logsumexp = kernel(*inputs, 0.0, mask is None, attn_mask=mask, scale=scale)
            out[block.start : block.stop] = part[0].transpose(0, 1)
            logsumexp[block.start : block.stop] = part_logsumexp[0].T[..., None]
        for tile in plan.tiles:
            inputs = [_slice(query, tile.start, tile.stop), *(_gather(values, tile.keys) for values in (key, value))]
            mask = tile.additive_mask(query.dtype)
            part, part_logsumexp = kernel(*inputs, 0.0, False, attn_mask=mask, scale=scale)
            out[tile.start : tile.stop] = part[0].transpose(0, 1)
            logsumexp[tile.start : tile.stop] = part_logsumexp[0].T[..., None]
        for start, stop, end in plan.cross_blocks:
            inputs = [_slice(query, stop, end), _slice(key, start, stop), _slice(value, start, stop)]
            part, part_logsumexp = (each[0].transpose(0, 1) for each in kernel(*inputs, 0.0, False, scale=scale))
            queries, part_logsumexp = slice(stop, end), part_logsumexp[..., None]
            merged = torch.logaddexp(logsumexp[queries], part_logsumexp)
            out[queries] *= (logsumexp[queries] - merged).exp_()
            out[queries] += part * (part_logsumexp - merged).exp_()
            logsumexp[queries] = merged
        ctx.save_for_backward(query, key, value, out, logsumexp)
        ctx.plan, ctx.scale = plan, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        _, kernel = cpu_kernels()
        query, key, value, out, logsumexp = ctx.saved_tensors
        grad = grads[0].contiguous()
        gradients = [torch.zeros_like(values) for values in (query, key, value)]
        for block in ctx.plan.self_blocks:
            span = block.start, block.stop
            inputs = [_slice(values, *span) for values in (grad, query, key, value, out)]
            inputs.append(_slice(logsumexp, *span)[..., 0])
            mask = block.additive_mask(query.dtype)
            parts = kernel(*inputs, 0.0, mask is None, attn_mask=mask, scale=ctx.scale)
            for gradient, part in zip(gradients, parts, strict=True):
                gradient[slice(*span)] = part[0].transpose(0, 1)
        for tile in ctx.plan.tiles:
            span = tile.start, tile.stop
            inputs = [
                _slice(grad, *span),
                _slice(query, *span),
                *(_gather(values, tile.keys) for values in (key, value)),
            ]
            inputs += [_slice(out, *span), _slice(logsumexp, *span)[..., 0]]
            parts = kernel(*inputs, 0.0, False, attn_mask=tile.additive_mask(query.dtype), scale=ctx.scale)
            gradients[0][slice(*span)] = parts[0][0].transpose(0, 1)
            for gradient, part in zip(gradients[1:], parts[1:], strict=True):
                gradient.index_add_(0, tile.keys, part[0].transpose(0, 1))
        for start, stop, end in ctx.plan.cross_blocks:
            queries, keys = (stop, end), (start, stop)
            inputs = [_slice(grad, *queries), _slice(query, *queries), _slice(key, *keys), _slice(value, *keys)]
            inputs += [_slice(out, *queries), _slice(logsumexp, *queries)[..., 0]]
            parts = kernel(*inputs, 0.0, False, scale=ctx.scale)
            for gradient, part, span in zip(gradients, parts, (queries, keys, keys), strict=True):
                gradient[slice(*span)] += part[0].transpose(0, 1)
        return (*gradients, None, None)


def _slice(values: Tensor, start: int, stop: int) -> Tensor:
    """[T, H, D] -> [1, H, stop - start, D]"""
    return values[start:stop].transpose(0, 1)[None]


def _gather(values: Tensor, keys: Tensor) -> Tensor:
    """[T, H, D] -> [1, H, k, D]"""
    return values[keys].transpose(0, 1)[None]


Heads = tuple[Tensor, Tensor, Tensor]
"""Query [T, H, D], key and value [T, K, D]; query head h attends to key head h // (H / K)."""


def split_attention(heads: Heads, plan: Plan, scale: float) -> Tensor:
    """[T, H, D] attention of a batch of trees, 0 at padding.

    Computed in float32 at least: on a CPU the backward pass in bfloat16 is ten times slower.
    """
    dtype = torch.promote_types(heads[0].dtype, torch.float32)
    query, key, value = (values.to(dtype) for values in _repeat_heads(heads))
    result: Tensor = _SplitAttention.apply(query, key, value, plan, scale)
    return result.to(heads[2].dtype)


def softcapped_attention(heads: Heads, plan: Plan, scale: float, softcap: float) -> Tensor:
    """[T, H, D] attention with scores cap * tanh(score / cap), as in Gemma 2, for a plan that splits no tree."""
    query, key, value = _repeat_heads(heads)
    out = value.new_zeros((*query.shape[:2], value.shape[-1]))
    for block in plan.self_blocks:
        inputs = [_slice(values, block.start, block.stop) for values in (query, key, value)]
        part = masked_attention(inputs[0], inputs[1], inputs[2], block.mask, scale, softcap)
        out[block.start : block.stop] = part[0].transpose(0, 1)
    for tile in plan.tiles:
        part = checkpoint(_tile_attention, (query, key, value), tile, scale, softcap, use_reentrant=False)
        out[tile.start : tile.stop] = part[0].transpose(0, 1)
    return out


def _tile_attention(heads: Heads, tile: Tile, scale: float, softcap: float) -> Tensor:
    """[1, H, n, D] attention of a tile; its keys and scores are gathered and computed again in the backward pass."""
    query = _slice(heads[0], tile.start, tile.stop)
    key, value = (_gather(values, tile.keys) for values in heads[1:])
    return masked_attention(query, key, value, tile.mask(), scale, softcap)


def _repeat_heads(heads: Heads) -> Heads:
    query, key, value = heads
    repeats = query.shape[1] // key.shape[1]
    return (query, key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)) if repeats > 1 else heads


def masked_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, softcap: float
) -> Tensor:
    """[B, H, n, D] attention as one softmax under a boolean mask (None: causal); ``softcap`` 0 is none."""
    scores = query @ key.transpose(-1, -2) * scale
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype) @ value
