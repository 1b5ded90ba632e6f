"""From a model's config to its ``Shape``: a file, a folder, a Hub id, or the name of one of the paper's models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairgen.errors import UnsupportedModel, in_short
from pairgen.hub_client import offline_if_unreachable
from pairgen.train.planning.shape import Shape

PRESETS = {
    shape.name: shape
    for shape in (
        Shape("llama2-7b", 32, 4096, 32, 32, 11_008, 32_000, 128),
        Shape("mistral-7b", 32, 4096, 32, 8, 14_336, 32_000, 128),
        Shape("yi-34b", 60, 7168, 56, 8, 20_480, 64_000, 128),
        Shape("qwen-72b", 80, 8192, 64, 64, 24_576, 152_064, 128, qkv_bias=True),
    )
}
"""The base models of the Smaug paper: Smaug-7B's and its 7B comparisons', Smaug-34B's and Smaug-72B's."""

SUPPORTED: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "mixtral": {},
    "qwen2": {"qkv_bias": True},
    "qwen3": {"head_norms": True},
    "qwen3_moe": {"head_norms": True},
    "gemma": {"tied": True},
    "gemma2": {"norms": 4, "tied": True},
    "gemma3_text": {"norms": 4, "head_norms": True, "tied": True},
}
"""Model types, and what distinguishes each from a Llama unless its config says otherwise."""

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


def find_shape(model: str, trust_remote_code: bool = False) -> Shape:
    """The shape of a model; weights are neither needed nor loaded.

    Args:
        model: a name of ``PRESETS``, a ``config.json``, a folder with one, or a Hub id (read by transformers).

    Raises:
        UnsupportedModel: there is no such config, or it is of a type whose weights cannot be counted from it.
    """
    if model in PRESETS:
        return PRESETS[model]
    path = Path(model)
    file = path / "config.json" if path.is_dir() else path
    if file.is_file():
        try:
            values = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UnsupportedModel(f"--model {model}: {file} cannot be read ({in_short(error)})") from error
    elif path.is_dir() or path.suffix == ".json" or model.startswith(("/", ".", "~")) or model.count("/") != 1:
        known = ", ".join(PRESETS)
        raise UnsupportedModel(
            f"--model {model}: no config.json there; name a config.json, a folder, a Hub id, or one of {known}"
        )
    else:
        values = _from_hub(model, trust_remote_code)
    if not isinstance(values, Mapping):
        raise UnsupportedModel(f"--model {model}: {file} is not the config of a model")
    return shape_of(values, model)


def _from_hub(model: str, trust_remote_code: bool) -> dict[str, Any]:
    from transformers import AutoConfig

    try:
        with offline_if_unreachable():
            found: dict[str, Any] = AutoConfig.from_pretrained(model, trust_remote_code=trust_remote_code).to_dict()
    except (OSError, ValueError, KeyError) as error:
        raise UnsupportedModel(
            f"--model {model}: its config is not available from the Hub ({in_short(error)}); download config.json and "
            "name that"
        ) from error
    return found


def shape_of(config: Mapping[str, Any], name: str) -> Shape:
    """The shape that a config describes, that of its text model if it has several.

    Raises:
        UnsupportedModel: an unknown type of model, or a dimension that is missing or not a positive integer.
    """
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, Mapping) else dict(config)
    kind = str(text.get("model_type"))
    if kind not in SUPPORTED:
        raise UnsupportedModel(
            f"--model {name}: cannot count the weights of a model of type {kind}; supported: {', '.join(SUPPORTED)}"
        )
    special = SUPPORTED[kind]

    def size(key: str, default: int | None = None) -> int:
        value = text.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UnsupportedModel(f"--model {name}: its config has {value!r} as {key}, not a positive integer")
        return value

    experts = next((size(key) for key in _EXPERTS if text.get(key) is not None), 1)
    hidden, heads = size("hidden_size"), size("num_attention_heads")
    return Shape(
        name=Path(name).parent.name if name.endswith(".json") and Path(name).parent.name else name,
        layers=size("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=size("num_key_value_heads", heads),
        intermediate=size("moe_intermediate_size" if text.get("moe_intermediate_size") else "intermediate_size"),
        vocabulary=size("vocab_size"),
        head_size=size("head_dim", max(1, hidden // heads)),
        tied=bool(text.get("tie_word_embeddings", special.get("tied", False))),
        qkv_bias=bool(text.get("attention_bias", special.get("qkv_bias", False))),
        norms=special.get("norms", 2),
        head_norms=special.get("head_norms", False),
        experts=experts,
        active_experts=size("num_experts_per_tok") if experts > 1 else 1,
    )
