"""The tree layout by its own rules: what each label attends to, that no token appears twice, how rows are filled."""

import numpy as np
import pytest
import torch
from helpers.slow_trees import TREE_SHARES, count_tree_tokens, expected_sequences, groups_sharing_prefixes, read_back
from helpers.token_groups import group, random_groups
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout import sharing
from pairgen.train.layout.packing import balance, pack, row_lengths
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.sharing import TokenTree, common_starts, token_tree
from pairgen.train.layout.tree import tree_batch


@pytest.fixture(autouse=True)
def _share_short_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "MIN_SHARED", 3)


def tree_of(*completions: list[int], share: bool = True) -> TokenTree:
    return token_tree([np.array(ids, np.int32) for ids in completions], share)


def paths(tree: TokenTree) -> list[list[int]]:
    return [path.tolist() for path in tree.paths]


def test_token_tree_worked_example() -> None:
    tree = tree_of([1, 2, 3, 4], [1, 2, 9], [1, 2, 3, 5])
    assert tree.tokens.tolist() == [1, 2, 3, 4, 5, 9]
    assert tree.depth.tolist() == [0, 1, 2, 3, 3, 2]
    assert tree.subtree_end.tolist() == [5, 5, 4, 3, 4, 5]
    assert tree.parent.tolist() == [-1, 0, 1, 2, 2, 1]
    assert paths(tree) == [[0, 1, 2, 3], [0, 1, 5], [0, 1, 2, 4]]


def test_token_tree_merges_equal_completions_and_prefixes() -> None:
    tree = tree_of([1, 2], [1], [1, 2, 3], [1, 2], [4], [1, 2, 3, 5])
    assert tree.tokens.tolist() == [1, 2, 3, 5, 4]
    assert tree.subtree_end.tolist() == [3, 3, 3, 3, 4]
    assert paths(tree) == [[0, 1], [0], [0, 1, 2], [0, 1], [4], [0, 1, 2, 3]]


def test_token_tree_merges_rejected_only() -> None:
    tree = tree_of([1], [2, 3, 4], [2, 3, 5], [2, 6])
    assert tree.tokens.tolist() == [1, 2, 3, 4, 5, 6]
    assert tree.parent.tolist() == [-1, -1, 1, 2, 2, 1]
    assert tree.subtree_end.tolist() == [0, 5, 4, 3, 4, 5]


def test_token_tree_without_sharing() -> None:
    tree = tree_of([1, 2], [1, 2], share=False)
    assert tree.tokens.tolist() == [1, 2, 1, 2]
    assert tree.parent.tolist() == [-1, 0, -1, 2]


def test_tree_batch_worked_example() -> None:
    batch = tree_batch([group([5, 6], [7, 8, 2], [7, 9])], 100)
    assert batch.tokens.tolist() == [[5, 6, 7, 8, 2, 9]]
    assert batch.positions is not None
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 3]]
    assert batch.subtree_end is not None
    assert batch.subtree_end.tolist() == [[5, 5, 5, 4, 4, 5]]
    assert batch.label_positions.tolist() == [1, 2, 3, 2]
    assert batch.targets.tolist() == [7, 8, 2, 9]
    assert batch.completion_index.tolist() == [[0, 1, 2], [0, 3, 4]]
    assert (batch.padded_tokens, batch.processed_tokens) == (9, 6)


def test_tree_batch_shares_few_shot_examples() -> None:
    groups = [group([5, 6, 7, 8], [1], [2]), group([9], [3], [4]), group([5, 6, 7], [1, 2], [1, 3])]
    batch = tree_batch(groups, 100, "shots")
    assert batch.tokens.tolist() == [[5, 6, 7, 8, 1, 2, 1, 2, 3, 9, 3, 4]]
    assert batch.positions is not None
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 4, 3, 4, 4, 0, 1, 1]]
    assert read_back(batch) == expected_sequences(groups)


@pytest.mark.parametrize("share", TREE_SHARES)
@given(groups=groups_sharing_prefixes(), row_tokens=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_tree_batch_contains_all_sequences(share: str, groups: list[TokenGroup], row_tokens: int) -> None:
    batch = tree_batch(groups, row_tokens, share, pad=0)
    assert read_back(batch) == expected_sequences(groups)
    assert batch.padded_tokens == sum(one.padded_tokens for one in groups)
    assert batch.processed_tokens == int((batch.tokens != 0).sum())  # token 0 only pads here
    plain = padded_batch(groups)
    for name in ("lengths", "num_chars", "edit", "group", "weight"):
        assert torch.equal(getattr(batch, name), getattr(plain, name)), name
    assert batch.pair_ids == plain.pair_ids


@given(groups=groups_sharing_prefixes())
@settings(max_examples=40, deadline=None)
def test_tree_batch_tokens_decrease_by_share_level(groups: list[TokenGroup]) -> None:
    tokens = [tree_batch(groups, 10_000, share).processed_tokens for share in ("none", *TREE_SHARES)]
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[-2] == count_tree_tokens(groups)
    assert len(tree_batch(groups, 10_000, "group").label_positions) == count_tree_tokens(groups) - sum(
        len(one.prompt) for one in groups
    )


@pytest.mark.parametrize("share", TREE_SHARES)
def test_tree_batch_long_tree_extends_row(share: str) -> None:
    groups = [group([1] * 40, [2] * 9, [3] * 9, [4]), *random_groups(0, 12)]
    batch = tree_batch(groups, 30, share)
    width = batch.tokens.shape[1]
    assert width == (59 if share in ("group", "shots") else 58)
    assert batch.subtree_end is not None
    assert bool((batch.subtree_end < width).all())
    rows_of = [
        set((batch.label_positions[owned[owned < len(batch.label_positions)]] // width).tolist())
        for owned in batch.completion_index
    ]
    assert all(len(rows) == 1 for rows in rows_of)
    pairs = batch.pairs
    assert [rows_of[at] for at in range(pairs)] == [rows_of[pairs + at] for at in range(pairs)]


def test_tree_batch_integer_types() -> None:
    groups = random_groups(3, 4)
    wide = [TokenGroup(**{**vars(one), "prompt": one.prompt.astype(np.int64)}) for one in groups]
    assert torch.equal(tree_batch(groups, 50, "shots").tokens, tree_batch(wide, 50, "shots").tokens)


@given(lengths=st.lists(st.integers(1, 40), max_size=60), capacity=st.integers(1, 50))
def test_pack_is_best_fit_decreasing(lengths: list[int], capacity: int) -> None:
    rows = pack(lengths, capacity)
    left: list[int] = []
    for length in sorted(lengths, reverse=True):  # the textbook algorithm
        fitting = [row for row, tokens in enumerate(left) if tokens >= length]
        if not fitting:
            left.append(max(capacity, length))
            fitting = [len(left) - 1]
        left[min(fitting, key=lambda row: left[row])] -= length
    filled = np.bincount(rows, lengths, len(left)) if lengths else []
    assert sorted(max(capacity, tokens) - tokens for tokens in filled) == sorted(left)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60), capacity=st.integers(1, 50))
def test_balance_keeps_row_count_and_maximum_length(lengths: list[int], capacity: int) -> None:
    rows = pack(lengths, capacity)
    even = balance(lengths, rows)
    assert max(even) <= max(rows)
    assert max(row_lengths(lengths, even)) <= max(row_lengths(lengths, rows))


def test_pack_utilization() -> None:
    lengths = np.random.default_rng(0).integers(150, 550, 2000).tolist()
    filled = row_lengths(lengths, pack(lengths, 8192))
    assert sum(lengths) / (8192 * len(filled)) > 0.97
    assert max(filled) <= 8192


def test_common_starts_worked_example() -> None:
    prompts = [np.array(ids) for ids in ([1, 2, 3, 4, 5], [1, 2], [1, 2, 3, 4], [9, 9, 9], [9, 9, 9, 1], [7, 7, 7])]
    assert common_starts(prompts) == [([0, 2], 4), ([3, 4], 3)]
    assert common_starts(prompts[:1]) == []


def test_common_starts_with_an_early_difference() -> None:
    shots = np.arange(100, 200)
    others = [np.append(shots, last) for last in (1, 2, 3)]
    early = np.concatenate([shots[:40], shots[50:], [4]])
    assert common_starts([early, *others]) == [([1, 2, 3], 100)]
    late = np.concatenate([shots[:95], [4]])
    assert common_starts([late, *others]) == [([0, 1, 2, 3], 95)]
