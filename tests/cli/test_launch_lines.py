"""Training on several GPUs and nodes, started as the help shows, with as many processes as fit here."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny_runs as runs

from pairgen.cli.training_commands import LAUNCHES
from pairgen.errors import RunFolderError
from pairgen.train.output.run_output import check_shared

LINES = [line.split("  # ")[0] for line in LAUNCHES]
SLURM = {"SLURM_NNODES": "2", "SLURM_JOB_ID": "17"}
PROGRAMS = {
    "srun": 'for node in $(seq $SLURM_NNODES); do "$@" & pids="$pids $!"; done; for pid in $pids; do wait $pid; done',
    "sbatch": 'for last; do :; done; exec bash -c "$last"',
    "hostname": "echo localhost",
}
"""What Slurm does with the line, on one machine: a task for each node, and a script on the first."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.split()[0]}-{'nodes' in line}")
def test_launch_lines_start_one_run_of_all_processes(line: str, tmp_path: Path) -> None:
    """Eight GPUs become two processes without one, and two nodes of eight GPUs two nodes of one process."""
    data = runs.dataset(tmp_path / "pairs")
    stand_ins = {
        " pairs ": f" {data} ",
        "--out run": f"--device cpu --steps 2 --sft-steps 2 --log-every 1 --out {tmp_path / 'run'}",
        "Qwen/Qwen3-4B": "tiny",
        "Qwen/Qwen3-32B": "tiny",
        "--nproc-per-node 8": f"--nproc-per-node {1 if 'nodes' in line else 2}",
        "--num_processes 8": "--num_processes 2",
        "node-0:29500": f"localhost:{free_port()}",
        ":29500": f":{free_port()}",
    }
    for word, stand_in in stand_ins.items():
        line = line.replace(word, stand_in)
    for name, script in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **SLURM, "PATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    agents = 2 if line.startswith("torchrun --nnodes") else 1
    started = [
        subprocess.Popen(
            ["bash", "-c", line], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(agents)
    ]
    printed = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0] * agents, "\n".join(printed)
    steps = [json.loads(text)["step"] for text in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps[-2:] == [1, 2]
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert len(list((checkpoint / "optimizer").iterdir())) == 2, "each process writes its part of the optimizer"


def test_a_run_that_a_node_does_not_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"run: not found on .* all of them share"):
        check_shared(tmp_path / "run", seconds=0.2)
    (tmp_path / "config.toml").touch()
    check_shared(tmp_path, seconds=0)
