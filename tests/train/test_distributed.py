"""Two and four gloo processes against one: the same losses under DDP and FSDP, with and without micro-batches."""

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from helpers import tiny_runs as runs
from helpers.processes import losses, resume, torchrun

from pairgen.run_folder import PAIRS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parallel", "micro", "processes"), [("ddp", 0, 2), ("ddp", 1, 2), ("fsdp", 0, 2), ("fsdp", 1, 2), ("fsdp", 1, 4)]
)
def test_several_processes_match_one(tmp_path: Path, parallel: str, micro: int, processes: int) -> None:
    from pairgen.train.run import train

    data = runs.dataset(tmp_path / "pairs")
    model = runs.start_model(data, tmp_path / "model")
    changes: dict[str, Any] = {
        "model": str(model),
        "sft_steps": 0,
        "steps": 5,
        "batch_size": 5,
        "learning_rate": 5e-5,
        "micro_batch_size": micro,
        "loss": "dpo",  # dpop's gradient jumps where policy and reference are equal but for rounding, as they are here
    }
    train(runs.config(data, tmp_path / "one", **changes, reference_dir=str(tmp_path / "r1")))
    two = runs.config(data, tmp_path / "two", **changes, parallel=parallel, reference_dir=str(tmp_path / "r2"))
    done = torchrun(two, tmp_path / "two.toml", processes=processes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-6)
    assert len(losses(tmp_path / "two")) == 6
    tables = [pq.read_table(tmp_path / name / PAIRS) for name in ("one", "two")]
    logps = ["chosen", "rejected", "reference_chosen", "reference_rejected"]
    assert tables[0].drop_columns(logps).equals(tables[1].drop_columns(logps)), "also the order of pairs"
    for name in logps:
        found = [table[name].combine_chunks().values.to_numpy() for table in tables]
        assert found[1] == pytest.approx(found[0], abs=1e-3)
    import torch

    from pairgen.train.model.loading import load_model

    folders = (tmp_path / name / "final" for name in ("one", "two"))
    mine, theirs = (load_model(str(folder), torch.float32).state_dict() for folder in folders)
    assert mine.keys() == theirs.keys()
    difference = torch.cat([(theirs[name] - weight).abs().flatten() for name, weight in mine.items()])
    # AdamW divides a gradient by its own size: where that is rounding alone, as for a token that chosen and rejected
    # share, a weight moves by up to the learning rate in any direction. Nearly all others must agree to rounding.
    assert difference.max() <= 5 * 5e-5
    assert (difference > 1e-5).float().mean() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_one_of_two_processes_has_reference_passes_left(tmp_path: Path, parallel: str) -> None:
    """A step of one group is the work of one process; when the run is resumed, both load the starting model."""
    from pairgen.train.run import train

    data = runs.dataset(tmp_path / "pairs", "arc", rows=8)
    model = str(runs.start_model(data, tmp_path / "model"))
    changes: dict[str, Any] = {"model": model, "sft_steps": 0, "batch_size": 3, "loss": "dpo", "eval_every": 0}
    changes |= {"lr_schedule": "constant", "warmup_ratio": 0.0}
    train(runs.config(data, tmp_path / "one", **changes, steps=3, reference_dir=str(tmp_path / "r1")))
    changes |= {"parallel": parallel, "steps": 2, "reference_dir": str(tmp_path / "r2")}
    done = torchrun(runs.config(data, tmp_path / "two", **changes), tmp_path / "two.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    again = resume(tmp_path / "two", "--steps", "3")
    assert again.returncode == 0, again.stdout + again.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mamba", "zamba"])
def test_models_with_nested_or_shared_layers_are_sharded(tmp_path: Path, family: str) -> None:
    """Mamba's layers contain parts that transformers lists as layers too; those of Zamba share their weights."""
    from helpers.families import save_with_tokenizer, small_config, spread_model

    from pairgen.pairs.dataset import open_pairs
    from pairgen.train.data.splits import training_texts
    from pairgen.train.model.tiny import train_tokenizer
    from pairgen.train.run import train

    data = runs.dataset(tmp_path / "pairs", "arc", rows=8)
    tokenizer = train_tokenizer(training_texts([open_pairs(data)]))
    zamba = {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2}
    settings = {"vocab_size": 512, "max_position_embeddings": 1024, **(zamba if family == "zamba" else {})}
    model = save_with_tokenizer(spread_model(small_config(family, **settings)), tokenizer, tmp_path / "model")
    options: dict[str, Any] = {"model": str(model), "sft_steps": 0, "steps": 2, "loss": "dpo", "learning_rate": 1e-6}
    one = train(runs.config(data, tmp_path / "one", **options, reference_dir=str(tmp_path / "r1"))).folder
    two = runs.config(data, tmp_path / "two", **options, reference_dir=str(tmp_path / "r2"))
    done = torchrun(two, tmp_path / "two.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(one), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_resume(tmp_path: Path, parallel: str) -> None:
    """A run with SFT, stopped after its third step, resumes with the losses of an uninterrupted run."""
    data = runs.dataset(tmp_path / "pairs")
    changes: dict[str, Any] = {"lr_schedule": "constant", "warmup_ratio": 0.0, "parallel": parallel, "best": "none"}
    for name, steps in (("uninterrupted", 6), ("resumed", 3)):
        config = runs.config(data, tmp_path / name, **changes, steps=steps, reference_dir=str(tmp_path / "r"))
        done = torchrun(config, tmp_path / f"{name}.toml")
        assert done.returncode == 0, done.stderr
    again = resume(tmp_path / "resumed", "--steps", "6")
    assert again.returncode == 0, again.stderr
    assert losses(tmp_path / "resumed") == pytest.approx(losses(tmp_path / "uninterrupted"), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_start_at_the_reference_in_bf16(tmp_path: Path, parallel: str) -> None:
    """Bitwise, in steps and in the evaluation: each process scores the reference in the batches it will train on.

    The rate changes no weight. One process has an evaluation batch less, and repeats one of the other's.
    """
    data = runs.dataset(tmp_path / "pairs", eval_size=3)
    changes: dict[str, Any] = {"loss": "dpop", "precision": "bf16", "learning_rate": 1e-30, "lr_schedule": "constant"}
    changes |= {"model": str(runs.start_model(data, tmp_path / "model")), "sft_steps": 0, "warmup_ratio": 0.0}
    changes |= {"parallel": parallel, "batch_size": 5, "micro_batch_size": 1, "steps": 3, "best": "none"}
    done = torchrun(runs.config(data, tmp_path / "run", **changes), tmp_path / "run.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()):
        assert not any(value for name, value in line.items() if "logratios/" in name or "dpop/" in name), line
        assert line["loss"] == pytest.approx(math.log(2), abs=1e-12)
