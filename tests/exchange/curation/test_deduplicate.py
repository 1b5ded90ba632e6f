"""``dedup``: what is a duplicate of what, against a slow twin."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from helpers.groups_of_pairs import Triples, content, rows_of, triple_lists, write
from helpers.rows import make_folder, pair
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import UsageError
from pairgen.exchange.curation.curation_options import DedupOptions
from pairgen.exchange.curation.deduplicate import FURTHER_ANSWER, REPEATED, SIMILAR, dedup, find_duplicates
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.validate import shared_prompts, violations

EXACT = DedupOptions(exact=True)


def ids(dataset: PairDataset) -> list[str]:
    return [row["pair_id"] for row in dataset]


def slowly_kept(dataset: PairDataset, by: str) -> list[str]:
    """Ids of the pairs that stay if near-duplicates are not looked for."""
    held_out = {row["prompt"] for row in rows_of(dataset, "eval")}
    pairs: set[tuple[str, str, str]] = set()
    answers: dict[str, str] = {}
    kept = []
    for name in ("eval", "train"):
        for row in rows_of(dataset, name):
            texts = (row["prompt"], row["chosen"], row["rejected"])
            first_answer = answers.setdefault(row["prompt"], row["chosen"]) == row["chosen"]
            stays = (by == "answer" or first_answer) and texts not in pairs
            pairs.add(texts)
            if stays and not (name == "train" and row["prompt"] in held_out):
                kept.append(row["pair_id"])
    return kept


@pytest.mark.slow
@given(train=triple_lists(), held_out=triple_lists(0, 4), by=st.sampled_from(["answer", "question"]))
@settings(deadline=None, max_examples=60)
def test_exact_duplicates_are_those_of_the_slow_twin(train: Triples, held_out: Triples, by: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        dataset = write(Path(name), "all", train=train, eval=held_out)
        expected = slowly_kept(dataset, by)
        assume(any(one.startswith("train") for one in expected))
        unique, found = dedup(dataset, Path(name) / "unique", DedupOptions(exact=True, by=by))
        assert sorted(ids(unique)) == sorted(expected)
        assert found.total == len(dataset) - len(expected)
        assert not shared_prompts(unique)
        assert not violations(unique)
        for split, counts in unique.manifest["history"][-1]["splits"].items():
            assert counts["pairs_before"] == counts["pairs"] + sum(counts["removed"].values())
            assert Counter(counts["removed"]) == found.pairs[split]
        for split in unique.splits:
            whole = {(row["group_id"], row["rejected"]) for row in rows_of(dataset, split)}
            kept = [(row["group_id"], row["rejected"]) for row in rows_of(unique, split)]
            stays = {group for group, _ in kept}
            assert sorted(kept) == sorted(key for key in whole if key[0] in stays), "groups are whole"
        again, _ = dedup(unique, Path(name) / "again", DedupOptions(exact=True, by=by))
        assert ids(again) == ids(unique)


LONG = "Ann has 3 jars of jam and buys {} more on each of the first four days of a week. How many has she then?"


def questions(tmp_path: Path) -> PairDataset:
    """Two answers to a question, a near-duplicate of it, an unrelated question, and a held-out near-duplicate."""
    rows = [
        pair(" 7", " 8", "first", LONG.format(1)),
        pair(" 7", " 9", "other-rejected", LONG.format(1)),
        pair(" seven", " eight", "other-answer", LONG.format(1)),
        pair(" 11", " 8", "similar", LONG.format(1).replace("Ann", "Ben")),
        pair(" 11", " 8", "punctuation", LONG.format(1).replace(".", ";").upper()),
        pair(" No", " Yes", "unrelated", "Is the moon made of cheese, and if so, of which kind?"),
        pair(" Never", " Once", "leaked", "How often does the earth turn around the sun in exactly one leap year?"),
    ]
    held_out = [pair(" 1", " 2", "held-out", "How often does the earth turn around the sun in exactly one year?")]
    return make_folder(tmp_path / "questions", {"train": rows, "eval": held_out})


def test_near_duplicates_leave_out_groups_and_keep_other_answers(tmp_path: Path) -> None:
    dataset = questions(tmp_path)
    unique, found = dedup(dataset, tmp_path / "unique", DedupOptions(threshold=0.7))
    assert ids(unique) == ["first", "other-rejected", "other-answer", "unrelated", "held-out"]
    assert found.pairs == {"eval": {}, "train": {SIMILAR: 2, "prompt is similar to one in eval": 1}}
    assert (found.prompts, found.prompts_kept) == (6, 3)
    assert {(one.prompt[:3], one.kept[:3]) for one in found.examples} == {
        ("Ben", "Ann"),
        ("ANN", "Ann"),
        ("How", "How"),
    }
    assert unique.manifest["history"][-1]["command"] == "pairgen dedup questions --out unique --threshold 0.7"


def test_by_question_one_group_stays(tmp_path: Path) -> None:
    unique, found = dedup(questions(tmp_path), tmp_path / "unique", DedupOptions(threshold=0.7, by="question"))
    assert ids(unique) == ["first", "other-rejected", "unrelated", "held-out"]
    assert found.pairs["train"][FURTHER_ANSWER] == 1


def test_a_high_threshold_keeps_similar_questions(tmp_path: Path) -> None:
    found = find_duplicates(questions(tmp_path), DedupOptions(threshold=0.99))
    assert found.pairs["train"] == {SIMILAR: 1}, "upper case and punctuation do not matter"


def test_few_shot_examples_do_not_make_prompts_similar(tmp_path: Path) -> None:
    rows = [{"question": f"What is the {word}?", "answer": f"It is {word} 1."} for word in "abcdefgh"]
    for number, row in enumerate(rows):
        row["answer"] = f"2 + {number} = <<2+{number}={2 + number}>>{2 + number}\n#### {2 + number}"
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    shots = build("gsm8k", tmp_path / "shots", BuildOptions((str(file),), shots=4))
    assert find_duplicates(shots).total == 0


def test_nothing_left_to_train_on_is_an_error(tmp_path: Path) -> None:
    dataset = write(tmp_path, "all", train=[(0, 0, 1)], eval=[(0, 1, 1)])
    with pytest.raises(UsageError, match="no pairs would be left to train on"):
        dedup(dataset, tmp_path / "out", EXACT)
    assert not (tmp_path / "out").exists()


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "all", BuildOptions(("sample:200",), eval_size=20))
    unique, _ = dedup(dataset, tmp_path / "unique")
    again, _ = dedup(dataset, tmp_path / "unique", overwrite=True)
    assert content(unique) == content(again)


def test_repeated_rows_of_metamath_are_found(real_data: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "all", BuildOptions((str(real_data / "metamath/GSM_AnsAug.json"),)))
    found = find_duplicates(dataset, EXACT)
    texts = {(row["prompt"], row["chosen"], row["rejected"]) for row in dataset}
    assert found.pairs["train"] == {REPEATED: len(dataset) - len(texts)}
    assert found.total > 20
