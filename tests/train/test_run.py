"""Runs of a tiny model from start to end: their results, resuming them, and errors."""

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
from helpers.rows import pair
from helpers.slow_trees import use_exact_norms

from pairgen.errors import (
    InvalidDataset,
    NonFiniteLoss,
    OutOfMemory,
    OutputExists,
    RunFolderError,
    UnsupportedModel,
    UsageError,
)
from pairgen.options import read_values
from pairgen.pairs.dataset import open_pairs
from pairgen.pairs.record import to_batch
from pairgen.pairs.validate import violations
from pairgen.pairs.writing import DatasetWriter
from pairgen.train import config as configs
from pairgen.train import losses
from pairgen.train.context import Phase
from pairgen.train.model import loading
from pairgen.train.model.kernels import torch_internals
from pairgen.train.run import resume, train
from pairgen.train.scores.pair_logps import PairLogps


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs")


@pytest.fixture(scope="module")
def done(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run with an SFT stage."""
    out = tmp_path_factory.mktemp("runs") / "done"
    train(runs.config(pairs, out, save_every=2))
    return out


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


def weights(run: Path) -> bytes:
    return (run / "final" / "model.safetensors").read_bytes()


# ---------------------------------------------------------------- results of a run


def test_a_run_leaves_its_config_metrics_checkpoints_and_model(done: Path) -> None:
    config = read_values(done / "config.toml")
    assert (config["loss"], config["steps"], config["learning_rate"]) == ("dpop", 6, 2e-4)
    assert [line["step"] for line in lines(done)] == [0, 1, 2, 3, 4, 5, 6]
    assert all("loss" in line for line in lines(done))
    assert sorted(path.name for path in (done / "checkpoints").iterdir()) == ["step-00000004", "step-00000006"]
    assert (done / "sft" / "final").is_dir()
    assert (done / "best" / "model.safetensors").is_file()
    assert not list(done.rglob("*-tmp"))
    assert not [path for path in done.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


@pytest.mark.parametrize(("share", "parts"), [("auto", ["attention", "head", "rest"]), ("none", ["head", "rest"])])
def test_metrics_include_the_share_of_time_by_part(pairs: Path, tmp_path: Path, share: str, parts: list[str]) -> None:
    """For padded rows, attention counts as part of the rest."""
    out = train(runs.config(pairs, tmp_path / "run", share=share, sft_steps=0, steps=2)).folder
    for line in lines(out)[1:]:
        shares = {name: value for name, value in line.items() if name.startswith("time/")}
        assert list(shares) == [f"time/{part}" for part in parts]
        assert sum(shares.values()) == pytest.approx(1)
        assert all(line[name] > 0 for name in ("tokens_per_second", "tflops", "mfu", "memory/peak_gb"))


def test_the_final_model_loads_and_has_a_card(done: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(done / "final")
    tokenizer = AutoTokenizer.from_pretrained(done / "final")
    ids = tokenizer("Ann has 3 jars.", return_tensors="pt")["input_ids"]
    assert model(ids).logits.isfinite().all()
    card = (done / "final" / "README.md").read_text("utf-8")
    assert "DPO-Positive" in card
    assert str(done) not in card
    assert "/tmp" not in card
    assert "base_model" not in card
    assert '"pairs"' in card
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
    """Every loss falls on the same few pairs; only losses without a reference have no rewards."""
    pairs = runs.dataset(tmp_path / "pairs", "arc", rows=4)
    model = runs.start_model(pairs, tmp_path / "model")
    changes: dict[str, Any] = {"loss": name, "model": str(model), "sft_steps": 0, "steps": 10, "batch_size": 64}
    rate: dict[str, Any] = {"learning_rate": 1e-3, "lr_schedule": "constant", "warmup_ratio": 0.0}
    outcome = train(runs.config(pairs, tmp_path / name, **changes, **rate))
    found = [line["loss"] for line in lines(outcome.folder) if line["step"] > 0]
    assert min(found[5:]) < found[0]
    assert ("rewards/chosen" in lines(outcome.folder)[-1]) == losses.LOSSES[name].needs_reference


def test_equal_configs_give_equal_runs(pairs: Path, done: Path, tmp_path: Path) -> None:
    train(runs.config(pairs, tmp_path / "again", save_every=5))
    assert weights(tmp_path / "again") == weights(done)


def _curves_of_layouts(folder: Path, data: str, **changes: Any) -> tuple[list[float], list[float]]:
    """The losses of 20 steps on padded rows and on trees, each with its own reference."""
    pairs = runs.dataset(folder / "pairs", data, rows=24)
    same: dict[str, Any] = {"model": str(runs.start_model(pairs, folder / "model")), "best": "none", **changes}
    same |= {"sft_steps": 0, "steps": 20, "batch_size": 6, "learning_rate": 5e-5}
    padded, trees = (
        train(runs.config(pairs, folder / f"run-{share}", share=share, reference_dir=str(folder / share), **same))
        for share in ("none", "auto")
    )
    return [line["loss"] for line in lines(padded.folder)], [line["loss"] for line in lines(trees.folder)]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
@pytest.mark.parametrize("data", ["metamath", "arc"])
def test_trees_and_padded_rows_give_the_same_curve(tmp_path: Path, name: str, data: str) -> None:
    """In float32. Below the reference, the gradient of DPOP on a log-prob is up to beta (1 + lambda).

    At lambda 50 that is 15.3: it turns the rounding of sums of -700 nats, 6e-8 of them, into 2e-4 of the loss. At
    lambda 5 it is 1.8. The test in float64 has lambda 50. Cal-DPO squares log-ratios; its weight is lower for the same
    reason.
    """
    padded, trees = _curves_of_layouts(tmp_path, data, loss=name, dpop_lambda=5.0, cal_dpo_weight=0.05)
    assert trees == pytest.approx(padded, abs=1e-4)
    assert abs(padded[-1] - padded[0]) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_trees_and_padded_rows_give_the_same_curve_in_float64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    load = loading.load

    def load_in_float64(*args: Any) -> tuple[Any, Any]:
        model, tokenizer = load(*args)
        use_exact_norms(model)
        return model.double(), tokenizer

    monkeypatch.setattr(loading, "load", load_in_float64)
    padded, trees = _curves_of_layouts(tmp_path, "metamath", loss=name)
    # References are stored in float32; where a log-prob lies between two of its numbers, the layouts may differ.
    assert trees == pytest.approx(padded, abs=1e-6)
    assert abs(padded[-1] - padded[0]) > 1e-3


@pytest.mark.slow
def test_a_compiled_model_gives_the_same_losses(
    pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The eager backend runs the traced graphs, which exclude attention, head and timer: no compiler is needed."""
    compiles = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiles(self, backend="eager", **how))
    same: dict[str, Any] = {"sft_steps": 0, "steps": 2, "model": str(done / "sft" / "final")}
    curves = []
    for compiled in (False, True):
        out = train(runs.config(pairs, tmp_path / str(compiled), compile=compiled, **same)).folder
        curves.append([line["loss"] for line in lines(out)])
    assert curves[1] == pytest.approx(curves[0], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"micro_batch_size": 1}, {"reference": "online"}])
def test_micro_batches_and_online_reference_give_the_same_losses(
    pairs: Path, done: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Both give the same curve up to rounding."""
    same: dict[str, Any] = {"sft_steps": 0, "loss": "dpo", "learning_rate": 1e-3, "model": str(done / "sft" / "final")}
    train(runs.config(pairs, tmp_path / "plain", **same))
    train(runs.config(pairs, tmp_path / "other", **same, **changes))
    plain, other = ([line["loss"] for line in lines(tmp_path / name)] for name in ("plain", "other"))
    assert other == pytest.approx(plain, abs=1e-4)
    assert abs(plain[-1] - plain[0]) > 1e-3


def test_several_datasets_may_have_equal_pair_ids(pairs: Path, tmp_path: Path) -> None:
    """With a copy of the same dataset, pairs are identified by dataset and pair id, and evaluated by dataset."""
    other = shutil.copytree(pairs, tmp_path / "other")
    flags = {**runs.FAST, "data": [str(pairs), str(other)], "out": str(tmp_path / "run"), "sft_steps": 0, "steps": 2}
    outcome = train(configs.combine(flags))
    assert outcome.summary["pairs"] == 40
    last = lines(tmp_path / "run")[-1]
    assert last["eval/pairs/loss"] == pytest.approx(last["eval/other/loss"])
    assert last["eval/loss"] == pytest.approx((last["eval/pairs/loss"] + last["eval/other/loss"]) / 2)
    with pytest.raises(UsageError, match="is named twice; name each dataset once"):
        train(configs.combine({**flags, "data": [str(pairs), f"{pairs}/../{pairs.name}"], "out": str(tmp_path / "b")}))
    assert lines(tmp_path / "run")[1]["loss"] == pytest.approx(0.693147, abs=1e-4)


def test_lora_trains_and_saves_only_the_adapter(pairs: Path, done: Path, tmp_path: Path) -> None:
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
    "changes", [{"precision": "bf16"}, {"precision": "bf16-pure"}, {"activation_checkpointing": "full"}]
)
def test_precisions_and_activation_checkpointing(
    pairs: Path, done: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    train(runs.config(pairs, tmp_path / "run", model=str(done / "sft" / "final"), sft_steps=0, steps=2, **changes))
    assert lines(tmp_path / "run")[1]["loss"] == pytest.approx(0.693147, abs=0.3)


def test_metrics_go_to_tensorboard(pairs: Path, tmp_path: Path) -> None:
    train(runs.config(pairs, tmp_path / "run", sft_steps=0, steps=1, report_to="tensorboard"))
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_a_loss_from_outside_trains(pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that needs the reference, but not rejected completions."""

    def keep_chosen(logps: PairLogps, config: configs.Config) -> torch.Tensor:
        return (config.beta * logps.chosen_logratio) ** 2 - logps.chosen / logps.chosen_lengths

    mine = losses.Loss(keep_chosen, "keep chosen near the reference", uses_rejected=False)
    monkeypatch.setitem(losses.LOSSES, "mine", mine)
    model = str(done / "sft" / "final")
    train(runs.config(pairs, tmp_path / "run", loss="mine", model=model, sft_steps=0, steps=3))
    last = lines(tmp_path / "run")[-1]
    assert lines(tmp_path / "run")[1]["logratios/chosen"] == pytest.approx(0, abs=1e-3)
    assert last["logratios/chosen"] != pytest.approx(0, abs=1e-3)
    assert "logps/rejected" not in last
    assert "rewards/chosen" in last


def test_truncated_prompts_and_dropped_pairs_are_reported_once(pairs: Path, tmp_path: Path) -> None:
    warnings: list[str] = []
    train(runs.config(pairs, tmp_path / "run", max_length=150, steps=1), warn=warnings.append)
    assert len(set(warnings)) == len(warnings)
    assert any("prompts of the train split from the left to fit 150 tokens" in text for text in warnings), warnings


def test_an_eval_split_without_pairs_left_is_reported(tmp_path: Path) -> None:
    from helpers.rows import make_folder, pair

    short = [pair(prompt=f"What is {at}?", chosen=" one", rejected=" two", pair_id=f"t{at}") for at in range(8)]
    long = [pair(prompt="What?", chosen=" one" * 200, rejected=" two" * 200, pair_id="e")]
    data = make_folder(tmp_path / "pairs", {"train": short, "eval": long}).path
    warnings: list[str] = []
    train(runs.config(data, tmp_path / "run", max_length=30, sft_steps=0, steps=1), warn=warnings.append)
    assert any(
        "eval: its only pair was dropped: chosen is longer than --max-length; raise it" in text for text in warnings
    ), warnings
    assert not any("train on" in text for text in warnings)


@pytest.mark.slow
def test_missing_private_operators_of_torch_are_reported_once(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training continues with a dense mask and gives the same losses: DPO's, as DPOP's amplify rounding by lambda."""
    found: list[list[str]] = []
    curves = []
    for kernels in (torch_internals.cpu_kernels(), None):
        monkeypatch.setattr(torch_internals, "cpu_kernels", lambda kernels=kernels: kernels)
        found.append([])
        run = tmp_path / f"run-{len(found)}"
        out = train(
            runs.config(pairs, run, loss="dpo", steps=2, reference_dir=str(run / "kept")), warn=found[-1].append
        )
        curves.append([line["loss"] for line in lines(out.folder)])
    assert [sum("token trees is slower" in text for text in texts) for texts in found] == [0, 1]
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)


# ---------------------------------------------------------------- resuming


def test_resuming_with_more_steps_equals_an_uninterrupted_run(pairs: Path, done: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "lr_schedule": "constant",
        "warmup_ratio": 0.0,
        "reference_dir": str(tmp_path / "reference"),
    }
    train(runs.config(pairs, tmp_path / "uninterrupted", **changes, best="none"))
    train(runs.config(pairs, tmp_path / "resumed", **changes, best="none", steps=3))
    resume(tmp_path / "resumed", {"steps": 6})
    assert weights(tmp_path / "resumed") == weights(tmp_path / "uninterrupted")
    assert weights(tmp_path / "resumed") != weights(done)
    assert [line["step"] for line in lines(tmp_path / "resumed")] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_deleted_reference_is_recomputed_with_the_starting_model(pairs: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"lr_schedule": "constant", "warmup_ratio": 0.0, "best": "none", "loss": "dpo"}
    for name, steps in (("uninterrupted", 4), ("resumed", 3)):
        reference = str(tmp_path / name / "kept")
        train(runs.config(pairs, tmp_path / name, **changes, steps=steps, reference_dir=reference))
    for file in (tmp_path / "resumed" / "kept").rglob("*.arrows"):
        file.unlink()
    resume(tmp_path / "resumed", {"steps": 4})
    for expected, found in zip(lines(tmp_path / "uninterrupted"), lines(tmp_path / "resumed"), strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)


def test_ctrl_c_saves_a_checkpoint_to_resume_from(pairs: Path, done: Path, tmp_path: Path) -> None:
    def stop(phase: str, step: int, *_: object) -> None:
        if phase == Phase.TRAINING and step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"after step [34] of 6; a checkpoint was saved"):
        train(runs.config(pairs, tmp_path / "run"), progress=stop)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resume(tmp_path / "run")
    assert weights(tmp_path / "run") == weights(done)


def _files(run: Path) -> int:
    """A measure of a run's progress: files and bytes of metrics written so far; it grows in every stage."""
    found = [path for path in run.parent.rglob("*") if path.suffix in (".jsonl", ".arrows", ".arrow", ".safetensors")]
    return sum(path.stat().st_size for path in found if path.suffix in (".jsonl", ".arrows")) + len(found)


def _killed(process: "subprocess.Popen[str]", run: Path, signs: int, seconds: float) -> bool:
    """Kill a process some seconds after it has made progress ``signs`` times. Returns whether it was running."""
    seen = _files(run)
    while process.poll() is None and signs:
        with contextlib.suppress(FileNotFoundError):  # removed in the meantime
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
def test_a_run_killed_ten_times_ends_with_the_same_weights(pairs: Path, tmp_path: Path) -> None:
    """``kill -9`` at ten random moments, also in SFT and reference passes, and ``--resume`` after each; bit for bit."""
    changes: dict[str, Any] = {"save_every": 1, "steps": 60, "sft_steps": 40, "eval_every": 10}
    train(
        runs.config(
            pairs, tmp_path / "uninterrupted", **changes, reference_dir=str(tmp_path / "reference-uninterrupted")
        )
    )

    cut = runs.config(pairs, tmp_path / "cut", **changes, reference_dir=str(tmp_path / "reference-cut"))
    configs.save(cut, tmp_path / "cut.toml")

    def start_or_resume() -> "subprocess.Popen[str]":
        words = ["--resume", "--out", str(cut.out)] if (tmp_path / "cut" / "config.toml").exists() else [
            "--config", str(tmp_path / "cut.toml")
        ]  # fmt: skip
        command = [sys.executable, "-m", "pairgen", "train", *words]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    draw = random.Random(11)
    kills = 0
    while kills < 10 and not (tmp_path / "cut" / "final").is_dir():
        kills += _killed(start_or_resume(), tmp_path / "cut", draw.randrange(8), draw.random() / 20)
    assert kills == 10
    last = start_or_resume()
    output, _ = last.communicate(timeout=300)
    assert last.returncode == 0, output
    assert weights(tmp_path / "cut") == weights(tmp_path / "uninterrupted")
    losses_of_cut = [line["loss"] for line in lines(tmp_path / "cut")]
    assert losses_of_cut == [line["loss"] for line in lines(tmp_path / "uninterrupted")]


def test_resuming_a_finished_run_warns_and_changes_nothing(done: Path) -> None:
    before = weights(done)
    warnings: list[str] = []
    resume(done, warn=warnings.append)
    assert warnings == [f"{done}: already finished at step 6; to train longer, raise --steps"]
    assert weights(done) == before
    assert [line["step"] for line in lines(done)] == [0, 1, 2, 3, 4, 5, 6]


# ---------------------------------------------------------------- errors


def test_resume_refuses_another_config(done: Path) -> None:
    with pytest.raises(RunFolderError, match=r"--beta 0\.3, not --beta 0\.5"):
        resume(done, {"beta": 0.5})
    with pytest.raises(RunFolderError, match=r"was started with the data \S+, not the data /other; keep"):
        resume(done, {"data": ("/other",)})
    with pytest.raises(RunFolderError, match="no run to resume"):
        resume(done / "nothing")


def test_existing_folders_are_not_overwritten(pairs: Path, done: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputExists, match="--resume"):
        train(runs.config(pairs, done))
    (tmp_path / "file").touch()
    with pytest.raises(OutputExists, match=r"file: is a file; choose another --out"):
        train(runs.config(pairs, tmp_path / "file"), overwrite=True)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-ann").touch()
    with pytest.raises(OutputExists, match="contains other files"):
        train(runs.config(pairs, tmp_path / "letters"), overwrite=True)


def test_overwrite_replaces_a_run(pairs: Path, tmp_path: Path) -> None:
    for _ in range(2):
        train(runs.config(pairs, tmp_path / "run", sft_steps=0, steps=1), overwrite=True)
    assert [line["step"] for line in lines(tmp_path / "run")] == [0, 1]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_nan_loss_saves_the_pairs_of_the_batch(
    pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Only a run in bfloat16 is advised to use float32. The loss is fine for the short made-up pairs of the check."""

    def nan(logps: PairLogps, _: configs.Config) -> torch.Tensor:
        return logps.chosen * (float("nan") if logps.chosen.requires_grad and logps.lengths.max() > 8 else 1)

    monkeypatch.setitem(losses.LOSSES, "nan", losses.Loss(nan, "not a number"))
    changes = {"model": str(done / "final"), "sft_steps": 0, "loss": "nan", "precision": precision}
    with pytest.raises(NonFiniteLoss, match=r"step 1: .*non-finite-0\.json.*--learning-rate") as caught:
        train(runs.config(pairs, tmp_path / "run", **changes))
    assert ("--precision float32" in str(caught.value)) == (precision == "bf16")
    saved = json.loads((tmp_path / "run" / "non-finite-0.json").read_text())
    assert len(saved["pairs"]) == 4
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_out_of_memory_lists_options_that_help(
    pairs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(OutOfMemory, match=r"--micro-batch-size.*--activation-checkpointing.*--max-length"):
        train(runs.config(pairs, tmp_path / "run", model=str(done / "final"), sft_steps=0))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_cuda_is_reported(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--device cuda"):
        train(runs.config(pairs, tmp_path / "run", device="cuda"))


def test_data_must_be_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="no such folder"):
        train(runs.config(tmp_path / "nothing", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="no dataset given"):
        train(configs.combine({"out": str(tmp_path / "run")}))


def test_data_without_rejected_completions_trains_with_sft_alone(tmp_path: Path) -> None:
    rows = [pair(f" {number} apples", "", f"s-{number}", f"How many, {number}?") for number in range(8)]
    with DatasetWriter(tmp_path / "sft") as writer:
        writer.write("train", to_batch(rows))
        writer.commit({"sft": True})
    assert violations(open_pairs(tmp_path / "sft")) == []
    with pytest.raises(UsageError, match="sft: has no rejected completions; train on it with --loss sft"):
        train(runs.config(tmp_path / "sft", tmp_path / "dpo", loss="dpo"))
    train(runs.config(tmp_path / "sft", tmp_path / "run", loss="sft"))
    assert (tmp_path / "run" / "final" / "model.safetensors").is_file()


def test_a_missing_model_is_reported(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="no such folder"):
        train(runs.config(pairs, tmp_path / "run", model=str(tmp_path / "nothing")))
    with pytest.raises(UsageError, match="--lora"):
        runs.config(pairs, tmp_path / "run", lora=4)
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_head_is_refused(pairs: Path, done: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(done / "final")
    model.config.tie_word_embeddings = False
    model.model.save_pretrained(tmp_path / "headless")
    AutoTokenizer.from_pretrained(done / "final").save_pretrained(tmp_path / "headless")
    with pytest.raises(UnsupportedModel, match=r"no weights for lm_head\.weight"):
        train(runs.config(pairs, tmp_path / "run", model=str(tmp_path / "headless")))


def test_a_damaged_model_is_reported(pairs: Path, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "final", tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UnsupportedModel, match="cannot be loaded"):
        train(runs.config(pairs, tmp_path / "run", model=str(tmp_path / "model")))


def test_overwrite_removes_only_what_a_run_wrote(pairs: Path, done: Path, tmp_path: Path) -> None:
    run = shutil.copytree(done, tmp_path / "run")
    with pytest.raises(UnsupportedModel, match="no such folder"):
        train(runs.config(pairs, run, model=str(tmp_path / "nothing")), overwrite=True)
    with pytest.raises(UsageError, match="an input of the run"):
        train(runs.config(pairs, run, model=str(run / "final")), overwrite=True)
    (run / "thesis.txt").touch()
    with pytest.raises(OutputExists, match=r"contains other files \(thesis\.txt\)"):
        train(runs.config(pairs, run), overwrite=True)
    assert weights(run) == weights(done)


def test_a_run_inside_a_dataset_is_refused(pairs: Path) -> None:
    with pytest.raises(UsageError, match="inside the dataset"):
        train(runs.config(pairs, pairs / "run"))


def test_resume_refuses_fewer_steps_than_done(done: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="has already done 6 steps, more than --steps 2"):
        resume(shutil.copytree(done, tmp_path / "run"), {"steps": 2})


def test_an_unknown_best_metric_is_refused(pairs: Path, tmp_path: Path) -> None:
    """Before training, by the metrics of the loss; at the first evaluation, by those of the data."""
    with pytest.raises(UsageError, match=r"eval/los: unknown metric; available: none, eval/loss, eval/logps/chosen"):
        train(runs.config(pairs, tmp_path / "run", best="eval/los"))
    with pytest.raises(UsageError, match=r"eval/rewards/chosen: unknown metric"):
        train(runs.config(pairs, tmp_path / "run", best="eval/rewards/chosen", loss="sft"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"eval/choice/acc: unknown metric"):
        train(runs.config(pairs, tmp_path / "run", best="eval/choice/acc", sft_steps=0))


@pytest.mark.slow
def test_lora_after_sft_loads_with_its_trained_base(pairs: Path, done: Path, tmp_path: Path) -> None:
    from pairgen.train.model import loading as models

    changes: dict[str, Any] = {"sft_steps": 4, "sft_learning_rate": 0.03, "lora": 4, "eval_pairs": 20}
    changes |= {"steps": 4, "learning_rate": 0.01}  # enough to tell the models apart
    train(runs.config(pairs, tmp_path / "run", model=str(done / "final"), **changes))
    model = models.load_model(str(tmp_path / "run" / "final"), torch.float32)
    models.save(model, models.load_tokenizer(str(tmp_path / "run" / "final")), tmp_path / "merged")
    train(runs.config(pairs, tmp_path / "look", model=str(tmp_path / "merged"), sft_steps=0, steps=1, eval_pairs=20))
    ended, looked = lines(tmp_path / "run")[-1], lines(tmp_path / "look")[0]
    assert looked["eval/logps/chosen"] == pytest.approx(ended["eval/logps/chosen"], rel=1e-4)
    assert lines(tmp_path / "run")[0]["eval/logps/chosen"] != pytest.approx(ended["eval/logps/chosen"], rel=1e-4)


def test_options_without_effect_are_said(pairs: Path, tmp_path: Path) -> None:
    warnings: list[str] = []
    options: dict[str, Any] = {"loss": "dpo", "dpop_lambda": 5.0, "steps": 1, "epochs": 2.0, "sft_steps": 0}
    train(runs.config(pairs, tmp_path / "run", **options), warn=warnings.append)
    assert "--dpop-lambda has no effect with --loss dpo" in warnings
    assert "--epochs has no effect with --steps 1" in warnings
    warnings.clear()
    train(runs.config(pairs, tmp_path / "sft", loss="sft", beta=0.2, steps=1), warn=warnings.append)
    assert "--beta has no effect with --loss sft" in warnings
    warnings.clear()
    quiet = runs.config(pairs, tmp_path / "quiet", loss="dpop", dpop_lambda=5.0, steps=1, sft_steps=0)
    train(quiet, warn=warnings.append)
    assert not [text for text in warnings if "has no effect" in text]


@pytest.mark.slow
def test_resume_with_more_steps_says_that_the_rate_rises(pairs: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 4, "sft_steps": 0, "learning_rate": 1e-3}
    for schedule in ("cosine", "constant"):
        run, warnings = tmp_path / schedule, list[str]()
        train(runs.config(pairs, run, **options, lr_schedule=schedule))
        resume(run, {"steps": 8}, warn=warnings.append)
        rises = [text for text in warnings if "the learning rate rises from" in text]
        assert len(rises) == (schedule == "cosine")


def test_step_0_has_no_metrics_that_are_rounding(done: Path) -> None:
    first, last = lines(done)[0], lines(done)[-1]
    for name in ("eval/rewards/accuracies", "eval/chosen_below_reference"):
        assert name not in first
        assert name in last


def test_model_of_a_run_is_its_final_model(pairs: Path, done: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"sft_steps": 0, "steps": 1}
    for name, model in (("run", done / "sft"), ("folder", done / "sft" / "final")):
        train(runs.config(pairs, tmp_path / name, model=str(model), **options))
    assert weights(tmp_path / "run") == weights(tmp_path / "folder")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    for name in ("config.toml", "metrics.jsonl"):
        shutil.copy(done / name, unfinished)
    with pytest.raises(UsageError, match="this run has not finished"):
        train(runs.config(pairs, tmp_path / "other", model=str(unfinished), **options))
