"""``audit``: every source of solutions, positions in the text as it is, rows that cannot be read."""

import json
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.building.inspection.audit import Audit, audit, findings_of
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import SourceError, SourceNotFound, UsageError

WRONG = "She has 3 * 4 = 13 pens.\nThen 13 + 5 = 18."
RIGHT = "She has 3 * 4 = 12 pens."
START = WRONG.index("13")


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def places(found: Audit) -> list[tuple[int, str, int | None, int, int, str]]:
    return [
        (one.row, one.column, one.step, one.finding.start, one.finding.stop, one.finding.text) for one in found.found
    ]


@pytest.mark.parametrize("name", ["response", "solution", "answer"])
def test_solutions(name: str, tmp_path: Path) -> None:
    found = audit(write(tmp_path / "rows.jsonl", {name: RIGHT}, {name: WRONG}))
    assert places(found) == [(1, name, None, START, START + 2, "13")]
    assert found.solutions == {("rows.jsonl", name): 2}
    assert found.false_share == 0.5


def test_every_format(tmp_path: Path) -> None:
    frame = pd.DataFrame({"question": ["Why?", "How?"], "solution": [RIGHT, WRONG]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_json(tmp_path / "rows.json", orient="records")
    datasets.Dataset.from_pandas(frame).save_to_disk(str(tmp_path / "folder"))
    for name in ("rows.csv", "rows.parquet", "rows.json", "folder", "rows.c*"):
        assert places(audit(str(tmp_path / name))) == [(1, "solution", None, START, START + 2, "13")]


def test_pairs_of_a_folder_that_build_wrote(tmp_path: Path) -> None:
    build("metamath", tmp_path / "pairs", BuildOptions(("sample:60",), on_unchecked="drop", eval_size=10))
    found = audit(str(tmp_path / "pairs"))
    assert {column for _, column in found.solutions} == {"chosen", "rejected"}
    assert not [one for one in found.found if one.column == "chosen"]
    assert {one.split for one in found.found} == {"train", "eval"}
    assert found.false_share == 0


def test_steps_are_read_one_after_another(tmp_path: Path) -> None:
    steps = ["We have 12 * 3 boxes.", "In all 12 * 3 =", "36 pens. Then 36 + 4 = 41.", "So 41 - 1 = 40."]
    rows = {"problem": "How many?", "steps": steps, "label": 2, "generator": "a-model"}
    found = audit(write(tmp_path / "rows.jsonl", rows))
    assert places(found) == [(0, "steps", 2, steps[2].index("41"), steps[2].index("41") + 2, "41")]
    assert found.found[0].source == "a-model"


@pytest.mark.parametrize(
    "steps",
    [
        [{"text": "3 * 4 = 13", "rating": -1}],
        [{"completions": [{"text": "3 * 4 = 13"}, {"text": "3 * 4 = 12"}]}],
    ],
)
def test_steps_with_ratings(steps: list[Any], tmp_path: Path) -> None:
    assert places(audit(write(tmp_path / "rows.jsonl", {"steps": steps}))) == [(0, "steps", 0, 8, 10, "13")]


def test_only_steps_if_asked(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", {"answer": WRONG, "completions": [RIGHT, "5 + 5 = 11"]})
    assert [place[1] for place in places(audit(rows))] == ["answer"]
    assert [place[1:3] for place in places(audit(rows, steps=True))] == [("completions", 1)]


def test_chat_messages_hold_the_solution_last(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "1 + 1 = 3?"}, {"role": "assistant", "content": WRONG}]
    found = audit(write(tmp_path / "rows.jsonl", {"chosen": chat, "rejected": chat}))
    assert [place[1] for place in places(found)] == ["chosen", "rejected"]


def test_pairs_without_a_rejected_completion(tmp_path: Path) -> None:
    found = audit(write(tmp_path / "rows.jsonl", {"prompt": "Why?", "chosen": WRONG, "rejected": ""}))
    assert found.solutions == {("rows.jsonl", "chosen"): 1}


def test_columns_can_be_named(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", {"problem": "Why?", "rationale": WRONG, "answer": WRONG})
    found = audit(rows, "question=problem,solution=rationale")
    assert places(found) == [(0, "solution", None, START, START + 2, "13")]
    with pytest.raises(UsageError, match="reply is unknown; available: answer, chosen"):
        audit(rows, "reply=rationale")
    with pytest.raises(SourceError, match="but not wrong"):
        audit(rows, "solution=wrong")


def test_unreadable_rows_are_counted_and_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, {"solution": None}, {"other": 1}, {"solution": "\ud800"}, {"solution": WRONG}, {"solution": [1]})
    path.write_text(path.read_text() + "not JSON\n")
    warnings: list[str] = []
    found = audit(str(path), warn=warnings.append)
    assert [place[0] for place in places(found)] == [3]
    assert (found.rows, found.unreadable) == (6, 5)
    assert len(warnings) == 5
    assert (
        "line 1: has no solution in response, solution, answer, steps, completions, chosen or rejected" in warnings[0]
    )


def test_progress_counts_bytes(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    rows = write(tmp_path / "rows.jsonl", *[{"solution": RIGHT}] * 3)
    audit(rows, progress=lambda phase, done, total, *_: calls.append((phase, done, total)))
    size = Path(rows).stat().st_size
    assert calls[0] == ("auditing solutions", 0, size)
    assert calls[-1] == ("auditing solutions", size, size)


def test_a_source_without_solutions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"rows.jsonl: line 1: has no solution .* name the column with --columns"):
        audit(write(tmp_path / "rows.jsonl", {"text": RIGHT}))
    with pytest.raises(SourceNotFound, match="no such file"):
        audit(str(tmp_path / "none.jsonl"))


# ---------------------------------------------------------------- calculator annotations

MARKED = "He sells 48/2 = <<48/2=24>>24 clips, for 50*3 = $<<50*3*.01=1.5>>1.50, and 2 * 3 = <<2*3=7>>7."


def test_annotations_say_what_is_calculated() -> None:
    (finding,) = findings_of(MARKED)
    assert (finding.text, MARKED[finding.start : finding.stop], finding.expression) == ("7", "7", "2 * 3")


@given(st.lists(st.sampled_from(["3 * 4 = 13", "3 * 4 = <<3*4=13>>13", "5 + 5 = <<5+5=10>>10", "so", "<<1=1>>"])))
def test_positions_are_those_of_the_text_with_annotations(parts: list[str]) -> None:
    text = ".\n".join(parts)
    found = findings_of(text)
    assert [text[finding.start : finding.stop] for finding in found] == ["13"] * text.count("13.") + ["13"] * (
        text.endswith("13")
    )
