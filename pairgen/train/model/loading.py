"""The model and the tokenizer of a run: loaded, made, adapted, saved. Weights are safetensors only, never a pickle."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError
from torch import nn

from pairgen.errors import UnsupportedModel, UsageError
from pairgen.train.config import Config
from pairgen.train.model.tiny import tiny_model, train_tokenizer

TINY_TEXTS = 4000
"""Texts of the data that the tokenizer of ``--model tiny`` is trained on."""


def pick_device(wanted: str, local_rank: int = 0) -> torch.device:
    """The device of a process. Raises UsageError where CUDA is asked for and absent."""
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise UsageError("--device cuda: no CUDA device available; use --device cpu, or install a CUDA build of torch")
    if wanted == "cpu" or not there:
        return torch.device("cpu")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def precision(config: Config, device: torch.device) -> str:
    """What ``auto`` stands for on a device."""
    if config.precision != "auto":
        return config.precision
    return "bf16" if device.type == "cuda" else "float32"


def load(config: Config, texts: Iterable[str], device: torch.device, resumed: Path | None = None) -> tuple[Any, Any]:
    """The model and its tokenizer, ready to train: on the device, without dropout, adapted if a LoRA is asked for.

    Args:
        texts: of the data, for the tokenizer of ``--model tiny``.
        resumed: a checkpoint's model folder, whose weights take the place of the model's.

    Raises:
        UnsupportedModel: it cannot be loaded, or cannot be trained on pairs.
    """
    dtype = torch.bfloat16 if precision(config, device) == "bf16-pure" else torch.float32
    adapter = resumed if resumed and config.lora else None
    if config.model == "tiny" and not resumed:
        tokenizer = train_tokenizer(text for text, _ in zip(texts, range(TINY_TEXTS), strict=False))
        model = tiny_model(tokenizer, config.seed).to(dtype)
    else:
        name = str(resumed) if resumed and not config.lora else config.model
        tokenizer = load_tokenizer(name, config.trust_remote_code)
        model = load_model(name, dtype, config.trust_remote_code)
    _check_vocabulary(model, tokenizer, config.model)
    _disable_dropout(model)
    model.config.use_cache = False
    if config.gradient_checkpointing:
        if hasattr(model, "activation_checkpointing_enable"):  # the newer name
            model.activation_checkpointing_enable({"use_reentrant": False})
        else:
            model.gradient_checkpointing_enable({"use_reentrant": False})
    model = model.to(device)
    if config.lora:
        model = _adapted(model, config, adapter)
    if config.compile:
        (model.get_base_model() if config.lora else model).base_model.compile(dynamic=True)
    return model, tokenizer


def _transformers() -> Any:
    """transformers, with its own progress bars disabled."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # no warning for each retry if the Hub is unreachable
    return transformers


def load_tokenizer(name: str, trust_remote_code: bool = False) -> Any:
    """Raises UnsupportedModel where there is none."""
    with _one_sentence(name, "tokenizer"):
        return _transformers().AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)


def load_model(name: str, dtype: torch.dtype, trust_remote_code: bool = False) -> Any:
    """A causal language model from a folder or the hub; an adapter in the folder is merged into its base."""
    with _one_sentence(name, "model"):
        if is_adapter(name):
            return _merged(name, dtype, trust_remote_code)
        model, found = _transformers().AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, use_safetensors=True, trust_remote_code=trust_remote_code, output_loading_info=True
        )
    if lacks := sorted(found["missing_keys"]):
        raise UnsupportedModel(
            f"--model {name}: has no weights for {lacks[0]}"
            + (f" and {len(lacks) - 1} others" if lacks[1:] else "")
            + "; all weights of a causal language model are required, including its LM head"
        )
    return model


def is_adapter(name: str) -> bool:
    """Whether a folder holds an adapter and not a whole model."""
    return (Path(name) / "adapter_config.json").is_file()


def _merged(name: str, dtype: torch.dtype, trust_remote_code: bool) -> Any:
    peft = _peft()
    if not (Path(name) / "adapter_model.safetensors").is_file():
        raise UnsupportedModel(f"--model {name}: adapter weights must be a safetensors file")
    base = json.loads((Path(name) / "adapter_config.json").read_text("utf-8"))["base_model_name_or_path"]
    model = load_model(base, dtype, trust_remote_code)
    return peft.PeftModel.from_pretrained(model, name).merge_and_unload().requires_grad_(True)


def _adapted(model: Any, config: Config, adapter: Path | None) -> Any:
    peft = _peft()
    if adapter:
        return peft.PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    lora = peft.LoraConfig(
        r=config.lora,
        lora_alpha=2 * config.lora,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        base_model_name_or_path=config.model,
    )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return peft.get_peft_model(model, lora)


def _peft() -> Any:
    try:
        import peft
    except ImportError:
        raise UsageError("--lora needs peft: install it with `pip install 'pairgen[lora]'`") from None
    return peft


class _one_sentence:  # noqa: N801 - reads as a statement
    """Turns what transformers raises while loading into UnsupportedModel."""

    def __init__(self, name: str, what: str) -> None:
        self.name, self.what = name, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        expected = (
            OSError,
            ValueError,
            KeyError,
            ImportError,
            RuntimeError,
            AttributeError,
            TypeError,
            SafetensorError,
        )
        if not isinstance(error, expected) or isinstance(error, torch.OutOfMemoryError):
            return
        if not Path(self.name).is_dir() and (self.name.startswith(("/", ".", "~")) or self.name.count("/") > 1):
            raise UnsupportedModel(f"--model {self.name}: no such folder") from error
        reason = " ".join(str(error).split("\n")[0].split())[:300]
        if "trust_remote_code" in str(error):
            reason = "it needs custom code; review that code, then pass --trust-remote-code"
        where = "" if Path(self.name).is_dir() else " (not a local folder, and not available from the Hub)"
        raise UnsupportedModel(f"--model {self.name}{where}: the {self.what} cannot be loaded: {reason}") from error


def _check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise UnsupportedModel(
            f"--model {name}: its tokenizer has {len(tokenizer):,} tokens and its embeddings {rows:,}; "
            "tokenizer and model do not match"
        )


def _disable_dropout(model: nn.Module) -> None:
    """Disable dropout: log-probs of policy and reference are compared, so both must be deterministic."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if isinstance(value, float) and any(word in name for word in ("dropout", "pdrop", "layerdrop")):
                setattr(module, name, 0.0)


def usable_length(model: Any, max_length: int) -> int:
    """``max_length``, or the model's maximum number of positions if that is less."""
    known = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(max_length, known) if known else max_length


def weights_hash(model: nn.Module) -> str:
    """xxh3-128 over all weights by name: two models with equal hashes give equal log-probs."""
    hashed = xxhash.xxh3_128()
    for name, value in sorted(model.named_parameters()):
        hashed.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        hashed.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return hashed.hexdigest()


def save(model: Any, tokenizer: Any, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Write a model in the Hugging Face layout (an adapter, where one was trained), with its tokenizer.

    Args:
        state: its weights, where they are spread over processes.
    """
    _transformers()
    if state and not hasattr(model, "peft_config") and model.config.get_text_config().tie_word_embeddings:
        state = {name: value for name, value in state.items() if name not in (model._tied_weights_keys or ())}
    model.save_pretrained(folder, state_dict=state)
    tokenizer.save_pretrained(folder)
