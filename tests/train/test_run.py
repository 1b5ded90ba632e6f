"""Whole runs of a tiny model: what they leave, how they go on, what they refuse."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs

from pairgen.errors import (
    InvalidDataset,
    NonFiniteLoss,
    OutOfMemory,
    OutputExists,
    RunFolderError,
    UnsupportedModel,
    UsageError,
)
from pairgen.train import config as configs
from pairgen.train import interrupts as stopping
from pairgen.train import losses
from pairgen.train.pair_logps import PairLogps
from pairgen.train.run import resume, train


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs")


@pytest.fixture(scope="module")
def done(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went through at once, with SFT before it."""
    out = tmp_path_factory.mktemp("runs") / "done"
    train(runs.config(pairs, out, save_every=2))
    return out


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


def weights(run: Path) -> bytes:
    return (run / "final" / "model.safetensors").read_bytes()


# ---------------------------------------------------------------- what a run leaves


def test_a_run_leaves_its_config_metrics_checkpoints_and_model(done: Path) -> None:
    config = configs.load(done / "config.toml")
    assert (config["loss"], config["steps"], config["learning_rate"]) == ("dpop", 6, 2e-4)
    assert [line["step"] for line in lines(done)] == [0, 1, 2, 3, 4, 5, 6]
    assert all("loss" in line for line in lines(done))
    assert sorted(path.name for path in (done / "checkpoints").iterdir()) == ["step-00000004", "step-00000006"]
    assert (done / "sft" / "final").is_dir()
    assert (done / "best" / "model.safetensors").is_file()
    assert not list(done.rglob("*-tmp"))
    assert not [path for path in done.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


@pytest.mark.parametrize(("share", "parts"), [("auto", ["attention", "head", "rest"]), ("none", ["head", "rest"])])
def test_metrics_tell_where_the_time_goes(pairs: Path, tmp_path: Path, share: str, parts: list[str]) -> None:
    """Of padded rows attention is part of the rest."""
    out = train(runs.config(pairs, tmp_path / "run", share=share, sft_steps=0, steps=2)).folder
    for line in lines(out)[1:]:
        shares = {name: value for name, value in line.items() if name.startswith("time/")}
        assert list(shares) == [f"time/{part}" for part in parts]
        assert sum(shares.values()) == pytest.approx(1)


def test_the_final_model_loads_and_has_a_card(done: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(done / "final")
    tokenizer = AutoTokenizer.from_pretrained(done / "final")
    ids = tokenizer("Ann has 3 jars.", return_tensors="pt")["input_ids"]
    assert model(ids).logits.isfinite().all()
    card = (done / "final" / "README.md").read_text("utf-8")
    assert "DPO-Positive" in card
    assert "| `loss` |" in card


@pytest.mark.parametrize("name", ["metamath", "gsm8k", "arc", "hellaswag"])
def test_dpo_starts_at_ln_2_on_every_dataset(tmp_path: Path, name: str) -> None:
    data = runs.dataset(tmp_path / "pairs", name, rows=12)
    train(runs.config(data, tmp_path / "run", loss="dpo", steps=1, sft_steps=0))
    first = next(line for line in lines(tmp_path / "run") if line["step"] == 1)
    assert first["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert first["logratios/chosen"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_every_loss_trains(tmp_path: Path, name: str) -> None:
    """Over and over on the same pairs, every loss falls, and only those without a reference have no rewards."""
    pairs = runs.dataset(tmp_path / "pairs", "arc", rows=4)
    model = runs.start_model(pairs, tmp_path / "model")
    changes: dict[str, Any] = {"loss": name, "model": str(model), "sft_steps": 0, "steps": 10, "batch_size": 64}
    rate: dict[str, Any] = {"learning_rate": 1e-3, "schedule": "constant", "warmup": 0.0}
    outcome = train(runs.config(pairs, tmp_path / name, **changes, **rate))
    found = [line["loss"] for line in lines(outcome.folder) if line["step"] > 0]
    assert min(found[5:]) < found[0]
    assert ("rewards/chosen" in lines(outcome.folder)[-1]) == losses.LOSSES[name].needs_reference


def test_equal_configs_give_equal_runs(pairs: Path, done: Path, tmp_path: Path) -> None:
    train(runs.config(pairs, tmp_path / "again", save_every=5))
    assert weights(tmp_path / "again") == weights(done)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
@pytest.mark.parametrize("data", ["metamath", "arc"])
def test_trees_and_padded_rows_give_the_same_curve(tmp_path: Path, name: str, data: str) -> None:
    """20 steps in float32, every loss."""
    pairs = runs.dataset(tmp_path / "pairs", data, rows=24)
    model = runs.start_model(pairs, tmp_path / "model")
    curves = []
    for share in ("none", "auto"):
        changes: dict[str, Any] = {"share": share, "reference_dir": str(tmp_path / share), "best": "none"}
        same: dict[str, Any] = {"model": str(model), "loss": name, "sft_steps": 0, "steps": 20, "batch_size": 6}
        out = train(runs.config(pairs, tmp_path / f"run-{share}", learning_rate=5e-5, **same, **changes)).folder
        curves.append([line["loss"] for line in lines(out)])
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)
    assert abs(curves[0][-1] - curves[0][0]) > 1e-3


@pytest.mark.slow
def test_a_compiled_model_gives_the_same_losses(
    pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its graphs are traced around attention, head and clock, and run as they are: no compiler is needed."""
    compiles = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiles(self, backend="eager", **how))
    same: dict[str, Any] = {"sft_steps": 0, "steps": 2, "model": str(done / "sft" / "final")}
    curves = []
    for compiled in (False, True):
        out = train(runs.config(pairs, tmp_path / str(compiled), compile=compiled, **same)).folder
        curves.append([line["loss"] for line in lines(out)])
    assert curves[1] == pytest.approx(curves[0], abs=1e-5)


@pytest.mark.parametrize("changes", [{"micro_batch_size": 1}, {"reference": "online"}])
def test_ways_that_give_the_same_losses(pairs: Path, done: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    """A batch in parts, a reference that is computed in every step: the same curve, to rounding."""
    same: dict[str, Any] = {"sft_steps": 0, "loss": "dpo", "learning_rate": 1e-3, "model": str(done / "sft" / "final")}
    train(runs.config(pairs, tmp_path / "plain", **same))
    train(runs.config(pairs, tmp_path / "other", **same, **changes))
    plain, other = ([line["loss"] for line in lines(tmp_path / name)] for name in ("plain", "other"))
    assert other == pytest.approx(plain, abs=1e-4)
    assert abs(plain[-1] - plain[0]) > 1e-3


def test_several_datasets_whose_ids_are_the_same(pairs: Path, tmp_path: Path) -> None:
    """The same dataset twice: each pair is known by the dataset it comes from."""
    flags = {**runs.FAST, "data": [str(pairs), str(pairs)], "out": str(tmp_path / "run"), "sft_steps": 0, "steps": 2}
    outcome = train(configs.combine(flags))
    assert outcome.summary["pairs"] == 40
    assert lines(tmp_path / "run")[1]["loss"] == pytest.approx(0.693147, abs=1e-4)


def test_lora_trains_an_adapter_alone(pairs: Path, done: Path, tmp_path: Path) -> None:
    model = str(done / "sft" / "final")
    changes: dict[str, Any] = {"model": model, "sft_steps": 0, "lora": 4}
    train(runs.config(pairs, tmp_path / "lora", **changes, save_every=3, steps=3))
    resume(tmp_path / "lora", {"steps": 6})
    train(runs.config(pairs, tmp_path / "online", **changes, reference="online"))
    assert lines(tmp_path / "lora")[-1]["logratios/chosen"] != 0
    online = {line["step"]: line["loss"] for line in lines(tmp_path / "online")}
    assert online[1] == pytest.approx(0.693147, abs=1e-4)
    assert (tmp_path / "lora" / "final" / "adapter_model.safetensors").is_file()
    merged = train(runs.config(pairs, tmp_path / "more", model=str(tmp_path / "lora" / "final"), sft_steps=0, steps=1))
    assert merged.summary["steps"] == 1


@pytest.mark.parametrize(
    "changes", [{"precision": "bf16"}, {"precision": "bf16-pure"}, {"gradient_checkpointing": True}]
)
def test_ways_to_compute(pairs: Path, done: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    train(runs.config(pairs, tmp_path / "run", model=str(done / "sft" / "final"), sft_steps=0, steps=2, **changes))
    assert lines(tmp_path / "run")[1]["loss"] == pytest.approx(0.693147, abs=0.3)


def test_metrics_go_to_tensorboard(pairs: Path, tmp_path: Path) -> None:
    train(runs.config(pairs, tmp_path / "run", sft_steps=0, steps=1, report_to="tensorboard"))
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


# ---------------------------------------------------------------- going on


def test_a_run_goes_on_with_more_steps_as_if_it_had_never_stopped(pairs: Path, done: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"schedule": "constant", "warmup": 0.0, "reference_dir": str(tmp_path / "reference")}
    train(runs.config(pairs, tmp_path / "whole", **changes, best="none"))
    train(runs.config(pairs, tmp_path / "parts", **changes, best="none", steps=3))
    resume(tmp_path / "parts", {"steps": 6})
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert weights(tmp_path / "parts") != weights(done)
    assert [line["step"] for line in lines(tmp_path / "parts")] == [0, 1, 2, 3, 4, 5, 6]


def test_a_reference_that_was_deleted_is_computed_by_the_model_of_the_first_step(pairs: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"schedule": "constant", "warmup": 0.0, "best": "none", "loss": "dpo"}
    for name, steps in (("whole", 4), ("parts", 3)):
        reference = str(tmp_path / name / "kept")
        train(runs.config(pairs, tmp_path / name, **changes, steps=steps, reference_dir=reference))
    for file in (tmp_path / "parts" / "kept").rglob("*.arrows"):
        file.unlink()
    resume(tmp_path / "parts", {"steps": 4})
    for whole, parts in zip(lines(tmp_path / "whole"), lines(tmp_path / "parts"), strict=True):
        assert parts["loss"] == pytest.approx(whole["loss"], abs=1e-5)


def test_ctrl_c_saves_the_step_and_says_how_to_go_on(pairs: Path, done: Path, tmp_path: Path) -> None:
    def stop(phase: str, step: int, total: int, said: object) -> None:
        del total, said
        if phase == "train" and step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(stopping.Interrupted, match=r"after step [34] of 6, which is saved"):
        train(runs.config(pairs, tmp_path / "run"), progress=stop)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resume(tmp_path / "run")
    assert weights(tmp_path / "run") == weights(done)


def _files(run: Path) -> int:
    """How many files and bytes of metrics a run has written so far: it grows in every part of a run."""
    found = [path for path in run.parent.rglob("*") if path.suffix in (".jsonl", ".arrows", ".arrow", ".safetensors")]
    return sum(path.stat().st_size for path in found if path.suffix in (".jsonl", ".arrows")) + len(found)


def _killed(process: "subprocess.Popen[str]", run: Path, signs: int, seconds: float) -> bool:
    """Kill a process some seconds after it gave so many signs of work; whether it was still running then."""
    seen = _files(run)
    while process.poll() is None and signs:
        with contextlib.suppress(FileNotFoundError):  # a file was there a moment ago
            if (now := _files(run)) != seen:
                seen, signs = now, signs - 1
        time.sleep(0.002)
    time.sleep(seconds)
    if process.poll() is not None:
        return False
    process.kill()
    process.communicate()
    return True


@pytest.mark.slow
def test_ten_kills_change_no_bit(pairs: Path, tmp_path: Path) -> None:
    """``kill -9`` at ten random moments of a run, in SFT and reference too, and ``--resume`` after each."""
    changes: dict[str, Any] = {"save_every": 1, "steps": 60, "sft_steps": 40, "eval_every": 10}
    train(runs.config(pairs, tmp_path / "whole", **changes, reference_dir=str(tmp_path / "reference-whole")))

    cut = runs.config(pairs, tmp_path / "cut", **changes, reference_dir=str(tmp_path / "reference-cut"))
    configs.save(cut, tmp_path / "cut.toml")

    def start_or_go_on() -> "subprocess.Popen[str]":
        words = ["--resume", "--out", str(cut.out)] if (tmp_path / "cut" / "config.toml").exists() else [
            "--config", str(tmp_path / "cut.toml")
        ]  # fmt: skip
        command = [sys.executable, "-m", "pairgen", "train", *words]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    draw = random.Random(11)
    kills = 0
    while kills < 10 and not (tmp_path / "cut" / "final").is_dir():
        kills += _killed(start_or_go_on(), tmp_path / "cut", draw.randrange(8), draw.random() / 20)
    assert kills == 10
    last = start_or_go_on()
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    told = [line["loss"] for line in lines(tmp_path / "cut")]
    assert told == [line["loss"] for line in lines(tmp_path / "whole")]


def test_a_run_that_is_done_stays_as_it_is(done: Path) -> None:
    before = weights(done)
    resume(done)
    assert weights(done) == before
    assert [line["step"] for line in lines(done)] == [0, 1, 2, 3, 4, 5, 6]


# ---------------------------------------------------------------- what is refused


def test_another_config_is_no_resume(done: Path) -> None:
    with pytest.raises(RunFolderError, match=r"--beta 0\.3, not 0\.5"):
        resume(done, {"beta": 0.5})
    with pytest.raises(RunFolderError, match="holds no run"):
        resume(done / "nothing")


def test_a_folder_with_a_run_is_kept(pairs: Path, done: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputExists, match="--resume"):
        train(runs.config(pairs, done))
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-ann").touch()
    with pytest.raises(OutputExists, match="something else"):
        train(runs.config(pairs, tmp_path / "letters"), overwrite=True)


def test_overwrite_starts_anew(pairs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        train(runs.config(pairs, tmp_path / "run", sft_steps=0, steps=1), overwrite=True)
    assert [line["step"] for line in lines(tmp_path / "run")] == [0, 1]


def test_a_loss_that_is_nan_names_the_pairs(
    pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nan(logps: PairLogps, _: configs.Config) -> torch.Tensor:
        return logps.chosen * (float("nan") if logps.chosen.requires_grad else 1)

    monkeypatch.setitem(losses.LOSSES, "nan", losses.Loss(nan, "not a number"))
    with pytest.raises(NonFiniteLoss, match=r"step 1: .*not-finite-0\.json.*--learning-rate"):
        train(runs.config(pairs, tmp_path / "run", model=str(done / "final"), sft_steps=0, loss="nan"))
    told = json.loads((tmp_path / "run" / "not-finite-0.json").read_text())
    assert len(told["pairs"]) == 4
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_full_memory_names_the_knobs(pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(OutOfMemory, match=r"--micro-batch-size.*--gradient-checkpointing.*--max-length"):
        train(runs.config(pairs, tmp_path / "run", model=str(done / "final"), sft_steps=0))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_absent(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--device cuda"):
        train(runs.config(pairs, tmp_path / "run", device="cuda"))


def test_data_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="no such folder"):
        train(runs.config(tmp_path / "nothing", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="no dataset given"):
        train(configs.combine({"out": str(tmp_path / "run")}))


def test_a_model_that_is_none(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="no such folder"):
        train(runs.config(pairs, tmp_path / "run", model=str(tmp_path / "nothing")))
    with pytest.raises(UsageError, match="--lora"):
        runs.config(pairs, tmp_path / "run", lora=4)
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_head_is_not_given_a_random_one(pairs: Path, done: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(done / "final")
    model.config.tie_word_embeddings = False
    model.model.save_pretrained(tmp_path / "headless")
    AutoTokenizer.from_pretrained(done / "final").save_pretrained(tmp_path / "headless")
    with pytest.raises(UnsupportedModel, match=r"no weights for lm_head\.weight"):
        train(runs.config(pairs, tmp_path / "run", model=str(tmp_path / "headless")))


def test_a_damaged_model_is_one_sentence(pairs: Path, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "final", tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UnsupportedModel, match="cannot be loaded"):
        train(runs.config(pairs, tmp_path / "run", model=str(tmp_path / "model")))


def test_overwrite_removes_what_a_run_wrote_and_nothing_else(pairs: Path, done: Path, tmp_path: Path) -> None:
    run = shutil.copytree(done, tmp_path / "run")
    with pytest.raises(UnsupportedModel, match="no such folder"):
        train(runs.config(pairs, run, model=str(tmp_path / "nothing")), overwrite=True)
    with pytest.raises(UsageError, match="which the run reads"):
        train(runs.config(pairs, run, model=str(run / "final")), overwrite=True)
    (run / "thesis.txt").touch()
    with pytest.raises(OutputExists, match=r"something else \(thesis\.txt\)"):
        train(runs.config(pairs, run), overwrite=True)
    assert weights(run) == weights(done)


def test_a_run_does_not_lie_in_a_dataset(pairs: Path) -> None:
    with pytest.raises(UsageError, match="in the dataset"):
        train(runs.config(pairs, pairs / "run"))


def test_fewer_steps_than_are_done(done: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="has done 6 steps, more than --steps 2"):
        resume(shutil.copytree(done, tmp_path / "run"), {"steps": 2})


def test_a_best_metric_that_is_not_measured(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"eval/los: is not measured; there are eval/loss"):
        train(runs.config(pairs, tmp_path / "run", sft_steps=0, best="eval/los"))


def test_lora_after_sft_loads_as_it_was_trained(pairs: Path, done: Path, tmp_path: Path) -> None:
    from pairgen.train.model import loading as models

    changes: dict[str, Any] = {"sft_steps": 4, "sft_learning_rate": 0.03, "lora": 4, "steps": 2, "eval_pairs": 20}
    train(runs.config(pairs, tmp_path / "run", model=str(done / "final"), **changes))
    model = models.load_model(str(tmp_path / "run" / "final"), torch.float32)
    models.save(model, models.load_tokenizer(str(tmp_path / "run" / "final")), tmp_path / "merged")
    train(runs.config(pairs, tmp_path / "look", model=str(tmp_path / "merged"), sft_steps=0, steps=1, eval_pairs=20))
    ended, looked = lines(tmp_path / "run")[-1], lines(tmp_path / "look")[0]
    assert looked["eval/logps/chosen"] == pytest.approx(ended["eval/logps/chosen"], rel=1e-4)
    assert lines(tmp_path / "run")[0]["eval/logps/chosen"] != pytest.approx(ended["eval/logps/chosen"], rel=1e-4)
