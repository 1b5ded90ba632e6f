"""Activation checkpointing: keep less of a layer's forward pass, and compute it again in the backward pass.

With L layers, T tokens and hidden size H, ``full`` keeps the input of each layer, L x T x H values, and the backward
pass computes one layer at a time again: a third more FLOPs. ``selective`` also keeps the results of attention and of
products with weight matrices; norms, activation functions, rotary embeddings and casts are computed again, which takes
hardly any FLOPs. Results and gradients are bitwise those of a pass that keeps everything.

Nothing whose size is quadratic in the number of tokens is kept: attention keeps its output and the logarithm of the
sum of its scores, and products of two activations, such as the scores of uncompiled attention, are computed again.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from pairgen.errors import UnsupportedModel

_KEPT_NAMES = (
    "mm",  # a linear layer without bias
    "addmm",  # with bias
    "_grouped_mm",  # of all experts
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)


WIDENS = 8
"""A product whose result is more than so many times as wide as its input is computed again."""


def _operators(model: Any) -> set[Any]:
    """The operators whose results are kept for a model, as far as this version of torch has them."""
    names = set(_KEPT_NAMES)
    if any(name.endswith("bias") and weight.ndim == 2 for name, weight in model.named_parameters()):
        names.discard("_grouped_mm")  # a bias of experts: transformers adds it to the result in place
    packets = [getattr(torch.ops.aten, name, None) for name in names]
    kept: set[Any] = {packet.default for packet in packets if packet is not None}
    if hasattr(torch.ops.bitsandbytes, "gemm_4bit"):  # registered when bitsandbytes is imported
        kept.add(torch.ops.bitsandbytes.gemm_4bit.default)
    flex = getattr(torch.ops.higher_order, "flex_attention", None)
    return kept | ({flex} if flex is not None else set())


def _policy(kept: set[Any], context: Any, operator: Any, *inputs: Any, **_: Any) -> CheckpointPolicy:  # noqa: ARG001
    keeps = operator in kept and not (operator in _PRODUCTS and _is_cheap(inputs[-1]))
    return CheckpointPolicy.MUST_SAVE if keeps else CheckpointPolicy.PREFER_RECOMPUTE


_PRODUCTS = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)


def _is_cheap(weight: torch.Tensor) -> bool:
    """Whether a product with a weight [K, N] has few FLOPs for its result: K is small, as in the second of a LoRA."""
    inputs, outputs = weight.shape
    return bool(outputs > WIDENS * inputs)


def checkpoint_activations(model: Any, kind: str) -> None:
    """Enable activation checkpointing of a transformers model.

    Args:
        model: without an adapter around it.
        kind: a value of ``Config.activation_checkpointing``: ``none``, ``selective`` or ``full``.

    Raises:
        UnsupportedModel: transformers cannot checkpoint the activations of this family.
    """
    if kind == "none":
        return
    options: dict[str, Any] = {"use_reentrant": False}
    if kind == "selective":
        options["context_fn"] = partial(create_selective_checkpoint_contexts, partial(_policy, _operators(model)))
    # the first name is that of newer versions, in which the second is deprecated
    enable: Callable[..., None] = (
        getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    )
    try:
        enable(options)
    except (ValueError, NotImplementedError) as error:
        raise UnsupportedModel(
            f"{type(model).__name__}: transformers has no activation checkpointing for it; "
            "use --activation-checkpointing none"
        ) from error
