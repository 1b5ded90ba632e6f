"""`pairgen watch`: runs that wait, go on, are finished, in a real terminal and piped."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.logged_runs import lines, make_run
from helpers.tmux import terminal
from typer.testing import Result

Run = Callable[..., Result]


def started(folder: Path, steps: int = 50) -> Path:
    """A run that has logged nothing yet."""
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'loss = "dpop"\nsteps = {steps}\nbatch_size = 16\n', "utf-8")
    return folder


def log(folder: Path, first: int, last: int) -> None:
    with (folder / "metrics.jsonl").open("a") as out:
        for line in lines(steps=50)[first : last + 1]:
            out.write(json.dumps(line) + "\n")


def test_a_finished_run_is_printed_once(run: Run, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    os.utime(folder / "final")  # written after the last step
    done = run("watch", folder)
    assert done.exit_code == 0, done.output
    assert "run (dpop)  step 50" in done.stdout
    assert "finished" in done.stdout
    assert "log-ratio by step" in done.stdout
    with terminal("watch", tmp_path / "run", height=60) as tty:
        assert "log-ratio by step" in tty.wait("[exit 0]")


def test_once_and_pipes_print_what_there_is(run: Run, tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    for words in (["watch", folder], ["watch", folder, "--once"]):
        done = run(*words)
        assert done.exit_code == 0
        assert "no step logged yet" in done.stdout
    log(folder, 0, 9)
    assert "step 9 of 50" in run("watch", folder, "--once").stdout


@pytest.mark.parametrize(
    ("name", "message"), [("none", "no such folder"), ("empty", "not a run (no config.toml)"), ("broken", "line 2")]
)
def test_what_is_no_run_is_one_message(name: str, message: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = started(tmp_path / "broken")
    (broken / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "loss": NaN}\n')
    done = run("watch", tmp_path / name)
    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())


@pytest.mark.slow
def test_a_run_is_watched_from_its_start_to_its_end(tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    with terminal("watch", folder) as tty:
        tty.wait("no step logged yet")
        sft = started(folder / "sft", steps=20)
        log(sft, 0, 7)
        tty.wait("run/sft (dpop)  step 7 of 20")
        log(folder, 0, 9)
        assert "loss by step" in tty.wait("step 9 of 50")
        log(folder, 10, 20)
        tty.wait("step 20 of 50")
        tty.press("Right", "Right")
        tty.wait("accuracy by step")
        tty.resize(40, 12)
        tty.wait("accuracy training")
        tty.resize(100, 30)
        (folder / "metrics.jsonl").unlink()
        log(folder, 0, 5)  # resumed from an earlier checkpoint
        tty.wait("step 5 of 50")
        log(folder, 6, 50)
        screen = tty.wait("[exit 0]")
        assert "step 50 of 50" in screen
        tty.type("hello")
        tty.wait("hello\ntyped: hello")


@pytest.mark.parametrize("how", ["q", "C-c", "INT"])
def test_leaving_is_quiet(how: str, tmp_path: Path) -> None:
    folder = started(tmp_path / "run")
    log(folder, 0, 9)
    with terminal("watch", folder) as tty:
        tty.wait("q quit")
        if how == "INT":
            os.kill(tty.processes()[0], signal.SIGINT)
        else:
            tty.press(how)
        assert tty.wait("[exit 0]").strip() == "[exit 0]"
