"""Attention over token trees for transformers models, registered as attention implementation ``NAME``.

A model with this implementation handles both layouts: with the keyword argument ``tree`` (a ``TreeMask``) it attends
as ``Batch.subtree_end`` describes; without it, it behaves like ``sdpa``. The argument is passed through the layers'
keyword arguments, so gradient checkpointing passes it again when a layer is recomputed.

On trees, the model gets ``nan_mask`` as its attention mask. Transformers passes a four-dimensional mask through
unchanged; otherwise it would create one, or take restarting positions for packed documents. The mask is NaN so that a
model which uses it fails the check when it is loaded.
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
from pairgen.train.model import cpu_attention
from pairgen.train.model.timing import ATTENTION, Clock

NAME = "pairgen_tree"
KNOWN_LAYERS = {"full_attention", "sliding_attention"}
BLOCK = 128
"""Block size of FlexAttention, in tokens."""

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


class TreeMask:
    """Which keys each query of a batch of trees attends to, in the forms that attention needs. Computed lazily, cached.

    Args:
        ends: [R, L] as in ``Batch.subtree_end``.
        positions: [R, L]
        clock: measures the time spent in attention.
    """

    def __init__(self, ends: Tensor, positions: Tensor, clock: Clock | None = None) -> None:
        self.subtree_end, self.positions, self.clock = ends, positions, clock or Clock()
        self._blocks: dict[tuple[int, bool], cpu_attention.Blocks] = {}
        self._block_masks: dict[int, BlockMask] = {}

    def blocks(self, window: int, split: bool) -> cpu_attention.Blocks:
        """For a CPU: the calls that attention is split into."""
        if (window, split) not in self._blocks:
            arrays = self.subtree_end.numpy(), self.positions.numpy()
            self._blocks[window, split] = cpu_attention.blocks(*arrays, window, split)
        return self._blocks[window, split]

    def block_mask(self, window: int) -> BlockMask:
        """For FlexAttention: all rows as one sequence, so the compiled code does not depend on their number."""
        if window not in self._block_masks:
            rows, width = self.subtree_end.shape
            first = torch.arange(rows, device=self.subtree_end.device)[:, None] * width
            flat = (self.subtree_end + first).view(1, -1), self.positions.view(1, -1)
            self._block_masks[window] = block_mask(*flat, window)
        return self._block_masks[window]

    def dense(self, window: int = 0) -> Tensor:
        """[R, 1, L, L] whether a query (dimension 2) attends to a key (dimension 3): a dense mask, for tests."""
        column = torch.arange(self.subtree_end.shape[1], device=self.subtree_end.device)
        rows = torch.arange(len(self.subtree_end), device=self.subtree_end.device)[:, None, None, None]
        return mask_mod(self.subtree_end, self.positions, window)(rows, column, column[:, None], column)


def mask_mod(ends: Tensor, positions: Tensor, window: int) -> MaskMod:
    """Query q attends to key k iff k <= q <= ends[k] and, with a window, k is fewer than ``window`` positions back."""

    def in_tree(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001 - FlexAttention's signature
        return (key <= query) & (query <= ends[row, key])

    def in_window(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return in_tree(row, head, query, key) & (positions[row, query] - positions[row, key] < window)

    return in_window if window else in_tree


def block_mask(ends: Tensor, positions: Tensor, window: int = 0, block: int = BLOCK) -> BlockMask:
    """The mask as empty, partial and full blocks, computed on the device without evaluating single pairs.

    For a block of keys before a block of queries from q to q' (inclusive): some query attends to some key iff the
    largest end among the keys is at least q; every query to every key iff the smallest end is at least q'. With a
    window, a block is empty if its smallest distance is too large, and stays full if its largest is small enough.
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
        *_indices(some & ~full),
        *_indices(full),
        BLOCK_SIZE=block,
        mask_mod=mask_mod(ends, positions, window),
        seq_lengths=(width, width),
    )


def _extremes(values: Tensor, count: int, block: int, filler: int) -> tuple[Tensor, Tensor]:
    """[R, L] -> minimum and maximum of each block of columns, [R, count] each; the last block is padded."""
    filled = torch.nn.functional.pad(values, (0, count * block - values.shape[1]), value=filler)
    low, high = filled.view(len(values), count, block).aminmax(dim=2)
    return low, high


def _indices(which: Tensor) -> tuple[Tensor, Tensor]:
    """[R, Q, K] -> number of key blocks per query block, [R, 1, Q], and their indices, those first, [R, 1, Q, K]."""
    order = which.int().argsort(dim=-1, descending=True, stable=True)
    return which.sum(-1, dtype=torch.int32)[:, None], order.int()[:, None].contiguous()


def nan_mask(like: Tensor) -> Tensor:
    """[1, 1, 1, 1] the attention mask passed to a model for a batch of trees."""
    return torch.full((1, 1, 1, 1), torch.nan, device=like.device)


def install(model: Any) -> None:
    """Switch a model to this attention implementation.

    Args:
        model: a transformers model, without an adapter around it.

    Raises:
        UnsupportedModel: it has layers of an unknown attention type, or its attention cannot be replaced.
    """
    config = model.config.get_text_config()
    if config._attn_implementation == NAME:
        return
    name = type(model).__name__
    unknown = set(getattr(config, "layer_types", None) or ()) - KNOWN_LAYERS
    if unknown:
        raise UnsupportedModel(
            f"{name}: has layers of type {', '.join(sorted(unknown))}, which token trees do not support; {_HINT}"
        )
    model.set_attn_implementation(NAME)
    if config._attn_implementation != NAME:
        raise UnsupportedModel(f"{name}: its attention cannot be replaced, so token trees are not supported; {_HINT}")


_HINT = "use --share none"


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
    tree: TreeMask | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention with the signature that transformers calls.

    Args:
        query: [R, H, L, D]
        key: [R, K, L, D]
        value: [R, K, L, D]
        tree: for a batch of trees.

    Returns:
        [R, L, H, D], and None for the weights.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if tree is not None:
        _check(module, dropout, sliding_window, kwargs)
        options = {"scale": scale, "window": sliding_window or 0, "cap": softcap or 0.0, "tree": tree}
        return tree.clock.timed(ATTENTION, partial(_tree_attention, **options), query, key, value), None
    if softcap:
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        out = cpu_attention.dense_attention(query, key, value, attention_mask, scale, softcap)
        return torch.nn.functional.dropout(out, dropout).transpose(1, 2).contiguous(), None
    given = {"dropout": dropout, "scaling": scaling, "sliding_window": sliding_window, **kwargs}
    out, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, attention_mask, **given)
    return out, None


def _check(module: Any, dropout: float, window: int | None, kwargs: dict[str, Any]) -> None:
    name = type(module).__name__
    if dropout:
        raise UnsupportedModel(f"{name}: has attention dropout, which token trees do not support; {_HINT}")
    for extra in ("s_aux", "position_bias"):
        if kwargs.get(extra) is not None:
            raise UnsupportedModel(
                f"{name}: adds to its attention scores ({extra}), which token trees do not support; {_HINT}"
            )
    types = getattr(module.config, "layer_types", None)
    slides = types[module.layer_idx] == "sliding_attention" if types else getattr(module.config, "sliding_window", None)
    if slides and not window:
        raise UnsupportedModel(f"{name}: does not specify its sliding-window size; {_HINT}")


@torch.compiler.disable
def _tree_attention(
    query: Tensor, key: Tensor, value: Tensor, scale: float, window: int, cap: float, tree: TreeMask
) -> Tensor:
    if query.device.type != "cpu":
        return _flex(query, key, value, scale, tree.block_mask(window), cap)
    rows, heads, width, _ = query.shape
    flat = tuple(values.transpose(1, 2).flatten(0, 1) for values in (query, key, value))
    if cap or query.shape[-1] != value.shape[-1]:
        out = cpu_attention.attend_softcapped(flat, tree.blocks(window, split=False), scale, cap)
    else:
        out = cpu_attention.attend(flat, tree.blocks(window, split=True), scale)
    return out.view(rows, width, heads, -1)


_COMPILED: dict[str, Any] = {}
MAX_VARIANTS = 64
"""Maximum number of compiled variants (dtype, gradient, window, cap, head size). Beyond torch's default of 8,
FlexAttention would silently run uncompiled and materialise all scores."""


def _flex(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: BlockMask, cap: float) -> Tensor:
    """FlexAttention over all rows as one sequence, compiled once for all shapes.

    Compiled code also depends on strides and on whether a tensor is a view, so the inputs are contiguous copies. The
    cap is a tensor because a Python number would be compiled in as a constant.
    """
    cap_tensor = torch.full((), cap, device=query.device) if cap else None  # created on the device: no copy to wait for

    def soft_capped(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001
        return cap_tensor * torch.tanh(score / cap_tensor)

    rows, heads, width, _ = query.shape
    given = [values.transpose(1, 2).flatten(0, 1) for values in (query, key, value)]
    if torch.is_autocast_enabled(query.device.type):
        given = [values.to(torch.get_autocast_dtype(query.device.type)) for values in given]
    given = [values.clone(memory_format=torch.contiguous_format) for values in given]
    if "flex" not in _COMPILED:
        _COMPILED["flex"] = torch.compile(flex_over_tokens, dynamic=True, fullgraph=True)
    how = {
        "score_mod": soft_capped if cap else None,
        "block_mask": mask,
        "scale": scale,
        "enable_gqa": heads != key.shape[1],
    }
    with torch._dynamo.config.patch(recompile_limit=MAX_VARIANTS):
        out: Tensor = _COMPILED["flex"](*given, **how)
    return out.reshape(rows, width, heads, -1)


def flex_over_tokens(query: Tensor, key: Tensor, value: Tensor, **how: Any) -> Tensor:
    """[T, H, D] FlexAttention of queries [T, H, D] to keys and values [T, K, D]."""
    given = [values.transpose(0, 1)[None] for values in (query, key, value)]
    out: Tensor = flex_attention(*given, **how)
    return out[0].transpose(0, 1)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
