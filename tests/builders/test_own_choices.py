"""Multiple-choice questions of anybody's own: how choices and answers are read, and from what answers count."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pairgen
from pairgen.builders.own_choices import FAMILIES, read
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import SourceError, WrongColumns
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import DropRow
from pairgen.pairs.validate import violations

FOUR = ["red", "green", "blue", "grey"]
NAN = float("nan")


def answer(choices: Any = FOUR, given: Any = "A", count_from: str = "unknown", **others: Any) -> str:
    """The text of the right choice, or why there is none."""
    try:
        return read({"question": "Which?", "choices": choices, "answer": given, **others}, count_from).answer
    except DropRow as drop:
        return f"dropped: {drop.reason}"


@pytest.mark.parametrize(
    ("choices", "given", "expected"),
    [
        (FOUR, "B", "green"),
        (FOUR, "b", "green"),
        (FOUR, " (c) ", "blue"),
        (FOUR, "D.", "grey"),
        (FOUR, "E", "dropped: answer matches no choice"),
        (FOUR, "AB", "dropped: answer matches no choice"),
        (FOUR, "blue ", "blue"),
        (FOUR, "Blue", "dropped: answer matches no choice"),
        (FOUR, 0, "red"),
        (FOUR, "0", "red"),
        (FOUR, 4.0, "grey"),
        (FOUR, 1, "dropped: answer could count from 0 or from 1"),
        (FOUR, "3.0", "dropped: answer could count from 0 or from 1"),
        (FOUR, 5, "dropped: answer matches no choice"),
        (FOUR, -1, "dropped: answer matches no choice"),
        (FOUR, 2.5, "dropped: answer matches no choice"),
        (FOUR, None, "dropped: answer is null"),
        (FOUR, NAN, "dropped: answer is null"),
        (FOUR, " ", "dropped: answer is empty"),
        (FOUR, True, "dropped: answer is not a string or a number"),
        (FOUR, ["A"], "dropped: answer is not a string or a number"),
        (["A", "B", "D", "C"], "A", "A"),
        (["A", "B", "D", "C"], "C", "dropped: answer matches several choices"),
        (["12", "14", "16"], "14", "14"),
        (["12", "14", "16"], 14, "14"),
        ([12, 14.5, 16], 14.5, "14.5"),
        (["3", "0", "1"], "0", "dropped: answer matches several choices"),
        (["3", "0", "1"], 0, "3"),
        (["red", "red", "blue"], "red", "dropped: answer matches several choices"),
        ({"A": "red", "B": "green", "C": None}, "b", "green"),
        ({"1": "red", "2": "green"}, 1, "red"),
        ({"text": ["red", "green"], "label": ["1", "2"]}, 2.0, "green"),
        ({"text": ["red", "green"], "label": ["A", None]}, None, "dropped: answer is null"),
        ([{"text": "red", "label": "A"}, {"text": "green", "label": "B"}], "B", "green"),
        (json.dumps(FOUR), "B", "green"),
        (repr(FOUR), "B", "green"),
        (repr({"A": "red", "B": "green"}), "B", "green"),
        ("red; green", "A", "dropped: malformed choices"),
        (3, "A", "dropped: malformed choices"),
        ([], "A", "dropped: answer matches no choice"),
        (["red"], "A", "dropped: no wrong choice"),
        (["red", None], "A", "dropped: choice is null"),
        (["red", NAN], "A", "dropped: choice is not a string"),
        (["red", " "], "A", "dropped: choice is empty"),
        (["red", "x" * 200_000], "A", "dropped: choice is over 100,000 characters"),
        (None, "A", "dropped: no choices"),
        (NAN, "A", "dropped: no choices"),
    ],
)
def test_answers(choices: Any, given: Any, expected: str) -> None:
    assert answer(choices, given) == expected


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family[0])
def test_choices_in_columns(family: tuple[str, ...]) -> None:
    row = dict(zip(family, [*FOUR, "", None], strict=False))
    assert answer(None, "green", **row) == "green"
    assert answer(None, 4, "1", **row) == "grey"
    assert answer(None, "B", **row) == "green"


def test_columns_that_are_no_choices() -> None:
    assert answer(None, "A", A="red") == "dropped: no choices"
    assert answer(None, "A", A="red", C="green") == "dropped: no choices"
    assert answer(None, "A", A="red", B="green", option1="x", option2="y") == "dropped: several sets of choice columns"
    assert answer(None, "A", A="red", B="", C="blue") == "dropped: choice is empty"


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 5),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["A", "B", "0", "1"]),
)


@given(
    CELLS, st.one_of(CELLS, st.lists(CELLS, max_size=5), st.dictionaries(st.text(max_size=2), CELLS, max_size=4)), CELLS
)
def test_any_row_gives_an_example_or_a_reason(question: Any, choices: Any, given: Any) -> None:
    try:
        example = read({"question": question, "choices": choices, "answer": given})
    except DropRow as drop:
        assert drop.reason  # noqa: PT017
    else:
        assert example.answer
        assert example.detail


@given(st.lists(st.text("abcd", min_size=1, max_size=3), min_size=2, max_size=6, unique=True), st.data())
def test_every_way_to_name_a_choice_names_the_same(choices: list[str], data: st.DataObject) -> None:
    """Unless it can be two things, such as the text of one choice and the letter of another."""
    right = data.draw(st.integers(0, len(choices) - 1))
    labels = [f"L{index}" for index in range(len(choices))]
    ways = [
        answer(choices, choices[right]),
        answer(choices, "ABCDEF"[right]),
        answer(choices, right, "0"),
        answer(choices, float(right + 1), "1"),
        answer({"text": choices, "label": labels}, labels[right]),
        answer(dict(zip("ABCDEF", choices, strict=False)), "ABCDEF"[right]),
    ]
    assert {way for way in ways if way != "dropped: answer matches several choices"} == {choices[right]}


# ---------------------------------------------------------------- all rows


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def chosen(dataset: PairDataset) -> list[str]:
    return list(dict.fromkeys(row["chosen"].strip() for row in dataset["train"]))


def numbered(numbers: list[int]) -> list[dict[str, Any]]:
    return [
        {"question": f"Which, {at}?", "choices": [f"{color} {at}" for color in FOUR], "answer": number}
        for at, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("numbers", "count_from"),
    [
        ([0, 1, 2, 3, 3, 1], "0"),
        ([1, 2, 3, 4, 1, 1], "1"),
        ([1, 2, 3, 1, 2, 3], "unknown"),
        ([1, 2, 3, 4, 0, 0], "mixed"),
        ([0] * 60 + [1, 2, 4], "0"),
        ([1] * 1500 + [2, 3, 4], "1"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_answers_count_from_is_found_from_all_rows(
    numbers: list[int], count_from: str, ending: str, tmp_path: Path
) -> None:
    rows = numbered(numbers)
    source = write(tmp_path / f"rows.{ending}", rows)
    if count_from == "unknown":
        with pytest.raises(SourceError, match="answer could count from 0 or from 1: 6"):
            build("choices", tmp_path / "out", BuildOptions((source,)))
        return
    dataset = build("choices", tmp_path / "out", BuildOptions((source,)))
    assert dataset.manifest["options"]["answers_count_from"] == count_from
    first = int(count_from) if count_from != "mixed" else 0
    unambiguous = (0, 4) if count_from == "mixed" else range(first, first + 4)
    kept = [(row, number) for row, number in zip(rows, numbers, strict=True) if number in unambiguous]
    assert len(dataset) == 3 * len(kept)
    if count_from != "mixed":
        assert chosen(dataset) == [row["choices"][number - first] for row, number in kept]


def test_one_split_shows_what_the_other_counts_from(tmp_path: Path) -> None:
    train, dev = write(tmp_path / "train.jsonl", numbered([1, 2])), write(tmp_path / "dev.jsonl", numbered([4, 2]))
    dataset = build("choices", tmp_path / "out", BuildOptions((train, f"eval={dev}")))
    assert chosen(dataset) == ["red 0", "green 1"]


def test_equal_wrong_choices_give_one_pair(tmp_path: Path, run: Callable[..., Any]) -> None:
    rows = [
        {"question": "Which?", "choices": ["ice", "steam", "fog", "steam "], "answer": "A"},
        {"question": "And which?", "choices": ["ice", "ice", "fog"], "answer": "A"},
    ]
    done = run("build", "choices", "--source", write(tmp_path / "rows.jsonl", rows), "--out", tmp_path / "out")
    assert "repeated pairs left out: 1; dropped rows: a wrong choice is identical to the correct one (1)" in done.stdout
    dataset = pairgen.open_pairs(tmp_path / "out")
    assert [row["rejected"] for row in dataset["train"]] == [" steam", " fog"]
    assert dataset.manifest["splits"]["train"]["repeated_pairs"] == 1
    arc = {"question": "Which?", "choices": {"text": rows[0]["choices"], "label": list("ABCD")}, "answerKey": "A"}
    pairs = build("arc", tmp_path / "arc", BuildOptions((write(tmp_path / "arc.jsonl", [arc]),)))
    assert [row["rejected"] for row in pairs["train"]] == [" steam", " fog"]


def test_files_without_choices_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.csv", [{"question": "Which?", "wahl": "['a', 'b']", "answer": "A"}])
    with pytest.raises(
        WrongColumns, match=r"neither a column choices .* --columns choices=NAME or --columns A=NAME,B=NAME"
    ):
        build("choices", tmp_path / "out", BuildOptions((source,)))
    assert len(build("choices", tmp_path / "out", BuildOptions((source,), columns="choices=wahl"))) == 1


def test_rows_of_one_group_stay_in_one_split(tmp_path: Path) -> None:
    rows = [{**row, "topic": f"t{at % 4}"} for at, row in enumerate(numbered([0, 1, 2, 3] * 10))]
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows),), columns="group=topic", eval_size=10)
    dataset = build("choices", tmp_path / "out", options)
    topics = {split: {int(row["chosen"].split()[-1]) % 4 for row in dataset[split]} for split in ("train", "eval")}
    assert len(topics["eval"]) == 1
    assert not topics["train"] & topics["eval"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("layout", ["list", "labeled", "columns", "text", "index"])
def test_arc_as_choices_gives_the_same_pairs(layout: str, ending: str, real_data: Path, tmp_path: Path) -> None:
    arc = real_data / "arc/ARC-Challenge-Dev.jsonl"
    rows = []
    for line in arc.read_text("utf-8").splitlines():
        row = json.loads(line)
        choices = row["question"]["choices"]
        labels, texts = [one["label"] for one in choices], [one["text"] for one in choices]
        right = labels.index(row["answerKey"])
        given = {
            "list": {"options": texts, "key": "ABCDE"[right]},
            "labeled": {"options": {"text": texts, "label": labels}, "key": row["answerKey"]},
            "columns": {**dict.fromkeys("ABCDE"), **dict(zip("ABCDE", texts, strict=False)), "key": row["answerKey"]},
            "text": {"options": texts, "key": texts[right]},
            "index": {"options": texts, "key": right},
        }[layout]
        rows.append({"stem": row["question"]["stem"], **given})
    columns = "question=stem,answer=key" + ("" if layout == "columns" else ",choices=options")
    own = pairgen.build("choices", tmp_path / "own", write(tmp_path / f"rows.{ending}", rows), columns=columns)
    known = pairgen.build("arc", tmp_path / "known", arc)
    assert not violations(own)
    names = ["prompt", "chosen", "rejected", "pair_id", "group_id"]
    assert len(own) == 895
    assert own.to_pandas()[names].equals(known.to_pandas()[names])
