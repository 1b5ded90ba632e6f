"""Checkpoints of several processes, written while training goes on, and read by another number of them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs
from helpers.families import small_config, spread_model
from helpers.processes import ENVIRONMENT, command, losses, resume, torchrun
from helpers.small_tokenizers import byte_level
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from pairgen.errors import OutputError, RunFolderError
from pairgen.train import config as configs
from pairgen.train.distributed import World
from pairgen.train.model import loading
from pairgen.train.model.scorer import Scorer
from pairgen.train.output import checkpoint, moments, weights
from pairgen.train.output.checkpoint import Policy
from pairgen.train.output.saver import Saver
from pairgen.train.run import train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs")


def policy_of(model: Any, steps: int = 1) -> Policy:
    """A policy after some steps of AdamW on a made-up loss."""
    scorer = Scorer(model)
    optimizer = torch.optim.AdamW([weight for weight in scorer.parameters() if weight.requires_grad], fused=True)
    for _ in range(steps):
        sum((weight.float() ** 2).sum() for weight in scorer.parameters()).backward()  # type: ignore[union-attr]
        optimizer.step()
        optimizer.zero_grad()
    return Policy(scorer, optimizer, byte_level(), model)


# ---------------------------------------------------------------- one process


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 100)), min_size=1, max_size=30), st.integers(1, 6))
def test_all_weights_of_a_layer_have_the_same_owner(sizes: list[tuple[int, int]], processes: int) -> None:
    named = [(f"model.layers.{layer}.{number}", size) for number, (layer, size) in enumerate(sizes)]
    found = weights.owners(named, processes)
    assert found.keys() == {name for name, _ in named}
    assert set(found.values()) <= set(range(processes))
    totals = [sum(size for name, size in named if found[name] == process) for process in range(processes)]
    layers = {}
    for name, size in named:
        layer = name.split(".")[2]
        layers[layer] = layers.get(layer, 0) + size
        assert {found[other] for other in found if other.split(".")[2] == layer} == {found[name]}
    assert max(totals) <= sum(totals) / processes + max(layers.values())


@pytest.mark.parametrize(
    "family",
    ["llama", "mixtral", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gemma3_text", "qwen3_moe"))],
)
@pytest.mark.parametrize("processes", [1, 3, 9])
def test_parts_of_several_processes_are_one_model(tmp_path: Path, family: str, processes: int) -> None:
    """Mixture-of-experts models have other weights in their files than in memory; Gemma ties its LM head."""
    model = spread_model(small_config(family))
    policy = policy_of(model, steps=0)
    for rank in reversed(range(processes)):
        world = World(rank, processes)
        weights.write_part(tmp_path, policy, weights.snapshot(policy, world, copy=True), world)
    weights.merge_parts(tmp_path)
    again = loading.load_model(str(tmp_path), torch.float32).state_dict()
    assert again.keys() == model.state_dict().keys()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())
    files = sorted(file.name for file in tmp_path.glob("*.safetensors"))
    assert files[0] == ("model.safetensors" if processes == 1 else f"model-00001-of-{len(files):05}.safetensors")
    assert not list(tmp_path.glob(".*"))


def test_training_on_does_not_change_what_is_written(tmp_path: Path) -> None:
    """Weights, moments and state are those of the moment of the call, although the thread writes them later."""
    policy = policy_of(spread_model(small_config("llama")))
    before = {name: value.detach().clone() for name, value in policy.weights().items()}
    saver, state = Saver(tmp_path, policy, 2, World()), checkpoint.TrainState(step=1, baseline=0.5)
    release = saver._thread.submit(time.sleep, 0.3)  # the thread is busy
    saver.checkpoint(state, wait=False)
    state.step = 7
    with torch.no_grad():
        for weight in policy.weights().values():
            weight.zero_()
        for values in policy.optimizer.state.values():
            values["exp_avg"].zero_()
    assert not release.done()
    saver.wait()
    saver.close()
    folder = checkpoint.newest(tmp_path)
    assert folder
    assert checkpoint.read_state(folder) == checkpoint.TrainState(step=1, baseline=0.5)
    again = loading.load_model(str(folder / "model"), torch.float32).state_dict()
    assert all(torch.equal(again[name], value) for name, value in before.items())
    other = policy_of(spread_model(small_config("llama")), steps=0)
    checkpoint.restore(folder, other, World())
    assert all(float(values["exp_avg"].abs().max()) > 0 for values in other.optimizer.state.values())
    assert all(values["step"] == 1 for values in other.optimizer.state.values())


def test_a_checkpoint_has_no_pickle(data: Path, tmp_path: Path) -> None:
    run = train(runs.config(data, tmp_path / "run", steps=2, sft_steps=0)).folder
    names = {file.relative_to(run / "checkpoints").as_posix() for file in (run / "checkpoints").rglob("*")}
    assert "step-00000002/optimizer/shard-00001.safetensors" in names
    assert {Path(name).suffix for name in names} <= {"", ".safetensors", ".json"}
    assert not [name for name in names if ".metadata" in name]


def test_an_incomplete_optimizer_is_refused(tmp_path: Path) -> None:
    """Nothing is set to 0 in silence, whatever is missing."""
    policy = policy_of(spread_model(small_config("llama")))
    saver = Saver(tmp_path, policy, 2, World())
    saver.checkpoint(checkpoint.TrainState(step=1), wait=True)
    saver.close()
    folder = checkpoint.newest(tmp_path)
    assert folder
    file = folder / "optimizer" / "shard-00001.safetensors"
    whole, tensors = file.read_bytes(), load_file(file)
    checkpoint.restore(folder, policy, World())

    def refused(reason: str, policy: Policy = policy) -> None:
        with pytest.raises(RunFolderError, match=rf"step-00000001: damaged \(.*{reason}.*\); delete it to resume from"):
            checkpoint.restore(folder, policy, World())

    for kept in (lambda name: "step/" not in name or ".1." not in name, lambda _: False):
        some = {name: value for name, value in tensors.items() if kept(name)}
        info = {
            "DCP_SHARDING_INFO": json.dumps({name: {"saved_offsets": [0] * value.ndim} for name, value in some.items()})
        }
        save_file(some, file, metadata=info)
        refused("a part of optimizer/ is missing")
    places = {name: {"saved_offsets": [1, *[0] * value.ndim][: value.ndim]} for name, value in tensors.items()}
    save_file(tensors, file, metadata={"DCP_SHARDING_INFO": json.dumps(places)})
    refused("a part of exp_avg.* is missing")
    file.write_bytes(whole[: len(whole) // 2])
    refused("")
    file.unlink()
    refused("a part of optimizer/ is missing")
    file.write_bytes(whole)
    refused("in the model, .* here", policy_of(spread_model(small_config("llama", intermediate_size=16)), steps=0))
    checkpoint.restore(folder, policy, World())


def test_an_error_in_writing_stops_the_run(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one sentence, and the last checkpoint is intact."""
    written: list[Path] = []

    def write(folder: Path, *_: Any) -> None:
        written.append(folder)
        if len(written) > 1:
            raise OSError(28, "No space left on device")
        folder.mkdir()

    monkeypatch.setattr(moments, "write", write)
    config = runs.config(data, tmp_path / "run", steps=60, save_every=2, sft_steps=0, best="none")
    with pytest.raises(OutputError, match=r"step-00000004: the disk is full; .* \(a training run: with --resume\)"):
        train(config)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) < 60


# ---------------------------------------------------------------- several processes

RESHARDED: dict[str, Any] = {
    "sft_steps": 0,
    "batch_size": 5,
    "learning_rate": 5e-5,
    "loss": "dpo",  # dpop's gradient jumps where policy and reference are equal but for rounding, as they are here
    "lr_schedule": "constant",
    "warmup_ratio": 0.0,
    "best": "none",
}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_checkpoint_of_four_processes_goes_on_with_fewer(data: Path, tmp_path: Path) -> None:
    """The losses are those of an uninterrupted run of one process."""
    changes = {**RESHARDED, "model": str(runs.start_model(data, tmp_path / "model"))}
    train(runs.config(data, tmp_path / "one", **changes, steps=6, reference_dir=str(tmp_path / "r1")))
    four = runs.config(data, tmp_path / "four", **changes, steps=3, reference_dir=str(tmp_path / "r4"))
    done = torchrun(four, tmp_path / "four.toml", processes=4)
    assert done.returncode == 0, done.stderr
    saved = checkpoint.newest(tmp_path / "four")
    assert saved
    assert len(list((saved / "optimizer").iterdir())) == 4
    assert len(list((saved / "model").glob("*.safetensors"))) > 1
    for processes in (1, 2):
        run = shutil.copytree(tmp_path / "four", tmp_path / f"on-{processes}")
        again = resume(run, "--steps", "6", processes=processes)
        assert again.returncode == 0, again.stderr
        assert losses(run) == pytest.approx(losses(tmp_path / "one"), abs=1e-6)
        assert loading.load_model(str(run / "final"), torch.float32)


SLOWLY = """
import os, sys, time
from pathlib import Path
from pairgen.cli import main
from pairgen.train.output import moments

Path(sys.argv[0] + ".pid" + os.environ["RANK"]).write_text(str(os.getpid()))
write = moments.write
def slowly(folder, *rest):
    write(folder, *rest)
    if "step-00000004" in str(folder):
        Path(sys.argv[0] + ".writing").touch()
        time.sleep(600)
moments.write = slowly
main()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_killed_while_a_checkpoint_is_written_goes_on(data: Path, tmp_path: Path) -> None:
    """From the one before. Training has gone on in the meantime, since a thread writes it."""
    changes = {**RESHARDED, "model": str(runs.start_model(data, tmp_path / "model")), "save_every": 2, "steps": 8}
    whole = torchrun(runs.config(data, tmp_path / "whole", **changes), tmp_path / "whole.toml")
    assert whole.returncode == 0, whole.stderr
    killed = tmp_path / "killed"
    configs.save(runs.config(data, killed, **changes), tmp_path / "killed.toml")
    script = tmp_path / "slowly.py"
    script.write_text(SLOWLY)
    process = subprocess.Popen(
        command(2, str(script), "train", "--config", str(tmp_path / "killed.toml")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    try:
        until = time.monotonic() + 200
        while not (Path(f"{script}.writing").exists() and len(losses(killed)) > 5):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        for file in tmp_path.glob("slowly.py.pid*"):
            os.kill(int(file.read_text()), signal.SIGKILL)
        process.kill()
        process.wait()
    saved = sorted(path.name for path in (killed / "checkpoints").iterdir())
    assert saved[1:] == ["step-00000002"]
    assert saved[0].startswith(".step-00000004.")
    again = resume(killed)
    assert again.returncode == 0, again.stderr
    assert losses(killed) == losses(tmp_path / "whole")
    assert sorted(path.name for path in (killed / "checkpoints").iterdir()) == ["step-00000006", "step-00000008"]


FAILING = """
import os
from pairgen.cli import main
from pairgen.train.output import moments

write = moments._Writer.write_data
def failing(self, plan, planner):
    if os.environ["RANK"] == "1" and "step-00000004" in str(self.path):
        raise OSError(28, "No space left on device")
    return write(self, plan, planner)
moments._Writer.write_data = failing
main()
"""


@pytest.mark.slow
def test_an_error_in_the_thread_of_one_process_stops_all(data: Path, tmp_path: Path) -> None:
    """With a sentence that names the checkpoint, which is absent; the one before is intact."""
    changes = {**RESHARDED, "model": str(runs.start_model(data, tmp_path / "model")), "save_every": 2, "steps": 40}
    configs.save(runs.config(data, tmp_path / "run", **changes), tmp_path / "run.toml")
    script = tmp_path / "failing.py"
    script.write_text(FAILING)
    done = subprocess.run(
        command(2, str(script), "train", "--config", str(tmp_path / "run.toml")),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=300,
        check=False,
    )
    assert done.returncode
    assert re.search(r"pairgen: \S+/step-00000004: the disk is full", done.stderr)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]
    assert len(losses(tmp_path / "run")) < 10
