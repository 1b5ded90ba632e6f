"""Overlaps of pairs with evaluation sets, and the sets that are read."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers.groups_of_pairs import content
from helpers.rows import make_folder, pair

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import SourceError, SourceNotFound, UsageError, WrongColumns
from pairgen.exchange.curation import decontaminate as module
from pairgen.exchange.curation.curation_options import OverlapOptions
from pairgen.exchange.curation.decontaminate import decontaminate, find_overlaps
from pairgen.exchange.curation.evaluation_sets import KNOWN, EvaluationSet, read_evaluation_set
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.validate import violations
from pairgen.sources import sample
from pairgen.sources.origin import Source

SHARED = "Mia has {} boxes with {} pens each and gives {} pens to Tom. How many pens does Mia have after that?"


def write_lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.fixture
def dataset(tmp_path: Path) -> PairDataset:
    other = "Why does the moon look larger when it is close to the horizon on a clear night?"
    rows = [
        pair(" 5", " 6", "whole", SHARED.format(3, 4, 7)),
        pair(" 5", " 7", "whole-2", SHARED.format(3, 4, 7)),
        pair(" 1", " 2", "numbers", SHARED.format("five", 12, "1,000")),
        pair(" 1", " 2", "shot", f"Question: {SHARED.format(3, 4, 7)}\nAnswer: 5\n\nQuestion: Why?\nAnswer:"),
        pair(" 1", " 2", "other", other),
    ]
    return make_folder(tmp_path / "pairs", {"train": rows, "eval": [pair(" 1", " 2", "held", SHARED.format(9, 9, 9))]})


QUESTIONS = EvaluationSet("set.jsonl", [SHARED.format(3, 4, 7), "Is it?"])


def test_forms_are_counted_for_pairs_prompts_and_questions(dataset: PairDataset) -> None:
    found = find_overlaps(dataset, QUESTIONS)
    assert found.pairs == {"train": {"question": 3, "masked": 1}, "eval": {"masked": 1}}
    assert (found.prompts["question"], found.prompts["masked"]) == (2, 2)
    assert found.questions == {"question": 1, "ngram": 0, "masked": 0}
    assert found.total == 5
    assert sorted(example.form for example in found.examples) == ["masked", "masked", "question", "question"]
    assert all(example.question == QUESTIONS.questions[0] for example in found.examples)
    json.dumps(found.to_json())


def test_whole_groups_are_left_out_and_the_manifest_keeps_that(dataset: PairDataset, tmp_path: Path) -> None:
    clean, found = decontaminate(dataset, tmp_path / "clean", QUESTIONS)
    assert [row["pair_id"] for row in clean] == ["other"]
    assert list(clean.splits) == ["train"], "a split without rows is left out"
    entry = clean.manifest["history"][-1]
    assert entry["command"] == "pairgen decontaminate pairs --out clean --against set.jsonl --apply"
    assert entry["questions"] == 2
    assert sum(entry["splits"]["train"]["removed"].values()) == 4
    assert entry["splits"]["eval"] == {
        "pairs_before": 1,
        "pairs": 0,
        "removed": {"shares 13 words in a row, numbers masked": 1},
    }
    assert found.total == 5
    assert not violations(clean)
    assert find_overlaps(clean, QUESTIONS).total == 0
    again, _ = decontaminate(dataset, tmp_path / "clean", QUESTIONS, overwrite=True)
    assert content(again) == content(clean)


def test_stricter_matches_leave_more(dataset: PairDataset, tmp_path: Path) -> None:
    clean, _ = decontaminate(dataset, tmp_path / "clean", QUESTIONS, OverlapOptions(match="ngram"))
    assert [row["pair_id"] for row in clean] == ["numbers", "other", "held"]


def test_all_pairs_are_never_left_out(dataset: PairDataset, tmp_path: Path) -> None:
    everything = EvaluationSet("all", [row["prompt"] for row in dataset])
    with pytest.raises(UsageError, match="no pairs would be left"):
        decontaminate(dataset, tmp_path / "clean", everything)
    assert not (tmp_path / "clean").exists()


# ---------------------------------------------------------------- sample and real rows


def changed_numbers(text: str) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0]) + 5000), text)


def has_numbers_everywhere(text: str) -> bool:
    """Whether any 13 words in a row include a number that ``changed_numbers`` changes."""
    return max(len(re.findall(r"\w+", part)) for part in re.split(r"\d+", text)) < 13


def test_only_the_masked_form_finds_rows_with_other_numbers(tmp_path: Path) -> None:
    rows = [sample.row("gsm8k", "train", index) for index in range(900)]
    rows = [row for row in rows if has_numbers_everywhere(row["question"])]
    assert len(rows) > 100
    path = write_lines(tmp_path / "same.jsonl", rows)
    dataset = build("gsm8k", tmp_path / "pairs", BuildOptions((path,)))
    same = read_evaluation_set(path)
    assert find_overlaps(dataset, same).prompts["question"] == len(same.questions)
    others = [{**row, "question": changed_numbers(row["question"])} for row in rows]
    found = find_overlaps(dataset, read_evaluation_set(write_lines(tmp_path / "others.jsonl", others)))
    assert found.pairs["train"] == {"masked": len(dataset)}


def test_every_question_of_gsm_ansaug_is_one_of_gsm8k(real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "pairs", BuildOptions((str(real_data / "metamath/GSM_AnsAug.json"),)))
    found = find_overlaps(dataset, read_evaluation_set(str(real_data / "gsm8k/train.jsonl")))
    assert found.pairs["train"] == {"question": len(dataset)}
    assert found.prompts["question"] == found.questions["question"] == len({row["prompt"] for row in dataset})


@pytest.mark.slow
@pytest.mark.parametrize("other", ["arc/hub_layout_validation", "hellaswag/hub_layout_validation"])
def test_disjoint_real_sets_do_not_overlap(other: str, real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "pairs", BuildOptions((str(real_data / "metamath/GSM_AnsAug.json"),)))
    found = find_overlaps(dataset, read_evaluation_set(str(real_data / other)))
    assert found.size > 290
    assert found.total == 0


def test_questions_with_an_unknown_are_found(real_data: Path) -> None:
    """MetaMath's backward questions, most of which contain 13 words of the original."""
    lines = (real_data / "metamath/GSM_FOBAR_like.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    search = module._Search(EvaluationSet("originals", [row["original_question"] for row in rows]), OverlapOptions())
    forms = search.forms("train", pa.array([row["query"] for row in rows]))
    assert (forms > 0).mean() >= 0.99


# ---------------------------------------------------------------- evaluation sets


@pytest.mark.parametrize(
    ("row", "column", "questions"),
    [
        ({"question": " Why? ", "answer": "So"}, None, ["Why?"]),
        ({"query": "Why?", "response": "So"}, None, ["Why?"]),
        ({"problem": "Why?", "question": 3}, None, ["Why?"]),
        ({"text": "Why?", "title": "Because"}, "title", ["Because"]),
        ({"question": {"stem": "Why?", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]},
          "answerKey": "A"}, None, ["Why?"]),
        ({"activity_label": "Run", "ctx_a": "She runs", "ctx_b": "", "endings": ["a", "b"], "label": "",
          "ctx": "She runs away"}, None, ["She runs away"]),
    ],
)  # fmt: skip
def test_the_question_of_a_row_is_found(
    row: dict[str, Any], column: str | None, questions: list[str], tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [row, row])
    assert read_evaluation_set(path, column) == EvaluationSet("rows.jsonl", questions, column)


def test_rows_without_a_question_are_counted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [{"question": "Why?"}, {"question": None}, {"question": " "}])
    said: list[str] = []
    assert read_evaluation_set(path, warn=said.append).questions == ["Why?"]
    assert said == [f"{path}: skipped 2 rows without a question"]


def test_a_dataset_of_pairs_is_an_evaluation_set(dataset: PairDataset) -> None:
    questions = read_evaluation_set(str(dataset.path)).questions
    assert set(questions) == {row["prompt"] for row in dataset}


def test_unreadable_evaluation_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongColumns, match="none of its columns a, b is known; name the question's with --column"):
        read_evaluation_set(write_lines(tmp_path / "ab.jsonl", [{"a": "x", "b": "y"}]))
    with pytest.raises(WrongColumns, match="ctx"):
        read_evaluation_set(write_lines(tmp_path / "ab.jsonl", [{"a": "x"}]), "ctx")
    with pytest.raises(SourceError, match="contains no questions"):
        read_evaluation_set(write_lines(tmp_path / "ab.jsonl", [{"question": ""}]))
    for name in ("nothing", str(tmp_path / "nothing"), "data/nothing.jsonl"):
        with pytest.raises(SourceNotFound, match="no such file; give a file, a folder, a Hub dataset, or gsm8k, arc"):
            read_evaluation_set(name)


def test_names_stand_for_held_out_splits_on_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Path(write_lines(tmp_path / "rows.jsonl", [{"question": "Why?", "answer": "So"}]))
    asked: list[Any] = []

    def resolve(names: list[str], dataset: str, hub: Any, columns: Any) -> dict[str, Source]:
        asked.append((names, dataset, hub.splits["eval"]))
        return {"eval": Source(columns, {}, (path,))}

    monkeypatch.setattr("pairgen.exchange.curation.evaluation_sets.resolve", resolve)
    assert list(KNOWN) == ["gsm8k", "arc", "hellaswag"]
    assert read_evaluation_set("gsm8k") == EvaluationSet("gsm8k", ["Why?"])
    assert asked == [(["eval=openai/gsm8k"], "gsm8k", "test")]


def test_a_hub_dataset_is_read_from_the_first_split_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = Path(write_lines(tmp_path / "rows.jsonl", [{"question": "Why?"}]))

    def resolve(names: list[str], dataset: str, hub: Any, columns: Any) -> dict[str, Source]:
        del names, dataset
        if hub.splits["eval"] == "test":
            raise SourceNotFound("me/set: cannot be loaded from the Hub (ValueError: Unknown split); pass a file")
        assert hub.splits["eval"] == "validation"
        return {"eval": Source(columns, {}, (path,))}

    monkeypatch.setattr("pairgen.exchange.curation.evaluation_sets.resolve", resolve)
    assert read_evaluation_set("me/set").questions == ["Why?"]


def test_without_a_network_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object) -> None:
        raise SourceNotFound("me/set: cannot be loaded from the Hub (offline); pass a file with --source FILE")

    monkeypatch.setattr("pairgen.exchange.curation.evaluation_sets.resolve", resolve)
    for name in ("arc", "me/set"):
        with pytest.raises(SourceNotFound, match=r"\(offline\); .* --against FILE$"):
            read_evaluation_set(name)
