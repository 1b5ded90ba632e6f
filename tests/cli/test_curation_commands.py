"""sample, split, mix, dedup and decontaminate on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from pairgen.pairs.dataset import open_pairs

Run = Callable[..., Result]


@pytest.fixture
def dataset(tmp_path: Path, run: Run) -> Path:
    words = ("build", "metamath", "--source", "sample:60", "--pairs-per-row", 2)
    assert run(*words, "--out", tmp_path / "pairs").exit_code == 0
    return tmp_path / "pairs"


def written(done: Result) -> dict[str, dict[str, int]]:
    assert done.exit_code == 0, done.output
    splits: dict[str, dict[str, int]] = json.loads(done.stdout)["splits"]
    return splits


def test_sample_and_split(dataset: Path, tmp_path: Path, run: Run) -> None:
    done = run("sample", dataset, "--pairs", 30, "--out", tmp_path / "some")
    assert "train: 30 pairs of 120; left out: 90 (not chosen)" in done.stdout
    assert f"Wrote 30 pairs to {tmp_path / 'some'}" in done.stdout
    counts = written(run("split", tmp_path / "some", "--eval-size", 10, "--out", tmp_path / "parts", "--json", "-q"))
    assert counts["train"]["pairs"] + counts["eval"]["pairs"] == 30
    assert run("validate", tmp_path / "parts").exit_code == 0


def test_mix(dataset: Path, tmp_path: Path, run: Run) -> None:
    assert run("build", "arc", "--source", "sample:60", "--out", tmp_path / "arc").exit_code == 0
    words = ("mix", dataset, tmp_path / "arc", "--weights", "0.5,0.5", "--pairs", 60, "--out", tmp_path / "mixed")
    counts = written(run(*words, "--json", "--quiet"))
    assert 57 <= counts["train"]["pairs"] <= 60
    assert run("validate", tmp_path / "mixed").exit_code == 0
    refused = run("mix", dataset, tmp_path / "arc", "--weights", "a,b", "--out", tmp_path / "other")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--weights a,b: must be numbers separated by commas" in refused.stderr


def test_dedup_reports_first(dataset: Path, tmp_path: Path, run: Run) -> None:
    done = run("dedup", dataset, "--threshold", 0.5)
    assert "near-duplicate prompt" in done.stdout
    assert "left out" in done.stdout
    assert "of 120 pairs are duplicates" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["pairs"]
    found = json.loads(run("dedup", dataset, "--threshold", 0.5, "--json").stdout)
    result = run("dedup", dataset, "--threshold", 0.5, "--out", tmp_path / "unique", "--json")
    assert written(result)["train"]["pairs"] == 120 - found["total"]
    assert json.loads(result.stdout)["pairs"] == found["pairs"]


def test_decontaminate_reports_first(dataset: Path, tmp_path: Path, run: Run) -> None:
    prompts = sorted({row["prompt"] for row in open_pairs(dataset)})[:10]
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps({"text": prompt}) + "\n" for prompt in prompts), "utf-8")
    words = ("decontaminate", dataset, "--against", questions, "--match", "question")
    found = json.loads(run(*words, "--json", "--column", "text").stdout)
    assert found["questions"]["question"] == found["size"] == 10
    assert found["total"] >= 20
    done = run(*words)
    assert "contains a whole question" in done.stdout
    assert f"overlaps with {found['total']} of 120 pairs" in done.stdout
    assert not (tmp_path / "clean").exists()
    counts = written(run(*words, "--apply", "--out", tmp_path / "clean", "--json"))
    assert counts["train"]["pairs"] == 120 - found["total"]
    refused = run(*words, "--out", tmp_path / "other")
    assert refused.exit_code == 2
    assert "--apply and --out DIR belong together" in refused.stderr


def test_texts_of_others_cannot_act_on_the_terminal(dataset: Path, tmp_path: Path, run: Run) -> None:
    prompt = open_pairs(dataset)["train"][0]["prompt"]
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": f"{prompt} \x1b[31m [red]"}), "utf-8")
    shown = run("decontaminate", dataset, "--against", questions).stdout
    assert "\x1b" not in shown
    assert "\\x1b" in shown


def test_an_interrupt_says_that_nothing_was_written(dataset: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pairgen.exchange.curation.derive.DatasetWriter.write", interrupt)
    for words in (("sample", "--pairs", 9), ("split", "--eval-size", 9), ("dedup",)):
        done = run(words[0], dataset, *words[1:], "--out", "nowhere", "--quiet")
        assert done.exit_code == 130
        assert done.stderr == "pairgen: interrupted; nothing was written to nowhere\n"


def test_a_threshold_out_of_range_is_refused(dataset: Path, run: Run) -> None:
    done = run("dedup", dataset, "--threshold", 0)
    assert done.exit_code == 2
    assert "--threshold must be above 0, at most 1" in done.stderr


@pytest.mark.parametrize("command", ["sample", "split", "mix", "dedup", "decontaminate"])
def test_help_has_examples(command: str, run: Run) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert f"pairgen {command}" in done.stdout
