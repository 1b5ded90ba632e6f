"""Training in processes that a recipe starts."""

import sys
from pathlib import Path

import pytest

from pairgen.errors import TrainingError
from pairgen.recipes import execution
from pairgen.recipes.execution import Work
from pairgen.recipes.stage_kinds import TRAIN, Stage


def test_the_time_is_kept_while_a_launched_process_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "POLL", 0.05)
    script = tmp_path / "launcher.py"
    script.write_text("import time\ntime.sleep(0.5)\nraise SystemExit(3)\n", "utf-8")
    beats: list[int] = []
    work = Work(launch=f"{sys.executable} {script}", beat=lambda: beats.append(1))
    with pytest.raises(TrainingError, match="ended with exit code 3"):
        work.do(Stage("tune", TRAIN, {"steps": 1}, tmp_path / "tune", model="tiny"))
    assert len(beats) > 2
