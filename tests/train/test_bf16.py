"""In bfloat16, policy and reference are bitwise equal at the first step, so that DPOP starts with DPO's gradient."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny_runs as runs
from safetensors.torch import load_file, save_file

from pairgen.train.run import resume, train

STILL = {"learning_rate": 1e-30, "lr_schedule": "constant", "warmup_ratio": 0.0, "sft_steps": 0, "best": "none"}
"""A rate that changes no weight: the policy remains the reference, and every difference is rounding."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two datasets, so that batches mix them, with prompts and completions of many lengths."""
    folder = tmp_path_factory.mktemp("bf16")
    built = [runs.dataset(folder / "metamath", rows=40), runs.dataset(folder / "arc", "arc", rows=8)]
    return [str(path) for path in built]


@pytest.fixture(scope="module")
def model(data: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny Llama after some SFT, whose log-probs differ by some tenths of a nat between layouts."""
    out = tmp_path_factory.mktemp("bf16-model") / "sft"
    sft = runs.config(Path(data[0]), out, loss="sft", sft_steps=0, steps=60, batch_size=16, learning_rate=3e-3)
    return str(train(sft).folder / "final")


def run(data: list[str], model: str, out: Path, **changes: Any) -> list[dict[str, Any]]:
    """The metrics of a run that trains nothing."""
    options: dict[str, Any] = {"model": model, "batch_size": 8, "eval_pairs": 16, "log_every": 1, **STILL, **changes}
    config = runs.config(Path(data[0]), out, **options)
    folder = train(type(config)(**{**vars(config), "data": tuple(data)})).folder
    return lines(folder)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def same_as_reference(line: dict[str, Any]) -> bool:
    """Whether policy and reference are equal to the last bit, in the batch and in the evaluation."""
    values = [value for name, value in line.items() if "logratios/" in name or "dpop/" in name]
    return not any(values) and line["loss"] == pytest.approx(math.log(2), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "bf16-pure"])
@pytest.mark.parametrize("share", ["none", "auto"])
@pytest.mark.parametrize("micro", [0, 3])
def test_every_step_of_the_first_epoch_starts_at_the_reference(
    data: list[str], model: str, tmp_path: Path, precision: str, share: str, micro: int
) -> None:
    """To the last bit; and the norm of the gradient is within 10% of that in float32."""
    changes: dict[str, Any] = {"share": share, "micro_batch_size": micro, "steps": 5}
    kept = {"reference_dir": str(tmp_path / "kept")}
    exact = run(data, model, tmp_path / "float32", precision="float32", **changes, **kept)
    found = run(data, model, tmp_path / "run", precision=precision, **changes, **kept)
    assert [line["step"] for line in found] == [0, 1, 2, 3, 4, 5]
    assert all(same_as_reference(line) for line in found)
    for line, other in zip(found[1:], exact[1:], strict=True):
        assert line["grad_norm"] == pytest.approx(other["grad_norm"], rel=0.1)


@pytest.mark.slow
def test_log_probs_of_other_batches_are_not_used(data: list[str], tmp_path: Path) -> None:
    """An untrained model with large weights, which is quick to make."""
    model = str(runs.start_model(Path(data[0]), tmp_path / "model"))
    weights = load_file(f"{model}/model.safetensors")
    scaled = {name: weight * (1 if "norm" in name else 4) for name, weight in weights.items()}
    save_file(scaled, f"{model}/model.safetensors", {"format": "pt"})
    kept = {"reference_dir": str(tmp_path / "kept"), "share": "none"}
    for seed in (3, 4):  # the second finds log-probs of other batches, which it must not use
        found = run(data, model, tmp_path / f"run-{seed}", precision="bf16-pure", steps=2, seed=seed, **kept)
        assert all(same_as_reference(line) for line in found)
    files = sorted((tmp_path / "kept").rglob("*.arrows"))
    run(data, model, tmp_path / "again", precision="bf16-pure", steps=2, seed=4, **kept)
    assert sorted((tmp_path / "kept").rglob("*.arrows")) == files, "equal runs use the same log-probs"


@pytest.mark.slow
def test_float32_uses_log_probs_of_any_batch(data: list[str], model: str, tmp_path: Path) -> None:
    kept = {"reference_dir": str(tmp_path / "kept"), "precision": "float32"}
    run(data, model, tmp_path / "one", steps=12, **kept)
    files = sorted((tmp_path / "kept").rglob("*.arrows"))
    found = run(data, model, tmp_path / "two", steps=12, seed=9, micro_batch_size=2, **kept)
    assert sorted((tmp_path / "kept").rglob("*.arrows")) == files
    assert all(line["loss"] == pytest.approx(math.log(2), abs=1e-5) for line in found)


@pytest.mark.slow
def test_a_resumed_run_makes_do_with_other_batches(data: list[str], model: str, tmp_path: Path) -> None:
    """Its policy has moved; only pairs that are not known yet are scored."""
    run(data, model, tmp_path / "run", precision="bf16", steps=3, reference_dir=str(tmp_path / "kept"))
    files = sorted((tmp_path / "kept").rglob("*.arrows"))
    resume(tmp_path / "run", {"micro_batch_size": 2, "steps": 3})
    assert sorted((tmp_path / "kept").rglob("*.arrows")) == files
    resume(tmp_path / "run", {"micro_batch_size": 2, "steps": 5})
    assert len(sorted((tmp_path / "kept").rglob("*.arrows"))) > len(files)
    assert lines(tmp_path / "run")[-1]["step"] == 5


OTHER_WAYS: list[dict[str, Any]] = [
    {"activation_checkpointing": "full"}, {"reference": "online"}, {"lora": 4}, {"compile": True, "steps": 1}
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("changes", OTHER_WAYS, ids=str)
def test_other_ways_to_compute_start_at_the_reference(
    data: list[str], model: str, tmp_path: Path, changes: dict[str, Any]
) -> None:
    found = run(data, model, tmp_path / "run", precision="bf16", **{"steps": 3, **changes})
    assert all(same_as_reference(line) for line in found)
