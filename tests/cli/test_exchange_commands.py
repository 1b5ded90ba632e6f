"""import, sft-data and export on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pairgen.cli import load_app
from pairgen.pairs.dataset import open_pairs


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(load_app(), [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"prompt": "The sky is", "chosen": " blue.", "rejected": " green."}\n{"prompt": "x"}\n', "utf-8")
    return file


def test_import_names_the_layout_and_counts(rows: Path, tmp_path: Path) -> None:
    code, out, err = run("import", rows, "--out", tmp_path / "pairs", "--on-error", "skip")
    assert code == 0
    assert "layout trl: prompt, chosen and rejected as text" in err
    assert out.splitlines()[0] == "train: 1 pair from 2 rows; dropped rows: unreadable row (1)"
    assert run("validate", tmp_path / "pairs")[0] == 0
    code, out, _ = run("import", rows, "--out", tmp_path / "json", "--on-error", "skip", "--json", "--limit", 1)
    assert json.loads(out)["train"] == {"rows": 1, "pairs": 1, "drops": {}}


def test_import_of_an_unreadable_row_names_it(rows: Path, tmp_path: Path) -> None:
    code, _, err = run("import", rows, "--out", tmp_path / "pairs")
    assert code == 1
    assert "rows.jsonl: line 2: has no chosen, rejected; fix the row, or skip it with --on-error skip" in err
    assert not (tmp_path / "pairs").exists()


def test_import_dry_run_writes_nothing(rows: Path, tmp_path: Path) -> None:
    code, out, _ = run("import", rows, "--dry-run", "--on-error", "skip", "--num-proc", 1)
    assert code == 0
    assert "[-blue-]" in out
    assert list(tmp_path.iterdir()) == [rows]


def test_sft_data(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("question,reply\n1 + 1?,2\n2 + 2?,4\n")
    names = "prompt=question,completion=reply"
    code, out, _ = run("sft-data", file, "--columns", names, "--out", tmp_path / "sft")
    assert code == 0
    assert out.splitlines()[0] == "train: 2 examples from 2 rows"
    assert out.splitlines()[1].startswith("Wrote 2 examples to")
    assert open_pairs(tmp_path / "sft")["train"][1]["chosen"] == "\n4"
    code, _, err = run("stats", tmp_path / "sft", "--edit-distance")
    assert code == 2
    assert "has no rejected completions, so there is no edit distance" in err
    assert "edit distance" not in run("stats", tmp_path / "sft")[1]


def test_export_and_its_counts(rows: Path, tmp_path: Path) -> None:
    run("import", rows, "--out", tmp_path / "pairs", "--on-error", "skip")
    code, out, _ = run("export", tmp_path / "pairs", "--to", "kto", "--out", tmp_path / "kto")
    assert code == 0
    assert out.splitlines() == [
        "train: 1 pair as 2 rows in 1 file",
        f"Exported to {tmp_path / 'kto'} in the layout kto.",
    ]
    code, out, _ = run("export", tmp_path / "pairs", "--out", tmp_path / "trl", "--json")
    assert json.loads(out)["train"]["files"] == ["train-00000-of-00001.jsonl"]
    code, _, err = run("export", tmp_path / "pairs", "--to", "stepwise", "--out", tmp_path / "steps")
    assert code == 2
    assert "has no pair with a corrupted step, which --to stepwise needs" in err


def test_unknown_layouts_are_refused(rows: Path, tmp_path: Path) -> None:
    for arguments in (("import", rows, "--layout", "mine"), ("export", tmp_path, "--to", "mine")):
        code, _, err = run(*arguments, "--out", tmp_path / "out")
        assert code == 2
        assert "trl" in err
