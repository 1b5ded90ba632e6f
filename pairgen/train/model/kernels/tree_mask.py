"""The attention mask of a batch of trees, in the format of each attention kernel."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pairgen.train.model.kernels import torch_internals
from pairgen.train.model.kernels.block_plan import Plan, plan
from pairgen.train.model.step_timer import StepTimer

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

FLEX, BLOCKS, DENSE = "flex", "blocks", "dense"
"""Attention kernels: FlexAttention, calls of a CPU kernel for parts of trees, and a mask of all pairs of tokens."""
BLOCK = 128
"""Tokens per side of FlexAttention's blocks: its default."""

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class TreeMask:
    """The attention mask of a batch of trees; each format is computed once, for all layers.

    Args:
        subtree_end: [R, L] as in ``Batch``.
        positions: [R, L] as in ``Batch``.
        timer: measures the time of attention.
    """

    def __init__(self, subtree_end: Tensor, positions: Tensor, timer: StepTimer | None = None) -> None:
        self.subtree_end, self.positions, self.timer = subtree_end, positions, timer or StepTimer()
        fastest = BLOCKS if subtree_end.device.type == "cpu" else FLEX
        self.kernel = DENSE if torch_internals.missing_for_trees(subtree_end.device) else fastest
        self._plans: dict[tuple[int, bool], Plan] = {}
        self._block_masks: dict[int, BlockMask] = {}

    def plan(self, window: int, split: bool) -> Plan:
        """For a CPU: the blocks of attention."""
        if (window, split) not in self._plans:
            rule = self.subtree_end.numpy(), self.positions.numpy()
            self._plans[window, split] = plan(*rule, window, split)
        return self._plans[window, split]

    def block_mask(self, window: int) -> "BlockMask":
        """For FlexAttention: all rows as one sequence, so the compiled kernel does not depend on their number."""
        if window not in self._block_masks:
            rows, width = self.subtree_end.shape
            first = torch.arange(rows, device=self.subtree_end.device)[:, None] * width
            subtree_end, positions = (self.subtree_end + first).view(1, -1), self.positions.view(1, -1)
            self._block_masks[window] = block_mask(subtree_end, positions, window)
        return self._block_masks[window]

    def dense(self, window: int = 0) -> Tensor:
        """[R, 1, L, L] whether a query (third dimension) attends to a key (fourth): for the fallback, and for tests."""
        column = torch.arange(self.subtree_end.shape[1], device=self.subtree_end.device)
        rows = torch.arange(len(self.subtree_end), device=self.subtree_end.device)[:, None, None, None]
        return mask_mod(self.subtree_end, self.positions, window)(rows, column, column[:, None], column)


def mask_mod(subtree_end: Tensor, positions: Tensor, window: int) -> MaskMod:
    """The rule for indices of any shape: k <= q <= subtree_end[k], and positions[q] - positions[k] < window if it is
    not 0."""

    def attends(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001 - FlexAttention's call
        return (key <= query) & (query <= subtree_end[row, key])

    def attends_in_window(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return attends(row, head, query, key) & (positions[row, query] - positions[row, key] < window)

    return attends_in_window if window else attends


def block_mask(subtree_end: Tensor, positions: Tensor, window: int = 0, block: int = BLOCK) -> "BlockMask":
    """Classify blocks as empty, full or partial on the device, without evaluating the rule for each pair of tokens.

    For a block of keys before a block of queries q to q' (inclusive): some query attends to some key iff the largest
    subtree end among the keys is at least q; every query attends to every key iff the smallest is at least q'. With a
    window, a block whose smallest distance is too large is empty, and it is full only if the largest is small enough.
    """
    from torch.nn.attention.flex_attention import BlockMask

    width = subtree_end.shape[1]
    count = -(-width // block)
    end_low, end_high = _extremes(subtree_end, count, block, -1)
    first = torch.arange(count, device=subtree_end.device) * block
    key, query = first[None, :], first[:, None]
    nonempty = (key == query) | ((key < query) & (end_high[:, None, :] >= query))
    full = (key < query) & (end_low[:, None, :] >= query + block - 1)
    if window:
        low, _ = _extremes(positions, count, block, int(torch.iinfo(positions.dtype).max) // 2)
        _, high = _extremes(positions, count, block, -1)
        nonempty &= (key == query) | (low[:, :, None] - high[:, None, :] < window)
        full &= high[:, :, None] - low[:, None, :] < window
    return BlockMask.from_kv_blocks(
        *_block_lists(nonempty & ~full),
        *_block_lists(full),
        BLOCK_SIZE=block,
        mask_mod=mask_mod(subtree_end, positions, window),
        seq_lengths=(width, width),
    )


def _extremes(values: Tensor, count: int, block: int, padding: int) -> tuple[Tensor, Tensor]:
    """[R, L] -> minimum and maximum of each block of columns, [R, count] each; the last block is padded."""
    padded = torch.nn.functional.pad(values, (0, count * block - values.shape[1]), value=padding)
    low, high = padded.view(len(values), count, block).aminmax(dim=2)
    return low, high


def _block_lists(listed: Tensor) -> tuple[Tensor, Tensor]:
    """[R, Q, K] -> the number of key blocks of each query block, [R, 1, Q], and their indices first, [R, 1, Q, K]."""
    order = listed.int().argsort(dim=-1, descending=True, stable=True)
    return listed.sum(-1, dtype=torch.int32)[:, None], order.int()[:, None].contiguous()
