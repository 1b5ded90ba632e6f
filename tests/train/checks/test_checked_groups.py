"""The pairs that a model is checked on."""

import numpy as np
import pyarrow as pa
from helpers.token_groups import small_groups
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.train.checks.sample import sample_groups
from pairgen.train.data.groups import SCHEMA, GroupTable, TokenGroup
from pairgen.train.data.splits import TokenizedSplit


def split_of(groups: list[TokenGroup]) -> TokenizedSplit:
    rows = [(one.prompt, one.completions, one.pair_ids, one.edit.ravel(), one.num_chars) for one in groups]
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(SCHEMA)]
    table = GroupTable([pa.table(columns, schema=SCHEMA)])
    return TokenizedSplit((), table)


def sequence_lengths(groups: list[TokenGroup]) -> list[int]:
    return [len(group.prompt) + len(ids) for group in groups for ids in group.completions]


@settings(deadline=None)
@given(training=small_groups(max_groups=6), evaluation=small_groups(max_groups=2), skipped=st.integers(0, 5))
def test_sample_contains_the_longest_and_the_shortest_sequence(
    training: list[TokenGroup], evaluation: list[TokenGroup], skipped: int
) -> None:
    used = [at for at in range(len(training)) if at != skipped] or [0]
    splits = [(split_of(training), np.array(used)), (split_of(evaluation), np.arange(len(evaluation)))]
    found = sample_groups(splits)
    expected = sequence_lengths([*(training[at] for at in used), *evaluation])
    assert max(sequence_lengths(found)) == max(expected)
    assert min(sequence_lengths(found)) == min(expected)
    assert sum(group.pairs for group in found) <= 6
    for group in found:
        assert len(group.completions) == group.pairs + 1 == len(group.edit) + 1 == len(group.num_chars)
    assert all(len(group.completions) == 1 for group in sample_groups(splits, uses_rejected=False))
