"""The audit command: table, examples, JSON, exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    solutions = ["3 * 4 = 12", "3 * 4 = 13", "100 / 3 = 33", "3 * 4 = 12", None]
    path.write_text("".join(json.dumps({"solution": text}) + "\n" for text in solutions), "utf-8")
    return path


def test_table_and_examples(rows: Path, run: Run) -> None:
    result = run("audit", rows, "--quiet")
    assert result.exit_code == 0
    assert "rows.jsonl  solution" in result.stdout
    assert "25.0%" in result.stdout
    assert "train row 1, solution: 3 * 4 = [13]  (3 * 4 is 12)" in result.stdout
    assert "skipped 1 row of 5" in result.stdout
    assert "examples" not in run("audit", rows, "--limit", 0).stdout


def test_json_has_one_finding_per_line(rows: Path, run: Run, tmp_path: Path) -> None:
    result = run("audit", rows, "--json", "--findings", tmp_path / "findings.jsonl")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[0] == {
        "source": "rows.jsonl",
        "split": "train",
        "row": 1,
        "column": "solution",
        "step": None,
        "start": 8,
        "stop": 10,
        "text": "13",
        "expression": "3 * 4",
        "value": "12",
        "kind": "false",
    }
    assert [line["kind"] for line in lines] == ["false", "truncated"]
    assert (tmp_path / "findings.jsonl").read_text("utf-8") == result.stdout


@pytest.mark.parametrize(("share", "code"), [("30%", 0), ("25%", 0), ("0.2", 3), ("0", 3), ("half", 2), ("101%", 2)])
def test_fail_over(share: str, code: int, rows: Path, run: Run) -> None:
    result = run("audit", rows, "--fail-over", share)
    assert result.exit_code == code
    if code == 3:
        assert "25.00% of the solutions have a false result, more than" in result.stderr


def test_rejected_completions_do_not_fail(run: Run, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "?", "chosen": "3 * 4 = 12", "rejected": "3 * 4 = 13"}) + "\n", "utf-8")
    result = run("audit", pairs, "--fail-over", "0")
    assert result.exit_code == 0
    assert "rejected" in result.stdout
