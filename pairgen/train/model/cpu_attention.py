"""Attention over token trees on a CPU, in pieces that need no mask, or a small one.

A tree's *segment* is a run of tokens without a fork in it; what hangs on it is the run of columns behind it. So

    a segment sees itself               causal attention of [start, stop)
    what hangs on it sees all of it     full attention of queries [stop, end) to keys [start, stop)

and each query's parts are merged by their logsumexp l = log sum exp(scores): with m = logaddexp(l1, l2), the whole is
out1 * exp(l1 - m) + out2 * exp(l2 - m). Going backward, each part needs nothing but the merged output and m. A small
tree costs less in one piece with a mask; blocks of like length run together. Slow twin: one softmax under one mask.
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
"""What one call costs besides its scores, in scores."""
CAUSAL = 0.6
"""What causal attention costs of full attention."""
SHORT = 128
"""Tokens of the longest blocks that run together: longer ones are not worth the copies."""
TOGETHER = 8192
"""Tokens that run in one call, if their blocks are short and of like length."""


@dataclass(frozen=True)
class Own:
    """B blocks of up to n tokens, in each of which queries see keys of the same block."""

    shape: tuple[int, int]
    """B, n"""
    index: Tensor | slice
    """[B * n] tokens; behind a block's end its first token again. A single block is a slice."""
    padding: Tensor | None
    """[B, 1, n, 1] what is behind the end; None: nothing is."""
    place: Tensor | None
    """[tokens] the places of ``index`` that are no padding; None: all are."""
    tokens: Tensor | slice
    """[tokens] what stands there."""
    mask: Tensor | None
    """[B, 1, n, n] visible; None: causal."""
    _added: dict[torch.dtype, Tensor] = field(default_factory=dict)

    def added(self, dtype: torch.dtype) -> Tensor | None:
        """[B, 1, n, n] the mask as what is added to scores: made once for all layers; None: causal."""
        if self.mask is None:
            return None
        if dtype not in self._added:
            self._added[dtype] = torch.zeros(self.mask.shape, dtype=dtype).masked_fill_(~self.mask, -torch.inf)
        return self._added[dtype]

    def take(self, values: Tensor) -> Tensor:
        """[T, H, D] -> [B, H, n, D]"""
        rows = values[self.index] if isinstance(self.index, slice) else values.index_select(0, self.index)
        return rows.view(*self.shape, *values.shape[1:]).transpose(1, 2)

    def real(self, values: Tensor) -> Tensor:
        """[B, H, n, D] -> [tokens, H, D] without padding."""
        rows = values.transpose(1, 2).reshape(-1, values.shape[1], values.shape[3])
        return rows if self.place is None else rows.index_select(0, self.place)

    def put(self, into: Tensor, values: Tensor) -> None:
        """Write [B, H, n, D] to its tokens in [T, H, D]."""
        rows = self.real(values)
        if isinstance(self.tokens, slice):
            into[self.tokens] = rows
        else:
            into.index_copy_(0, self.tokens, rows)


@dataclass(frozen=True)
class Blocks:
    """All that attention over a batch runs, over tokens counted row by row."""

    own: list[Own]
    below: list[tuple[int, int, int]]
    """start, stop, end: the tokens from stop to end see all from start to stop."""


def blocks(ends: NDArray[np.int64], positions: NDArray[np.int64], window: int = 0, split: bool = True) -> Blocks:
    """Take the trees of a batch apart.

    Args:
        ends: [R, L] the rule of ``Batch.subtree_end``.
        positions: [R, L]
        window: a query sees keys less than so many positions back; 0: all. If it cuts off anything, trees stay whole.
        split: trees may be taken apart.
    """
    if window > positions.max(initial=0):
        window = 0
    rows, width = ends.shape
    last = (ends + np.arange(rows)[:, None] * width).ravel()
    start = np.flatnonzero(_begins(ends).ravel())
    end = last[start]
    causal, masked, below = _taken_apart(start, np.append(start[1:], rows * width), end, split and not window)
    own = [_own(last, positions.ravel(), *some, masked=False, window=0) for some in _batches(causal)]
    own += [_own(last, positions.ravel(), *some, masked=True, window=window) for some in _batches(masked)]
    return Blocks(own, below)


def _begins(ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[R, L] whether a segment begins. A token goes on with the one before, k, if it is the only child of k: it is a
    child iff ends[k] > k, and the only one iff the two have the same end."""
    begins = np.ones(ends.shape, dtype=bool)
    before = ends[:, :-1]
    begins[:, 1:] = (before <= np.arange(ends.shape[1] - 1)) | (before != ends[:, 1:])
    return begins


def _taken_apart(
    start: Numbers, stop: Numbers, end: Numbers, split: bool
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], list[tuple[int, int, int]]]:
    """The cheapest pieces: causal blocks, blocks with a mask (start, stop each), and what sees a whole segment."""
    segments = list(zip(start.tolist(), stop.tolist(), (end + 1).tolist(), strict=True))
    in_pieces: dict[int, bool] = {}
    roots: list[tuple[int, float]] = []
    for first, behind, final in reversed(segments):
        own, size = behind - first, final - first
        pieces, whole = CALL + CAUSAL * own * own, CALL + float(size * size)
        if final > behind:
            pieces += CALL + own * (final - behind)
        while roots and roots[-1][0] < final:
            pieces += roots.pop()[1]
        in_pieces[first] = split and pieces < whole
        roots.append((first, pieces if in_pieces[first] else whole))

    causal, masked, below = [], [], []
    done = seen = 0
    for first, behind, final in segments:
        is_padding = first >= seen and final == first + 1  # a tree has two tokens or more
        seen = max(seen, final)
        if first < done or is_padding:
            continue
        if in_pieces[first]:
            causal.append((first, behind))
            if final > behind:
                below.append((first, behind, final))
        else:
            masked.append((first, final))
            done = final
    return causal, masked, below


def _batches(some: list[tuple[int, int]]) -> list[tuple[Numbers, Numbers]]:
    """Blocks (start, stop) of like length together: their starts and lengths."""
    batches: list[list[tuple[int, int]]] = []
    for start, stop in sorted(some, key=lambda block: block[1] - block[0]):
        length = stop - start
        if batches:
            smallest = batches[-1][0][1]
            if length <= min(SHORT, smallest * 1.15 + 4) and length * (len(batches[-1]) + 1) <= TOGETHER:
                batches[-1].append((start, length))
                continue
        batches.append([(start, length)])
    return [(np.array(batch)[:, 0], np.array(batch)[:, 1]) for batch in batches]


def _own(last: Numbers, positions: Numbers, start: Numbers, length: Numbers, masked: bool, window: int) -> Own:
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
        return Own(index.shape, only, None, None, only, mask)
    place = np.flatnonzero(~padding.ravel())
    return Own(
        shape=index.shape,
        index=torch.from_numpy(index.ravel()),
        padding=torch.from_numpy(padding[:, None, :, None]) if padding.any() else None,
        place=torch.from_numpy(place) if padding.any() else None,
        tokens=torch.from_numpy(index.ravel()[place]),
        mask=mask,
    )


class _InPieces(torch.autograd.Function):
    """[T, H, D] attention of queries [T, H, D] to keys and values [T, H, D], by ``Blocks``."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, blocks: Blocks, scale: float) -> Tensor:
        out = torch.zeros_like(query)
        total = query.new_zeros((*query.shape[:2], 1))
        for own in blocks.own:
            given = [own.take(values) for values in (query, key, value)]
            part, part_total = _forward(*given, 0.0, own.mask is None, attn_mask=own.added(query.dtype), scale=scale)
            own.put(out, part)
            own.put(total, part_total[..., None])
        for start, stop, end in blocks.below:
            given = [_piece(query, stop, end), _piece(key, start, stop), _piece(value, start, stop)]
            part, part_total = (some[0].transpose(0, 1) for some in _forward(*given, 0.0, False, scale=scale))
            here, part_total = slice(stop, end), part_total[..., None]
            merged = torch.logaddexp(total[here], part_total)
            out[here] *= (total[here] - merged).exp_()
            out[here] += part * (part_total - merged).exp_()
            total[here] = merged
        ctx.save_for_backward(query, key, value, out, total)
        ctx.blocks, ctx.scale = blocks, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, out, total = ctx.saved_tensors
        grad = grads[0].contiguous()
        down = [torch.zeros_like(values) for values in (query, key, value)]
        for own in ctx.blocks.own:
            given = [own.take(values) for values in (grad, query, key, value, out)]
            given_total = own.take(total)
            if own.padding is not None:  # it gets exp(score - inf) = 0 of each gradient
                given_total = given_total.masked_fill(own.padding, torch.inf)
            given.append(given_total[..., 0])
            mask = own.added(query.dtype)
            parts = _backward(*given, 0.0, mask is None, attn_mask=mask, scale=ctx.scale)
            for into, part in zip(down, parts, strict=True):
                own.put(into, part)
        for start, stop, end in ctx.blocks.below:
            upper, lower = (stop, end), (start, stop)
            given = [_piece(grad, *upper), _piece(query, *upper), _piece(key, *lower), _piece(value, *lower)]
            given += [_piece(out, *upper), _piece(total, *upper)[..., 0]]
            parts = _backward(*given, 0.0, False, scale=ctx.scale)
            for into, part, place in zip(down, parts, (upper, lower, lower), strict=True):
                into[slice(*place)] += part[0].transpose(0, 1)
        return (*down, None, None)


_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def _piece(values: Tensor, start: int, stop: int) -> Tensor:
    """[T, H, D] -> [1, H, stop - start, D]"""
    return values[start:stop].transpose(0, 1)[None]


Heads = tuple[Tensor, Tensor, Tensor]
"""Query [T, H, D], key and value [T, K, D] of all rows, one after another; head h of the query sees h // (H / K)."""


def attend(given: Heads, blocks: Blocks, scale: float) -> Tensor:
    """Attention of a batch of trees.

    Returns:
        [T, H, D], 0 at padding. Run in float32 at least: the backward pass in bfloat16 is ten times slower on a CPU.
    """
    dtype = torch.promote_types(given[0].dtype, torch.float32)
    query, key, value = (values.to(dtype) for values in _of_all_heads(given))
    result: Tensor = _InPieces.apply(query, key, value, blocks, scale)
    return result.to(given[2].dtype)


def capped(given: Heads, blocks: Blocks, scale: float, cap: float) -> Tensor:
    """The same with scores bent to cap * tanh(score / cap), as in Gemma 2; ``blocks`` are whole trees."""
    query, key, value = _of_all_heads(given)
    out = value.new_zeros((*query.shape[:2], value.shape[-1]))
    for own in blocks.own:
        part = softmaxed(own.take(query), own.take(key), own.take(value), own.mask, scale, cap)
        own.put(out, part)
    return out


def _of_all_heads(given: Heads) -> Heads:
    query, key, value = given
    repeats = query.shape[1] // key.shape[1]
    return (query, key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)) if repeats > 1 else given


def softmaxed(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float) -> Tensor:
    """[B, H, n, D] attention written out: one softmax under one mask (None: causal). ``cap`` 0 is none."""
    scores = query @ key.transpose(-1, -2) * scale
    if cap:
        scores = cap * torch.tanh(scores / cap)
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype) @ value
