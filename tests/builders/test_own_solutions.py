"""Worked solutions of anybody's own: what is kept, what is dropped."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.sample_rows import row as sample_row
from hypothesis import given
from hypothesis import strategies as st

import pairgen
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.interface import MAX_LENGTH, CorruptionOptions
from pairgen.builders.own_solutions import read, reject
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import DropRow
from pairgen.pairs.validate import violations

QUESTION = "Ann fills 4 boxes of 6 pens and finds 3 more, in 2 days. How many pens are there?"
STEPS = "She packs 4 * 6 = 24 pens. With the others, 24 + 3 = 27"
COLUMNS = "question=problem,solution=rationale,answer=final"


def rejected(solution: str, **others: Any) -> set[str]:
    """All rejected completions in 20 draws. Raises DropRow."""
    example = read({"question": QUESTION, "solution": solution, **others})
    return {reject(example, RowRng(str(seed), 0), CorruptionOptions())[0].completion for seed in range(20)}


@pytest.mark.parametrize(
    ("solution", "answer", "kept"),
    [
        (f"{STEPS} pens, in 2 days.", None, "= 27 pens, in 2 days."),  # the last result
        (f"{STEPS} pens, in 2 days.", 27, "= 27 pens, in 2 days."),
        (f"{STEPS} pens. So Ann has 27 pens, in 2 days.", 27.0, " 27 pens, in 2 days."),
        (f"{STEPS} pens. So Ann has 27 pens, in 2 days.", "$27", " 27 pens, in 2 days."),
        (f"{STEPS} pens. So Ann has $\\boxed{{27}}$ pens.", None, "$\\boxed{27}$ pens."),
        (f"{STEPS} pens.\n#### 27", None, "\n#### 27"),
        (f"{STEPS} pens.\n#### 27", "27 pens", "\n#### 27"),
        (f"{STEPS} pens.\n#### 27", "D", "\n#### 27"),
        (f"{STEPS} pens.", float("nan"), "= 27 pens."),
        (f"{STEPS} pens.", ["27"], "= 27 pens."),
        (f"{STEPS} pens.", "9" * 2000, "= 27 pens."),
    ],
)
def test_the_final_answer_is_kept(solution: str, answer: Any, kept: str) -> None:
    found = rejected(solution, answer=answer)
    assert found
    assert all(text.endswith(kept) and text != solution for text in found)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"solution": f"{STEPS}.\n#### 27", "answer": 28}, "the solution ends in another answer"),
        ({"solution": f"{STEPS}: \\boxed{{27}}", "answer": "28"}, "the solution ends in another answer"),
        ({"solution": "24 + 3 = 27 pens."}, "no number to corrupt"),
        ({"solution": "<<1+1=2>>"}, "solution is empty"),
        ({"solution": None}, "solution is null"),
        ({"solution": 3}, "solution is not a string"),
        ({"solution": float("nan")}, "solution is not a string"),
        ({"solution": ["4 * 6 = 24"]}, "solution is not a string"),
        ({"solution": "4 * 6 = 24. " * MAX_LENGTH}, f"solution is over {MAX_LENGTH:,} characters"),
        ({"solution": STEPS, "question": " "}, "question is empty"),
    ],
)
def test_rows_that_yield_no_pair(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(DropRow) as drop:
        rejected(**{"question": QUESTION, **row}) if "question" not in row else read(row)
    assert drop.value.reason == reason


def test_annotations_are_used_and_removed() -> None:
    example = read(
        {"question": QUESTION, "solution": "<<2*3=6>> 2 * 3 is 6. Then 6*4=<<6*4=24>>24, 24+3=<<24+3=27>>27."}
    )
    assert example.answer == "2 * 3 is 6. Then 6*4=24, 24+3=27."
    (made,) = reject(example, RowRng("row", 0), CorruptionOptions())
    assert made.provenance.correct == "24"


CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=3), st.just(STEPS)
)


@given(st.fixed_dictionaries({"question": CELLS, "solution": CELLS, "answer": CELLS, "type": CELLS}))
def test_any_row_gives_an_example_or_a_reason(row: dict[str, Any]) -> None:
    try:
        example = read(row)
        made = reject(example, RowRng("row", 0), CorruptionOptions())
    except DropRow as drop:
        assert drop.reason  # noqa: PT017
    else:
        assert made
        assert all(one.completion != example.answer for one in made)


# ---------------------------------------------------------------- files


def rows_named(count: int) -> list[dict[str, Any]]:
    """Rows with other names; every fifth answer is missing, and one row is wrong."""
    rows = []
    for index in range(count):
        row = sample_row("solutions", index)
        answer = None if index % 5 == 4 else row["answer"]
        rows.append(
            {"problem": row["question"], "rationale": row["solution"], "final": answer, "note": "x", "type": "a"}
        )
    return [*rows, {"problem": "Why?", "rationale": f"{STEPS}.\n#### 27", "final": "5", "note": "", "type": "b"}]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def texts(dataset: PairDataset) -> list[tuple[str, ...]]:
    columns = ["prompt", "chosen", "rejected", "pair_id", "source"]
    return [tuple(row[name] for name in columns) for row in dataset["train"]]


def test_files_with_other_names_give_the_same_pairs(tmp_path: Path) -> None:
    built = [
        pairgen.build(
            "solutions", tmp_path / ending, write(tmp_path / f"rows.{ending}", rows_named(60)), columns=COLUMNS
        )
        for ending in ("csv", "jsonl", "parquet")
    ]
    for dataset in built:
        assert not violations(dataset)
        assert texts(dataset) == texts(built[0])
        assert {row["check"] for row in dataset["train"]} == {"verified"}
        assert {row["source"] for row in dataset["train"]} == {"solutions/a"}
        assert dataset.manifest["splits"]["train"]["drops"]["the solution ends in another answer"] == 1
        assert "license" not in dataset.manifest
    card = (tmp_path / "csv/README.md").read_text("utf-8")
    assert "# Preference pairs of worked solutions from rows.csv\n" in card
    assert card.startswith("---\nlicense: unknown\n")
    assert f"--columns {COLUMNS}" in card


def test_unchecked_pairs_are_dropped_or_kept(tmp_path: Path) -> None:
    unclear = {"question": "How many?", "solution": "There are 12 of them. She buys 5 others.\n#### 17"}
    good = {"question": QUESTION, "solution": f"{STEPS}.\n#### 27"}
    source = str(write(tmp_path / "rows.jsonl", [good, unclear]))
    dropped = build("solutions", tmp_path / "drop", BuildOptions((source,)))
    assert dropped.splits["train"].pairs == 1
    assert dropped.manifest["splits"]["train"]["drops"] == {"unchecked: stated without a calculation": 1}
    assert dropped.manifest["options"]["on_unchecked"] == "drop"
    kept = build("solutions", tmp_path / "keep", BuildOptions((source,), on_unchecked="keep"))
    assert [row["check"] for row in kept["train"]] == ["verified", "unchecked"]
    gsm8k = write(
        tmp_path / "gsm8k.jsonl", [{"question": row["question"], "answer": row["solution"]} for row in (good, unclear)]
    )
    assert build("gsm8k", tmp_path / "all", BuildOptions((str(gsm8k),))).splits["train"].pairs == 2
    only = build("gsm8k", tmp_path / "only", BuildOptions((str(gsm8k),), on_unchecked="drop"))
    assert only.splits["train"].pairs == 1
    assert "--on-unchecked drop" in only.manifest["command"]
    with pytest.raises(UsageError, match="--on-unchecked do not apply to arc"):
        build("arc", tmp_path / "arc", BuildOptions(("sample:5",), on_unchecked="drop"))


def test_gsm8k_as_solutions(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "gsm8k/train.jsonl"
    own = pairgen.build("solutions", tmp_path / "own", source, columns={"solution": "answer"}).to_pandas()
    known = pairgen.build("gsm8k", tmp_path / "known", source, on_unchecked="drop").to_pandas()
    assert len(own) / 7473 > 0.97
    assert set(own.pair_id) == set(known.pair_id)
    both = own.merge(known, on="pair_id", suffixes=("", "_known"))
    assert (both.rejected == both.rejected_known).all()
