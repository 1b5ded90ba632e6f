"""``pairgen train``: flags, the arguments of the trainer, and failures."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from helpers.logged_runs import make_run
from typer.testing import Result

from pairgen.cli import load_app
from pairgen.cli.training_commands import PANELS
from pairgen.options import flag
from pairgen.train import run as train_run
from pairgen.train.config import OPTIONS, PRESETS, Config

Run = Callable[..., Result]
COMMAND: Any = typer.main.get_command(load_app()).commands["train"]  # type: ignore[attr-defined]
PARAMETERS = {parameter.name: parameter for parameter in COMMAND.params}


class Outcome(NamedTuple):
    folder: Path
    summary: dict[str, Any]


class Trainer:
    """Replaces the trainer: records its arguments and leaves a run folder."""

    def __init__(self) -> None:
        self.config: Config | None = None
        self.changes: dict[str, Any] | None = None
        self.overwrite = False
        self.fails: BaseException | None = None

    def train(
        self, config: Config, *, overwrite: bool, imports: Any, progress: Any = None, warn: Any = None
    ) -> Outcome:
        assert not imports, "the data are folders"
        self.config, self.overwrite = config, overwrite
        return self._run(Path(config.out), progress, warn)

    def resume(self, out: Path, changes: dict[str, Any], *, progress: Any = None, warn: Any = None) -> Outcome:
        self.changes = changes
        return self._run(Path(out), progress, warn)

    def _run(self, out: Path, progress: Any, warn: Any) -> Outcome:
        if self.fails:
            raise self.fails
        warn("dropped 2 pairs")
        if progress:
            progress("tokens", 0, 40, {})
            progress("train", 1, 50, {"loss": 0.5, "logratios/chosen": 0.1, "pairs_per_second": 45.0})
            progress("train", 50, 50, {"loss": 0.25, "grad_norm": 7.0})
        return Outcome(make_run(out), {"loss": "dpop", "steps": 50})


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainer:
    made = Trainer()
    for name in ("train", "resume"):
        monkeypatch.setattr(train_run, name, getattr(made, name))
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.chdir(tmp_path)
    return made


def test_every_option_has_a_flag() -> None:
    others = {"config", "preset", "resume", "overwrite", "as_json", "quiet", "dry_run"}
    assert set(PARAMETERS) - {"help"} == set(OPTIONS) | others
    assert set(PANELS) < set(OPTIONS)
    assert all(
        parameter.rich_help_panel for name, parameter in PARAMETERS.items() if name in OPTIONS and name != "data"
    )


@pytest.mark.parametrize("columns", ["80", "120"])
def test_help_shows_every_flag_in_full(run: Run, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = run("train", "--help").stdout
    assert "…" not in text
    assert all(f"{flag(name)} " in text for name in OPTIONS if name != "data")
    assert all(panel in text for panel in PANELS.values())
    assert all(name in text for name in PRESETS)
    assert "--no-compile " not in text.replace("--no-compile overrides", "")


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_waiting_threads_sleep_by_default(
    run: Run, trainer: Trainer, monkeypatch: pytest.MonkeyPatch, policy: str | None
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", policy or "")
    if policy is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    assert run("train", "a", "--out", "run").exit_code == 0
    assert trainer.config is not None
    assert os.environ["OMP_WAIT_POLICY"] == (policy or "PASSIVE")


def test_defaults_are_those_of_the_config(run: Run, trainer: Trainer) -> None:
    done = run("train", "a", "b", "--out", "run")
    assert done.exit_code == 0, done.output
    assert trainer.config == Config(data=("a", "b"), out="run")
    assert not trainer.overwrite
    assert "run (dpop), eval split" in done.stdout
    assert "run/final" in done.stdout


def test_flags_reach_the_trainer(run: Run, trainer: Trainer) -> None:
    words = "pairs --model m -o run --loss ipo --beta 0.1 --steps 0 --lora 8 --sft-steps 0 --compile --overwrite"
    assert run("train", *words.split()).exit_code == 0
    assert trainer.config == Config(
        data=("pairs",), model="m", out="run", loss="ipo", beta=0.1, steps=0, lora=8, sft_steps=0, compile=True
    )
    assert trainer.overwrite


def test_flags_override_the_file_and_the_file_the_preset(run: Run, trainer: Trainer) -> None:
    Path("run.toml").write_text('data = ["x"]\nout = "run"\nsteps = 7\nbeta = 0.5\ncompile = true\n')
    words = ("--config", "run.toml", "--preset", "smaug", "--beta", "0.25", "--no-compile", "--steps", "0")
    assert run("train", *words).exit_code == 0
    assert trainer.config is not None
    assert trainer.config.data == ("x",)
    assert trainer.config.beta == 0.25
    assert trainer.config.steps == 0, "a 0 is a value"
    assert trainer.config.compile is False
    assert trainer.config.learning_rate == PRESETS["smaug"]["learning_rate"]


def test_json_is_one_object(run: Run, trainer: Trainer) -> None:
    done = run("train", "pairs", "--out", "run", "--json")
    assert done.stdout == '{"out": "run", "loss": "dpop", "steps": 50}\n'
    assert trainer.config


def test_progress_and_warnings_go_to_stderr(run: Run, trainer: Trainer) -> None:
    lines = run("train", "pairs", "--out", "run").stderr.splitlines()
    assert lines == [
        "dropped 2 pairs",
        "tokens 0/40",
        "train 1/50  loss 0.500  chosen log-ratio +0.10  45.0 pairs/s",
        "train 50/50  loss 0.250",
    ]
    assert trainer.config


def test_only_rank_0_prints(run: Run, trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    done = run("train", "pairs", "--out", "run", "--json")
    assert (done.exit_code, done.output) == (0, "")
    failed = run("train", "pairs")
    assert failed.stderr.startswith("pairgen, process 3: "), "it may be the only one that fails"
    monkeypatch.setenv("RANK", "0")
    assert run("train", "pairs", "--out", "again").stderr
    assert trainer.config


def test_resume_passes_changed_options(run: Run, trainer: Trainer) -> None:
    done = run("train", "--resume", "--out", "run", "--steps", "100", "--no-compile")
    assert done.exit_code == 0, done.output
    assert trainer.config is None
    assert trainer.changes == {"steps": 100, "compile": False}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("pairs", "missing --out"),
        ("--out run", "no dataset given"),
        ("pairs --out run --loss best", "--loss must be one of dpop, dpo, ipo"),
        ("pairs --out run --beta -1", "--beta must be above 0, got -1.0"),
        ("pairs --out run --beta x", "Invalid value for '--beta'"),
        ("pairs --out run --steps 1.5", "Invalid value for '--steps'"),
        ("pairs --out run --no-such-flag", "No such option: --no-such-flag"),
        ("pairs --out run --preset none", "--preset none: unknown preset; available: smaug"),
        ("pairs --out run --config missing.toml", "missing.toml: cannot be read"),
        ("pairs --out run --config broken.toml", "broken.toml: invalid TOML"),
        ("pairs --out run --config unknown.toml", "unknown.toml: unknown option colour"),
        ("pairs --out run --config typed.toml", "typed.toml: steps must be an integer, got 'many'"),
        ("--resume", "--resume needs --out"),
        ("--resume --out run --preset smaug", "remove --preset"),
        ("--resume --out run --config run.toml", "remove --config"),
        ("--resume --out run --overwrite", "remove --overwrite"),
    ],
)
def test_invalid_usage_is_one_message_and_exit_code_2(run: Run, trainer: Trainer, words: str, message: str) -> None:
    for name, text in {"broken": "steps = ", "unknown": 'colour = "red"', "typed": 'steps = "many"'}.items():
        Path(f"{name}.toml").write_text(text)
    done = run("train", *words.split())
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.output
    assert trainer.config is None
    assert trainer.changes is None


def test_a_missing_torch_is_one_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("pairgen.train.") and name != "pairgen.train.config"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    for words in (("pairs",), ("--resume",)):
        done = run("train", *words, "--out", "run")
        assert done.exit_code == 1
        assert done.stderr == (
            "pairgen: training needs torch, which is not installed; "
            "in your checkout of pairgen, run: pip install '.[train]'\n"
        )


def test_other_import_errors_are_raised(run: Run, trainer: Trainer) -> None:
    trainer.fails = ImportError("gone", name="pairgen.gone")
    assert run("train", "pairs", "--out", "run").exception is trainer.fails


@pytest.mark.parametrize("stopped", ["", "stopped after step 7, which is saved"])
@pytest.mark.parametrize("started", [True, False])
def test_an_interrupt_prints_how_to_resume(
    run: Run, trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: str, started: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    if started:
        Path("my run").mkdir()
        Path("my run", "config.toml").touch()
    trainer.fails = KeyboardInterrupt(stopped) if stopped else KeyboardInterrupt()
    done = run("train", "pairs", "--out", "my run")
    assert done.exit_code == 130
    assert f"interrupted; {stopped}" in done.stderr
    assert ("resume with: pairgen train --resume --out 'my run'" in done.stderr) == started
