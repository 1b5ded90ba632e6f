"""Private or unstable parts of torch that pairgen uses, looked up and checked here only.

If one is missing or has another signature, attention over trees uses a dense mask: slower, with the same result.
"""

import contextlib
import inspect
from functools import cache
from typing import Any

import torch

_CPU_FORWARD = "_scaled_dot_product_flash_attention_for_cpu"
_CPU_ARGUMENTS = {
    _CPU_FORWARD: "query key value dropout_p is_causal attn_mask scale",
    f"{_CPU_FORWARD}_backward": "grad_out query key value out logsumexp dropout_p is_causal attn_mask scale",
}


@cache
def cpu_kernels() -> Any:
    """The forward and backward kernel of ``scaled_dot_product_attention`` on a CPU, which also return and take the
    logsumexp of scores; None if this version of torch lacks one."""
    for name, arguments in _CPU_ARGUMENTS.items():
        operator = getattr(getattr(torch.ops.aten, name, None), "default", None)
        if operator is None or [argument.name for argument in operator._schema.arguments] != arguments.split():
            return None
    return [getattr(torch.ops.aten, name) for name in _CPU_ARGUMENTS]


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


def undo_compilation(module: Any) -> None:
    """Undo ``Module.compile``, for which torch has no function."""
    module._compiled_call_impl = None


def missing_for_trees(device: torch.device) -> str | None:
    """The part of torch that fast attention over trees needs on a device, if this version lacks it."""
    if device.type == "cpu":
        return None if cpu_kernels() else f"the CPU operators {_CPU_FORWARD} and {_CPU_FORWARD}_backward"
    return None if has_flex_attention() else "FlexAttention with block masks"
