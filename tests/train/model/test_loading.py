"""Models, tokenizers and adapters from folders: clear errors for damaged ones, and no warnings of other libraries."""

import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.small_tokenizers import byte_level

from pairgen.errors import UnsupportedModel
from pairgen.train.config import combine
from pairgen.train.model import loading
from pairgen.train.model.tiny import tiny_model


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = byte_level()
    loading.save(tiny_model(tokenizer), tokenizer, folder)
    return folder


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no tokenizer.json, and its other files cannot be converted to one"),
        ("{}", "one of its files lacks the key 'added_tokens'"),
        ("damaged", "one of its files is invalid JSON (Expecting value: line 1 column 1 (char 0))"),
    ],
    ids=["missing", "incomplete", "invalid"],
)
def test_load_tokenizer_reports_a_damaged_file(
    model_folder: Path, tmp_path: Path, content: str | None, reason: str
) -> None:
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((model_folder / name).read_bytes())
    if content:
        (tmp_path / "tokenizer.json").write_text(content)
    message = f"--model {tmp_path}: the tokenizer cannot be loaded: {reason}"
    with pytest.raises(UnsupportedModel, match=f"^{re.escape(message)}$"):
        loading.load_tokenizer(str(tmp_path))


def test_adapters_are_added_loaded_and_merged_without_warnings(model_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    config = combine({"data": ["pairs"], "out": "run", "model": str(model_folder), "lora": 2})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, tokenizer = loading.load(config, [], torch.device("cpu"))
        loading.save(model, tokenizer, tmp_path)
        loading.load(config, [], torch.device("cpu"), resumed=tmp_path)
        merged = loading.load_model(str(tmp_path), torch.float32)
    assert [str(one.message) for one in caught if "gradient_checkpointing" in str(one.message)] == []
    assert all(weight.requires_grad for weight in merged.parameters())


def test_a_head_of_its_own_is_kept_although_the_config_ties_it(model_folder: Path, tmp_path: Path) -> None:
    """``tie_word_embeddings`` is true in config.json, and the file has an lm_head that differs from the embedding."""
    from safetensors.torch import load_file, save_file

    start = tmp_path / "start"
    shutil.copytree(model_folder, start)
    weights = load_file(start / "model.safetensors")
    assert "lm_head.weight" not in weights
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].flip(0).contiguous()
    save_file(weights, start / "model.safetensors", metadata={"format": "pt"})
    assert json.loads((start / "config.json").read_text())["tie_word_embeddings"] is True

    model = loading.load_model(str(start), torch.float32)
    ids = torch.arange(3, 30)[None]
    for number in range(2):  # as a checkpoint is saved, loaded, and saved again
        folder = tmp_path / f"saved-{number}"
        state = {name: value.clone() for name, value in model.state_dict().items()}
        loading.save(model, byte_level(), folder, state)
        again = loading.load_model(str(folder), torch.float32)
        assert torch.equal(again(ids).logits, model(ids).logits)
        assert torch.equal(again.get_output_embeddings().weight, weights["lm_head.weight"])
        assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False
        model = again


def test_tied_weights_are_saved_once(model_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    model = loading.load_model(str(model_folder), torch.float32)
    assert loading.tied_weights(model) == {"lm_head.weight": "model.embed_tokens.weight"}
    loading.save(model, byte_level(), tmp_path, dict(model.state_dict()))
    assert load_file(tmp_path / "model.safetensors").keys() == load_file(model_folder / "model.safetensors").keys()
    assert model.config.tie_word_embeddings


def test_layers_are_compiled_by_default_on_a_gpu() -> None:
    def compiles(device: str, **options: Any) -> bool:
        return loading.compiles(combine({"data": ["pairs"], "out": "run", **options}), torch.device(device))

    assert compiles("cuda", model="some/model")
    assert not compiles("cuda", model="tiny")
    assert not compiles("cpu", model="some/model")
    assert not compiles("cuda", model="some/model", compile=False)
    assert compiles("cpu", compile=True)
