"""A model in a GGUF file equals the model that was quantized, and is trained and saved like any other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import tiny_runs as runs
from helpers.small_tokenizers import byte_level
from transformers import LlamaConfig, LlamaForCausalLM

from pairgen.errors import UnsupportedModel, UsageError
from pairgen.train.model import gguf as module
from pairgen.train.model import loading
from pairgen.train.run import train

gguf = pytest.importorskip("gguf")

NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""Names of a layer's weights in transformers and in GGUF."""


def gguf_name(name: str) -> str:
    name = name.removesuffix(".weight")
    outer = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    if name in outer:
        return f"{outer[name]}.weight"
    _, _, layer, inner = name.split(".", 3)
    return f"blk.{layer}.{NAMES[inner]}.weight"


def write_gguf(file: Path, model: Any, tokenizer: Any) -> None:
    """Write a Llama with matrices in Q8_0, and set the weights of ``model`` to what the file holds."""
    config = model.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    written = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(written["vocab"], key=written["vocab"].get)
    tokens += ["<|endoftext|>"] * (config.vocab_size - len(tokens))  # transformers adds it if there is none
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in written["merges"]])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_bos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.eos_token_id)
    for name, weight in model.state_dict().items():
        values = weight.float().numpy()
        if values.ndim == 2:
            quantized = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
            weight.copy_(torch.from_numpy(gguf.quants.dequantize(quantized, gguf.GGMLQuantizationType.Q8_0)))
            for part, heads in (("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)):
                if part in name:  # llama.cpp rotates neighboring dimensions
                    quantized = quantized.reshape(heads, 2, -1, quantized.shape[1]).swapaxes(1, 2)
                    quantized = np.ascontiguousarray(quantized.reshape(len(values), -1))
            writer.add_tensor(gguf_name(name), quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(gguf_name(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """The file, its model and its tokenizer."""
    tokenizer = byte_level()
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"bos_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = LlamaConfig(vocab_size=len(tokenizer) + 1, num_key_value_heads=2, initializer_range=0.3, **sizes, **ids)
    model = LlamaForCausalLM(config).eval()
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(file, model, tokenizer)
    return file, model, tokenizer


def test_a_gguf_file_holds_the_same_model(
    quantized: tuple[Path, Any, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, expected, tokenizer = quantized
    model, ours = loading.load_model(str(file), torch.float32).eval(), loading.load_tokenizer(str(file))
    assert "Converting" not in capfd.readouterr().err
    text = "Ann has 3 jars, so 3 * 4 = 12."
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    assert ours(text)["input_ids"] == tokenizer(text, add_special_tokens=False)["input_ids"]
    torch.testing.assert_close(model(ids).logits, expected(ids).logits, atol=1e-4, rtol=1e-4)
    loading.save(model, ours, tmp_path)
    again = loading.load_model(str(tmp_path), torch.float32).eval()
    assert torch.equal(again(ids).logits, model(ids).logits)


def test_a_gguf_file_is_trained(quantized: tuple[Path, Any, Any], tmp_path: Path) -> None:
    pairs = runs.dataset(tmp_path / "pairs", rows=8)
    options = {"model": str(quantized[0]), "loss": "dpo", "steps": 1, "sft_steps": 0}
    run = train(runs.config(pairs, tmp_path / "run", **options)).folder
    first = json.loads((run / "metrics.jsonl").read_text("utf-8").splitlines()[1])
    assert first["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert (run / "final" / "model.safetensors").is_file()
    assert not list(run.rglob("*.gguf"))


def test_missing_files_packages_and_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "no.gguf")
    with pytest.raises(UnsupportedModel, match=f"^--model {missing}: no such file$"):
        loading.load_tokenizer(missing)
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(40))
    with pytest.raises(UnsupportedModel, match=f"^--model {damaged}: the model cannot be loaded: "):
        loading.load_model(str(damaged), torch.float32)
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs gguf, which is not installed"):
        loading.load_model(str(damaged), torch.float32)
