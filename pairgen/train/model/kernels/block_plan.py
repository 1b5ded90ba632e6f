"""Divide attention over token trees into blocks without a mask, or with a small one, for a CPU.

A *segment* of a tree is a run of tokens without a branch in it; its descendants are the columns after it, up to the end
of its subtree. So

    a segment attends to itself               causal attention within [start, stop)
    its descendants attend to all of it       full attention of queries [stop, end) to keys [start, stop)

For a small tree, one block with a mask is cheaper than several kernel calls. A large one that cannot be split, since a
window excludes some keys, is computed in tiles: some queries, and the keys that they may attend to. No mask has more
than ``MAX_MASK`` elements, so memory stays linear in the number of tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Indices = NDArray[np.int64]
Span = tuple[int, int]
"""Start and stop, in tokens."""

# The cost model for splitting a tree, in units of one score (of a query and a key).
CALL_COST = 10_000
"""Cost of a kernel call. Measured on one core with 4 heads of 64: attention over eight groups of 400 tokens takes 40 ms
with values from 1,000 to 20,000 and 55 ms from 30,000; over groups of short answers it takes 7 ms with any value."""
CAUSAL_COST = 0.6
"""Cost of causal attention relative to full attention of the same size; 0.63 measured at 1,024 tokens."""


MAX_MASK = 1 << 22
"""Most elements of a mask: 2,048 tokens that attend to each other."""


@dataclass(frozen=True)
class SelfBlock:
    """Tokens from ``start`` to ``stop`` (exclusive), n in all, which attend to each other."""

    start: int
    stop: int
    mask: Tensor | None = None
    """[1, 1, n, n] whether a query attends to a key; None for causal attention."""
    _additive_masks: dict[torch.dtype, Tensor] = field(default_factory=dict)

    def additive_mask(self, dtype: torch.dtype) -> Tensor | None:
        """[1, 1, n, n] 0 or -inf; None for causal attention. Computed once for all layers."""
        if self.mask is None:
            return None
        if dtype not in self._additive_masks:
            self._additive_masks[dtype] = _additive(self.mask, dtype)
        return self._additive_masks[dtype]


@dataclass(frozen=True)
class Rule:
    """Which tokens attend to which, for a batch whose T tokens are concatenated."""

    last: Indices
    """[T] the last descendant of each token."""
    positions: Indices
    """[T]"""
    window: int
    """0: none."""

    def mask(self, queries: Indices, keys: Indices) -> Tensor:
        """[1, 1, q, k] the rule of ``Batch.subtree_end``: whether queries attend to keys."""
        query = queries[:, None]
        mask = (keys <= query) & (query <= self.last[keys])
        if self.window:
            near = self.positions[query] - self.positions[keys] < self.window
            mask &= near | (keys == query)
        return torch.from_numpy(mask[None, None])


@dataclass(frozen=True)
class Tile:
    """Queries from ``start`` to ``stop`` (exclusive), and the keys that any of them may attend to."""

    start: int
    stop: int
    keys: Tensor
    """[k] columns, in order."""
    rule: Rule

    def mask(self) -> Tensor:
        """[1, 1, n, k] whether a query attends to a key; computed whenever it is needed."""
        return self.rule.mask(np.arange(self.start, self.stop), self.keys.numpy())

    def additive_mask(self, dtype: torch.dtype) -> Tensor:
        """[1, 1, n, k] 0 or -inf."""
        return _additive(self.mask(), dtype)


@dataclass(frozen=True)
class Plan:
    """The attention blocks of a batch, whose rows are concatenated."""

    self_blocks: list[SelfBlock]
    tiles: list[Tile]
    cross_blocks: list[tuple[int, int, int]]
    """(start, stop, end): tokens from ``stop`` to ``end`` attend to all tokens from ``start`` to ``stop``."""


def plan(subtree_end: Indices, positions: Indices, window: int = 0, split: bool = True) -> Plan:
    """Divide the attention of a batch of trees into blocks.

    Args:
        subtree_end: [R, L] as in ``Batch``.
        positions: [R, L] as in ``Batch``.
        window: size of the sliding window; 0: none. Trees are not split if it excludes any key.
        split: whether trees may be split.
    """
    if window > positions.max(initial=0):
        window = 0
    rows, width = subtree_end.shape
    last = (subtree_end + np.arange(rows)[:, None] * width).ravel()
    start = np.flatnonzero(_segment_starts(subtree_end).ravel())
    segments = zip(start.tolist(), [*start[1:].tolist(), rows * width], (last[start] + 1).tolist(), strict=True)
    causal, masked, cross_blocks = _choose_blocks(list(segments), split and not window)
    rule = Rule(last, positions.ravel(), window)
    blocks = [SelfBlock(*span) for span in causal]
    small = [span for span in masked if (span[1] - span[0]) ** 2 <= MAX_MASK]
    blocks += [SelfBlock(*span, rule.mask(np.arange(*span), np.arange(*span))) for span in small]
    tiles = [tile for span in masked if span not in small for tile in _tiles(*span, rule)]
    return Plan(blocks, tiles, cross_blocks)


def _tiles(start: int, stop: int, rule: Rule) -> Iterator[Tile]:
    """Tiles of the tokens from ``start`` to ``stop``, which attend to each other.

    A key that no query attends to is left out if it comes after all of them, if its subtree ends before them, or if it
    is too far from the query of the lowest position.
    """
    rows = max(1, MAX_MASK // (stop - start))
    for first in range(start, stop, rows):
        end = min(first + rows, stop)
        keys = np.arange(start, end)
        visible = rule.last[keys] >= first
        if rule.window:
            visible &= rule.positions[first:end].min() - rule.positions[keys] < rule.window
        yield Tile(first, end, torch.from_numpy(keys[visible]), rule)


def _segment_starts(subtree_end: Indices) -> NDArray[np.bool_]:
    """[R, L] whether a segment starts at a token.

    A token continues the segment of the previous token k if it is the only child of k: it is a child iff
    subtree_end[k] > k, and the only one iff both have the same subtree end.
    """
    starts = np.ones(subtree_end.shape, dtype=bool)
    before = subtree_end[:, :-1]
    starts[:, 1:] = (before <= np.arange(subtree_end.shape[1] - 1)) | (before != subtree_end[:, 1:])
    return starts


def _choose_blocks(
    segments: list[tuple[int, int, int]], split: bool
) -> tuple[list[Span], list[Span], list[tuple[int, int, int]]]:
    """The cheapest blocks, by the cost model: causal ones, masked ones, and ``Plan.cross_blocks``.

    Args:
        segments: start and stop of each segment, and the end of its subtree.
    """
    is_split: dict[int, bool] = {}
    roots: list[tuple[int, float]] = []  # start and cost of the subtrees without a parent so far
    for start, stop, end in reversed(segments):
        length, size = stop - start, end - start
        split_cost, masked_cost = CALL_COST + CAUSAL_COST * length * length, CALL_COST + float(size * size)
        if end > stop:
            split_cost += CALL_COST + length * (end - stop)
        while roots and roots[-1][0] < end:
            split_cost += roots.pop()[1]
        is_split[start] = split and split_cost < masked_cost
        roots.append((start, split_cost if is_split[start] else masked_cost))

    causal, masked, cross_blocks = [], [], []
    masked_until = tree_end = 0
    for start, stop, end in segments:
        is_padding = start >= tree_end and end == start + 1  # a tree has at least two tokens
        tree_end = max(tree_end, end)
        if start < masked_until or is_padding:
            continue
        if is_split[start]:
            causal.append((start, stop))
            if end > stop:
                cross_blocks.append((start, stop, end))
        else:
            masked.append((start, end))
            masked_until = end
    return causal, masked, cross_blocks


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a mask is true, else -inf."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, -torch.inf)
