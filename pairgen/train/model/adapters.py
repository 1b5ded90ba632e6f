"""LoRA adapters: add them to a model, for training."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pairgen.errors import UnsupportedModel, UsageError, in_short, install_hint
from pairgen.train.config import Config
from pairgen.train.memory_savers.quantization import silence_bitsandbytes

_MAMBA = ("falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h")
"""Families for which peft refuses adapters on ``out_proj``, since fast kernels read its weights directly."""


def add_adapter(model: Any, config: Config, adapter: Path | None) -> Any:
    """A model with a new adapter of rank ``config.lora``, or with the one in a folder.

    Raises:
        UnsupportedModel: peft knows no adapter for the model.
    """
    with peft_library() as peft, torch.random.fork_rng():
        if adapter:
            return peft.PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
        lora = peft.LoraConfig(
            r=config.lora,
            lora_alpha=2 * config.lora,
            lora_dropout=0.0,
            target_modules="all-linear",
            exclude_modules=["out_proj"] if model.config.model_type in _MAMBA else None,
            task_type="CAUSAL_LM",
            base_model_name_or_path=config.model,
        )
        torch.manual_seed(config.seed)
        try:
            return peft.get_peft_model(model, lora)
        except (ValueError, TypeError, RuntimeError, AttributeError) as error:
            reason = in_short(error)
            raise UnsupportedModel(
                f"--lora {config.lora}: peft cannot add an adapter to --model {config.model} ({reason}); "
                "train all weights, without --lora"
            ) from error


@contextmanager
def peft_library() -> Iterator[Any]:
    """peft, without transformers' warning that peft uses a deprecated property."""
    silence_bitsandbytes()
    try:
        import peft
    except ImportError:
        raise UsageError(f"--lora needs peft, which is not installed; {install_hint('lora')}") from None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        yield peft
