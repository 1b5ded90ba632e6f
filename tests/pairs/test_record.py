"""The row schema in Arrow."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.pairs.edits import distances
from pairgen.pairs.messages import Message
from pairgen.pairs.record import COLUMNS, SCHEMA, Change, Pair, Provenance, conform, features, to_batch

CORRUPTION = Provenance("12", "13", "12/1", "13/1", "3*4", "verified", None, "result", 1, 2)
PAIR = Pair("p", " is 12.", " is 13.", "id", "group", "sample", 5, 6, 6, provenance=CORRUPTION)


def test_schema_lists_the_fields_of_pair_and_provenance() -> None:
    assert SCHEMA.names == list(COLUMNS) == [*Pair._fields[:-1], *Provenance._fields]
    nullable = [name for name, column in COLUMNS.items() if column.nullable]
    assert nullable == ["row", "row_id", "messages", *Provenance._fields]
    assert all(column.meaning for column in COLUMNS.values())


def test_schema_types_are_plain() -> None:
    assert {str(field.type) for field in SCHEMA if not pa.types.is_list(field.type)} == {"string", "int32", "float"}
    changes = SCHEMA.field("edits").type.value_type
    assert {str(field.type) for field in changes} == {"string", "int32"}


def test_features_are_those_of_datasets() -> None:
    import datasets

    assert datasets.Features.from_dict(features()) == datasets.Features.from_arrow_schema(SCHEMA)


def test_to_batch_keeps_the_values_of_pairs() -> None:
    changes = (Change(1, 2, 1, 3, "1", "13", "1"), Change(5, 6, 6, 7))
    messages = (Message("system", "Be brief."), Message("user", "p"))
    choice = PAIR._replace(pair_id="other", messages=messages, provenance=Provenance(edits=changes))
    batch = to_batch([PAIR, choice])
    assert batch.schema == SCHEMA
    for row, pair in zip(batch.to_pylist(), [PAIR, choice], strict=True):
        assert row.pop("edit_distance") == pytest.approx(distances([pair.chosen], [pair.rejected])[0])
        expected = {**pair._asdict(), **pair.provenance._asdict()}
        del expected["provenance"], expected["edit_distance"]
        if pair.provenance.edits:
            expected["edits"] = [change._asdict() for change in pair.provenance.edits]
            expected["messages"] = [message._asdict() for message in messages]
        assert row == expected


@given(
    st.lists(
        st.builds(
            Pair,
            *[st.text(max_size=5)] * 6,
            *[st.integers(0, 2**31 - 1)] * 3,
            edit_distance=st.just(0.0),
            provenance=st.builds(
                Provenance,
                *[st.none() | st.text(max_size=3)] * 8,
                *[st.none() | st.integers(0, 9)] * 2,
                edits=st.none(),
            ),
        ),
        max_size=20,
    )
)
def test_to_batch_takes_any_pairs(pairs: list[Pair]) -> None:
    batch = to_batch(pairs)
    batch.validate(full=True)
    for name in Pair._fields[:-1]:
        if name == "edit_distance":
            continue
        assert batch[name].equals(pa.array([getattr(pair, name) for pair in pairs], COLUMNS[name].type))
    for name in Provenance._fields:
        assert batch[name].equals(pa.array([getattr(pair.provenance, name) for pair in pairs], COLUMNS[name].type))


def test_conform_adds_missing_nullable_columns_and_ignores_others() -> None:
    batch = to_batch([PAIR])
    other = batch.drop_columns(["edits", "step"]).append_column("score", pa.array([0.5]))
    found = conform(other)
    assert found.schema == SCHEMA
    assert found.to_pylist() == [{**batch.to_pylist()[0], "step": None}]
    assert conform(other, ["step", "prompt"]).to_pylist() == [{"step": None, "prompt": "p"}]


def test_conform_refuses_a_missing_required_column() -> None:
    with pytest.raises(KeyError, match="chosen"):
        conform(to_batch([PAIR]).drop_columns(["chosen"]))


def test_to_batch_of_no_pairs_is_empty() -> None:
    assert to_batch([]) == pa.record_batch([pa.array([], field.type) for field in SCHEMA], schema=SCHEMA)
