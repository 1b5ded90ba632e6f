"""Models, tokenizers and adapters from folders: clear errors for damaged ones, and no warnings of other libraries."""

import re
import warnings
from pathlib import Path

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
