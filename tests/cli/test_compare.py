"""``pairgen compare``: runs next to each other, as text and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.logged_runs import make_run
from typer.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("COLUMNS", "100")
    return [make_run(tmp_path / "dpo", "dpo", end=-14), make_run(tmp_path / "dpop", end=0.3)]


def test_compare_prints_a_table_and_a_plot(run: Run, runs: list[Path]) -> None:
    done = run("compare", *runs)
    assert done.exit_code == 0
    assert "2 runs, eval split" in done.stdout
    assert "o dpo -13.50   x dpop +0.29" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert done.stderr == ""


def test_compare_omits_the_plot_in_a_narrow_terminal(
    run: Run, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    done = run("compare", *runs)
    assert "by step" not in done.stdout
    assert "-13.50" in done.stdout


def test_compare_json_is_one_object(run: Run, runs: list[Path]) -> None:
    found = json.loads(run("compare", *runs, "--json").stdout)
    assert found["split"] == "eval"
    assert [(one["run"], one["end"]["step"]) for one in found["runs"]] == [("dpo", 50), ("dpop", 50)]


def test_a_folder_without_a_run_is_one_message(run: Run, runs: list[Path], tmp_path: Path) -> None:
    for path, message in {tmp_path / "missing": "no such folder", tmp_path: "not a run"}.items():
        done = run("compare", runs[0], path)
        assert done.exit_code == 1
        assert done.stdout == ""
        assert done.stderr.startswith(f"pairgen: {path}: {message}")
    done = run("compare")
    assert done.exit_code == 2
    assert "Missing argument" in done.stderr
