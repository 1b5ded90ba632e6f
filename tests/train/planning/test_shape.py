"""Weights and FLOPs of a shape are those of the model that transformers makes from the same config."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from pairgen.errors import UnsupportedModel
from pairgen.train.layout.batch import Work
from pairgen.train.planning.architectures import PRESETS, SUPPORTED, find_shape, shape_of
from pairgen.train.scores.speed import ModelFlops

SMALL: dict[str, Any] = {
    "vocab_size": 57,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
}
EXPERTS: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "decoder_sparse_step": 1},
}
WORK = Work(tokens=41, attended=300, labels=20, differing=7)


def small_config(kind: str, **changes: Any) -> Any:
    options = {**SMALL, **EXPERTS.get(kind, {}), **changes}
    if kind == "qwen2":  # its heads have no size of their own
        options["hidden_size"] = 48
    return transformers.AutoConfig.for_model(kind, **options)


def model_of(config: Any) -> Any:
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", SUPPORTED)
def test_weights_and_flops_are_those_of_the_model(kind: str, tied: bool) -> None:
    config = small_config(kind, tie_word_embeddings=tied)
    model, shape = model_of(config), shape_of(config.to_dict(), kind)
    assert shape.weights == sum(weight.numel() for weight in model.parameters())
    assert shape.flops().of(WORK) == ModelFlops(model).of(WORK)


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma2"])
def test_an_adapter_has_the_weights_and_flops_of_that_of_peft(kind: str) -> None:
    peft = pytest.importorskip("peft")
    config = small_config(kind)
    options = peft.LoraConfig(r=3, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(model_of(config), options)
    shape = shape_of(config.to_dict(), kind)
    assert shape.adapter(3) == sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert shape.flops(lora=3).of(WORK) == ModelFlops(model.get_base_model()).of(WORK)


def test_a_forward_pass_is_a_third_of_the_layers() -> None:
    shape = PRESETS["mistral-7b"]
    layers = Work(tokens=10, attended=30, labels=0, differing=0)
    assert shape.forward_flops().of(WORK._replace(labels=0)) * 3 == shape.flops().of(
        WORK._replace(labels=0, differing=0)
    )
    assert shape.forward_flops().of(layers) == pytest.approx(shape.flops().of(layers) / 3)


def test_published_sizes_of_the_models_of_the_paper() -> None:
    """As the model pages state them, to the last weight."""
    assert {name: shape.weights for name, shape in PRESETS.items()} == {
        "llama2-7b": 6_738_415_616,
        "mistral-7b": 7_241_732_096,
        "yi-34b": 34_388_917_248,
        "qwen-72b": 72_287_920_128,
    }


def test_a_config_is_found_as_a_file_and_in_a_folder(tmp_path: Path) -> None:
    config = small_config("qwen2")
    config.save_pretrained(tmp_path)
    in_folder, as_file = find_shape(str(tmp_path)), find_shape(str(tmp_path / "config.json"))
    assert in_folder.weights == as_file.weights == sum(weight.numel() for weight in model_of(config).parameters())
    assert as_file.name == tmp_path.name


def test_the_text_model_of_a_multimodal_config_is_planned() -> None:
    text = small_config("gemma3_text")
    shape = shape_of({"model_type": "gemma3", "vision_config": {}, "text_config": text.to_dict()}, "both")
    assert shape == shape_of(text.to_dict(), "both")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "mamba"}, "of type mamba; supported: llama"),
        ({"model_type": "llama", "hidden_size": 8}, "None as num_attention_heads"),
        ({"model_type": "llama", "hidden_size": -1}, "-1 as hidden_size"),
        ([1], "is not the config of a model"),
    ],
)
def test_a_config_that_cannot_be_counted(values: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(UnsupportedModel, match=message):
        find_shape(str(tmp_path))


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"no config\.json there"):
        find_shape(str(tmp_path / "nothing"))
    (tmp_path / "config.json").write_text("{", "utf-8")
    with pytest.raises(UnsupportedModel, match="cannot be read"):
        find_shape(str(tmp_path / "config.json"))
