"""``sample`` and ``split``: whole groups, counts that add up, no question in both splits, same seed same bytes."""

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
from pairgen.errors import OutputExists, UsageError
from pairgen.exchange.curation.questions import question_reader
from pairgen.exchange.curation.subsets import sample, split
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.messages import Message
from pairgen.pairs.validate import shared_prompts, violations


def groups(dataset: PairDataset, name: str = "train") -> Counter[str]:
    return Counter(row["group_id"] for row in rows_of(dataset, name))


@given(rows=triple_lists(), pairs=st.integers(1, 14), seed=st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_sample_takes_whole_groups_in_order(rows: Triples, pairs: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        dataset = write(Path(name), "all", train=rows, eval=[(9, 0, 1)])
        before = groups(dataset)
        assume(min(before.values()) <= pairs <= len(rows))
        sampled = sample(dataset, Path(name) / "some", pairs, seed=seed)
        after = groups(sampled)
        assert all(before[group] == count for group, count in after.items())
        left = [count for group, count in before.items() if group not in after]
        assert sum(after.values()) <= pairs
        assert all(sum(after.values()) + count > pairs for count in left), "no group that is left out would fit"
        ids = [row["pair_id"] for row in rows_of(sampled)]
        assert ids == [row["pair_id"] for row in rows_of(dataset) if row["pair_id"] in set(ids)]
        assert rows_of(sampled, "eval") == rows_of(dataset, "eval")
        counts = sampled.manifest["history"][-1]["splits"]["train"]
        assert counts["pairs_before"] == counts["pairs"] + sum(counts["removed"].values()) == len(rows)
        again = sample(dataset, Path(name) / "some", pairs, seed=seed, overwrite=True)
        assert content(again) == content(sampled)


@given(rows=triple_lists(2), size=st.integers(1, 13), seed=st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_split_divides_no_question(rows: Triples, size: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        dataset = write(Path(name), "all", train=rows)
        questions = Counter(prompt for prompt, _, _ in rows)
        assume(min(questions.values()) <= size < len(rows))
        parts = split(dataset, Path(name) / "parts", size, seed=seed)
        assert not shared_prompts(parts)
        assert not set(groups(parts)) & set(groups(parts, "eval"))
        assert 1 <= len(parts["eval"]) <= size
        assert groups(parts) + groups(parts, "eval") == groups(dataset)
        assert sorted(row["pair_id"] for row in parts) == sorted(row["pair_id"] for row in dataset)
        again = split(dataset, Path(name) / "parts", size, seed=seed, overwrite=True)
        assert content(again) == content(parts)


def test_other_seeds_choose_other_groups(tmp_path: Path) -> None:
    dataset = write(tmp_path, "all", train=[(prompt, 0, 1) for prompt in range(40)])
    chosen = {frozenset(groups(sample(dataset, tmp_path / str(seed), 20, seed=seed))) for seed in range(3)}
    assert len(chosen) == 3


def test_manifest_tells_of_the_build_and_of_what_followed(tmp_path: Path) -> None:
    built = build("metamath", tmp_path / "built", BuildOptions(("sample:60",)))
    first = sample(built, tmp_path / "first", 40)
    second = split(first, tmp_path / "second", 10, seed=3)
    manifest = second.manifest
    for key in ("dataset", "title", "description", "license", "sources", "options", "versions", "command"):
        assert manifest[key] == built.manifest[key]  # type: ignore[literal-required]
    assert [entry["command"] for entry in manifest["history"]] == [
        "pairgen sample built --out first --pairs 40 --seed 0",
        "pairgen split first --out second --eval-size 10 --seed 3",
    ]
    assert manifest["history"][1]["inputs"] == ["first"]
    assert manifest["splits"]["train"]["rows"] == 60
    assert manifest["statistics"]["train"]["pairs"] == 30
    assert "corruptions" in manifest["statistics"]["eval"]
    card = (second.path / "README.md").read_text("utf-8")
    assert "pairgen sample built" in card
    assert "30" in card
    assert not violations(second)


def test_rows_of_the_build_are_still_checked(tmp_path: Path) -> None:
    built = build("metamath", tmp_path / "built", BuildOptions(("sample:20",)))
    sampled = sample(built, tmp_path / "sampled", 5)
    sampled.manifest["splits"]["train"]["rows"] = 30
    assert [violation.kind for violation in violations(sampled)] == ["manifest_rows"]


def test_few_shot_examples_and_templates_are_no_part_of_a_question(tmp_path: Path) -> None:
    options = BuildOptions(("sample:60",), shots=2, shots_per_row=True)
    dataset = build("arc", tmp_path / "arc", options)
    plain = build("arc", tmp_path / "plain", BuildOptions(("sample:60",), prompt_style="raw"))
    question_of = question_reader(dataset.manifest)
    questions = [question for batch in dataset["train"].batches() for question in question_of(batch).to_pylist()]
    assert questions == plain["train"].table(["prompt"])["prompt"].to_pylist()


def test_system_prompts_are_no_part_of_a_question(tmp_path: Path) -> None:
    messages = (Message("system", "Think."), Message("user", "Why?"))
    rows = [pair(" 1", " 2", "a", "Think.\n\nWhy?", messages=messages), pair(" 3", " 4", "b", "Why?")]
    dataset = make_folder(tmp_path / "chats", {"train": rows}, batch=8)
    batch = next(dataset["train"].batches())
    assert question_reader({})(batch).to_pylist() == ["Why?", "Why?"]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [(0, "choose 1 to 4"), (5, "has 4 pairs in train"), (1, "every group of .* has more pairs")],
)
def test_impossible_samples_are_refused(pairs: int, message: str, tmp_path: Path) -> None:
    dataset = write(tmp_path, "all", train=[(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)])
    with pytest.raises(UsageError, match=message):
        sample(dataset, tmp_path / "out", pairs)
    assert not (tmp_path / "out").exists()


def test_impossible_splits_are_refused(tmp_path: Path) -> None:
    dataset = write(tmp_path, "all", train=[(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)], eval=[(2, 0, 0)])
    with pytest.raises(UsageError, match="already has an eval split of 1 pair"):
        split(dataset, tmp_path / "out", 1)
    alone = write(tmp_path, "alone", train=[(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)])
    with pytest.raises(UsageError, match=r"every question of .* has more pairs"):
        split(alone, tmp_path / "out", 1)
    with pytest.raises(UsageError, match="choose 1 to 3"):
        split(alone, tmp_path / "out", 4)
    with pytest.raises(OutputExists):
        split(alone, dataset.path, 2)


def test_a_dataset_may_replace_itself(tmp_path: Path) -> None:
    dataset = write(tmp_path, "all", train=[(prompt, 0, 1) for prompt in range(6)])
    sample(dataset, dataset.path, 3, overwrite=True)
    assert len(open_pairs(dataset.path)) == 3
