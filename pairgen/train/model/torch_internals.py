"""The parts of torch that pairgen uses although they are private or may still change: looked up and checked here only.

Where one is missing or has another signature, attention over trees runs with a dense mask: slower, the same result.
"""

import contextlib
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch


class CpuKernels(NamedTuple):
    """The CPU kernels behind ``scaled_dot_product_attention``, which also return and take the logsumexp of scores."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]


_CPU_FORWARD = "_scaled_dot_product_flash_attention_for_cpu"
_CPU_ARGUMENTS = {
    _CPU_FORWARD: "query key value dropout_p is_causal attn_mask scale",
    f"{_CPU_FORWARD}_backward": "grad_out query key value out logsumexp dropout_p is_causal attn_mask scale",
}


@cache
def cpu_kernels() -> CpuKernels | None:
    """The kernels; None if this version of torch lacks them."""
    found = []
    for name, arguments in _CPU_ARGUMENTS.items():
        operator = getattr(getattr(torch.ops.aten, name, None), "default", None)
        if operator is None or [argument.name for argument in operator._schema.arguments] != arguments.split():
            return None
        found.append(getattr(torch.ops.aten, name))
    return CpuKernels(*found)


@cache
def has_flex_attention() -> bool:
    """Whether FlexAttention takes block masks that are built from lists of blocks."""
    try:
        from torch.nn.attention.flex_attention import BlockMask, flex_attention
    except ImportError:
        return False
    built_from = inspect.signature(BlockMask.from_kv_blocks).parameters
    arguments = inspect.signature(flex_attention).parameters
    return "seq_lengths" in built_from and {"score_mod", "block_mask", "scale", "enable_gqa"} <= arguments.keys()


def allow_recompilations(count: int) -> contextlib.AbstractContextManager[Any]:
    """Raise torch.compile's limit on the variants of a function; no effect if torch has no such setting."""
    settings: Any = getattr(getattr(torch, "_dynamo", None), "config", None)
    return settings.patch(recompile_limit=count) if hasattr(settings, "recompile_limit") else contextlib.nullcontext()


def missing_for_trees(device: torch.device) -> str | None:
    """What fast attention over trees needs on a device and this version of torch lacks; None if nothing."""
    if device.type == "cpu":
        return None if cpu_kernels() else f"the CPU operators {_CPU_FORWARD} and {_CPU_FORWARD}_backward"
    return None if has_flex_attention() else "FlexAttention with block masks"
