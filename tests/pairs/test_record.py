"""The row contract in Arrow."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.pairs.edits import distances
from pairgen.pairs.record import COLUMNS, SCHEMA, Pair, to_batch

PAIR = Pair(
    "p",
    " is 12.",
    " is 13.",
    "id",
    "group",
    "sample",
    5,
    6,
    6,
    "12",
    "13",
    "12/1",
    "13/1",
    "3*4",
    "verified",
    None,
    "result",
    1,
    2,
)


def test_schema_follows_the_table() -> None:
    assert SCHEMA.names == list(COLUMNS)
    assert [field.type for field in SCHEMA] == [column.type for column in COLUMNS.values()]
    assert set(Pair._fields) == set(COLUMNS) - {"edit_distance"}
    assert all(column.meaning for column in COLUMNS.values())


def test_types_are_plain() -> None:
    assert {str(field.type) for field in SCHEMA} == {"string", "int32", "float"}


def test_pairs_come_back_as_they_went_in() -> None:
    choice = PAIR._replace(pair_id="other", correct=None, corrupted=None, check=None, step=None)
    batch = to_batch([PAIR, choice])
    assert batch.schema == SCHEMA
    for row, pair in zip(batch.to_pylist(), [PAIR, choice], strict=True):
        distance = row.pop("edit_distance")
        assert row == pair._asdict()
        assert distance == pytest.approx(distances([pair.chosen], [pair.rejected])[0])


@given(
    st.lists(
        st.builds(
            Pair,
            *[st.text(max_size=5)] * 6,
            *[st.integers(0, 2**31 - 1)] * 3,
            *[st.none() | st.text(max_size=3)] * 8,
            *[st.none() | st.integers(0, 9)] * 2,
        ),
        max_size=20,
    )
)
def test_any_pairs_make_a_valid_batch(pairs: list[Pair]) -> None:
    batch = to_batch(pairs)
    batch.validate(full=True)
    for name in Pair._fields:
        assert batch[name].equals(pa.array([getattr(pair, name) for pair in pairs], COLUMNS[name].type))


def test_no_pairs_make_an_empty_batch() -> None:
    assert to_batch([]) == pa.record_batch([pa.array([], field.type) for field in SCHEMA], schema=SCHEMA)
