"""What can be added from outside the package, each in one file of at most 40 lines: see tests/examples."""

import doctest
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers.rows import good_pairs, make_folder

from pairgen.builders import interface
from pairgen.pairs.dataset import open_pairs
from pairgen.pairs.validate import violations

EXAMPLES = Path(__file__).parent / "examples"
ROWS = [{"question": f"What is {n} + {n}?", "best": f"{2 * n}", "others": [f"{2 * n + 1}", "7x"]} for n in range(1, 40)]


def example(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line of an example."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent.parent), "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    bad = [{"question": "Who?", "best": "Ann", "others": []}, {"question": None, "best": "Ann", "others": ["Bo"]}]
    file.write_text("\n".join(map(json.dumps, [*ROWS, *bad])), "utf-8")
    return file


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_example_has_at_most_40_lines(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= 40


def test_builder_from_outside_builds_a_valid_dataset(rows: Path, tmp_path: Path) -> None:
    done = example("builder.py", "build", "quiz", "--source", rows, "--workers", 2, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    dataset = open_pairs(tmp_path / "out")
    assert dataset.splits["train"].pairs == 2 * len(ROWS)
    assert dataset.manifest["splits"]["train"]["drops"] == {"no wrong choice": 1, "question is null": 1}
    assert not violations(dataset)
    card = (dataset.path / "README.md").read_text("utf-8")
    assert "# Quiz preference pairs\n\nEach question gives one pair per other answer.\n" in card
    assert card.startswith("---\nlicense: unknown\n")


def test_builder_from_python_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    documented = doctest.DocTestParser().get_doctest(interface.__doc__ or "", {}, "interface", None, None)
    assert sum(example.source.count("\n") for example in documented.examples) <= 20
    report: list[str] = []
    doctest.DocTestRunner().run(documented, out=report.append)
    assert not report, "".join(report)


def test_builder_from_outside_is_in_help_and_errors(tmp_path: Path) -> None:
    assert "quiz" in example("builder.py", "build", "--help").stdout
    unknown = example("builder.py", "build", "quizz", "--out", tmp_path / "out")
    assert unknown.returncode == 2
    assert "quiz" in unknown.stderr.replace("quizz", "")


def test_builder_without_a_hub_dataset_needs_a_source(tmp_path: Path) -> None:
    done = example("builder.py", "build", "quiz", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "quiz is not on the Hub; give its rows with --source FILE" in done.stderr


def test_statistic_from_outside_is_shown(tmp_path: Path) -> None:
    make_folder(tmp_path / "pairs", good_pairs())
    done = example("statistic.py", "stats", tmp_path / "pairs", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["train"]["edit_length"]["max"] == 7
    assert "edit length" in example("statistic.py", "stats", tmp_path / "pairs").stdout.replace("_", " ")


def test_command_from_outside_writes_a_dataset(tmp_path: Path) -> None:
    source = make_folder(tmp_path / "pairs", good_pairs())
    filtered = load("filter_dataset").filter_dataset(source.path, tmp_path / "out")
    assert filtered.splits["train"].table(["pair_id"])["pair_id"].to_pylist() == ["c-1", "c-2"]
    assert filtered.splits["eval"].pairs == 0
    assert not violations(filtered)
