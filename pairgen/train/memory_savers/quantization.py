"""Frozen weights in 4 bits, to train an adapter on (QLoRA, arXiv:2305.14314), through bitsandbytes.

The matrices of linear layers, except the LM head, are stored as indices into the 16 values of NF4, the quantiles of a
normal distribution, with a scale for each 64 weights; scales are quantized again, in 8 bits. That is 4.13 bits per
weight. Each product decodes its matrix first and computes in the precision of the run.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from pairgen.errors import UsageError, install_hint
from pairgen.train.config import Config


def is_quantized(model: Any) -> bool:
    """Whether a model has quantized weights, as those of bitsandbytes."""
    return bool(getattr(model, "is_quantized", False))


def silence_bitsandbytes() -> None:
    """Hide its notice of a kernel that it would download. peft imports it for every adapter, if it is installed."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def loading_options(config: Config, precision: str, device: torch.device) -> dict[str, Any]:
    """The arguments of ``from_pretrained`` for --quantize; none without it.

    Args:
        precision: ``float32``, ``bf16`` or ``bf16-pure``.

    Raises:
        UsageError: bitsandbytes is not installed.
    """
    if config.quantize == "none":
        return {}
    import transformers

    silence_bitsandbytes()
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise UsageError(
            f"--quantize {config.quantize} needs bitsandbytes, which is not installed; {install_hint('quantized')}"
        ) from None
    four_bit = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32 if precision == "float32" else torch.bfloat16,
    )
    return {"quantization_config": four_bit, "device_map": {"": str(device)}}


def check_parallel(config: Config, processes: int) -> None:
    """Raise UsageError for --quantize with FSDP, which cannot shard 4-bit weights."""
    if config.quantize != "none" and config.parallel == "fsdp" and processes > 1:
        raise UsageError(f"--quantize {config.quantize}: 4-bit weights cannot be sharded; use --parallel ddp")


def keep_layout(model: nn.Module) -> None:
    """Keep 4-bit weights as they are in evaluations on a CPU.

    bitsandbytes would rearrange them for a kernel of its own, which rounds otherwise and has no backward pass.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


@contextmanager
def computing_in_float32(model: nn.Module) -> Iterator[None]:
    """Compute products with 4-bit weights in float32; the weights stay as they are."""
    quantized = [(module, module.compute_dtype) for module in model.modules() if hasattr(module, "compute_dtype")]
    for module, _ in quantized:
        module.compute_dtype = torch.float32
    try:
        yield
    finally:
        for module, dtype in quantized:
            module.compute_dtype = dtype
