"""Attention over token trees on a CPU, split into calls that need no mask or only a small one.

A *segment* of a tree is a run of tokens [start, stop) without a branch; its descendants follow it directly in [stop,
end). So

    a segment attends to itself            causal attention of [start, stop)
    its descendants attend to all of it    full attention of queries [stop, end) to keys [start, stop)

and the partial results of a query are merged by their logsumexp l = log sum exp(scores): with m = logaddexp(l1, l2),
the output is out1 * exp(l1 - m) + out2 * exp(l2 - m). The backward pass of each part needs only the merged output and
m. A small tree is cheaper as one masked block, and blocks of similar length run as one batch. The tests compare with a
single softmax under a dense mask.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

Numbers = NDArray[np.int64]

CALL = 30_000
"""Fixed cost of one attention call, in units of the cost of one score."""
CAUSAL = 0.6
"""Cost of causal attention relative to full attention."""
SHORT = 128
"""Maximum length of blocks that are batched: for longer ones the copies cost more than they save."""
TOGETHER = 8192
"""Maximum tokens per batch of short blocks."""


@dataclass(frozen=True)
class BlockBatch:
    """B blocks of up to n tokens; queries attend to keys of their own block."""

    shape: tuple[int, int]
    """B, n"""
    index: Tensor | slice
    """[B * n] positions of the tokens, padded with the block's first token. A slice if B is 1."""
    padding: Tensor | None
    """[B, 1, n, 1] True at padding; None: no padding."""
    valid: Tensor | None
    """[tokens] indices into ``index`` that are not padding; None: all are valid."""
    tokens: Tensor | slice
    """[tokens] ``index`` without padding."""
    mask: Tensor | None
    """[B, 1, n, n] True where a query attends to a key; None: causal."""
    _biases: dict[torch.dtype, Tensor] = field(default_factory=dict)

    def bias(self, dtype: torch.dtype) -> Tensor | None:
        """[B, 1, n, n] the mask as a bias on scores, created once for all layers; None: causal."""
        if self.mask is None:
            return None
        if dtype not in self._biases:
            self._biases[dtype] = torch.zeros(self.mask.shape, dtype=dtype).masked_fill_(~self.mask, -torch.inf)
        return self._biases[dtype]

    def gather(self, values: Tensor) -> Tensor:
        """[T, H, D] -> [B, H, n, D]"""
        rows = values[self.index] if isinstance(self.index, slice) else values.index_select(0, self.index)
        return rows.view(*self.shape, *values.shape[1:]).transpose(1, 2)

    def unpad(self, values: Tensor) -> Tensor:
        """[B, H, n, D] -> [tokens, H, D], padding removed."""
        rows = values.transpose(1, 2).reshape(-1, values.shape[1], values.shape[3])
        return rows if self.valid is None else rows.index_select(0, self.valid)

    def scatter(self, into: Tensor, values: Tensor) -> None:
        """Write [B, H, n, D] to the blocks' tokens in ``into``, [T, H, D]."""
        rows = self.unpad(values)
        if isinstance(self.tokens, slice):
            into[self.tokens] = rows
        else:
            into.index_copy_(0, self.tokens, rows)


@dataclass(frozen=True)
class Blocks:
    """All attention calls of one layout batch; tokens are numbered row by row."""

    within: list[BlockBatch]
    below: list[tuple[int, int, int]]
    """(start, stop, end): tokens [stop, end) attend to all of [start, stop)."""


def blocks(ends: NDArray[np.int64], positions: NDArray[np.int64], window: int = 0, split: bool = True) -> Blocks:
    """Split the trees of a batch into blocks.

    Args:
        ends: [R, L] as in ``Batch.subtree_end``.
        positions: [R, L]
        window: size of the sliding window in positions; 0: none. If it excludes any key, trees are not split.
        split: whether trees may be split.
    """
    if window > positions.max(initial=0):
        window = 0
    rows, width = ends.shape
    last = (ends + np.arange(rows)[:, None] * width).ravel()
    start = np.flatnonzero(_segment_starts(ends).ravel())
    end = last[start]
    causal, masked, below = _cheapest_split(start, np.append(start[1:], rows * width), end, split and not window)
    within = [_block_batch(last, positions.ravel(), *group, masked=False, window=0) for group in _batches(causal)]
    within += [_block_batch(last, positions.ravel(), *group, masked=True, window=window) for group in _batches(masked)]
    return Blocks(within, below)


def _segment_starts(ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[R, L] whether a segment starts here.

    A token continues the segment of the token k before it iff it is the only child of k: it is a child iff
    ends[k] > k, and the only one iff both have the same end.
    """
    begins = np.ones(ends.shape, dtype=bool)
    before = ends[:, :-1]
    begins[:, 1:] = (before <= np.arange(ends.shape[1] - 1)) | (before != ends[:, 1:])
    return begins


def _cheapest_split(
    starts: Numbers, stops: Numbers, ends: Numbers, split: bool
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], list[tuple[int, int, int]]]:
    """The cheapest calls: causal blocks and masked blocks as (start, stop), and (start, stop, end) as in ``Blocks``."""
    segments = list(zip(starts.tolist(), stops.tolist(), (ends + 1).tolist(), strict=True))
    is_split: dict[int, bool] = {}
    roots: list[tuple[int, float]] = []
    for first, stop, final in reversed(segments):
        length, size = stop - first, final - first
        split_cost, masked_cost = CALL + CAUSAL * length * length, CALL + float(size * size)
        if final > stop:
            split_cost += CALL + length * (final - stop)
        while roots and roots[-1][0] < final:
            split_cost += roots.pop()[1]
        is_split[first] = split and split_cost < masked_cost
        roots.append((first, split_cost if is_split[first] else masked_cost))

    causal, masked, below = [], [], []
    done = seen = 0
    for first, stop, final in segments:
        is_padding = first >= seen and final == first + 1  # a tree has two tokens or more
        seen = max(seen, final)
        if first < done or is_padding:
            continue
        if is_split[first]:
            causal.append((first, stop))
            if final > stop:
                below.append((first, stop, final))
        else:
            masked.append((first, final))
            done = final
    return causal, masked, below


def _batches(blocks: list[tuple[int, int]]) -> list[tuple[Numbers, Numbers]]:
    """Group blocks (start, stop) of similar length; returns the starts and lengths of each group."""
    batches: list[list[tuple[int, int]]] = []
    for start, stop in sorted(blocks, key=lambda block: block[1] - block[0]):
        length = stop - start
        if batches:
            smallest = batches[-1][0][1]
            if length <= min(SHORT, smallest * 1.15 + 4) and length * (len(batches[-1]) + 1) <= TOGETHER:
                batches[-1].append((start, length))
                continue
        batches.append([(start, length)])
    return [(np.array(batch)[:, 0], np.array(batch)[:, 1]) for batch in batches]


def _block_batch(
    last: Numbers, positions: Numbers, start: Numbers, length: Numbers, masked: bool, window: int
) -> BlockBatch:
    column = np.arange(int(length.max()))
    padding = column >= length[:, None]
    index = np.where(padding, start[:, None], start[:, None] + column)
    mask = None
    if masked:
        end = np.where(padding, column, last[index] - start[:, None])
        mask = (column <= column[:, None]) & (column[:, None] <= end[:, None, :])
        if window:
            position = positions[index]
            near = position[:, :, None] - position[:, None, :] < window
            mask &= near | (column == column[:, None])
        mask = torch.from_numpy(mask[:, None])
    if len(start) == 1:
        only = slice(int(start[0]), int(start[0] + length[0]))
        return BlockBatch(index.shape, only, None, None, only, mask)
    valid = np.flatnonzero(~padding.ravel())
    return BlockBatch(
        shape=index.shape,
        index=torch.from_numpy(index.ravel()),
        padding=torch.from_numpy(padding[:, None, :, None]) if padding.any() else None,
        valid=torch.from_numpy(valid) if padding.any() else None,
        tokens=torch.from_numpy(index.ravel()[valid]),
        mask=mask,
    )


class _TreeAttention(torch.autograd.Function):
    """[T, H, D] attention of queries [T, H, D] to keys and values [T, H, D], as split into ``Blocks``."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: Blocks, scale: float) -> Tensor:
        out = torch.zeros_like(query)
        lse = query.new_zeros((*query.shape[:2], 1))
        for batch in blocks.within:
            inputs = [batch.gather(values) for values in (query, key, value)]
            part, part_lse = _forward(*inputs, 0.0, batch.mask is None, attn_mask=batch.bias(query.dtype), scale=scale)
            batch.scatter(out, part)
            batch.scatter(lse, part_lse[..., None])
        for start, stop, end in blocks.below:
            inputs = [_slice(query, stop, end), _slice(key, start, stop), _slice(value, start, stop)]
            part, part_lse = (output[0].transpose(0, 1) for output in _forward(*inputs, 0.0, False, scale=scale))
            here, part_lse = slice(stop, end), part_lse[..., None]
            merged = torch.logaddexp(lse[here], part_lse)
            out[here] *= (lse[here] - merged).exp_()
            out[here] += part * (part_lse - merged).exp_()
            lse[here] = merged
        ctx.save_for_backward(query, key, value, out, lse)
        ctx.blocks, ctx.scale = blocks, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, lse = ctx.saved_tensors
        grad = grads[0].contiguous()
        gradients = [torch.zeros_like(values) for values in (query, key, value)]
        for batch in ctx.blocks.within:
            inputs = [batch.gather(values) for values in (grad, query, key, value, out)]
            inputs_lse = batch.gather(lse)
            if batch.padding is not None:  # exp(score - inf) = 0: padding gets no gradient
                inputs_lse = inputs_lse.masked_fill(batch.padding, torch.inf)
            inputs.append(inputs_lse[..., 0])
            mask = batch.bias(query.dtype)
            parts = _backward(*inputs, 0.0, mask is None, attn_mask=mask, scale=ctx.scale)
            for into, part in zip(gradients, parts, strict=True):
                batch.scatter(into, part)
        for start, stop, end in ctx.blocks.below:
            upper, lower = (stop, end), (start, stop)
            inputs = [_slice(grad, *upper), _slice(query, *upper), _slice(key, *lower), _slice(value, *lower)]
            inputs += [_slice(out, *upper), _slice(lse, *upper)[..., 0]]
            parts = _backward(*inputs, 0.0, False, scale=ctx.scale)
            for into, part, place in zip(gradients, parts, (upper, lower, lower), strict=True):
                into[slice(*place)] += part[0].transpose(0, 1)
        return (*gradients, None, None)


_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def _slice(values: Tensor, start: int, stop: int) -> Tensor:
    """[T, H, D] -> [1, H, stop - start, D]"""
    return values[start:stop].transpose(0, 1)[None]


Heads = tuple[Tensor, Tensor, Tensor]
"""Query [T, H, D], key and value [T, K, D] of all rows, concatenated; query head h uses head h // (H / K)."""


def attend(inputs: Heads, blocks: Blocks, scale: float) -> Tensor:
    """Attention of a batch of trees.

    Returns:
        [T, H, D], 0 at padding. Computed in float32 or better: on a CPU, a bfloat16 backward pass is ten times slower.
    """
    dtype = torch.promote_types(inputs[0].dtype, torch.float32)
    query, key, value = (values.to(dtype) for values in _repeat_heads(inputs))
    result: Tensor = _TreeAttention.apply(query, key, value, blocks, scale)
    return result.to(inputs[2].dtype)


def attend_softcapped(inputs: Heads, blocks: Blocks, scale: float, cap: float) -> Tensor:
    """``attend`` with scores soft-capped to cap * tanh(score / cap), as in Gemma 2; ``blocks`` must not be split."""
    query, key, value = _repeat_heads(inputs)
    out = value.new_zeros((*query.shape[:2], value.shape[-1]))
    for batch in blocks.within:
        part = dense_attention(batch.gather(query), batch.gather(key), batch.gather(value), batch.mask, scale, cap)
        batch.scatter(out, part)
    return out


def _repeat_heads(inputs: Heads) -> Heads:
    query, key, value = inputs
    repeats = query.shape[1] // key.shape[1]
    return (query, key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)) if repeats > 1 else inputs


def dense_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float) -> Tensor:
    """[B, H, n, D] plain attention: one softmax under a mask (None: causal). ``cap`` 0: no soft cap."""
    scores = query @ key.transpose(-1, -2) * scale
    if cap:
        scores = cap * torch.tanh(scores / cap)
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype) @ value
