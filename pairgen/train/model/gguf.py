"""Models in GGUF files, as llama.cpp quantizes them: read by transformers, de-quantized, and trained like any other."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pairgen.errors import UnsupportedModel, UsageError, install_hint


def is_gguf(name: str) -> bool:
    """Whether ``--model`` names a GGUF file."""
    return name.lower().endswith(".gguf")


def location(name: str) -> dict[str, str]:
    """The arguments of ``from_pretrained`` that name a model or tokenizer.

    Raises:
        UnsupportedModel: the GGUF file does not exist.
        UsageError: the package gguf is not installed.
    """
    if not is_gguf(name):
        return {"pretrained_model_name_or_path": name}
    if not Path(name).is_file():
        raise UnsupportedModel(f"--model {name}: no such file")
    if find_spec("gguf") is None:
        raise UsageError(f"--model {name} needs gguf, which is not installed; {install_hint('gguf')}")
    return {"pretrained_model_name_or_path": str(Path(name).parent), "gguf_file": Path(name).name}


def dequantized(model: Any) -> Any:
    """A model as if it had never been quantized; transformers refuses to save the one that it read."""
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = type(model)(config).to(model.dtype)
    fresh.load_state_dict(model.state_dict())
    fresh.tie_weights()
    return fresh
