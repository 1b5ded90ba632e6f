"""The dataset commands: output, exit codes, help."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import pairgen
from pairgen.builders import CORRUPTIONS

Run = Callable[..., Result]
COMMANDS = ("build", "stats", "show", "validate", "explain")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [
        {
            "query": f"How many are {n} and 2?",
            "response": f"2 * {n} = {2 * n}.\nSo {n} + 2 = {n + 2}.\nThe answer is: {n + 2}",
        }
        for n in range(3, 43)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


@pytest.fixture
def dataset(rows: Path, tmp_path: Path, run: Run) -> Path:
    assert run("build", "metamath", "--source", rows, "--out", tmp_path / "pairs", "--eval-size", 10).exit_code == 0
    return tmp_path / "pairs"


def test_build_prints_a_summary(rows: Path, tmp_path: Path, run: Run) -> None:
    done = run("build", "metamath", "--source", rows, "--out", tmp_path / "out")
    assert done.exit_code == 0
    assert "train: 40 pairs from 40 rows; 40 verified (100%)" in done.stdout
    assert re.search(r"^strategy +pairs +verified +% verified$", done.stdout, re.MULTILINE)
    assert re.search(r"^result +40 +40 +100%$", done.stdout, re.MULTILINE)
    assert "unchecked because" not in done.stdout


def test_build_counts_rows_with_fewer_pairs(rows: Path, tmp_path: Path, run: Run) -> None:
    with rows.open("a") as file:
        file.write("\n" + json.dumps({"query": "How many?", "response": "9 - 8 = 1.\nThe answer is: 1"}))
    words = ("build", "metamath", "--source", rows, "--pairs-per-row", 64, "--corruption", "digit")
    done = run(*words, "--out", tmp_path / "out")
    match = re.search(
        r"train: [\d,]+ pairs from 41 rows; .* verified .*; rows with fewer than 64 pairs: (\d+)", done.stdout
    )
    assert match
    shown = json.loads(run(*words, "--out", tmp_path / "again", "--json").stdout)["train"]
    assert shown["rows_with_fewer_pairs"] == int(match.group(1))
    manifest = json.loads((tmp_path / "out" / "pairgen.json").read_text())
    assert manifest["command"].endswith("--corruption digit --pairs-per-row 64")
    assert manifest["options"]["corruption"] == "digit"


def test_the_command_in_the_manifest_leaves_out_defaults(dataset: Path) -> None:
    assert "--corruption" not in json.loads((dataset / "pairgen.json").read_text())["command"]


def test_build_without_corruptions_prints_one_line_per_split(tmp_path: Path, run: Run) -> None:
    done = run("build", "arc", "--source", "sample:60", "--out", tmp_path / "out")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["train:", "eval:", "Wrote"]
    assert "verified" not in done.stdout


def test_build_json_is_one_object(rows: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    done = run("build", "metamath", "--source", rows, "--out", out, "--eval-size", 10, "--json")
    found = json.loads(done.stdout)
    corruptions = {split: found[split].pop("corruptions") for split in ("train", "eval")}
    assert found == {
        "out": str(out),
        "train": {"rows": 30, "pairs": 30, "drops": {}},
        "eval": {"rows": 10, "pairs": 10, "drops": {}},
    }
    assert corruptions["train"] == {
        "definition": corruptions["eval"]["definition"],
        "pairs": 30,
        "verified": 30,
        "source": {"metamath": {"pairs": 30, "verified": 30}},
        "strategy": {"result": {"pairs": 30, "verified": 30}},
        "reason": {},
    }
    arc = json.loads(run("build", "arc", "--source", "sample:60", "--out", tmp_path / "arc", "--json").stdout)
    assert set(arc["train"]) == {"rows", "pairs", "drops"}


def test_stats_json_names_the_definition(dataset: Path, run: Run) -> None:
    found = json.loads(run("stats", dataset, "--edit-distance", "--json").stdout)
    assert set(found) == {"train", "eval"}
    distance = found["train"]["edit_distance"]
    assert "Levenshtein" in distance["definition"]
    assert 0 < distance["mean"] < 0.1
    by = json.loads(run("stats", dataset, "--metric", "hamming", "--unit", "word", "--by", "strategy", "--json").stdout)
    assert sum(part["count"] for part in by["train"]["edit_distance"]["by"]["strategy"].values()) == 30


def test_stats_prints_the_figures_of_the_paper(dataset: Path, run: Run) -> None:
    text = run("stats", dataset, "--edit-distance").stdout
    assert "6.5%" in text
    assert "90%" in text
    assert "Levenshtein" in text


def test_stats_shows_verified_corruptions(dataset: Path, run: Run) -> None:
    text = run("stats", dataset).stdout
    assert "corruptions: 30 pairs, 30 verified (100%)" in text
    assert "corruptions:" not in run("stats", dataset, "--edit-distance").stdout
    helped = " ".join(run("stats", "--help").stdout.replace("│", "").split())
    assert "by source, strategy, error, check or reason" in helped
    by = json.loads(run("stats", dataset, "--by", "reason", "--json").stdout)
    assert by["train"]["edit_distance"]["by"]["reason"]["none"]["count"] == 30


def test_help_lists_the_kinds_of_corruption(run: Run) -> None:
    for command in ("build", "explain"):
        text = " ".join(run(command, "--help").stdout.replace("│", "").split())
        for name, corruption in CORRUPTIONS.items():
            assert f"{name}: {corruption.summary}" in text


def test_show_marks_the_edit_without_colour(dataset: Path, run: Run) -> None:
    shown = run("show", dataset, "--n", 2, "--where", "check=verified")
    assert shown.exit_code == 0
    assert len(re.findall(r"\[-\d+-\]", shown.stdout)) == 2
    assert len(re.findall(r"\{\+\d+\+\}", shown.stdout)) == 2
    assert "\x1b[" not in shown.stdout


def test_show_json_gives_rows(dataset: Path, run: Run) -> None:
    (row,) = json.loads(run("show", dataset, "--n", 1, "--split", "eval", "--json").stdout)
    assert row["chosen"] != row["rejected"]


def test_validate_passes_and_fails(dataset: Path, run: Run) -> None:
    assert run("validate", dataset).exit_code == 0
    manifest = json.loads((dataset / "pairgen.json").read_text())
    manifest["splits"]["train"]["pairs"] += 1
    (dataset / "pairgen.json").write_text(json.dumps(manifest))
    broken = run("validate", dataset)
    assert broken.exit_code == 3
    assert broken.stdout.strip()
    assert "build the dataset again" in broken.stderr
    assert json.loads(run("validate", dataset, "--json").stdout)["violations"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("build", "nonsense", "--out", "x"), 2, "metamath, gsm8k, arc, hellaswag"),
        (("build", "metamath"), 2, "--out"),
        (("build", "metamath", "--out", "x", "--source", "missing.jsonl"), 1, "missing.jsonl: no such file"),
        (("build", "metamath", "--out", "x", "--source", "sample", "--on-error", "cry"), 2, "skip"),
        (
            ("build", "metamath", "--out", "x", "--source", "sample", "--corruption", "nearly"),
            2,
            "near, digit, operation",
        ),
        (("build", "metamath", "--out", "x", "--source", "sample", "--corruptions", "0"), 2, "from 1 to 64"),
        (("build", "arc", "--out", "x", "--source", "sample", "--corruptions", "2"), 2, "do not apply to arc"),
        (("stats", "missing"), 1, "missing: no such folder"),
        (("show", "missing"), 1, "missing: no such folder"),
        (("validate", "."), 1, "not a complete pairgen dataset"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_bad_input_is_one_message_and_an_exit_code(
    words: tuple[str, ...], code: int, message: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.exit_code == code
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
    assert not list(tmp_path.iterdir())


def test_unknown_names_list_the_known(dataset: Path, run: Run) -> None:
    for words, known in {
        ("--metric", "cosine"): "levenshtein",
        ("--unit", "byte"): "word",
        ("--by", "colour"): "strategy",
    }.items():
        done = run("stats", dataset, *words)
        assert done.exit_code == 2
        assert known in done.stderr
    done = run("show", dataset, "--where", "colour=red")
    assert done.exit_code == 2
    assert "edit_distance" in done.stderr


def test_an_existing_output_is_replaced_only_on_request(dataset: Path, rows: Path, run: Run) -> None:
    before = {file: file.read_bytes() for file in dataset.rglob("*") if file.is_file()}
    refused = run("build", "metamath", "--source", rows, "--out", dataset)
    assert refused.exit_code == 1
    assert "--overwrite" in refused.stderr
    assert {file: file.read_bytes() for file in dataset.rglob("*") if file.is_file()} == before
    assert run("build", "metamath", "--source", rows, "--out", dataset, "--overwrite", "--seed", 1).exit_code == 0
    assert (dataset / "pairgen.json").read_bytes() != before[dataset / "pairgen.json"]
    assert len(list(dataset.parent.iterdir())) == 2, "rows and pairs, nothing hidden"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str, run: Run) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert "Example" in done.stdout
    assert f"pairgen {command}" in done.stdout


def test_version_and_module(run: Run) -> None:
    assert run("--version").stdout == f"pairgen {pairgen.__version__}\n"
    done = subprocess.run([sys.executable, "-m", "pairgen", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"pairgen {pairgen.__version__}\n"


def test_a_closed_pipe_is_no_error(dataset: Path) -> None:
    """``pairgen show ... | head -1`` ends quietly."""
    command = f"{sys.executable} -m pairgen show {dataset} --n 30 --full | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("pairgen.building.pipeline.build", "build arc --out out", "pairgen: interrupted; nothing was written to out"),
        ("pairgen.pairs.dataset.open_pairs", "stats pairs", "pairgen: interrupted"),
        ("pairgen.pairs.dataset.open_pairs", "validate pairs", "pairgen: interrupted"),
    ],
)
def test_an_interrupt_is_one_message(
    module: str, words: str, message: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, interrupt)
    done = run(*words.split())
    assert (done.exit_code, done.stderr) == (130, f"{message}\n")


def test_arguments_are_not_markup(run: Run) -> None:
    for words in (("show", "[red]:smile:"), ("build", "[red]:smile:", "--out", "out")):
        assert "[red]:smile:" in run(*words).stderr


# ---------------------------------------------------------------- shortcuts


def test_shortcuts_are_shown_and_strict_validation_refuses_strong_ones(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "pairs"
    run("build", "metamath", "--source", "sample:60", "--out", out)
    shown = run("stats", out, "--shortcuts")
    assert shown.exit_code == 0
    assert "used again: the value occurs again after its place" in shown.stdout
    found = json.loads(run("stats", out, "--shortcuts", "--json").stdout)
    assert found["train"]["used again"]["pairs"] == 60
    assert "## Shortcuts" in (out / "README.md").read_text()
    assert run("validate", out).exit_code == 0
    strict = run("validate", out, "--strict")
    assert strict.exit_code == 3
    assert "the strongest shortcut, 'used again', is right in" in strict.stderr
    json_strict = run("validate", out, "--strict", "--json")
    assert json.loads(json_strict.stdout)["shortcuts"]["train"]["rule"] == "used again"
