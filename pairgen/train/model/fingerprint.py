"""What a model computes, as a hash."""

import json
from typing import Any

import torch
import transformers
import xxhash
from torch import nn

_NOT_COMPUTED = {
    "_name_or_path",
    "architectures",
    "dtype",  # that of each weight is hashed
    "transformers_version",  # the installed version is hashed
    "use_cache",
}
"""Entries of a config that do not change log-probs."""


def fingerprint(model: nn.Module) -> str:
    """xxh3-128 over all that log-probs depend on besides tokens: equal hashes mean equal log-probs, up to rounding.

    That is the model's class and the installed version of transformers, its config (``rope_theta``, ``rms_norm_eps``),
    its weights, and its buffers, whether they are saved with the weights (``e_score_correction_bias``) or not.
    A LoRA adapter is left out: the hash is that of its base model.

    Call it before the first forward pass, since some models keep state in buffers.
    """
    causal: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = {name: value for name, value in causal.config.to_dict().items() if name not in _NOT_COMPUTED}
    of_class = f"{type(causal).__module__}.{type(causal).__qualname__} {transformers.__version__}"
    hashed = xxhash.xxh3_128((of_class + json.dumps(config, sort_keys=True, default=str)).encode())
    tensors = [*causal.named_parameters(), *causal.named_buffers()]
    for name, weight in causal.named_parameters():
        if state := getattr(weight, "quant_state", None):  # of bitsandbytes: scales
            tensors += [(f"{name}.{part}", value) for part, value in state.as_dict(packed=True).items()]
    named = {name.replace(".base_layer.", "."): value for name, value in tensors if ".lora_" not in name}
    for name, value in sorted(named.items()):
        hashed.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        hashed.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return hashed.hexdigest()
