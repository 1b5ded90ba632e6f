"""``explain``: the results found, their positions and checks; and all kinds of input."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers import sample_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from pairgen.arithmetic.errors.carry import CARRY
from pairgen.arithmetic.errors.kinds import ERRORS
from pairgen.arithmetic.labels import REASONS
from pairgen.builders import CORRUPTIONS
from pairgen.builders.interface import MAX_LENGTH
from pairgen.building.inspection.explain import explain, solutions
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.cli import load_app
from pairgen.errors import PairgenError, SourceError, SourceNotFound, UsageError

Run = Callable[..., Result]

SUM = "She has 4 * 6 = 24 jars.\nWith three more, 24 + 3 = 27.\nThe answer is: 27"
ANSWER = "Natalia sold 48/2 = <<48/2=24>>24 clips in May, 48+24 = <<48+24=72>>72 in all.\n#### 72"
STEP_KEYS = ["start", "stop", "text", "expression", "check", "reason", "used_by"]
CORRUPTION_KEYS = [
    *("start", "stop", "correct", "corrupted", "expression", "check", "reason", "strategy", "step"),
    *("error", "edits", "rejected"),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (SUM, [("24", "4 * 6"), ("27", "24 + 3")]),
        (r"So $\frac{3}{4}\cdot 12 = 9$ are left.", [("9", "(3/4)*12")]),
        ("5x + 3 = 28\nSo 5x = 25, and x = 5.\nThe answer is: 5", [("28", "5*5 + 3"), ("25", "5*5"), ("5", "25/5")]),
        ("That makes 3 boxes * 12 pens/box = 36 pens.", [("36", "3 * 12")]),
        ("In all 2 + 2 = 5 are left.", [("5", None)]),
        (ANSWER, [("24", "48/2"), ("72", "48+24")]),
        ("Ça fait 🦊🏽 4 * 6 = 24.", [("24", "4 * 6")]),
        ("Nobody counted.", []),
    ],
)
def test_explain_finds_and_checks_results(text: str, found: list[tuple[str, str | None]]) -> None:
    result = explain(text)
    assert [(step["text"], step["expression"]) for step in result["steps"]] == found
    assert "<<" not in result["solution"]
    for step in result["steps"]:
        holds(result, step)


def holds(result: dict[str, Any], step: dict[str, Any]) -> None:
    """Assert the invariants of every result."""
    assert list(step) == STEP_KEYS
    assert result["solution"][step["start"] : step["stop"]] == step["text"]
    if step["expression"] is None:
        assert step["check"] == "unchecked"
        assert step["reason"] in REASONS
    else:
        assert step["check"] == "verified"
        assert step["reason"] is None


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_explain_corrupts_one_of_the_results(corruption: str) -> None:
    result = explain(SUM, corruption=corruption, seed=3)
    found = result["corruption"]
    assert list(result) == ["solution", "steps", "answer", "corruption", "dropped"]
    assert list(found) == CORRUPTION_KEYS
    assert found["correct"] == result["solution"][found["start"] : found["stop"]] == "24"
    assert found["corrupted"] not in ("24", "27")
    assert result["steps"][found["step"] - 1]["start"] == found["start"]
    assert result["dropped"] is None
    assert result == explain(f"\n {SUM} \n", corruption=corruption, seed=3), "surrounding whitespace is ignored"


def test_explain_depends_on_seed_and_method() -> None:
    assert len({explain(SUM, seed=seed)["corruption"]["corrupted"] for seed in range(20)}) > 5
    assert {explain(SUM, corruption="operation", seed=seed)["corruption"]["corrupted"] for seed in range(20)} == {"10"}


def test_explain_number_outside_calculations_has_no_step() -> None:
    corruption = explain("There were 7 birds on the roof of the house.")["corruption"]
    assert corruption["correct"] == "7"
    assert corruption["check"] == "unchecked"
    assert corruption["reason"] in REASONS
    assert corruption["step"] is None


def test_explain_reports_why_nothing_can_be_corrupted() -> None:
    assert explain("Nobody counted.") == {
        "solution": "Nobody counted.",
        "steps": [],
        "answer": None,
        "corruption": None,
        "dropped": "no number to corrupt",
    }


@given(st.text(st.sampled_from("0123456789 .,x=+-*/()$\\{}^%<>&\nafrcdotsqrtbxe"), min_size=1, max_size=80))
@settings(deadline=None)
def test_explain_accepts_any_nonempty_text(text: str) -> None:
    try:
        result = explain(text)
    except SourceError:
        assert not text.strip()
        return
    for step in result["steps"]:
        holds(result, step)
    assert (result["corruption"] is None) == (result["dropped"] is not None)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", "solution is empty; give the text of a worked solution"),
        (" \n", "solution is empty"),
        ("7" * (MAX_LENGTH + 1), "solution is over 100,000 characters; give the text of one worked solution"),
        ("1 + 1 = 2 \udc80", "solution is not valid Unicode"),
    ],
)
def test_explain_rejects_unusable_text(text: str, result: str) -> None:
    with pytest.raises(SourceError, match=result):
        explain(text)
    with pytest.raises(SourceError, match=result):
        list(solutions(text))


def test_explain_shows_what_uses_a_result_and_the_answer() -> None:
    result = explain("So 5 * 9 = 45. Then 45 + 8 = 53, and 53 - 45 = 8.\nThe answer is: $8.", "How many?")
    assert [step["used_by"] for step in result["steps"]] == [[2, 3], [3], None]
    answer = result["answer"]
    assert answer["text"] == "8"
    assert result["solution"][answer["start"] : answer["stop"]] == "8"
    assert explain("So 5 * 9 = 45.")["answer"] is None


@pytest.mark.parametrize("carry", CARRY)
@pytest.mark.parametrize("error", ERRORS)
def test_explain_makes_the_errors_of_a_build(error: str, carry: str, tmp_path: Path) -> None:
    rows = [sample_rows.row("gsm8k", index) for index in range(30)]
    file = lines(tmp_path / "rows.jsonl", *rows)
    dataset = build("gsm8k", tmp_path / "out", BuildOptions((str(file),), error=error, carry=carry))
    pairs = {pair["chosen"].strip(): pair for pair in dataset}
    for given_ in solutions(str(file)):
        result = explain(given_.text, given_.question, key=given_.key, error=error, carry=carry)
        pair = pairs.get(result["solution"])
        assert (pair is None) == (result["corruption"] is None)
        if pair is not None:
            corruption = result["corruption"]
            assert pair["rejected"].endswith(corruption["rejected"])
            assert corruption["error"] == pair["error"]
            assert len(corruption["edits"]) == len(pair["edits"] or [None])


def test_explain_knows_the_options_of_a_corruption_only() -> None:
    with pytest.raises(UsageError, match="unknown option shots; available: corruption, error, carry, seed"):
        explain(SUM, shots=3)
    with pytest.raises(UsageError, match="--corruption digit is about wrong results"):
        explain(SUM, corruption="digit", error="swap")


def test_explain_unknown_corruption_lists_choices() -> None:
    with pytest.raises(UsageError, match="near, digit, operation, mixed"):
        explain(SUM, corruption="nearly")


# ---------------------------------------------------------------- where solutions come from


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_solutions_text_file_is_one_solution(tmp_path: Path) -> None:
    file = tmp_path / "some.txt"
    file.write_bytes(b"\xef\xbb\xbf" + SUM.replace("\n", "\r\n").encode() + b"\r\n")
    (given_,) = solutions(str(file))
    assert (given_.text, given_.question, given_.where) == (SUM, "", str(file))


def test_solutions_reads_one_solution_per_row(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "rows.jsonl",
        {"query": "How many?", "response": SUM},
        {"question": "How many?", "answer": ANSWER},
        {"answer": SUM},
        {"question": "Why?", "response": SUM},
    )
    found = list(solutions(str(file)))
    assert [given_.text for given_ in found] == [SUM, ANSWER, SUM, SUM]
    assert [given_.question for given_ in found] == ["How many?", "How many?", "", "Why?"]
    assert [given_.where for given_ in found] == [f"{file}: line {number}" for number in range(1, 5)]
    as_list = tmp_path / "rows.json"
    as_list.write_text(json.dumps([{"answer": SUM}]), "utf-8")
    assert [given_.where for given_ in solutions(str(as_list))] == [f"{as_list}: row 1"]


@pytest.mark.parametrize("name", ["metamath", "gsm8k"])
def test_explain_agrees_with_build(name: str, tmp_path: Path) -> None:
    question, answer, text = {"metamath": ("query", "response", SUM), "gsm8k": ("question", "answer", ANSWER)}[name]
    rows = [{question: f"How many, {n}?", answer: text.replace(" in ", f" in {n} ")} for n in range(9)]
    rows += [
        {question: "And then?", answer: f"There were {n} birds." if name == "metamath" else text} for n in (17, 18)
    ]
    file = lines(tmp_path / "rows.jsonl", *rows)
    dataset = build(name, tmp_path / "out", BuildOptions((str(file),), seed=7, corruption="mixed"))
    pairs = dataset.splits["train"].table().to_pylist()
    assert len(pairs) == 11
    for pair, given_ in zip(pairs, solutions(str(file)), strict=True):
        result = explain(given_.text, given_.question, key=given_.key, corruption="mixed", seed=7)
        corruption = result["corruption"]
        for key in ("correct", "corrupted", "expression", "check", "reason", "strategy", "step"):
            assert corruption[key] == pair[key], key
        assert pair["chosen"].endswith(result["solution"])
        assert len(result["steps"]) == (pair["steps"] or 0)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("{", "invalid JSON"),
        ("[1]", "is not a JSON object"),
        ('{"text": "1 + 1 = 2"}', "needs a field response, solution or answer"),
        ('{"response": 5}', "response is not a string"),
        ('{"response": null}', "response is null"),
        ('{"answer": " "}', "answer is empty"),
        ('{"response": "1 + 1 = 2", "query": 5}', "query is not a string"),
        ('{"answer": "1 + 1 = 2", "query": 5}', "query is not a string"),
        ('{"answer": "\\ud800"}', "contains half a surrogate pair"),
        (json.dumps({"answer": "7" * (MAX_LENGTH + 1)}), "answer is over 100,000 characters"),
    ],
)
def test_explain_skips_an_invalid_row_and_names_its_file_and_line(
    line: str, result: str, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{json.dumps({'response': SUM})}\n{line}\n", "utf-8")
    done = run("explain", file, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["solution"] == SUM
    assert done.stderr.startswith(f"skipped: {file}: line 2")
    assert result in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["missing.txt", "missing.jsonl", "rows/missing", "./missing", "Rows Of Mine.JSON"])
def test_solutions_missing_file(name: str) -> None:
    with pytest.raises(SourceNotFound, match="no such file"):
        list(solutions(name))


@pytest.mark.parametrize(
    "text", ["48/2=24", "48/2 = 24", "x" * 5000, "a\0b", "1 + 1 = 2\nsee it.txt", r"$\frac12=0.5$"]
)
def test_solutions_text_is_not_a_file_name(text: str) -> None:
    assert [given_.text for given_ in solutions(text)] == [text]


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.parquet", "rows.arrow", "rows.jsonl.gz"])
def test_solutions_reads_every_format_of_build(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame([{"question": "How many?", "answer": SUM}, {"question": "Why?", "answer": "1 + 1 = 2"}])
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("arrow"):
        frame.to_feather(path)
    elif name.endswith("gz"):
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    assert [(item.question, item.text) for item in solutions(str(path))] == [("How many?", SUM), ("Why?", "1 + 1 = 2")]


def test_solutions_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 1 + 1 = 2")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "long.txt").write_bytes(b" " * 2_000_000)
    (tmp_path / "rows.csv").write_text("text\n1 + 1 = 2\n", "utf-8")
    for name, result in {
        "latin.txt": "latin.txt: not valid UTF-8",
        "empty.txt": "empty.txt: solution is empty",
        "long.txt": "long.txt: is over 100,000 characters",
        "rows.csv": "rows.csv: line 2: needs a field response, solution or answer",
        ".": "cannot be read",
    }.items():
        with pytest.raises(PairgenError, match=result):
            list(solutions(str(tmp_path / name)))


# ---------------------------------------------------------------- the command


def test_explain_command_marks_results_and_corruption(run: Run) -> None:
    done = run("explain", SUM)
    assert done.exit_code == 0
    assert "4 * 6 = [1: 24] jars." in done.stdout
    assert "24 + 3 = [2: 27]." in done.stdout
    assert "would be corrupted: #1  24 -> " in done.stdout


def test_explain_command_json_is_one_object_per_line(tmp_path: Path, run: Run) -> None:
    file = lines(tmp_path / "rows.jsonl", *({"response": f"{n} + 1 = {n + 1}"} for n in range(30)))
    result = [json.loads(line) for line in run("explain", file, "--json").stdout.splitlines()]
    assert [row["steps"][0]["text"] for row in result] == [str(n + 1) for n in range(30)]
    first = run("explain", file, "--json", "--n", 2, "--seed", 5, "--corruption", "digit").stdout.splitlines()
    assert [json.loads(line) for line in first] == [
        explain(f"{n} + 1 = {n + 1}", corruption="digit", seed=5) for n in (0, 1)
    ]


def test_explain_command_reads_stdin() -> None:
    done = CliRunner().invoke(load_app(), ["explain", "-", "--json"], input=SUM.encode())
    assert json.loads(done.stdout) == explain(SUM)
    broken = CliRunner().invoke(load_app(), ["explain", "-"], input=b"\xff")
    assert broken.exit_code == 1
    assert "stdin: not valid UTF-8" in broken.stderr


@pytest.mark.parametrize(
    ("words", "code", "result"),
    [
        (("",), 1, "solution is empty"),
        ((SUM, "--corruption", "nearly"), 2, "must be one of near, digit, operation, mixed, got 'nearly'"),
        ((SUM, "--n", "0"), 2, "--n"),
        ((), 2, "TEXT|FILE"),
        (("no/such/file",), 1, "no/such/file: no such file"),
    ],
)
def test_explain_invalid_usage_is_one_message(words: tuple[str, ...], code: int, result: str, run: Run) -> None:
    done = run("explain", *words)
    assert done.exit_code == code
    assert result in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_explain_command_rejects_undecodable_arguments() -> None:
    done = subprocess.run([sys.executable, "-m", "pairgen", "explain", b"1 + 1 = 2 \xff"], capture_output=True)
    assert done.returncode == 1
    assert b"not valid Unicode" in done.stderr
    assert b"Traceback" not in done.stderr


def test_rows_without_a_solution_are_skipped_and_counted(tmp_path: Path) -> None:
    rows = [
        {"response": ""},
        {"response": "2 + 2 = 4"},
        {"other": 1},
        *[{"response": None}] * 9,
        {"answer": "3 * 2 = 6"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n", "utf-8")
    messages: list[str] = []
    found = list(solutions(str(tmp_path / "rows.jsonl"), messages.append))
    assert [one.text for one in found] == ["2 + 2 = 4", "3 * 2 = 6"]
    assert "rows.jsonl: line 1: response is empty" in messages[0]
    assert len(messages) == 6
    assert messages[-1].endswith("rows.jsonl: skipped 12 rows without a usable solution")
    (tmp_path / "none.jsonl").write_text('{"response": ""}\n' * 3, "utf-8")
    with pytest.raises(SourceError, match=r"none\.jsonl: line 1: response is empty"):
        list(solutions(str(tmp_path / "none.jsonl"), messages.append))
