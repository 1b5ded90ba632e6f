"""Builds from real rows: the counts of the paper, and verification rates of MetaMath."""

from collections import Counter
from pathlib import Path

import pytest
from bench.bench_engine import count_annotated, count_shares, rows_of

from pairgen.arithmetic.errors.changes import CannotCorrupt
from pairgen.arithmetic.errors.corrupt import corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import equal
from pairgen.builders import CORRUPTIONS
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.worked_solutions import reasoning_stop, solution_of
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.validate import violations

PAPER = {
    "arc": ({"train": "arc/ARC-Challenge-Train.jsonl", "eval": "arc/ARC-Challenge-Dev.jsonl"}, [3357, 895]),
    "hellaswag": (
        {"train": "hellaswag/train_cleaned.jsonl.gz", "eval": "hellaswag/hub_layout_validation"},
        [119715, 30126],
    ),
}


@pytest.mark.parametrize("name", PAPER)
def test_counts_are_those_of_the_paper(name: str, real_data: Path, tmp_path: Path) -> None:
    given, counts = PAPER[name]
    dataset = build(
        name,
        tmp_path / name,
        BuildOptions(tuple(f"{split}={real_data / file}" for split, file in given.items()), workers=2),
    )
    assert [split.pairs for split in dataset.splits.values()] == counts
    assert all(not about["drops"] for about in dataset.manifest["splits"].values())
    assert not violations(dataset)


def test_raw_hellaswag_rows_are_cleaned(real_data: Path, tmp_path: Path) -> None:
    dataset = build(
        "hellaswag", tmp_path / "out", BuildOptions((str(real_data / "hellaswag/train_raw_first3368.jsonl.gz"),))
    )
    assert dataset.splits["train"].pairs == 3 * 3368
    table = dataset.splits["train"].table(["prompt", "chosen", "rejected"])
    for column in table.column_names:
        assert not any("[title]" in text or "[step]" in text for text in table[column].to_pylist())


def test_metamath_rows_become_verified_pairs(real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(real_data / "metamath/GSM_AnsAug.json"),)))
    assert not violations(dataset)
    pairs = dataset.splits["train"].table().to_pylist()
    info = dataset.manifest["splits"]["train"]
    assert len(pairs) >= 0.995 * 4000
    assert info["rows"] == 4000 == len(pairs) + sum(info["drops"].values())
    checks = Counter(pair["check"] for pair in pairs)
    assert checks["verified"] >= 0.9 * len(pairs)
    for pair in pairs:
        stops = [reasoning_stop(pair[name]) for name in ("chosen", "rejected")]
        assert pair["chosen"][stops[0] :] == pair["rejected"][stops[1] :]


@pytest.mark.parametrize("file", ["MATH_solutions.jsonl", "GSM_FOBAR_like.jsonl"])
def test_hard_rows_give_valid_pairs_or_counted_drops(file: str, real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(real_data / "metamath" / file),)))
    info = dataset.manifest["splits"]["train"]
    assert not violations(dataset)
    assert info["rows"] == info["pairs"] + sum(info["drops"].values())


def test_annotated_gsm8k_results_are_found_in_plain_text(real_data: Path) -> None:
    """Without annotations, results are found at their span, and most of what is found is annotated or verified."""
    counted = count_annotated(real_data / "gsm8k/train.jsonl")
    assert counted.annotations == 23_716
    assert counted.found_annotations >= 0.995 * counted.annotations
    assert counted.right >= 0.99 * counted.found


@pytest.mark.parametrize(
    ("file", "with_pairs", "verified"),
    [("GSM_AnsAug.json", 0.999, 0.98), ("GSM_FOBAR_like.jsonl", 0.995, 0.80), ("MATH_solutions.jsonl", 0.955, 0.6)],
)
def test_rates_of_rows_with_pairs_and_of_verified_pairs(
    file: str, with_pairs: float, verified: float, real_data: Path
) -> None:
    shares = count_shares(real_data / "metamath" / file)
    assert shares.with_pairs >= with_pairs * shares.rows
    assert shares.verified >= verified * shares.rows


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_every_corruption_method_works_on_real_rows(corruption: str, real_data: Path) -> None:
    shares = count_shares(real_data / "metamath/GSM_FOBAR_like.jsonl", CorruptionOptions(corruption))
    assert shares.with_pairs >= 0.995 * shares.rows
    assert shares.verified >= 0.80 * shares.rows


def test_pairs_of_one_row_are_one_group(real_data: Path, tmp_path: Path) -> None:
    file = real_data / "metamath/GSM_AnsAug.json"
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(file),), pairs_per_row=4))
    assert not violations(dataset)
    info = dataset.manifest["splits"]["train"]
    assert info["pairs"] >= 3.2 * info["rows"]
    pairs = dataset.splits["train"].table(["pair_id", "group_id", "rejected"]).to_pylist()
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    for pair in pairs:
        row, copy = pair["pair_id"].partition("-")[0], pair["pair_id"].partition("~")[2]
        rows.setdefault((row, copy), []).append(pair)
    for made in rows.values():
        assert len({pair["group_id"] for pair in made}) == 1
        assert len({pair["rejected"] for pair in made}) == len(made) <= 4
    assert info.get("rows_with_fewer_pairs", 0) == sum(len(made) < 4 for made in rows.values())


def kind_of(written: str) -> tuple[object, ...]:
    """The format of a literal: all but the number itself."""
    literal = parse_literal(written)
    assert literal is not None, written
    return (
        literal.decimals,
        literal.negative,
        literal.bare_point,
        literal.fraction,
        literal.mixed_separator,
        literal.denominator > 1,
    )


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize("file", ["GSM_AnsAug.json", "GSM_FOBAR_like.jsonl", "MATH_solutions.jsonl"])
def test_corruption_changes_one_span_and_keeps_its_format(file: str, corruption: str, real_data: Path) -> None:
    for index, row in enumerate(rows_of(real_data / "metamath" / file)[:1500]):
        solution = solution_of(row["response"].strip())
        try:
            found = corrupt(solution, row["query"], RowRng(str(index), 1), corruption, 2)
        except CannotCorrupt:
            continue
        for one in found:
            assert solution.text[one.start : one.stop] == one.original != one.corrupted
            assert one.stop <= solution.stop, "the final-answer lines are never corrupted"
            assert kind_of(one.original) == kind_of(one.corrupted)
            value = parse_literal(one.corrupted)
            assert value is not None
            assert value.numerator > 0
            assert solution.answer is None or not equal(value.value, solution.answer)
