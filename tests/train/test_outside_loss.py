"""A loss from outside the package, in one file, trains from the command line like any other."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from helpers import tiny_runs

import pairgen
from pairgen.errors import UsageError
from pairgen.train import config as configs
from pairgen.train.config import OPTIONS, Config
from pairgen.train.losses import LOSSES, Loss, dpo
from pairgen.train.losses.laws import check_loss
from pairgen.train.losses.outside import register
from pairgen.train.run import resume, train
from pairgen.train.scores.pair_logps import PairLogps

Run = Callable[..., Result]

EXAMPLE = Path(__file__).parent.parent / "examples" / "edit_loss.py"


def run_example(*words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(EXAMPLE), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


def test_outside_loss_is_one_short_file() -> None:
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 40


@pytest.mark.slow
def test_outside_loss_trains_from_the_command_line(tmp_path: Path) -> None:
    data = tiny_runs.dataset(tmp_path / "pairs")
    words = ["--loss", "edit-dpo", "--steps", "3", "--sft-steps", "0", "--batch-size", "4", "--device", "cpu"]
    done = run_example("train", str(data), "--out", str(tmp_path / "run"), *words)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert lines[-1]["step"] == 3
    assert lines[1]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert "DPO in which the tokens of the edit count twice" in (tmp_path / "run" / "final" / "README.md").read_text(
        "utf-8"
    )


# MODULE:FUNCTION


@pytest.fixture(autouse=True)
def losses_as_before() -> Iterator[None]:
    before = dict(LOSSES)
    yield
    LOSSES.clear()
    LOSSES.update(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """The current folder, with a module of a name of its own: Python imports a module once."""
    monkeypatch.chdir(tmp_path)
    Path(module_name(request) + ".py").write_text(MODULE, "utf-8")
    return tmp_path


def module_name(request: pytest.FixtureRequest) -> str:
    return "losses_of_" + "".join(letter if letter.isalnum() else "_" for letter in request.node.name)


MODULE = """
from torch.nn.functional import logsigmoid
from pairgen.train.losses import Loss

def softer(logps, config):
    \"\"\"DPO at half of beta.\"\"\"
    return -logsigmoid(0.5 * config.beta * logps.margin)

free = Loss(lambda logps, config: -logps.chosen / logps.chosen_lengths, "SFT again", needs_reference=False)
number = 3
"""


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def squared(logps: PairLogps, config: Config) -> torch.Tensor:
    """Squared distance of the margin to 1."""
    return (logps.margin - config.beta) ** 2


def test_a_module_of_the_current_folder_is_imported(folder: Path, request: pytest.FixtureRequest) -> None:
    name = f"{module_name(request)}:softer"
    config = Config(loss=name)
    assert config.loss == name
    assert LOSSES[name].summary == "DPO at half of beta"
    assert str(folder) not in sys.path
    free = Config(loss=f"{module_name(request)}:free")
    assert not LOSSES[free.loss].needs_reference


def test_a_loss_of_the_user_trains_and_resumes_from_the_command_line(
    folder: Path, request: pytest.FixtureRequest, run: Run
) -> None:
    name = f"{module_name(request)}:softer"
    data = tiny_runs.dataset(folder / "pairs")
    words = ["--steps", "2", "--sft-steps", "0", "--batch-size", "4", "--device", "cpu", "--seed", "3"]
    done = run("train", data, "--out", "run", "--loss", name, *words)
    assert done.exit_code == 0, done.output
    assert lines(folder / "run")[1]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert "DPO at half of beta" in (folder / "run" / "final" / "README.md").read_text("utf-8")
    done = run("train", data, "--out", "half", "--loss", "dpo", "--beta", "0.15", *words)
    assert done.exit_code == 0, done.output
    ours, theirs = ([line["loss"] for line in lines(folder / out)] for out in ("run", "half"))
    assert ours == theirs

    LOSSES.pop(name)  # another process
    refused = run("train", "--resume", "--steps", "3", "--out", "run")
    assert refused.exit_code == 2
    assert f"its loss {name} is Python code outside pairgen; confirm it with --loss {name}" in refused.output.replace(
        "\n", " "
    )
    done = run("train", "--resume", "--steps", "3", "--out", "run", "--loss", name)
    assert done.exit_code == 0, done.output
    assert lines(folder / "run")[-1]["step"] == 3


def test_a_loss_that_a_file_names_must_be_confirmed(folder: Path, request: pytest.FixtureRequest) -> None:
    """As for a model's own code: a config that was downloaded runs nothing by itself."""
    module = module_name(request)
    (folder / "run.toml").write_text(f'loss = "{module}:softer"\n', "utf-8")
    with pytest.raises(UsageError, match=rf"run.toml: its loss {module}:softer is .*; confirm it with --loss {module}"):
        configs.combine({}, folder / "run.toml")
    assert module not in sys.modules
    assert configs.combine({"loss": f"{module}:softer"}, folder / "run.toml").loss == f"{module}:softer"


def test_names_that_cannot_be_imported_give_one_sentence(folder: Path, request: pytest.FixtureRequest) -> None:
    module = module_name(request)
    (folder / f"{module}_broken.py").write_text("1 / 0", "utf-8")
    (folder / f"{module}_needy.py").write_text("import no_such_package", "utf-8")
    for name, message in {
        "nowhere:loss": "--loss nowhere:loss: there is no module nowhere; install it, or run in the folder of "
        "nowhere.py",
        "no.where:loss": "--loss no.where:loss: there is no module no; install it, or run in the folder of no.py",
        f"{module}_broken:f": f"--loss {module}_broken:f: importing {module}_broken failed: ZeroDivisionError: "
        "division by zero",
        f"{module}_needy:f": f"--loss {module}_needy:f: importing {module}_needy failed: No module named "
        "'no_such_package'",
        f"{module}:other": f"--loss {module}:other: {module} has no other; its functions are logsigmoid, softer",
        f"{module}:number": f"--loss {module}:number: is int, not a function",
    }.items():
        with pytest.raises(UsageError) as caught:
            Config(loss=name)
        assert str(caught.value) in (message, message.replace("logsigmoid, ", ""))
        assert name not in LOSSES


@pytest.mark.parametrize("name", [":", "a:", ":b", "a b:c"])
def test_incomplete_names_are_unknown_losses(name: str) -> None:
    with pytest.raises(UsageError, match=r"--loss must be one of dpop, .*, or MODULE:FUNCTION, got"):
        Config(loss=name)


# A function


def test_a_function_is_a_loss(tmp_path: Path) -> None:
    data = tiny_runs.dataset(tmp_path / "pairs")
    config = tiny_runs.config(data, tmp_path / "run", loss=squared, sft_steps=0, steps=2)
    assert config.loss == f"{__name__}:squared"
    train(config)
    assert lines(tmp_path / "run")[1]["loss"] == pytest.approx(config.beta**2, abs=1e-5)
    resume(tmp_path / "run", {"steps": 3})  # known in this process, so nothing is imported
    found = pairgen.train(
        data, tmp_path / "more", loss=squared, sft_steps=0, steps=2, batch_size=4, seed=3, eval_pairs=4
    )
    assert found.summary["loss"] == config.loss
    assert lines(tmp_path / "more")[1]["loss"] == lines(tmp_path / "run")[1]["loss"]


def test_a_function_without_a_name_is_refused() -> None:
    class Unnamed:
        def __call__(self, logps: PairLogps, config: Config) -> torch.Tensor:
            return squared(logps, config)

    with pytest.raises(UsageError, match="has no name under which a run could be resumed"):
        Config(loss=Unnamed())  # type: ignore[arg-type]


def test_a_loss_from_outside_may_use_every_option() -> None:
    config = Config(loss=squared, dpop_lambda=3.0, simpo_gamma=1.0)  # type: ignore[arg-type]
    assert config.without_effect() == []
    assert len(Config(loss="dpo", dpop_lambda=3.0, simpo_gamma=1.0).without_effect()) == 2


# Laws


@pytest.mark.parametrize("loss_on", OPTIONS["loss_on"].metadata["choices"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_obeys_the_laws(name: str, loss_on: str) -> None:
    for beta in (0.01, 0.3, 10.0):
        check_loss(Config(loss=name, beta=beta, loss_on=loss_on))


BROKEN: dict[str, tuple[Callable[[PairLogps, Config], Any], str]] = {
    "number": (lambda *_: 0.5, "returns float instead of a tensor with one loss per pair"),
    "mean": (
        lambda logps, config: dpo(logps, config).mean(),
        r"returns shape \[\] for 3 pairs; it must return one loss",
    ),
    "tokens": (lambda logps, _: logps.policy, r"returns shape \[6, 6\] for 3 pairs"),
    "nan": (lambda logps, _: logps.chosen.log(), "for ordinary log-probs; losses must be finite"),
    "detached": (lambda logps, _: logps.margin.detach(), "does not depend on the policy's log-probs"),
    "flat": (lambda logps, _: logps.margin * 0, "has a gradient of 0 for ordinary log-probs"),
    "kink": (
        lambda logps, _: (logps.policy * 0).sum(1)[: logps.pairs].sqrt() + logps.margin,
        "has a gradient that is not finite",
    ),
    "mixed": (lambda logps, _: logps.margin - logps.margin.mean(), "depend on other pairs of the batch"),
    "failing": (lambda logps, _: logps.chozen, "fails with AttributeError: .*chozen"),
    "typed": (lambda logps: logps.margin, "fails with TypeError"),  # type: ignore[misc, dict-item]
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_loss_that_breaks_a_law_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    function, message = BROKEN[name]
    function.__name__ = function.__qualname__ = name
    with pytest.raises(UsageError, match=f"^--loss {__name__}:{name}: .*{message}"):
        train(Config(data=("nowhere",), out=str(tmp_path / "run"), loss=function))  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_a_loss_without_reference_must_not_compare_with_it() -> None:
    name = register(Loss(squared, "squared margin", needs_reference=False))
    with pytest.raises(UsageError, match="fails with TypeError: this loss needs reference log-probs"):
        check_loss(Config(loss=name))
