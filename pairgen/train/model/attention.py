"""Attention over token trees inside transformers' models, registered with it under the name ``NAME``.

A model that is told ``NAME`` works on both layouts: with the keyword ``tree`` (a ``Visible``) it attends by the rule of
``Batch.subtree_end``; without it, it does what ``sdpa`` does. The keyword goes down through the layers' keyword
arguments, so a layer that is computed again in the backward pass finds it again.

For trees the model is given ``no_mask`` in place of an attention mask. A four-dimensional mask is passed on as it is,
so that transformers neither makes one nor reads restarting positions as new documents. It is NaN: a model that would
use it is found out at once.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from pairgen.errors import UnsupportedModel
from pairgen.train.model import cpu_attention as segments
from pairgen.train.model.timing import ATTENTION, Clock

NAME = "pairgen_tree"
KNOWN_LAYERS = {"full_attention", "sliding_attention"}
BLOCK = 128
"""Tokens of a side of FlexAttention's blocks."""

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class Visible:
    """What each token of a batch of trees sees, in the forms that attention needs: made when asked for, then kept.

    Args:
        ends: [R, L] the rule of ``Batch.subtree_end``.
        positions: [R, L]
        clock: is told when attention runs.
    """

    def __init__(self, ends: Tensor, positions: Tensor, clock: Clock | None = None) -> None:
        self.subtree_end, self.positions, self.clock = ends, positions, clock or Clock()
        self._blocks: dict[tuple[int, bool], segments.Blocks] = {}
        self._block_masks: dict[int, BlockMask] = {}

    def blocks(self, window: int, split: bool) -> segments.Blocks:
        """For a CPU: the pieces that attention runs in."""
        if (window, split) not in self._blocks:
            of_rows = self.subtree_end.numpy(), self.positions.numpy()
            self._blocks[window, split] = segments.blocks(*of_rows, window, split)
        return self._blocks[window, split]

    def block_mask(self, window: int) -> BlockMask:
        """For FlexAttention: over all rows as one, so that what is compiled does not depend on their number."""
        if window not in self._block_masks:
            rows, width = self.subtree_end.shape
            first = torch.arange(rows, device=self.subtree_end.device)[:, None] * width
            as_one = (self.subtree_end + first).view(1, -1), self.positions.view(1, -1)
            self._block_masks[window] = block_mask(*as_one, window)
        return self._block_masks[window]

    def dense(self, window: int = 0) -> Tensor:
        """[R, 1, L, L] whether a query (third) sees a key (fourth): the plain form, for tests."""
        column = torch.arange(self.subtree_end.shape[1], device=self.subtree_end.device)
        rows = torch.arange(len(self.subtree_end), device=self.subtree_end.device)[:, None, None, None]
        return mask_mod(self.subtree_end, self.positions, window)(rows, column, column[:, None], column)


def mask_mod(ends: Tensor, positions: Tensor, window: int) -> MaskMod:
    """The rule: k <= q <= ends[k], and with a window less than so many positions back. Indices of any shape."""

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001 - FlexAttention's call
        return (key <= query) & (query <= ends[row, key])

    def sees_near(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return sees(row, head, query, key) & (positions[row, query] - positions[row, key] < window)

    return sees_near if window else sees


def block_mask(ends: Tensor, positions: Tensor, window: int = 0, block: int = BLOCK) -> BlockMask:
    """The rule as blocks that are empty, full or in between, found on the device, without a look at single pairs.

    For a block of keys before a block of queries from q to q' (inclusive): some query sees some key iff the largest end
    among the keys is at least q; each sees each iff the smallest is at least q'. A window can only empty blocks whose
    least distance is too long, and leaves full those whose greatest is short enough.
    """
    width = ends.shape[1]
    count = -(-width // block)
    end_low, end_high = _extremes(ends, count, block, -1)
    first = torch.arange(count, device=ends.device) * block
    key, query = first[None, :], first[:, None]
    some = (key == query) | ((key < query) & (end_high[:, None, :] >= query))
    full = (key < query) & (end_low[:, None, :] >= query + block - 1)
    if window:
        low, _ = _extremes(positions, count, block, int(torch.iinfo(positions.dtype).max) // 2)
        _, high = _extremes(positions, count, block, -1)
        some &= (key == query) | (low[:, :, None] - high[:, None, :] < window)
        full &= high[:, :, None] - low[:, None, :] < window
    return BlockMask.from_kv_blocks(
        *_listed(some & ~full),
        *_listed(full),
        BLOCK_SIZE=block,
        mask_mod=mask_mod(ends, positions, window),
        seq_lengths=(width, width),
    )


def _extremes(values: Tensor, count: int, block: int, filler: int) -> tuple[Tensor, Tensor]:
    """[R, L] -> smallest and largest of each block of columns, [R, count] each; the last block is filled up."""
    filled = torch.nn.functional.pad(values, (0, count * block - values.shape[1]), value=filler)
    low, high = filled.view(len(values), count, block).aminmax(dim=2)
    return low, high


def _listed(which: Tensor) -> tuple[Tensor, Tensor]:
    """[R, Q, K] -> how many blocks of keys each block of queries has, [R, 1, Q], and these first, [R, 1, Q, K]."""
    order = which.int().argsort(dim=-1, descending=True, stable=True)
    return which.sum(-1, dtype=torch.int32)[:, None], order.int()[:, None].contiguous()


def no_mask(like: Tensor) -> Tensor:
    """[1, 1, 1, 1] what a model is given as the mask of a batch of trees."""
    return torch.full((1, 1, 1, 1), torch.nan, device=like.device)


def install(model: Any) -> None:
    """Have a model attend through this module.

    Args:
        model: a transformers model, without an adapter around it.

    Raises:
        UnsupportedModel: it has layers that look at tokens in a way that is not known here.
    """
    config = model.config.get_text_config()
    if config._attn_implementation == NAME:
        return
    name = type(model).__name__
    unknown = set(getattr(config, "layer_types", None) or ()) - KNOWN_LAYERS
    if unknown:
        raise UnsupportedModel(
            f"{name}: has layers of type {', '.join(sorted(unknown))}, which token trees do not support; {_ELSE}"
        )
    model.set_attn_implementation(NAME)
    if config._attn_implementation != NAME:
        raise UnsupportedModel(f"{name}: its attention cannot be replaced, so token trees are not supported; {_ELSE}")


_ELSE = "use --share none"


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    tree: Visible | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it.

    Args:
        query: [R, H, L, D]
        key: [R, K, L, D]
        value: [R, K, L, D]
        tree: what is visible, for a batch of trees.

    Returns:
        [R, L, H, D], and None for the weights.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if tree is not None:
        _check(module, dropout, sliding_window, more)
        how = {"scale": scale, "window": sliding_window or 0, "cap": softcap or 0.0, "tree": tree}
        return tree.clock.timed(ATTENTION, partial(_tree_attention, **how), query, key, value), None
    if softcap:
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        out = segments.softmaxed(query, key, value, attention_mask, scale, softcap)
        return torch.nn.functional.dropout(out, dropout).transpose(1, 2).contiguous(), None
    given = {"dropout": dropout, "scaling": scaling, "sliding_window": sliding_window, **more}
    out, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, attention_mask, **given)
    return out, None


def _check(module: Any, dropout: float, window: int | None, more: dict[str, Any]) -> None:
    name = type(module).__name__
    if dropout:
        raise UnsupportedModel(f"{name}: has attention dropout, which token trees do not support; {_ELSE}")
    for extra in ("s_aux", "position_bias"):
        if more.get(extra) is not None:
            raise UnsupportedModel(
                f"{name}: adds to its attention scores ({extra}), which token trees do not support; {_ELSE}"
            )
    types = getattr(module.config, "layer_types", None)
    slides = types[module.layer_idx] == "sliding_attention" if types else getattr(module.config, "sliding_window", None)
    if slides and not window:
        raise UnsupportedModel(f"{name}: does not specify its sliding-window size; {_ELSE}")


@torch.compiler.disable
def _tree_attention(
    query: Tensor, key: Tensor, value: Tensor, scale: float, window: int, cap: float, tree: Visible
) -> Tensor:
    if query.device.type != "cpu":
        return _flex(query, key, value, scale, tree.block_mask(window), cap)
    rows, heads, width, _ = query.shape
    flat = tuple(values.transpose(1, 2).flatten(0, 1) for values in (query, key, value))
    if cap or query.shape[-1] != value.shape[-1]:
        out = segments.capped(flat, tree.blocks(window, split=False), scale, cap)
    else:
        out = segments.attend(flat, tree.blocks(window, split=True), scale)
    return out.view(rows, width, heads, -1)


_COMPILED: dict[str, Any] = {}
VARIANTS = 64
"""Ways to compile it, by dtype, gradient, window, cap and size of heads: behind torch's own limit of 8 it would quietly
run uncompiled, which takes memory for all scores."""


def _flex(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: BlockMask, cap: float) -> Tensor:
    """FlexAttention over all rows as one, compiled once for all shapes.

    What is compiled also depends on the order in memory and on what a tensor is a view of: it is given copies. A cap
    is given as a tensor, since a number that is not known beforehand would end what is compiled.
    """
    bound = torch.full((), cap, device=query.device) if cap else None  # made there: nothing waits for a copy

    def bent(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001
        return bound * torch.tanh(score / bound)

    rows, heads, width, _ = query.shape
    given = [values.transpose(1, 2).flatten(0, 1) for values in (query, key, value)]
    if torch.is_autocast_enabled(query.device.type):
        given = [values.to(torch.get_autocast_dtype(query.device.type)) for values in given]
    given = [values.clone(memory_format=torch.contiguous_format) for values in given]
    if "flex" not in _COMPILED:
        _COMPILED["flex"] = torch.compile(over_tokens, dynamic=True, fullgraph=True)
    how = {"score_mod": bent if cap else None, "block_mask": mask, "scale": scale, "enable_gqa": heads != key.shape[1]}
    with torch._dynamo.config.patch(recompile_limit=VARIANTS):
        out: Tensor = _COMPILED["flex"](*given, **how)
    return out.reshape(rows, width, heads, -1)


def over_tokens(query: Tensor, key: Tensor, value: Tensor, **how: Any) -> Tensor:
    """[T, H, D] FlexAttention of queries [T, H, D] to keys and values [T, K, D]."""
    given = [values.transpose(0, 1)[None] for values in (query, key, value)]
    out: Tensor = flex_attention(*given, **how)
    return out[0].transpose(0, 1)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
