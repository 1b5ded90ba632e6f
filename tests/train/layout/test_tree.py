"""Trees by their own rules: what every score sees, that nothing is there twice, and how rows are filled."""

import numpy as np
import pytest
import torch
from helpers.slow_trees import families, nodes, read_back, written_out
from helpers.token_groups import group, random_groups
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout import tree
from pairgen.train.layout.packing import columns, level, pack
from pairgen.train.layout.padded import padded
from pairgen.train.layout.tree import SHARES, common_starts, trees
from pairgen.train.layout.trie import Tries, before, common, ragged, tries

OF_TREES = [share for share in SHARES if share != "none"]


@pytest.fixture(autouse=True)
def _short_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "SHOTS", 3)


def trie_of(*completions: list[int], share: bool = True) -> Tries:
    lengths = np.array([len(ids) for ids in completions])
    ids = np.array([token for ids in completions for token in ids])
    return tries(ids, before(lengths), lengths, np.array([len(completions)]), share)


def test_the_worked_example_of_a_trie() -> None:
    found = trie_of([1, 2, 3, 4], [1, 2, 9], [1, 2, 3, 5])
    assert found.size.tolist() == [6]
    assert found.token.tolist() == [1, 2, 3, 4, 5, 9]
    assert found.depth.tolist() == [0, 1, 2, 3, 3, 2]
    assert found.last.tolist() == [5, 5, 4, 3, 4, 5]
    assert found.before.tolist() == [-1, 0, 1, 2, 2, 1]
    assert found.path.tolist() == [0, 1, 2, 3, 0, 1, 5, 0, 1, 2, 4]


def test_the_worked_example_of_a_batch() -> None:
    batch = trees([group([5, 6], [7, 8, 2], [7, 9])], 100)
    assert batch.tokens.tolist() == [[5, 6, 7, 8, 2, 9]]
    assert batch.positions is not None
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 3]]
    assert batch.subtree_end is not None
    assert batch.subtree_end.tolist() == [[5, 5, 5, 4, 4, 5]]
    assert batch.label_positions.tolist() == [1, 2, 3, 2]
    assert batch.targets.tolist() == [7, 8, 2, 9]
    assert batch.completion_index.tolist() == [[0, 1, 2], [0, 3, 4]]
    assert (batch.padded_tokens, batch.processed_tokens) == (9, 6)


def test_completions_that_end_where_others_go_on_and_equal_ones() -> None:
    found = trie_of([1, 2], [1], [1, 2, 3], [1, 2], [4], [1, 2, 3, 5])
    assert found.token.tolist() == [1, 2, 3, 5, 4]
    assert found.last.tolist() == [3, 3, 3, 3, 4]
    assert found.path.tolist() == [0, 1, 0, 0, 1, 2, 0, 1, 4, 0, 1, 2, 3]


def test_rejected_ones_share_with_each_other_what_they_do_not_share_with_chosen() -> None:
    found = trie_of([1], [2, 3, 4], [2, 3, 5], [2, 6])
    assert found.token.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.before.tolist() == [-1, -1, 1, 2, 2, 1]
    assert found.last.tolist() == [0, 5, 4, 3, 4, 5]


def test_nothing_is_shared_where_nothing_shall_be() -> None:
    found = trie_of([1, 2], [1, 2], share=False)
    assert found.token.tolist() == [1, 2, 1, 2]
    assert found.before.tolist() == [-1, 0, -1, 2]


def test_shots_are_a_root_of_several_groups() -> None:
    groups = [group([5, 6, 7, 8], [1], [2]), group([9], [3], [4]), group([5, 6, 7], [1, 2], [1, 3])]
    batch = trees(groups, 100, "shots")
    assert batch.tokens.tolist() == [[5, 6, 7, 8, 1, 2, 1, 2, 3, 9, 3, 4]]
    assert batch.positions is not None
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 4, 3, 4, 4, 0, 1, 1]]
    assert read_back(batch) == written_out(groups)


@pytest.mark.parametrize("share", OF_TREES)
@given(groups=families(), row_tokens=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_unpack_is_the_inverse_of_pack(share: str, groups: list[TokenGroup], row_tokens: int) -> None:
    batch = trees(groups, row_tokens, share, pad=0)
    assert read_back(batch) == written_out(groups)
    assert batch.padded_tokens == sum(one.padded_tokens for one in groups)
    assert batch.processed_tokens == int((batch.tokens != 0).sum())  # token 0 only pads here
    plain = padded(groups)
    for name in ("lengths", "num_chars", "edit", "group", "weight"):
        assert torch.equal(getattr(batch, name), getattr(plain, name)), name
    assert batch.pair_ids == plain.pair_ids


@given(groups=families())
@settings(max_examples=40, deadline=None)
def test_a_group_computes_no_token_twice_and_each_level_no_more_than_the_one_before(groups: list[TokenGroup]) -> None:
    tokens = [trees(groups, 10_000, share).processed_tokens for share in SHARES]
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[list(SHARES).index("group")] == nodes(groups)
    assert len(trees(groups, 10_000, "group").label_positions) == nodes(groups) - sum(len(one.prompt) for one in groups)


@pytest.mark.parametrize("share", OF_TREES)
def test_a_tree_is_never_cut_and_a_longer_one_has_a_row_of_its_own(share: str) -> None:
    groups = [group([1] * 40, [2] * 9, [3] * 9, [4]), *random_groups(0, 12)]
    batch = trees(groups, 30, share)
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


def test_layouts_do_not_depend_on_what_ids_are_counted_in() -> None:
    groups = random_groups(3, 4)
    wide = [TokenGroup(**{**vars(one), "prompt": one.prompt.astype(np.int64)}) for one in groups]
    assert torch.equal(trees(groups, 50, "shots").tokens, trees(wide, 50, "shots").tokens)


def test_starts_are_exact_and_of_prompts_that_are_long_enough() -> None:
    prompts = [np.array(ids) for ids in ([1, 2, 3, 4, 5], [1, 2], [1, 2, 3, 4], [9, 9, 9], [9, 9, 9, 1], [7, 7, 7])]
    assert [(members.tolist(), length) for members, length in common_starts(prompts)] == [([0, 2], 4), ([3, 4], 3)]
    assert common_starts(prompts[:1]) == []


@given(lengths=st.lists(st.integers(1, 40), max_size=60), row_tokens=st.integers(1, 50))
def test_packing_is_best_fit_decreasing(lengths: list[int], row_tokens: int) -> None:
    rows = pack(np.array(lengths, dtype=np.int64), row_tokens)
    rooms: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):  # the same, spelled out
        fitting = [row for row, room in enumerate(rooms) if room >= lengths[at]]
        if not fitting:
            rooms.append(max(row_tokens, lengths[at]))
            fitting = [len(rooms) - 1]
        rooms[min(fitting, key=lambda row: rooms[row])] -= lengths[at]
    filled = np.bincount(rows, lengths, len(rooms))
    assert sorted(max(row_tokens, tokens) - tokens for tokens in filled) == sorted(rooms)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60), row_tokens=st.integers(1, 50))
def test_even_rows_are_as_many_and_no_longer_and_columns_have_no_gap(lengths: list[int], row_tokens: int) -> None:
    tokens = np.array(lengths)
    rows = pack(tokens, row_tokens)
    even = level(tokens, rows)
    assert even.max() <= rows.max()
    assert np.bincount(even, tokens).max() <= np.bincount(rows, tokens).max()
    column = columns(tokens, even)
    for row in range(int(even.max()) + 1):
        here = np.argsort(column[even == row])
        assert column[even == row][here].tolist() == before(tokens[even == row][here]).tolist()


def test_rows_of_real_lengths_are_full() -> None:
    lengths = np.random.default_rng(0).integers(150, 550, 20_000)
    rows = pack(lengths, 8192)
    assert lengths.sum() / (8192 * (rows.max() + 1)) > 0.97
    assert np.bincount(rows, lengths).max() <= 8192


def test_ragged_and_common() -> None:
    assert ragged(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    ids = np.array([1, 2, 3, 1, 2, 4, 1, 2])
    found = common(ids, np.array([0, 0, 3, 0]), np.array([3, 6, 6, 0]), np.array([3, 2, 2, 0]))
    assert found.tolist() == [2, 2, 2, 0]


def test_a_prompt_that_leaves_early_does_not_cut_the_others_start_short() -> None:
    shots = np.arange(100, 200)
    others = [np.append(shots, last) for last in (1, 2, 3)]
    early = np.concatenate([shots[:40], shots[50:], [4]])
    assert [(members.tolist(), size) for members, size in common_starts([early, *others])] == [([1, 2, 3], 100)]
    late = np.concatenate([shots[:95], [4]])
    assert [(members.tolist(), size) for members, size in common_starts([late, *others])] == [([0, 1, 2, 3], 95)]
