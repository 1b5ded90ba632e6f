"""Complete runs of models that differ from plain Llama in a way that a trainer may get wrong."""

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs
from safetensors.torch import load_file, save_file

from pairgen.train.model import loading
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
