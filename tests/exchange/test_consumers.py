"""Exports train a step in the trainers that they are for; imported conversations train with a chat template."""

from pathlib import Path
from typing import Any

import datasets
import pytest
from helpers import tiny_runs as runs
from helpers.small_tokenizers import chatml

from pairgen.building.options import BuildOptions
from pairgen.exchange.exports.export_options import ExportOptions
from pairgen.exchange.exports.exporting import export
from pairgen.exchange.imports.importing import find_importer, import_pairs
from pairgen.pairs.dataset import open_pairs
from pairgen.train.run import train


def trl_arguments(config: Any, folder: Path) -> Any:
    return config(
        output_dir=str(folder),
        max_steps=1,
        per_device_train_batch_size=4,
        report_to=[],
        use_cpu=True,
        bf16=False,
        fp16=False,
        save_strategy="no",
        logging_steps=1,
        gradient_checkpointing=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("to", ["trl", "trl-chat", "kto", "step-dpo"])
def test_trl_trains_a_step(to: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

    pairs = runs.dataset(tmp_path / "pairs", "metamath", rows=40)
    export(open_pairs(pairs), tmp_path / "out", ExportOptions(to=to))
    rows = datasets.load_dataset(
        "json", data_files=str(tmp_path / "out" / "train-*"), split="train", cache_dir=str(tmp_path / "cache")
    )
    if to == "step-dpo":  # as its training script joins them
        rows = rows.map(lambda row: {"prompt": row["prompt"] + row["initial_reason_steps"]})
        rows = rows.select_columns(["prompt", "chosen", "rejected"])
    model = runs.start_model(pairs, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    if to == "trl-chat":
        tokenizer.chat_template = chatml().chat_template
    config, trainer_class = (KTOConfig, KTOTrainer) if to == "kto" else (DPOConfig, DPOTrainer)
    trainer = trainer_class(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=trl_arguments(config, tmp_path / "run"),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    (loss,) = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert loss == pytest.approx(0.5 if to == "kto" else 0.6931, abs=1e-3), "policy and reference are the same model"


@pytest.mark.slow
@pytest.mark.parametrize(("file", "pairs"), [("orca_dpo_pairs_284", 284), ("chat_layout_100", 100)])
def test_real_preferences_train_a_step(file: str, pairs: int, real_data: Path, tmp_path: Path) -> None:
    options = BuildOptions(source=(str(real_data / "preference" / f"{file}.jsonl"),))
    dataset = import_pairs(find_importer(options), tmp_path / "pairs", options)
    assert len(dataset) == pairs
    run = train(runs.config(dataset.path, tmp_path / "run", steps=1, max_length=4096))
    assert (run.folder / "final" / "model.safetensors").is_file()
