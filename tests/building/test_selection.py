"""Choices made on keys: exact sizes by whole topics, whatever the order of rows; copies as a slow twin counts them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.building.selection import Keys, copies, eval_topics, shot_topics, shuffled_topics, text_key
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
def test_text_key_looks_past_case_and_white_space(one: str, other: str, same: bool) -> None:
    assert (text_key(one) == text_key(other)) is same
    assert 0 <= text_key(one) < 2**64


# ---------------------------------------------------------------- evaluation split


@settings(deadline=None)
@given(parts=KEYS, size=st.integers(1, 60), seed=st.integers(0, 5), shuffle=st.randoms(use_true_random=False))
def test_an_evaluation_split_is_exact_or_refused(
    parts: list[list[int]], size: int, seed: int, shuffle: np.random.Generator
) -> None:
    rows = [key for part in parts for key in part]
    counts = Counter(rows)
    if size >= len(rows) or size not in sums(list(counts.values())):
        with pytest.raises(UsageError, match=f"--eval-size {size}: "):
            eval_topics(keys_of(parts), size, seed)
        return
    held_out = eval_topics(keys_of(parts), size, seed)
    assert sum(counts[topic] for topic in held_out) == size
    assert held_out < set(rows), "something is left to train on"
    shuffle.shuffle(rows)
    assert eval_topics(keys_of([rows[::2], [], rows[1::2]]), size, seed) == held_out, "order and cuts do not matter"


def sums(counts: list[int]) -> set[int]:
    """All sizes that whole topics can make."""
    reached = {0}
    for count in counts:
        reached |= {total + count for total in reached}
    return reached


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("counts", "size"), [([2, 3, 3], 6), ([5, 4, 4, 4], 12), ([2] * 9 + [7] * 5 + [6], 41)])
def test_no_order_of_topics_ends_short(counts: list[int], size: int, seed: int) -> None:
    rows = [topic for topic, count in enumerate(counts) for _ in range(count)]
    held_out = eval_topics(keys_of([rows]), size, seed)
    assert sum(counts[topic] for topic in held_out) == size


@pytest.mark.parametrize("size", [1, 7, 500, 999])
@pytest.mark.parametrize("seed", [0, 1])
def test_topics_of_one_row_give_any_size(size: int, seed: int) -> None:
    keys = [np.arange(start, start + 100, dtype=np.uint64) for start in range(0, 1000, 100)]
    held_out = eval_topics(keys, size, seed)
    assert len(held_out) == size
    if size == 500:
        assert 170 < sum(topic < 500 for topic in held_out) < 330, "drawn from everywhere"
        assert held_out != eval_topics(keys, size, seed + 1)


@pytest.mark.parametrize(
    ("parts", "size", "words"),
    [
        ([[1, 2, 3]], 3, "the source has 3 usable rows; leave some to train on"),
        ([[1, 2, 3]], 4, "the source has 3 usable rows"),
        ([], 1, "the source has 0 usable rows"),
        ([[1, 1], [2, 2]], 3, "no set of whole questions has that many rows; 2 would do"),
        ([[1, 1, 1, 1]], 2, "no set of whole questions has that many rows; the smallest question has 4"),
        ([[1, 1], [2] * 5, [3] * 9], 8, "no set of whole questions has that many rows; 7 would do"),
    ],
)
def test_a_size_that_cannot_be(parts: list[list[int]], size: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        eval_topics(keys_of(parts), size, 0)


# ---------------------------------------------------------------- shots


@given(parts=KEYS, size=st.integers(0, 8), count=st.integers(0, 8), seed=st.integers(0, 3))
def test_shots_are_distinct_and_never_held_out(parts: list[list[int]], size: int, count: int, seed: int) -> None:
    topics = sorted({key for part in parts for key in part})
    held_out = frozenset(topics[:size])
    shots = shot_topics(keys_of(parts), held_out, count, seed)
    assert len(shots) == len(set(shots)) == min(count, len(topics) - len(held_out))
    assert set(shots) <= set(topics) - held_out
    assert shots == shot_topics(keys_of(parts[::-1]), held_out, count, seed)
    assert shots == shot_topics(keys_of(parts), held_out, count + 1, seed)[:count], "one more only adds one"


def test_purpose_and_seed_draw_different_orders() -> None:
    keys = [np.arange(50, dtype=np.uint64)]
    orders = [shuffled_topics(keys, seed, purpose)[0].tolist() for seed in (0, 1) for purpose in ("eval", "shots")]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == list(range(50)) for order in orders)


# ---------------------------------------------------------------- copies


@given(KEYS)
def test_copies_as_a_slow_dictionary_counts_them(parts: list[list[int]]) -> None:
    seen: Counter[int] = Counter()
    expected = []
    for part in parts:
        before = []
        for key in part:
            before.append(seen[key])
            seen[key] += 1
        expected.append(before if any(before) else None)
    found = copies(keys_of(parts))
    assert [None if part is None else part.tolist() for part in found] == expected
