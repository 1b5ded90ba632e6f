"""Builds from real rows: the paper's counts, and how much of MetaMath is provable."""

from collections import Counter
from pathlib import Path

import pytest

from pairgen.arithmetic.evaluate import evaluate, states
from pairgen.arithmetic.numbers import parse
from pairgen.arithmetic.steps import calculation_of, find_steps, plain
from pairgen.build import build
from pairgen.builders import BUILDERS
from pairgen.builders.gsm8k import strip_marks
from pairgen.builders.metamath import reasoning_stop
from pairgen.sources import resolve, rows
from pairgen.validate import violations

PAPER = {
    "arc": ({"train": "arc/ARC-Challenge-Train.jsonl", "eval": "arc/ARC-Challenge-Dev.jsonl"}, [3357, 895]),
    "hellaswag": (
        {"train": "hellaswag/train_cleaned.jsonl.gz", "eval": "hellaswag/hub_layout_validation"},
        [119715, 30126],
    ),
}


@pytest.mark.parametrize("name", PAPER)
def test_counts_are_the_papers(name: str, real_data: Path, tmp_path: Path) -> None:
    given, counts = PAPER[name]
    dataset = build(name, tmp_path / name, [f"{split}={real_data / file}" for split, file in given.items()], workers=2)
    assert [split.pairs for split in dataset.splits.values()] == counts
    assert all(not about["drops"] for about in dataset.manifest["splits"].values())
    assert not violations(dataset)


def test_raw_hellaswag_rows_are_cleaned(real_data: Path, tmp_path: Path) -> None:
    dataset = build("hellaswag", tmp_path / "out", [str(real_data / "hellaswag/train_raw_first3368.jsonl.gz")])
    assert dataset.splits["train"].pairs == 3 * 3368
    table = dataset.splits["train"].table(["prompt", "chosen", "rejected"])
    for column in table.column_names:
        assert not any("[title]" in text or "[step]" in text for text in table[column].to_pylist())


def test_metamath_rows_become_proved_pairs(real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", [str(real_data / "metamath/GSM_AnsAug.json")])
    assert not violations(dataset)
    pairs = dataset.splits["train"].table().to_pylist()
    said = dataset.manifest["splits"]["train"]
    assert len(pairs) >= 0.995 * 4000
    assert said["rows"] == 4000 == len(pairs) + sum(said["drops"].values())
    checks = Counter(pair["check"] for pair in pairs)
    assert checks["verified"] >= 0.9 * len(pairs)
    for pair in pairs:
        stops = [reasoning_stop(pair[name]) for name in ("chosen", "rejected")]
        assert pair["chosen"][stops[0] :] == pair["rejected"][stops[1] :]


@pytest.mark.parametrize("file", ["MATH_solutions.jsonl", "GSM_FOBAR_like.jsonl"])
def test_hard_rows_give_valid_pairs_or_counted_drops(file: str, real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", [str(real_data / "metamath" / file)])
    said = dataset.manifest["splits"]["train"]
    assert not violations(dataset)
    assert said["rows"] == said["pairs"] + sum(said["drops"].values())


def test_gsm8k_marks_are_found_by_the_text_alone(real_data: Path) -> None:
    """Marks stripped, most results are found at their exact span, and what is found is right."""
    builder = BUILDERS["gsm8k"]
    source = resolve([str(real_data / "gsm8k/train.jsonl")], "gsm8k", builder.hub, builder.columns)["train"]
    marked = found = right = everything = 0
    for chunk in source.chunks:
        for row in rows(chunk, builder.columns, builder.optional, None):
            text, steps = strip_marks(row["answer"])
            spans = {(step.start, step.stop) for step in steps}
            marked += len(spans)
            for step in find_steps(text, reasoning_stop(text)):
                everything += 1
                calculation = calculation_of(text, step)
                value = evaluate(plain(calculation)) if calculation else None
                result = parse(text[step.start : step.stop])
                if (step.start, step.stop) in spans:
                    found += 1
                    right += 1
                elif value is not None and result is not None:
                    right += states(result, value)
    assert marked > 23_000
    assert found >= 0.96 * marked
    assert right >= 0.98 * everything
