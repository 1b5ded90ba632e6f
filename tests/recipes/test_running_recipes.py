"""Recipes from end to end: what is made, what is not made again, and that a recipe may be killed at any moment."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.small_recipes import SMALL, write
from typer.testing import CliRunner

from pairgen.cli import load_app
from pairgen.errors import OutputError, PairgenError
from pairgen.recipes.arrangement import Arrangement, arrange
from pairgen.recipes.execution import run_stages
from pairgen.recipes.journal import FILE, Journal, locked
from pairgen.recipes.options import RecipeOptions

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def stages(folder: Path) -> Arrangement:
    """The stages of the recipe that runs in a folder."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        return arrange("small.toml", RecipeOptions(out="out"))
    finally:
        os.chdir(here)


def done(folder: Path) -> dict[str, list[int]]:
    """Of the finished stages, when their results were written."""
    patterns = ("pairgen.json", "final/model.safetensors", "*/results_*.json")
    found = {
        stage.key: [
            path.stat().st_mtime_ns for pattern in patterns for path in sorted((folder / stage.folder).glob(pattern))
        ]
        for stage in stages(folder).stages
    }
    return {key: times for key, times in found.items() if times}


def start(folder: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "pairgen", "run", "small.toml", "--out", "out", "--device", "cpu", *more]
    environment = {**os.environ, **ENVIRONMENT}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def content(folder: Path) -> dict[str, bytes | str]:
    """What a recipe has made, without dates and times."""
    found: dict[str, bytes | str] = {}
    for file in sorted((folder / "out/stages").rglob("*")):
        if file.suffix in (".arrow", ".safetensors") and not {"reference", "checkpoints"} & set(file.parts):
            found[str(file.relative_to(folder))] = file.read_bytes()
        elif file.name.startswith("results_"):
            results = json.loads(file.read_text("utf-8"))["results"]
            found[str(file.parent.relative_to(folder))] = json.dumps(results, sort_keys=True)
    report = (folder / "out/report/report.md").read_text("utf-8")
    found["report"] = re.sub(r"(?s)### Stages\n.*?\n\n(- .*\n)+|- date: .*|- machine: .*", "", report)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write(folder)
    process = start(folder)
    out, err = process.communicate(timeout=550)
    assert process.returncode == 0, err
    assert "What was shown" in out
    return folder


@pytest.mark.slow
def test_a_recipe_makes_all_stages_and_reports_on_them(whole: Path) -> None:
    assert len(done(whole)) == len(stages(whole).stages) == 11
    text = (whole / "out/report/report.md").read_text("utf-8")
    for stage in stages(whole).stages:
        assert stage.name in text
    page = (whole / "out/report.html").read_text("utf-8")
    for part in ("Two stages", "Does it run?", "Models compared, question by question", "Pairs, token by token"):
        assert part in page
    assert str(whole) not in page
    spent = Journal(whole / "out").spent()
    assert set(spent) == {stage.key for stage in stages(whole).stages}
    assert all(one.begun == 1 and one.cpu_seconds > 0 for one in spent.values())
    assert not list((whole / "out/stages").glob("*/*/checkpoints"))


@pytest.mark.slow
def test_finished_stages_are_not_done_again(whole: Path) -> None:
    before, journal = done(whole), (whole / "out" / FILE).read_text("utf-8")
    process = start(whole, "--quiet")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert done(whole) == before
    assert (whole / "out" / FILE).read_text("utf-8") == journal


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_recipe_that_is_killed_at_random_goes_on(whole: Path, seed: int, tmp_path: Path) -> None:
    write(tmp_path)
    moments = random.Random(seed)
    finished: dict[str, list[int]] = {}
    killed = 0
    for _ in range(6):
        process = start(tmp_path)
        assert process.stderr is not None
        for _ in range(moments.randint(1, 8)):  # lines of progress: however busy the machine is, it gets somewhere
            process.stderr.readline()
        time.sleep(moments.uniform(0, 1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        now = done(tmp_path)
        assert finished.items() <= now.items(), "a finished stage was done again"
        finished = now
    process = start(tmp_path)
    _, err = process.communicate(timeout=550)
    assert process.returncode == 0, err
    assert killed >= 4
    assert finished.items() <= done(tmp_path).items()
    assert content(tmp_path) == content(whole)


@pytest.mark.slow
def test_an_interrupted_recipe_says_how_to_go_on(tmp_path: Path) -> None:
    write(tmp_path)
    process = start(tmp_path)
    while process.poll() is None and not (tmp_path / "out" / FILE).exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "run the same command to continue" in err


@pytest.mark.slow
def test_training_in_processes_of_their_own_gives_the_same_model(whole: Path, tmp_path: Path) -> None:
    write(tmp_path)
    process = start(tmp_path, "--launch", f"{sys.executable} -m torch.distributed.run --nproc-per-node 1")
    _, err = process.communicate(timeout=550)
    assert process.returncode == 0, err
    name = next(str(stage.folder) for stage in stages(whole).stages if stage.name == "dpo")
    one, other = ((folder / name / "final/model.safetensors").read_bytes() for folder in (whole, tmp_path))
    assert one == other


def test_two_recipes_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairgen.recipes.journal.PATIENCE", 0.0)
    busy = pytest.raises(OutputError, match="another process is running a recipe there")
    with locked(tmp_path / "out"), busy, locked(tmp_path / "out"):
        pass
    with locked(tmp_path / "out"):
        pass


def test_an_error_names_its_stage_and_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lies.jsonl").write_text("{}\nnot JSON\n", "utf-8")
    write(tmp_path, SMALL.replace('["train=sample:truthy:30", "eval=sample:truthy:12"]', '["lies.jsonl"]'))
    found = arrange("small.toml", RecipeOptions(out="out"))
    with pytest.raises(PairgenError, match=r"^lies: .*lies\.jsonl"):
        run_stages(found)
    assert [stage.name for stage in found.stages if stage.is_done] == ["chat", "solutions", "texts", "wrong"]
    assert {key.partition("/")[2] for key in Journal(tmp_path / "out").spent()} == {
        *("chat", "solutions", "texts", "wrong", "lies")
    }


def test_a_journal_counts_sessions_and_ignores_a_line_that_was_cut_off(tmp_path: Path) -> None:
    lines = [
        {"stage": "a/b", "session": "1", "seconds": 1.0, "cpu_seconds": 0.5},
        {"stage": "a/b", "session": "1", "seconds": 3.0, "cpu_seconds": 2.0},
        {"stage": "a/b", "session": "2", "seconds": 4.0, "cpu_seconds": 1.0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / FILE).write_text(text + '{"stage": "a/b", "sess', "utf-8")
    (one,) = Journal(tmp_path).spent().values()
    assert (one.seconds, one.cpu_seconds, one.begun) == (7.0, 3.0, 2)
    with Journal(tmp_path).session("c/d"):
        assert Journal(tmp_path).spent()["c/d"].begun == 1, "a line after it is whole"
    assert Journal(tmp_path / "none").spent() == {}


def test_torchrun_starts_the_training_of_a_recipe_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(load_app(), ["run", write(tmp_path)])
    assert result.exit_code == 2
    assert "start a recipe once, and its training with --launch" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]


def test_a_recipe_needs_a_name() -> None:
    result = CliRunner().invoke(load_app(), ["run"])
    assert result.exit_code == 2
    assert "no recipe given; available: smaug, or a TOML file" in result.output
