"""Choices made on keys: held-out questions, few-shot questions, counts of duplicate ids."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.building import selection
from pairgen.building.selection import (
    Keys,
    SeenKeys,
    few_shot_questions,
    held_out_questions,
    shuffled_questions,
    text_key,
)
from pairgen.errors import UsageError

FEW = st.integers(0, 12)
KEYS = st.lists(st.lists(st.one_of(FEW, st.integers(0, 2**64 - 1)), max_size=25), max_size=6)


def keys_of(parts: list[list[int]]) -> list[Keys]:
    return [np.array(part, np.uint64) for part in parts]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("How many?", "  how \n MANY? ", True),
        ("STRASSE", "straße", True),
        ("How many?", "How many", False),
        ("3 4", "34", False),
        ("", " \t", True),
        ("half \ud83d", "half \ud83e", False),
    ],
)
def test_text_key_ignores_case_and_whitespace(one: str, other: str, same: bool) -> None:
    assert (text_key(one) == text_key(other)) is same
    assert 0 <= text_key(one) < 2**64


# ---------------------------------------------------------------- evaluation split


@settings(deadline=None)
@given(parts=KEYS, size=st.integers(1, 60), seed=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
def test_held_out_questions_have_at_most_the_rows_asked_for(
    parts: list[list[int]], size: int, seed: int, shuffle: np.random.Generator
) -> None:
    rows = [key for part in parts for key in part]
    counts = Counter(rows)
    if size >= len(rows) or size < min(counts.values()):
        with pytest.raises(UsageError, match=f"--eval-size {size}: "):
            held_out_questions(keys_of(parts), size, seed)
        return
    held_out, held_out_rows = held_out_questions(keys_of(parts), size, seed)
    assert sum(counts[question] for question in held_out) == held_out_rows <= size
    missing = size - held_out_rows
    assert all(counts[question] > missing for question in set(rows) - held_out), "no other question fits in as well"
    shuffle.shuffle(rows)
    again = held_out_questions(keys_of([rows[::2], [], rows[1::2]]), size, seed)
    assert again == (held_out, held_out_rows), "the order of rows does not matter"


@pytest.mark.parametrize("size", [1, 7, 500, 999])
@pytest.mark.parametrize("seed", [0, 1])
def test_held_out_questions_of_one_row_reach_any_size(size: int, seed: int) -> None:
    keys = [np.arange(start, start + 100, dtype=np.uint64) for start in range(0, 1000, 100)]
    held_out, rows = held_out_questions(keys, size, seed)
    assert len(held_out) == rows == size
    if size == 500:
        assert 170 < sum(question < 500 for question in held_out) < 330, "drawn from everywhere"
        assert held_out != held_out_questions(keys, size, seed + 1)[0]


@pytest.mark.parametrize(
    ("parts", "size", "words"),
    [
        ([[1, 2, 3]], 3, "the source has only 3 usable rows; choose a smaller --eval-size"),
        ([[1, 2, 3]], 4, "the source has only 3 usable rows"),
        ([], 1, "the source has only 0 usable rows"),
        ([[1, 1, 1, 1]], 2, "every question has at least 4 rows"),
    ],
)
def test_a_size_that_cannot_be_held_out(parts: list[list[int]], size: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        held_out_questions(keys_of(parts), size, 0)


# ---------------------------------------------------------------- shots


@given(parts=KEYS, size=st.integers(0, 8), count=st.integers(0, 8), seed=st.integers(0, 3))
def test_few_shot_questions_are_distinct_and_never_held_out(
    parts: list[list[int]], size: int, count: int, seed: int
) -> None:
    questions = sorted({key for part in parts for key in part})
    held_out = frozenset(questions[:size])
    shots = few_shot_questions(keys_of(parts), held_out, count, seed)
    assert len(shots) == len(set(shots)) == min(count, len(questions) - len(held_out))
    assert set(shots) <= set(questions) - held_out
    assert shots == few_shot_questions(keys_of(parts[::-1]), held_out, count, seed)
    assert shots == few_shot_questions(keys_of(parts), held_out, count + 1, seed)[:count], "one more only adds one"


def test_shuffled_questions_depend_on_purpose_and_seed() -> None:
    keys = [np.arange(50, dtype=np.uint64)]
    orders = [shuffled_questions(keys, seed, purpose)[0].tolist() for seed in (0, 1) for purpose in ("eval", "shots")]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)


# ---------------------------------------------------------------- duplicates


@given(parts=KEYS, most=st.sampled_from([1, 2, 8, 1 << 20]))
def test_seen_keys_counts_as_a_dictionary_does(parts: list[list[int]], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "MAX_RUN", most)
        check_seen_keys(parts)


def check_seen_keys(parts: list[list[int]]) -> None:
    seen = SeenKeys()
    counts: Counter[int] = Counter()
    for part in parts:
        expected = []
        for key in part:
            expected.append(counts[key])
            counts[key] += 1
        found = seen.count_and_add(np.array(part, np.uint64))
        assert (found is None) == (not any(expected))
        assert found is None or found.tolist() == expected


def test_runs_of_seen_keys_are_not_merged_beyond_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MAX_RUN", 1000)
    seen = SeenKeys()
    for start in range(0, 100_000, 100):
        assert seen.count_and_add(np.arange(start, start + 100, dtype=np.uint64)) is None
    sizes = [len(run) for run in seen._runs]
    assert max(sizes) <= 1000
    assert len(sizes) <= 2 * 100_000 / 1000 + 10


def test_seen_keys_keeps_few_runs() -> None:
    seen = SeenKeys()
    for start in range(0, 100_000, 100):
        assert seen.count_and_add(np.arange(start, start + 100, dtype=np.uint64)) is None
    assert len(seen._runs) <= 10
    assert sum(len(run) for run in seen._runs) == 100_000
    before = seen.count_and_add(np.array([5, 200_000, 99_999], np.uint64))
    assert before is not None
    assert before.tolist() == [1, 0, 1]
