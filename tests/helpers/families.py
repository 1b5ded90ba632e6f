"""Tiny random models of every causal architecture in transformers, whose log-probs spread far enough to show faults."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "emb_dim", "lru_width"), 32),
    **dict.fromkeys(
        ("intermediate_size", "intermediate_size_mlp", "ffn_dim", "n_inner", "d_ff", "ffn_hidden_size"), 48
    ),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 24),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 48),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 256),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k"), 2),
    **dict.fromkeys(("n_shared_experts", "n_group", "topk_group", "num_expert_group", "first_k_dense_replace"), 1),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank"), 16),
    **dict.fromkeys(("head_dim", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("state_size", "ssm_state_size", "mamba_d_state"), 8),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "time_step_rank"), 4),
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim"), 16),
    "num_key_value_heads": 2,
    "mamba_expand": 2,
    "mamba_d_ssm": 64,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Small values of the settings of all architectures; each takes those that it knows."""

_HYBRID = {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2}
CHANGES: dict[str, dict[str, Any]] = {
    "bailing_hybrid": {"num_experts_per_tok": 2, "n_group": 1, "topk_group": 1},
    "codegen": {"rotary_dim": 4},
    "gemma3n_text": {"num_hidden_layers": 4, "num_kv_shared_layers": 0, "vocab_size_per_layer_input": 64},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 4},
    "kimi_linear": {"num_experts_per_token": 2, "num_experts_per_tok": 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 4, "head_dim": 16, "expand": 2, "n_groups": 1},
    "nemotron_h": {"n_groups": 1},
    "xmod": {"default_language": "en_XX"},
    "zamba": _HYBRID,
    "zamba2": {**_HYBRID, "mamba_ngroups": 1},
    "zaya": {"num_experts_per_tok": 1},
}
"""Further settings of some families."""

NOT_BUILT = {
    *("blt", "cohere_compass_text", "dbrx", "dots3_note", "gemma4_assistant", "gemma4_unified_assistant"),
    *("musicgen", "musicgen_melody", "reformer"),  # settings that depend on each other
    "gemma3n",  # needs timm
    "kimi_linear",  # takes minutes on a CPU
}
FAMILIES = [name for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if name in CONFIG_MAPPING and name not in NOT_BUILT]
"""Causal architectures of transformers."""


def small_config(family: str, **changes: Any) -> Any:
    """The config of a tiny model of a family (a ``model_type`` of transformers); nested configs are small too."""
    from transformers import CONFIG_MAPPING

    return _shrunk(CONFIG_MAPPING[family], CHANGES.get(family, {}) | changes)


def _shrunk(config: Any, changes: dict[str, Any]) -> Any:
    default = config()
    values = {name: value for name, value in SIZES.items() if _has(default, name)}
    values = {name: value for name, value in values.items() if name not in getattr(config, "attribute_map", {})}
    read_only = [name for name in values if isinstance(getattr(config, name, None), property)]
    values = {name: value for name, value in values.items() if name not in read_only}
    if "kv_lora_rank" in values:  # latent attention has as many heads of keys as of queries
        values["num_key_value_heads"] = values["num_attention_heads"]
    for name in getattr(default, "sub_configs", ()):
        if (nested := getattr(default, name, None)) is not None:
            values[name] = _shrunk(type(nested), {"vocab_size": changes["vocab_size"]}).to_dict()
    return config(**values | changes)


def _has(config: Any, name: str) -> bool:
    """Whether a config has a setting that is one for all layers."""
    try:
        return hasattr(config, name)
    except Exception:  # its layers differ
        return False


def spread_model(config: Any, seed: int = 0, spread: float = 30.0) -> Any:
    """A random causal model in float32 whose log-probs of random texts of 24 tokens spread by ``spread`` nats.

    Weights are scaled up until the standard deviation is at least that; with small weights, all texts are about equally
    likely and faults hide.
    """
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config).eval()
        texts = torch.randint(3, config.get_text_config().vocab_size, (8, 25))
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.02)
            for _ in range(8):
                logits = model(input_ids=texts, use_cache=False).logits[:, :-1].log_softmax(-1)
                if float(logits.gather(2, texts[:, 1:, None]).sum((1, 2)).std()) >= spread:
                    break
                for weight in model.parameters():
                    if weight.ndim > 1:
                        weight.mul_(1.5)
    return model


@torch.no_grad()
def logp(model: Any, tokens: Tensor, prompt: int = 1) -> Tensor:
    """The log-prob of the tokens after the first ``prompt``, from the model's own logits of this sequence alone."""
    logits = model(input_ids=tokens[None], use_cache=False).logits[0, prompt - 1 : -1]
    return logits.double().log_softmax(-1).gather(1, tokens[prompt:, None]).sum()


def save_with_tokenizer(model: Any, tokenizer: Any, folder: Path) -> Path:
    """Save a model and its tokenizer in a folder, for ``--model``."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
