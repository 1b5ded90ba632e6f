"""How far runs are, and their curves."""

from pathlib import Path
from typing import Any

import pytest
from helpers.console import render
from helpers.logged_runs import lines
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pairgen.report.live.progress_view import Watched, plots, progress_line, progress_view, total_steps
from pairgen.report.live.watcher import screen
from pairgen.report.viewer.screen import plain
from pairgen.report.viewer.view_state import Size
from pairgen.run_folder import Run

CONFIG = {"loss": "dpop", "steps": 50, "batch_size": 9, "log_every": 1}


def watched(name: str = "run", config: dict[str, Any] = CONFIG, age: float = 3.0, **options: Any) -> Watched:
    finished = options.pop("finished", False)
    return Watched(name, Run(Path(name), config, lines(**options) if options else lines(steps=20)), age, finished)


def view(*runs: Watched, width: int = 80, height: int = 48, first: int = 0) -> str:
    return render(progress_view(runs, plots(runs), width, height, first), width)


def test_progress() -> None:
    assert progress_line(watched()).plain == "step 20 of 50  45.0 pairs/s  about 6 s left  logged 3 s ago"
    assert progress_line(watched(age=200)).plain.endswith("logged 0:03:20 ago: it may have stopped")
    assert progress_line(watched(steps=50, finished=True)).plain == "step 50 of 50  45.0 pairs/s  finished"
    started = Watched("run", Run(Path("run"), CONFIG, []), 12.0, False)
    assert progress_line(started).plain == "no step logged yet, 12 s after the start"


def test_a_slow_run_may_be_silent_for_longer() -> None:
    slow = watched(config={**CONFIG, "batch_size": 4500}, age=200)  # 100 s per step
    assert "stopped" not in progress_line(slow).plain


@pytest.mark.parametrize(
    ("config", "logged", "total"),
    [
        ({"steps": 50}, {"step": 3, "epoch": 0.1}, 50),
        ({"steps": 0, "epochs": 2.0}, {"step": 25, "epoch": 0.5}, 100),
        ({"steps": 0, "epochs": 1.0}, {"step": 0, "epoch": 0.0}, None),
        ({}, {"step": 7}, None),
    ],
)
def test_total_steps(config: dict[str, Any], logged: dict[str, Any], total: int | None) -> None:
    assert total_steps(Run(Path("run"), config, [logged])) == total
    assert total_steps(Run(Path("run"), config, [])) == (config.get("steps") or None)


def test_curves_of_one_run() -> None:
    text = view(watched())
    assert "loss by step" in text
    assert "o training" in text
    assert "x eval" in text
    assert "log-ratio by step (nats; 0 is the reference)" in text
    assert "# eval rejected" in text
    assert view(watched(), height=24, first=1).split("\n")[1].startswith("log-ratio by step")
    assert "accuracy by step" not in view(watched(), height=24)
    assert "accuracy by step" in view(watched(), height=24, first=2)


def test_curves_of_several_runs() -> None:
    text = view(watched("one"), watched("two", steps=40))
    assert "chosen log-ratio by step (training batches, nats; 0 is the reference)" in text
    assert "o one" in text
    assert "x two" in text
    evaluated = view(watched("one", steps=50), watched("two", steps=50))
    assert "loss by step (eval split)" in evaluated


def test_nothing_logged_and_narrow_terminals() -> None:
    started = Watched("run", Run(Path("run"), CONFIG, []), 12.0, False)
    assert "The curves begin with the first logged step." in view(started)
    narrow = view(watched(), width=40)
    assert "log-ratio chosen +" in narrow
    assert "─" not in narrow


def test_names_cannot_act_on_the_terminal() -> None:
    text = view(watched("a\x1b[31m[bold]"), watched("b"))
    assert "\x1b" not in text
    assert r"a\x1b[31m[bold]" in text


@given(
    st.integers(1, 200),
    st.integers(1, 70),
    st.integers(0, 9),
    st.lists(st.sampled_from([1, 3, 20, 60]), min_size=1, max_size=4),
)
def test_any_size(width: int, height: int, first: int, steps: list[int]) -> None:
    runs = [watched(f"run-{at}", steps=count, every=10 * (at % 2)) for at, count in enumerate(steps)]
    shown = plain(screen(runs, plots(runs), Size(width, height), first))
    assert len(shown) == height
    assert all(cell_len(line) <= width for line in shown)


def test_long_runs_are_thinned() -> None:
    run = watched(steps=30_000, every=100)
    assert max(len(points) for plot in plots([run]) for points in plot.series.values()) < 1100
    assert plots([run])[0].series["training"][-1] == (30_000, run.run.lines[-1]["loss"])
