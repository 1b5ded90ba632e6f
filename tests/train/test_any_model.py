"""Complete runs of models that differ from plain Llama in a way that a trainer may get wrong."""

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from helpers import tiny_runs as runs
from helpers.families import save_with_tokenizer, small_config, spread_model
from safetensors.torch import load_file, save_file

from pairgen.errors import RunFolderError, UnsupportedModel
from pairgen.pairs.dataset import open_pairs
from pairgen.run_folder import read_metrics
from pairgen.train.data.splits import training_texts
from pairgen.train.model import loading
from pairgen.train.model.tiny import train_tokenizer
from pairgen.train.run import resume, train

ONE_STEP: dict[str, Any] = {
    "loss": "dpo",
    "sft_steps": 0,
    "steps": 1,
    "learning_rate": 1e-9,
    "lr_schedule": "constant",
    "warmup_ratio": 0.0,
}
"""A run that moves the weights by less than their rounding, so it shows the reference: loss ln 2, log-ratios 0."""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs", "arc", rows=12)


def tokenizer_of(pairs: Path) -> Any:
    return train_tokenizer(training_texts([open_pairs(pairs)]))


@pytest.fixture
def model(pairs: Path, tmp_path: Path) -> Path:
    return runs.start_model(pairs, tmp_path / "model")


def test_a_run_keeps_a_head_that_the_config_ties(pairs: Path, model: Path, tmp_path: Path) -> None:
    weights = load_file(model / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].flip(0).contiguous()
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    run = train(runs.config(pairs, tmp_path / "run", model=str(model), **ONE_STEP)).folder
    expected, found = (loading.load_model(str(folder), torch.float32) for folder in (model, run / "final"))
    ids = torch.arange(3, 60)[None]
    torch.testing.assert_close(found(ids).logits, expected(ids).logits)
    assert resume(run, {"steps": 2}).summary["steps"] == 2


def first_loss(pairs: Path, model: Path, run: Path, reference: Path) -> float:
    """The loss of the first step, with reference log-probs kept in a folder."""
    folder = train(runs.config(pairs, run, model=str(model), reference_dir=str(reference), **ONE_STEP)).folder
    return next(line["loss"] for line in read_metrics(folder / "metrics.jsonl") if line["step"] == 1)


def change_config(model: Path, change: Callable[[dict[str, Any]], None]) -> None:
    config = json.loads((model / "config.json").read_text("utf-8"))
    change(config)
    (model / "config.json").write_text(json.dumps(config), "utf-8")


def test_a_kept_reference_is_that_of_the_model_as_it_is(pairs: Path, tmp_path: Path) -> None:
    """rope_theta, rms_norm_eps and buffers change log-probs as much as weights do."""
    config = small_config("deepseek_v3", vocab_size=512, max_position_embeddings=1024)
    folder = save_with_tokenizer(spread_model(config), tokenizer_of(pairs), tmp_path / "model")
    reference, found = tmp_path / "reference", [first_loss(pairs, folder, tmp_path / "run", tmp_path / "reference")]
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda config: config["rope_parameters"].update(rope_theta=300.0),
        lambda config: config.update(rms_norm_eps=0.5),
    ]
    for number, change in enumerate(changes):
        change_config(folder, change)
        found.append(first_loss(pairs, folder, tmp_path / f"config-{number}", reference))
    weights = load_file(folder / "model.safetensors")
    (bias,) = (name for name in weights if name.endswith("e_score_correction_bias"))
    weights[bias] += torch.tensor([3.0, -3.0, 1.0, 0.0])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    found.append(first_loss(pairs, folder, tmp_path / "buffer", reference))
    assert found == pytest.approx([math.log(2)] * 4, abs=1e-4)
    kept = sorted(reference.iterdir())
    assert len({folder.name.split("-")[0] for folder in kept}) == len(found)
    assert first_loss(pairs, folder, tmp_path / "again", reference) == found[-1]
    assert sorted(reference.iterdir()) == kept, "the same model uses the same log-probs"
    other = runs.config(pairs, tmp_path / "none", model=str(folder), reference_dir=str(reference), **ONE_STEP)
    train(replace(other, share="none"))
    assert len(set(reference.iterdir())) > len(kept), "another layout has other rounding errors"


@pytest.mark.parametrize("lora", [0, 2])
def test_resume_refuses_a_changed_starting_model(pairs: Path, model: Path, tmp_path: Path, lora: int) -> None:
    """A full run needs it for its reference, a LoRA run also as the base of its adapter."""
    if lora:
        pytest.importorskip("peft")
    options = {**ONE_STEP, "reference": "precomputed" if lora else "online", "lora": lora}
    run = train(runs.config(pairs, tmp_path / "run", model=str(model), **options)).folder
    change_config(model, lambda config: config.update(rms_norm_eps=0.5))
    with pytest.raises(RunFolderError, match=r"--model .* has changed since the run started"):
        resume(run, {"steps": 2})
    change_config(model, lambda config: config.update(rms_norm_eps=1e-6))
    assert resume(run, {"steps": 2}).summary["steps"] == 2


def logged(pairs: Path, model: Path, run: Path, **changes: Any) -> list[dict[str, float]]:
    """The metrics of a run of one step with an online reference."""
    options = {**ONE_STEP, "reference": "online", **changes}
    return read_metrics(train(runs.config(pairs, run, model=str(model), **options)).folder / "metrics.jsonl")


def test_share_auto_of_a_model_that_refuses_trees_equals_share_none(pairs: Path, tmp_path: Path) -> None:
    """With attention sinks, which trees do not have; log-probs and the norm of gradients."""
    config = small_config("gpt_oss", vocab_size=512, max_position_embeddings=1024, sliding_window=16)
    folder = save_with_tokenizer(spread_model(config), tokenizer_of(pairs), tmp_path / "model")
    auto, none = (logged(pairs, folder, tmp_path / share, share=share) for share in ("auto", "none"))
    for name in ("eval/logps/chosen", "eval/logps/rejected"):
        assert auto[0][name] == pytest.approx(none[0][name], abs=1e-4)
    assert auto[1]["grad_norm"] == pytest.approx(none[1]["grad_norm"], rel=1e-4)


def test_a_model_that_depends_on_the_batch_is_refused_before_any_step(pairs: Path, tmp_path: Path) -> None:
    """The sequences of the run lie on both sides of the length at which the model changes its rotary embeddings."""
    tokenizer = tokenizer_of(pairs)
    lengths = sorted(len(tokenizer(text)["input_ids"]) for text in training_texts([open_pairs(pairs)]))
    middle = lengths[len(lengths) // 2]
    factors = {"short_factor": [1.0] * 4, "long_factor": [1.0, 3.0, 9.0, 27.0], "factor": 4.0}
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": middle, **factors}
    changes = {"original_max_position_embeddings": middle, "rope_parameters": rope, "max_position_embeddings": 1024}
    config = small_config("phi3", vocab_size=512, **changes)
    folder = save_with_tokenizer(spread_model(config), tokenizer, tmp_path / "model")
    with pytest.raises(UnsupportedModel, match=f"use --max-length {middle}"):
        logged(pairs, folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    found = logged(pairs, folder, tmp_path / "short", max_length=middle)
    assert found[1]["loss"] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("family", ["mamba", "mamba2", "falcon_h1", "nemotron_h"])
def test_adapters_of_models_with_mamba_layers(pairs: Path, tmp_path: Path, family: str) -> None:
    """peft refuses one of their projections; the others are adapted."""
    pytest.importorskip("peft")
    start = spread_model(small_config(family, vocab_size=512), spread=0.0)
    folder = save_with_tokenizer(start, tokenizer_of(pairs), tmp_path / "model")
    model, _ = loading.load(runs.config(pairs, tmp_path / "run", model=str(folder), lora=2), [], torch.device("cpu"))
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert any(".in_proj." in name for name in trained)
    assert not [name for name in trained if ".out_proj." in name]


@pytest.mark.slow
def test_an_adapter_of_mamba_trains(pairs: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    config = small_config("mamba", vocab_size=512)
    folder = save_with_tokenizer(spread_model(config), tokenizer_of(pairs), tmp_path / "model")
    found = logged(pairs, folder, tmp_path / "run", lora=2, batch_size=2, eval_pairs=2)[1]
    assert found["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert found["grad_norm"] > 0


def test_a_tokenizer_with_an_id_beyond_the_embeddings_is_refused(pairs: Path, model: Path, tmp_path: Path) -> None:
    """It has fewer tokens than the embeddings have rows, but its ids have a hole."""
    file = model / "tokenizer.json"
    content = json.loads(file.read_text("utf-8"))
    vocabulary = content["model"]["vocab"]
    merge = content["model"]["merges"].pop()
    del vocabulary["".join(merge)]
    content["added_tokens"].append({**content["added_tokens"][0], "id": 700, "content": "<late>"})
    vocabulary["<late>"] = 700
    file.write_text(json.dumps(content), "utf-8")
    assert len(loading.load_tokenizer(str(model))) <= 512
    with pytest.raises(UnsupportedModel, match=r"ids up to 700 \('<late>'\), and its embeddings 512 rows"):
        logged(pairs, model, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_quantized_weights_without_an_adapter_are_refused(
    pairs: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of bitsandbytes: such a model cannot be moved to a device, nor saved after training."""
    load = loading.load_model

    def load_quantized(*args: Any) -> Any:
        loaded = load(*args)
        loaded.is_quantized = True
        loaded.config.quantization_config = transformers.BitsAndBytesConfig(load_in_8bit=True)

        def refuse(*_: Any) -> None:
            raise ValueError("`.to` is not supported for `8-bit` bitsandbytes models")

        loaded.to = refuse
        return loaded

    monkeypatch.setattr(loading, "load_model", load_quantized)
    with pytest.raises(UnsupportedModel, match=r"quantized \(bitsandbytes\) .* train an adapter with --lora"):
        logged(pairs, model, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    if importlib.util.find_spec("peft"):
        config = runs.config(pairs, tmp_path / "run", model=str(model), lora=2)
        adapted, _ = loading.load(config, [], torch.device("cpu"))
        assert [name for name, weight in adapted.named_parameters() if weight.requires_grad]


def test_sequences_are_cut_to_the_context_of_mpt(pairs: Path, tmp_path: Path) -> None:
    """Its config calls the maximum number of positions ``max_seq_len``."""
    config = small_config("mpt", vocab_size=512, max_seq_len=64)
    folder = save_with_tokenizer(spread_model(config), tokenizer_of(pairs), tmp_path / "model")
    said: list[str] = []
    train(runs.config(pairs, tmp_path / "run", model=str(folder), **ONE_STEP), warn=said.append)
    assert "--max-length 2048 exceeds the model's context length; using 64" in said
