"""Load, create and save models and tokenizers. Weights are safetensors only, never pickles."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from pairgen.errors import UnsupportedModel, UsageError, in_short
from pairgen.hub_client import offline_if_unreachable
from pairgen.train.config import Config
from pairgen.train.memory_savers.cpu_memory import return_freed_memory_if_short
from pairgen.train.memory_savers.quantization import (
    is_quantized,
    keep_layout,
    loading_options,
    silence_bitsandbytes,
)
from pairgen.train.memory_savers.recomputation import checkpoint_activations
from pairgen.train.model.adapters import add_adapter, peft_library
from pairgen.train.model.gguf import dequantized, is_gguf, location
from pairgen.train.model.tiny import tiny_model, train_tokenizer
from pairgen.train.output.processor_files import copy_processor, is_multimodal

TINY_TEXTS = 4000
"""Maximum number of texts that the tokenizer of ``--model tiny`` is trained on."""

_LOAD_ERRORS = (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError, TypeError, SafetensorError)


def pick_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of a process. Raises UsageError if CUDA is requested but not available."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UsageError("--device cuda: no CUDA device available; use --device cpu, or install a CUDA build of torch")
    if name == "cpu" or not available:
        return torch.device("cpu")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def precision(config: Config, device: torch.device) -> str:
    """``--precision``, with ``auto`` resolved for a device."""
    if config.precision != "auto":
        return config.precision
    return "bf16" if device.type == "cuda" else "float32"


def compiles(config: Config, device: torch.device) -> bool:
    """``--compile``, with its default resolved for a device."""
    if config.compile is not None:
        return config.compile
    return device.type == "cuda" and config.model != "tiny"


def load(config: Config, texts: Iterable[str], device: torch.device, resumed: Path | None = None) -> tuple[Any, Any]:
    """The model and its tokenizer, ready to train: on the device, without dropout, with an adapter for --lora.

    Args:
        texts: to train the tokenizer of ``--model tiny``.
        device: on the meta device, the model has no data: its weights are not read.
        resumed: model folder of a checkpoint, whose weights replace the model's.

    Raises:
        UnsupportedModel: it cannot be loaded, or cannot be trained on pairs.
    """
    dtype = torch.bfloat16 if precision(config, device) == "bf16-pure" else torch.float32
    without_data = device.type == "meta"
    adapter = resumed if resumed and config.lora and not without_data else None
    if config.model == "tiny" and not resumed:
        tokenizer = train_tokenizer(text for text, _ in zip(texts, range(TINY_TEXTS), strict=False))
        with device if without_data else nullcontext():
            model = tiny_model(tokenizer, config.seed).to(dtype)
    else:
        name = str(resumed) if resumed and not config.lora else config.model
        tokenizer = load_tokenizer(name, config.trust_remote_code)
        quantized = loading_options(config, precision(config, device), device)
        if without_data:
            model = outline_of(name, dtype, config.trust_remote_code)
        else:
            model = load_model(name, dtype, config.trust_remote_code, quantized)
        keep_layout(model)
    _check_vocabulary(model, tokenizer, config.model)
    _check_weights(model, config)
    disable_dropout(model)
    model.config.use_cache = False
    checkpoint_activations(model, config.activation_checkpointing)
    if not is_quantized(model):  # these are on a device from the start, and some refuse to be moved
        model = model.to(device)
    if config.lora:
        with device if without_data else nullcontext():
            model = add_adapter(model, config, adapter)
    if device.type == "cpu":  # gradients and two moments of what is trained
        return_freed_memory_if_short(
            sum(weight.nbytes * (4 if weight.requires_grad else 1) for weight in model.parameters())
        )
    return model, tokenizer


def _transformers() -> Any:
    """transformers, with its own progress bars disabled."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # no warning for each retry if the Hub is unreachable
    silence_bitsandbytes()
    return transformers


def load_tokenizer(name: str, trust_remote_code: bool = False) -> Any:
    """Load a tokenizer from a folder, a GGUF file or the Hub. Raises UnsupportedModel if that fails."""
    with _load_errors(name, "tokenizer"):
        return _transformers().AutoTokenizer.from_pretrained(**location(name), trust_remote_code=trust_remote_code)


def load_model(
    name: str, dtype: torch.dtype, trust_remote_code: bool = False, quantized: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    """A causal language model from a folder, a GGUF file or the Hub; an adapter is merged into its base model.

    Args:
        quantized: ``quantization.loading_options``.
    """
    if quantized and is_gguf(name):
        raise UsageError(f"--quantize: {name} is already quantized, and is decoded; use the original model")
    with _load_errors(name, "model"):
        if is_adapter(name):
            return _merged(name, dtype, trust_remote_code)
        options = {"dtype": dtype, "trust_remote_code": trust_remote_code, "output_loading_info": True, **quantized}
        if not is_gguf(name):
            options["use_safetensors"] = True
        with redirect_stderr(StringIO()) if is_gguf(name) else nullcontext():  # it shows a progress bar of its own
            model, found = _transformers().AutoModelForCausalLM.from_pretrained(**location(name), **options)
        if is_gguf(name):
            model = dequantized(model)
    if missing := sorted(found["missing_keys"]):
        raise UnsupportedModel(
            f"--model {name}: has no weights for {missing[0]}"
            + (f" and {len(missing) - 1} more" if missing[1:] else "")
            + "; all weights of a causal language model are required, including its LM head"
        )
    _correct_tying(model)
    return model


def outline_of(name: str, dtype: torch.dtype, trust_remote_code: bool = False) -> Any:
    """The structure of the model that ``load_model`` loads, on the meta device: without reading its weights."""
    with _load_errors(name, "config"):
        if is_adapter(name):
            base = json.loads((Path(name) / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
            return outline_of(base, dtype, trust_remote_code)
        transformers, options = _transformers(), {"trust_remote_code": trust_remote_code}
        config = transformers.AutoConfig.from_pretrained(**location(name), **options)
        with torch.device("meta"):
            return transformers.AutoModelForCausalLM.from_config(config, dtype=dtype, **options)


def base_dtype(name: str, trust_remote_code: bool = False) -> torch.dtype | None:
    """The type in which the weights of a model are stored, as its config states; None if it does not."""
    if name == "tiny" or is_adapter(name):
        return None
    with _load_errors(name, "config"):
        config = _transformers().AutoConfig.from_pretrained(**location(name), trust_remote_code=trust_remote_code)
    dtype = config.dtype or config.get_text_config().dtype
    return getattr(torch, dtype, None) if isinstance(dtype, str) else dtype


def is_adapter(name: str) -> bool:
    """Whether a folder contains an adapter instead of a complete model."""
    return (Path(name) / "adapter_config.json").is_file()


def _merged(name: str, dtype: torch.dtype, trust_remote_code: bool) -> Any:
    if not (Path(name) / "adapter_model.safetensors").is_file():
        raise UnsupportedModel(f"--model {name}: adapter weights must be a safetensors file")
    base = json.loads((Path(name) / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    model = load_model(base, dtype, trust_remote_code)
    with peft_library() as peft:
        return peft.PeftModel.from_pretrained(model, name).merge_and_unload().requires_grad_(True)


@contextmanager
def _load_errors(name: str, part: str) -> Iterator[None]:
    """Convert the errors of transformers while loading a model or tokenizer to UnsupportedModel."""
    try:
        with nullcontext() if Path(name).exists() else offline_if_unreachable():
            yield
    except torch.OutOfMemoryError:
        raise
    except _LOAD_ERRORS as error:
        is_local = Path(name).is_dir() or is_gguf(name)
        if not is_local and (name.startswith(("/", ".", "~")) or name.count("/") > 1):
            raise UnsupportedModel(f"--model {name}: no such folder") from error
        where = "" if is_local else " (not a local folder, and not available from the Hub)"
        raise UnsupportedModel(f"--model {name}{where}: the {part} cannot be loaded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The reason for an error of transformers, in whole sentences on one line."""
    text = str(error)
    if "trust_remote_code" in text:
        return "it needs custom code; review that code, then pass --trust-remote-code"
    if "backend tokenizer" in text:
        return "there is no tokenizer.json, and its other files cannot be converted to one"
    if isinstance(error, KeyError):
        return f"one of its files lacks the key {text}"
    if isinstance(error, json.JSONDecodeError):
        return f"one of its files is invalid JSON ({text})"
    return in_short(text)


def _check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    """Raise UnsupportedModel if a token id has no row in the embeddings; ids may have holes."""
    rows = model.get_input_embeddings().weight.shape[0]
    token, largest = max(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    if largest >= rows:
        raise UnsupportedModel(
            f"--model {name}: its tokenizer has ids up to {largest:,} ({token!r}), and its embeddings {rows:,} rows; "
            "tokenizer and model do not match"
        )


def _check_weights(model: Any, config: Config) -> None:
    """Raise UnsupportedModel for quantized weights without an adapter, which could neither be trained nor saved."""
    if is_quantized(model) and not config.lora:
        method = getattr(getattr(model.config, "quantization_config", None), "quant_method", "unknown method")
        raise UnsupportedModel(
            f"--model {config.model}: its weights are quantized ({getattr(method, 'value', method)}) and cannot be "
            "trained; train an adapter with --lora, or use the model that is not quantized"
        )


def disable_dropout(model: nn.Module) -> None:
    """Disable dropout and noise in routers, since log-probs of policy and reference are compared."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if isinstance(value, float) and any(word in name for word in ("dropout", "pdrop", "layerdrop", "jitter")):
                setattr(module, name, 0.0)


_CONTEXT = ("max_position_embeddings", "max_seq_len", "n_positions", "max_target_positions")
"""The names of the maximum number of positions in configs."""


def usable_length(model: Any, max_length: int) -> int:
    """``max_length``, or the model's maximum number of positions if that is less."""
    config = model.config.get_text_config()
    known = [length for name in _CONTEXT if isinstance(length := getattr(config, name, None), int) and length > 0]
    return min([max_length, *known])


def tied_weights(model: nn.Module) -> dict[str, str]:
    """The weights that a model has under several names: each further name, with the first one."""
    first: dict[int, str] = {}
    named = model.named_parameters(remove_duplicate=False)
    pairs = [(name, first.setdefault(id(weight), name)) for name, weight in named]
    return {name: of for name, of in pairs if name != of}


def _correct_tying(model: Any) -> None:
    """If a file has an LM head of its own although the config ties it to the embedding, correct the config.

    transformers loads that head. With the same config, other libraries and the next save would lose it.
    """
    config = model.config.get_text_config()
    tied = getattr(config, "tie_word_embeddings", False) or getattr(model.config, "tie_word_embeddings", False)
    head = model.get_output_embeddings()
    if tied and head is not None and getattr(model, "_tied_weights_keys", None) and not tied_weights(model):
        config.tie_word_embeddings = model.config.tie_word_embeddings = False


def save(model: Any, tokenizer: Any, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Save a model, or the adapter that was trained, with its tokenizer in the Hugging Face layout.

    Args:
        state: the weights to save in place of the model's, such as those gathered from several processes; tied ones
            are the same tensor.
    """
    save_weights(model, folder, state)
    tokenizer.save_pretrained(folder)
    copy_processor(tokenizer.name_or_path, folder, is_multimodal(model.config))


def save_weights(model: Any, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Save the weights and the config of a model: all of them, or some, by their names."""
    _transformers()
    model.should_save_on_this_rank = lambda *_: True  # transformers itself lets the first process alone write
    model.save_pretrained(folder, state_dict=state)
