"""What a run says about what it leaves out: each once, with a number and a remedy, and nothing where nothing is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs
from helpers.families import save_with_tokenizer, small_config, spread_model
from helpers.small_tokenizers import byte_level
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from pairgen.errors import RunFolderError, UnsupportedModel, UsageError, in_short
from pairgen.pairs.dataset import open_pairs
from pairgen.train.checks import caveats
from pairgen.train.config import combine
from pairgen.train.data.splits import training_texts
from pairgen.train.model import loading
from pairgen.train.model.tiny import tiny_model, train_tokenizer
from pairgen.train.preview import preview
from pairgen.train.run import resume, train

TURN_ENDS = (
    "{% for message in messages %}<|{{ message.role }}|>\n{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
"""A template like Phi's: a turn ends with another token than EOS."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs", "arc", rows=12)


def tokenizer_of(pairs: Path) -> Any:
    return train_tokenizer(training_texts([open_pairs(pairs)]))


def said(pairs: Path, out: Path, **changes: Any) -> list[str]:
    """The warnings of a run of one step."""
    warnings: list[str] = []
    options = {"loss": "dpo", "sft_steps": 0, "steps": 1, "eval_pairs": 4, **changes}
    train(runs.config(pairs, out, **options), warn=warnings.append)
    assert len(set(warnings)) == len(warnings)
    return warnings


def of_family(family: str, pairs: Path, folder: Path, **changes: Any) -> Path:
    config = small_config(family, vocab_size=512, **changes)
    return save_with_tokenizer(spread_model(config), tokenizer_of(pairs), folder)


def messages_about(model: Path, **changes: Any) -> list[str]:
    """What is said about a model on a CPU."""
    config = combine({"data": ["pairs"], "out": "run", "model": str(model), **changes}).resolved()
    loaded, _ = loading.load(config, [], torch.device("cpu"))
    return list(caveats.of_model(config, loaded))


# ---------------------------------------------------------------- data


def test_truncated_prompts_are_counted_with_the_length_that_keeps_them(pairs: Path) -> None:
    def found(length: int) -> tuple[int, list[str]]:
        warnings: list[str] = []
        shown = preview(runs.config(pairs, Path("run"), max_length=length), warn=warnings.append)
        return shown["truncated_prompts"], [text for text in warnings if text.startswith("truncated")]

    truncated, (message, *_) = found(40)
    numbers = re.match(r"truncated (\d+) of \d+ prompts of the train split .* --max-length (\d+) keeps all", message)
    assert numbers
    assert int(numbers[1]) == truncated > 0
    enough = int(numbers[2])
    assert found(enough) == (0, [text for text in found(enough)[1] if "eval" in text])
    assert found(enough - 1)[0] > 0


def test_no_length_is_proposed_that_the_model_does_not_have(pairs: Path, tmp_path: Path) -> None:
    model = of_family("llama", pairs, tmp_path / "model", max_position_embeddings=40)
    warnings = said(pairs, tmp_path / "run", model=str(model))
    (message,) = (text for text in warnings if "prompts of the train split" in text)
    assert "the model's context is 40: build with fewer --shots" in message
    assert "keeps all" not in message


def test_completions_end_with_the_token_that_ends_a_turn(pairs: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(pairs)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end|>"]})
    tokenizer.chat_template = TURN_ENDS
    model = save_with_tokenizer(tiny_model(tokenizer), tokenizer, tmp_path / "model")
    warnings: list[str] = []
    first = preview(runs.config(pairs, tmp_path / "run", model=str(model), sft_steps=0), warn=warnings.append)["first"]
    assert first["chosen"].endswith("<|end|>")
    assert "</s>" not in first["chosen"]
    (message,) = (text for text in warnings if "train split end with" in text)
    assert re.match(r"\d+ completions of the train split end with '<\|end\|>'", message)
    warnings.clear()
    plain = runs.config(pairs, tmp_path / "run", model=str(model), sft_steps=0, chat="off")
    assert preview(plain, warn=warnings.append)["first"]["chosen"].endswith("</s>")
    assert not [text for text in warnings if "end with" in text]


def test_best_needs_an_eval_split(tmp_path: Path) -> None:
    pairs = runs.dataset(tmp_path / "pairs", eval_size=0, rows=8)
    with pytest.raises(UsageError, match=r"^--best eval/choice/acc: the datasets have no eval split"):
        train(runs.config(pairs, tmp_path / "run", best="eval/choice/acc"))
    assert not (tmp_path / "run").exists()
    train(runs.config(pairs, tmp_path / "run", sft_steps=0, steps=1))
    with pytest.raises((UsageError, RunFolderError), match=r"^--best eval/logps/chosen: the datasets have no eval"):
        resume(tmp_path / "run", {"best": "eval/logps/chosen", "steps": 2})


# ---------------------------------------------------------------- the model


@pytest.mark.parametrize(("family", "expected"), [("mixtral", 1), ("qwen3_moe", 1), ("llama", 0)])
def test_the_auxiliary_loss_of_experts_is_not_computed(family: str, expected: int, pairs: Path, tmp_path: Path) -> None:
    model = of_family(family, pairs, tmp_path / "model")
    found = [text for text in messages_about(model) if "router_aux_loss_coef 0.0" in text]
    assert len(found) == expected


def test_lora_says_which_weights_have_no_adapter(pairs: Path, tmp_path: Path) -> None:
    """The experts of gpt_oss: 3 of 4 parts of its weights, and its router, which the auxiliary loss is about."""
    pytest.importorskip("peft")
    (message,) = messages_about(of_family("gpt_oss", pairs, tmp_path / "model"), lora=2)
    found = re.match(r"--lora adapts linear layers only: (\d+)% of the weights stay as they are \((\S+) and", message)
    assert found
    assert found[2] == "model.layers.0.mlp.experts.gate_up_proj"
    layer = {"experts": 4 * 32 * 96 + 4 * 48 * 32, "biases": 4 * 96 + 4 * 32, "router": 4 * 32}
    left_out, attention = sum(layer.values()), 2 * 32 * 32 + 2 * 16 * 32
    assert int(found[1]) == round(100 * left_out / (left_out + attention))


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3_moe"])
def test_lora_that_adapts_all_layers_says_nothing(family: str, pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    found = messages_about(of_family(family, pairs, tmp_path / "model"), lora=2)
    assert not [text for text in found if "auxiliary loss" not in text]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_base_in_half_precision_is_saved_larger(dtype: torch.dtype, pairs: Path, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(pairs)
    model = save_with_tokenizer(tiny_model(tokenizer).to(dtype), tokenizer, tmp_path / "model")
    name = str(dtype).removeprefix("torch.")
    assert loading.base_dtype(str(model)) == dtype
    found = [text for text in messages_about(model) if f"is stored in {name}" in text]
    assert len(found) == (dtype != torch.float32)
    assert all(f"dtype=torch.{name}" in text for text in found)
    assert not messages_about(model, precision="bf16-pure")


def moved(before: Path, after: Path) -> float:
    """The share of weights that differ."""
    first, second = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
    changed = sum(int((first[name].bfloat16() != second[name].bfloat16()).sum()) for name in first)
    return changed / sum(weight.numel() for weight in first.values())


@pytest.mark.parametrize(("rate", "expected"), [(1e-6, 1), (1e-2, 0)])
def test_updates_that_bfloat16_rounds_away_are_counted(rate: float, expected: int, pairs: Path, tmp_path: Path) -> None:
    model = runs.start_model(pairs, tmp_path / "model")
    options: dict[str, Any] = {"model": str(model), "learning_rate": rate, "warmup_ratio": 0.0}
    for precision, count in (("bf16-pure", expected), ("bf16", 0)):
        out = tmp_path / precision
        found = [
            text
            for text in said(pairs, out, **options, precision=precision)
            if text.startswith("--precision bf16-pure: step 1 changed")
        ]
        assert len(found) == count
        for text in found:
            share = re.search(r"changed ([\d.]+)% of the weights", text)
            assert share
            assert float(share[1]) / 100 == pytest.approx(moved(model, out / "final"), rel=0.2, abs=2e-4)
            assert "Use --precision bf16," in text


# ---------------------------------------------------------------- files and messages


def test_the_files_of_a_processor_are_kept(pairs: Path, tmp_path: Path) -> None:
    """Also by a resumed run, whose model comes from a checkpoint."""
    model = runs.start_model(pairs, tmp_path / "model")
    (model / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "CLIPImageProcessor"}))
    (model / "processor_config.json").write_text("{}")
    said(pairs, tmp_path / "run", model=str(model), sft_steps=1)
    resume(tmp_path / "run", {"steps": 2})
    for name in ("preprocessor_config.json", "processor_config.json"):
        for folder in ("final", "best", "checkpoints/step-00000002/model"):
            assert (tmp_path / "run" / folder / name).read_bytes() == (model / name).read_bytes()


def test_an_error_in_short_leaves_out_a_list_that_does_not_fit() -> None:
    error = ValueError("Cannot load the tokenizer. It needs one of:\n- a file of the library\n- another file")
    assert in_short(error, 60) == "Cannot load the tokenizer."
    assert in_short(error) == "Cannot load the tokenizer. It needs one of: - a file of the library - another file"
    assert in_short("word " * 20, 22) == "word word word word …"
    assert in_short(KeyError()) == "KeyError"


def test_messages_of_transformers_end_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    tokenizer = byte_level()
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModel, match="the model cannot be loaded") as caught:
        loading.load_model(str(tmp_path), torch.float32)
    assert not str(caught.value).endswith(("of", ":", ","))
    assert str(caught.value).endswith((".", "…"))


@given(
    st.lists(
        st.lists(st.sampled_from(["One", "two,", "of:", "e.g. this"]), min_size=1, max_size=30), min_size=1, max_size=12
    )
)
def test_an_error_in_short_has_whole_sentences_or_says_that_it_goes_on(sentences: list[list[str]]) -> None:
    text = "\n".join("The " + " ".join(words) + "." for words in sentences)
    found = in_short(text, 80)
    assert len(found) <= 80
    assert " ".join(text.split()).startswith(found.removesuffix(" …"))
    assert found == " ".join(text.split()) or found.endswith((".", "…"))
