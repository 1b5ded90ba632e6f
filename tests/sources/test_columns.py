"""Columns of a source under the names that a builder reads."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pairgen
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import InvalidRow, UsageError, WrongColumns
from pairgen.sources.columns import columns_text, names_of, parse_columns

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=",="), min_size=1).filter(
    lambda name: name == name.strip()
)
ROWS = [
    {"problem": f"How many are {n} and 2?", "rationale": f"3 * {n} = {3 * n}.\n{3 * n} + 2 = {3 * n + 2}.", "id": n}
    for n in range(3, 23)
]
COLUMNS = "question=problem,solution=rationale"


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@given(st.dictionaries(NAMES, NAMES, min_size=1))
def test_what_is_written_is_parsed_again(names: dict[str, str]) -> None:
    assert parse_columns(columns_text(names) or "") == names


@pytest.mark.parametrize("text", ["question", "question=", "=problem", "question=a,,solution=b", "", "a=b,"])
def test_malformed_columns(text: str) -> None:
    with pytest.raises(UsageError, match="must be written as OURS=THEIRS"):
        BuildOptions(columns=text)


def test_a_name_given_twice() -> None:
    with pytest.raises(UsageError, match="each name can be given only once"):
        parse_columns("question=a,question=b")


def test_an_optional_column_that_has_another_role_is_not_read_under_its_own_name() -> None:
    assert names_of({"solution": "answer"}, {"answer", "type"}) == {"solution": "answer", "answer": None}
    assert names_of({"solution": "answer", "answer": "key"}, {"answer"}) == {"solution": "answer", "answer": "key"}


@pytest.mark.parametrize("name", ["metamath", "gsm8k"])
@pytest.mark.parametrize("workers", [1, 2])
def test_builders_of_datasets_take_other_names(name: str, workers: int, tmp_path: Path) -> None:
    ours = {"metamath": ("query", "response"), "gsm8k": ("question", "answer")}[name]
    plain = [dict(zip((*ours, "id"), row.values(), strict=True)) for row in ROWS]
    expected = pairgen.build(name, tmp_path / "plain", jsonl(tmp_path / "plain.jsonl", plain))
    columns = dict(zip(ours, ("problem", "rationale"), strict=True))
    source = jsonl(tmp_path / "rows.jsonl", ROWS)
    found = pairgen.build(name, tmp_path / "named", source, columns=columns, workers=workers, eval_size=5)
    mine, theirs = found.to_pandas(), expected.to_pandas()
    assert set(mine.pair_id) == set(theirs.pair_id)
    assert set(mine.rejected) == set(theirs.rejected)
    assert set(mine.row_id) == {str(row["id"]) for row in ROWS}
    assert f"--columns {columns_text(columns)}" in found.manifest["command"]
    assert found.manifest["options"]["columns"] == columns_text(columns)


def test_columns_can_be_swapped(tmp_path: Path) -> None:
    swapped = [{"query": row["rationale"], "response": row["problem"]} for row in ROWS]
    source = jsonl(tmp_path / "rows.jsonl", swapped)
    pairs = pairgen.build("metamath", tmp_path / "out", source, columns="query=response,response=query")
    assert pairs["train"][0]["prompt"] == ROWS[0]["problem"]


def test_a_template_sees_both_names(tmp_path: Path) -> None:
    (tmp_path / "ask.jinja").write_text("{{ row.problem }} | {{ row.question }}")
    options = BuildOptions(
        (jsonl(tmp_path / "rows.jsonl", ROWS),), columns=COLUMNS, prompt_style=str(tmp_path / "ask.jinja")
    )
    prompt = build("solutions", tmp_path / "out", options)["train"][0]["prompt"]
    assert prompt == f"{ROWS[0]['problem']} | {ROWS[0]['problem']}"


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "parquet"])
def test_missing_columns_are_named_with_the_option(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist([{"question": "q", "text": "t"}]), path)
    elif ending.endswith("sv"):
        path.write_text("question,text\nq,t\n".replace(",", "\t" if ending == "tsv" else ","))
    else:
        path.write_text('{"question": "q", "text": "t"}')
    with pytest.raises(WrongColumns) as error:
        build("solutions", tmp_path / "out", BuildOptions((str(path),)))
    assert str(error.value) == (
        f"{path}: has the columns question, text, but not solution; if the file has them under other names, add "
        "--columns solution=NAME"
    )
    with pytest.raises(WrongColumns, match=r"but not txt; if the file has .* --columns solution=NAME"):
        build("solutions", tmp_path / "out", BuildOptions((str(path),), columns="solution=txt"))


def test_a_row_without_a_named_column_is_unreadable_unless_it_is_optional(tmp_path: Path) -> None:
    rows = [dict(row, final=3 * row["id"] + 2) for row in ROWS[:3]] + ROWS[3:]
    source = jsonl(tmp_path / "rows.jsonl", rows)
    pairs = build("solutions", tmp_path / "out", BuildOptions((source,), columns=f"{COLUMNS},answer=final"))
    assert pairs.splits["train"].pairs == len(rows)
    source = jsonl(tmp_path / "rows.jsonl", [*rows, {"problem": "Why?"}])
    with pytest.raises(InvalidRow, match=r"line 21: has no rationale; fix the row"):
        build("solutions", tmp_path / "other", BuildOptions((source,), columns=COLUMNS))


def test_names_that_do_not_apply(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", ROWS)
    with pytest.raises(UsageError, match=r"query is unknown; available: answer, question, solution, type"):
        build("solutions", tmp_path / "out", BuildOptions((source,), columns="query=problem"))
    with pytest.raises(UsageError, match="--columns is for rows of your own"):
        build("gsm8k", tmp_path / "out", BuildOptions(("sample:5",), columns="question=problem"))
