"""Attention over token trees inside transformers models, registered under the name ``NAME``.

A model that uses it supports both layouts: with the keyword argument ``tree`` (a ``TreeMask``) it attends by the rule
of ``Batch.subtree_end``; without it, like ``sdpa``. Every layer receives the argument, also when gradient checkpointing
recomputes it.

The attention mask of a batch of trees is ``nan_mask``: transformers passes a four-dimensional mask on unchanged instead
of creating one or treating restarting positions as new documents. A model that uses the mask returns NaN, which
``check_trees`` detects.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from pairgen.errors import UnsupportedModel
from pairgen.train.model.kernels import cpu_attention, torch_internals
from pairgen.train.model.kernels.tree_mask import DENSE, FLEX, TreeMask
from pairgen.train.model.step_timer import ATTENTION

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

NAME = "pairgen_tree"
SUPPORTED_LAYERS = {"full_attention", "sliding_attention"}
_INSTEAD = "use --share none"


def nan_mask(like: Tensor) -> Tensor:
    """[1, 1, 1, 1] the attention mask that is passed to a model with a batch of trees."""
    return torch.full((1, 1, 1, 1), torch.nan, device=like.device)


def use_tree_attention(model: Any) -> None:
    """Replace the attention of a model by ``attention``.

    Args:
        model: a transformers model, without an adapter around it.

    Raises:
        UnsupportedModel: it has layers of an unsupported type, or its attention cannot be replaced.
    """
    config = model.config.get_text_config()
    if config._attn_implementation == NAME:
        return
    name = type(model).__name__
    unsupported = set(getattr(config, "layer_types", None) or ()) - SUPPORTED_LAYERS
    if unsupported:
        raise UnsupportedModel(
            f"{name}: token trees do not support layers of type {', '.join(sorted(unsupported))}; {_INSTEAD}"
        )
    with restored_on_error(model):
        model.set_attn_implementation(NAME)
        if config._attn_implementation != NAME:
            raise UnsupportedModel(
                f"{name}: token trees are not supported: its attention cannot be replaced; {_INSTEAD}"
            )


@contextmanager
def restored_on_error(model: Any) -> Iterator[None]:
    """If the block raises, give a transformers model and all its parts the attention that they had before.

    Attention that only computes trees exactly is not what the model had: it ignores attention sinks, for example.
    """
    restore = _restore(model)
    try:
        yield
    except BaseException:
        restore()
        raise


@contextmanager
def restored_attention(model: Any) -> Iterator[None]:
    """After the block, give a transformers model and all its parts the attention that they had before."""
    restore = _restore(model)
    try:
        yield
    finally:
        restore()


def _restore(model: Any) -> Callable[[], None]:
    """What gives a model the attention that it has now."""
    before = [(config, config._attn_implementation) for config in _configs(model)]

    def restore() -> None:
        for config, implementation in before:
            config._attn_implementation = {"": implementation}  # of this config, not of those nested in it

    return restore


def _configs(model: Any) -> list[Any]:
    """The configs of a model, of its parts, and those nested in them, once each."""
    found: dict[int, Any] = {}
    waiting = [part.config for part in model.modules() if hasattr(part, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation"):
            found[id(config)] = config
            waiting += [getattr(config, name, None) for name in getattr(config, "sub_configs", ())]
    return list(found.values())


def attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Attention with the interface of transformers.

    Args:
        query: [R, H, L, D]
        key: [R, K, L, D]
        value: [R, K, L, D]
        options: ``tree``, a ``TreeMask``, for a batch of trees; ``scaling``, ``dropout``, ``sliding_window`` and
            ``softcap``, from transformers.

    Returns:
        [R, L, H, D], and None in place of the attention weights.
    """
    tree: TreeMask | None = options.pop("tree", None)
    softcap = options.pop("softcap", None) or 0.0
    scaling = options.get("scaling")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if tree is not None:
        window = options.get("sliding_window") or 0
        if torch.compiler.is_compiling() and tree.kernel == FLEX:  # a part of its layer; checked before it was compiled
            return flex(query, key, value, scale, tree.block_mask(window), softcap), None
        _check_options(module, options)
        attend = partial(_tree_attention, tree=tree, scores=_Scores(scale, window, softcap))
        return tree.timer.timed(ATTENTION, attend, query, key, value), None
    if softcap:
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        out = cpu_attention.masked_attention(query, key, value, attention_mask, scale, softcap)
        out = torch.nn.functional.dropout(out, options.get("dropout", 0.0))
        return out.transpose(1, 2).contiguous(), None
    out, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, attention_mask, **options)
    return out, None


def _check_options(module: Any, options: dict[str, Any]) -> None:
    """Raise UnsupportedModel for attention that token trees cannot compute."""
    name = type(module).__name__
    if options.get("dropout"):
        raise UnsupportedModel(f"{name}: token trees do not support attention dropout; {_INSTEAD}")
    for extra in ("s_aux", "position_bias"):
        if options.get(extra) is not None:
            raise UnsupportedModel(
                f"{name}: token trees do not support terms added to attention scores ({extra}); {_INSTEAD}"
            )
    types = getattr(module.config, "layer_types", None)
    slides = types[module.layer_idx] == "sliding_attention" if types else getattr(module.config, "sliding_window", None)
    if slides and not options.get("sliding_window"):
        raise UnsupportedModel(
            f"{name}: token trees need the size of its sliding window, which it does not pass on; {_INSTEAD}"
        )


class _Scores(NamedTuple):
    """The scale of attention scores, the size of the sliding window and the soft cap; 0: none."""

    scale: float
    window: int
    softcap: float


@torch.compiler.disable
def _tree_attention(query: Tensor, key: Tensor, value: Tensor, tree: TreeMask, scores: _Scores) -> Tensor:
    """[R, L, H, D]"""
    scale, window, softcap = scores
    rows, heads, width, _ = query.shape
    if tree.kernel == DENSE:
        key, value = (values.repeat_interleave(heads // key.shape[1], 1) for values in (key, value))
        out = cpu_attention.masked_attention(query, key, value, tree.dense(window), scale, softcap)
        return out.transpose(1, 2)
    if tree.kernel == FLEX:
        return flex(query, key, value, scale, tree.block_mask(window), softcap)
    flat = tuple(values.transpose(1, 2).flatten(0, 1) for values in (query, key, value))
    if softcap or query.shape[-1] != value.shape[-1]:
        out = cpu_attention.softcapped_attention(flat, tree.plan(window, split=False), scale, softcap)
    else:
        out = cpu_attention.split_attention(flat, tree.plan(window, split=True), scale)
    return out.view(rows, width, heads, -1)


_COMPILED: dict[str, Any] = {}
SMALLEST_HEAD = 16
"""FlexAttention's smallest head size; smaller heads are padded with zeros."""
MAX_VARIANTS = 64
"""Most compiled variants of FlexAttention (dtype, gradient, window, cap, head size). Beyond the limit (8 by
default), torch silently runs it uncompiled, with all scores in memory."""


def flex(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: "BlockMask", softcap: float) -> Tensor:
    """[R, L, H, D] FlexAttention over all rows as one sequence, compiled once for all shapes.

    By itself it is compiled here, otherwise with the layer around it. The cap is a tensor, since every new number would
    be compiled again.
    """
    cap = torch.full((), softcap, device=query.device) if softcap else None  # on the device: no copy to wait for

    def capped(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:  # noqa: ARG001
        return cap * torch.tanh(score / cap)

    rows, heads, width, _ = query.shape
    inputs = [values.transpose(1, 2).flatten(0, 1) for values in (query, key, value)]
    if torch.is_autocast_enabled(query.device.type):
        inputs = [values.to(torch.get_autocast_dtype(query.device.type)) for values in inputs]
    inputs = [_wide_enough(values) for values in inputs]
    run = flex_over_tokens if torch.compiler.is_compiling() else _compiled_flex
    gqa = heads != key.shape[1]
    out = run(*inputs, block_mask=mask, scale=scale, score_mod=capped if softcap else None, enable_gqa=gqa)
    return out[..., : value.shape[-1]].reshape(rows, width, heads, -1)


def _compiled_flex(*inputs: Tensor, **options: Any) -> Tensor:
    """``flex_over_tokens``, compiled. It also depends on strides and on the base of a view: inputs become copies."""
    if "flex" not in _COMPILED:
        _COMPILED["flex"] = torch.compile(flex_over_tokens, dynamic=True, fullgraph=True)
    copies = [values.clone(memory_format=torch.contiguous_format) for values in inputs]
    with torch_internals.allow_recompilations(MAX_VARIANTS):
        out: Tensor = _COMPILED["flex"](*copies, **options)
    return out


def _wide_enough(values: Tensor) -> Tensor:
    """Pad heads with zeros, which do not change the product of a query and a key."""
    missing = SMALLEST_HEAD - values.shape[-1]
    return torch.nn.functional.pad(values, (0, missing)) if missing > 0 else values


def flex_over_tokens(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
    """[T, H, D] FlexAttention of queries [T, H, D] to keys and values [T, K, D]."""
    from torch.nn.attention.flex_attention import flex_attention

    out: Tensor = flex_attention(*(values.transpose(0, 1)[None] for values in (query, key, value)), **options)
    return out[0].transpose(0, 1)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
