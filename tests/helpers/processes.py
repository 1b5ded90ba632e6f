"""Runs of several gloo processes on this machine, as torchrun starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

from pairgen.train import config as configs

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def command(processes: int, *words: str) -> list[str]:
    """A command under torchrun."""
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), *words]


def torchrun(config: configs.Config, file: Path, *more: str, processes: int = 2) -> "subprocess.CompletedProcess[str]":
    """Train with a config, which is saved to a file."""
    configs.save(config, file)
    return _run(command(processes, "-m", "pairgen", "train", "--config", str(file), *more))


def resume(run: Path, *more: str, processes: int = 2) -> "subprocess.CompletedProcess[str]":
    """Resume a run with so many processes."""
    words = ["-m", "pairgen", "train", "--resume", "--out", str(run), *more]
    return _run(command(processes, *words) if processes > 1 else [sys.executable, *words])


def _run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False)


def losses(run: Path) -> list[float]:
    """The losses of all logged steps."""
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
