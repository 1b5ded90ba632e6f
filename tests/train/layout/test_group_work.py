"""The work of groups from lengths alone: what the layouts count when they lay each group out."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.train.data.groups import SCHEMA, GroupTable, common_prefix_length
from pairgen.train.layout.batch import Work
from pairgen.train.layout.group_work import GroupCost, work_of_groups
from pairgen.train.layout.tree import tree_batch
from pairgen.train.scores.flops import Flops

IDS = st.lists(st.integers(1, 3), min_size=1, max_size=6)
COMPLETIONS = st.lists(IDS.map(lambda ids: [*ids, 0]), min_size=2, max_size=4, unique_by=tuple)
GROUPS = st.lists(st.tuples(IDS, COMPLETIONS), min_size=1, max_size=4)
SHARES = ("none", "prompt", "prefix", "group", "shots")


def table(groups: list[tuple[list[int], list[list[int]]]]) -> GroupTable:
    rows = []
    for number, (prompt, completions) in enumerate(groups):
        chosen, *rejected = (np.array(ids, np.int32) for ids in completions)
        starts = [common_prefix_length(chosen, ids) for ids in rejected]
        rows.append(
            {
                "prompt": prompt,
                "completions": completions,
                "pair_ids": [f"{number}-{pair}" for pair in range(len(rejected))],
                "edit": [at for start in starts for at in (start, start + 1)],
                "num_chars": [1] * len(completions),
            }
        )
    return GroupTable([pa.Table.from_pylist(rows, SCHEMA)])


@given(GROUPS, st.sampled_from(SHARES))
def test_work_of_groups_is_that_of_their_batches(groups: list[tuple[list[int], list[list[int]]]], share: str) -> None:
    found = table(groups)
    expected = [tree_batch([group], 1000, share).work for group in found]
    counted = [Work(*map(int, row)) for row in zip(*work_of_groups(found, share), strict=True)]
    for group, exact, work in zip(found, expected, counted, strict=True):
        if group.pairs == 1 or share not in ("group", "shots"):
            assert work == exact
        else:  # rejected completions may share more with one another than with chosen
            assert all(mine >= other for mine, other in zip(work, exact, strict=True))


@given(GROUPS, st.sampled_from(SHARES))
def test_work_without_rejected_completions(groups: list[tuple[list[int], list[list[int]]]], share: str) -> None:
    found = table(groups)
    expected = [tree_batch([group.chosen_only()], 1000, share).work for group in found]
    counted = work_of_groups(found, share, uses_rejected=False)
    assert [Work(*map(int, row)) for row in zip(*counted, strict=True)] == expected


@pytest.mark.parametrize("uses_rejected", [True, False])
def test_the_cost_of_a_group_is_that_of_its_work(uses_rejected: bool) -> None:
    found = table([([1, 2], [[1, 2, 3, 0], [1, 3, 0]]), ([3], [[1, 0], [2, 0]])])
    flops = Flops(6e3, 24.0, 100, trains_head=True)
    batches = [tree_batch([group if uses_rejected else group.chosen_only()], 1000, "group") for group in found]
    assert GroupCost(flops.of_each, "group", uses_rejected)(found).tolist() == [flops.of(one.work) for one in batches]
