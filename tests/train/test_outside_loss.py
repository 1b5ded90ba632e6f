"""A loss from outside the package, in one file, trains from the command line like any other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny_runs

EXAMPLE = Path(__file__).parent.parent / "examples" / "edit_loss.py"


def run_example(*words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(EXAMPLE), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


def test_outside_loss_is_one_short_file() -> None:
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 40


def test_outside_loss_trains_from_the_command_line(tmp_path: Path) -> None:
    data = tiny_runs.dataset(tmp_path / "pairs")
    words = ["--loss", "edit-dpo", "--steps", "3", "--sft-steps", "0", "--batch-size", "4", "--device", "cpu"]
    done = run_example("train", str(data), "--out", str(tmp_path / "run"), *words)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert lines[-1]["step"] == 3
    assert lines[1]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert "DPO over the tokens of the edit" in (tmp_path / "run" / "final" / "README.md").read_text("utf-8")
