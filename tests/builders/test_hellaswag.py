"""HellaSwag rows: cleaned as the harness cleans them."""

from typing import Any

import pytest

from pairgen.builders.hellaswag import clean, read
from pairgen.pairs.record import Drop


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a b ", "a b"),
        ("one [title] two", "one.  two".replace("  ", " ")),
        ("[header] How to [title] Do it [step] Now", "How to. Do it Now"),
        ("a  b", "a b"),
        ("a   b", "a  b"),
        ("[substeps] x [open", "x [open"),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text).strip() == cleaned


def row(**changes: Any) -> dict[str, Any]:
    return {
        "activity_label": "Baking",
        "ctx_a": "A cook stirs.",
        "ctx_b": "the dough",
        "endings": ["rises.", "barks.", " sinks [step] deep. ", "flies."],
        "label": "0",
        **changes,
    }


@pytest.mark.parametrize("label", ["0", 0, " 0 "])
def test_a_row_is_read(label: object) -> None:
    example = read(row(label=label))
    assert not isinstance(example, Drop)
    assert example.question == "Baking: A cook stirs. The dough"
    assert example.answer == "rises."
    assert example.detail == ["barks.", "sinks deep.", "flies."]


def test_an_empty_second_context() -> None:
    example = read(row(ctx_b=""))
    assert not isinstance(example, Drop)
    assert example.question == "Baking: A cook stirs."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": ""}, "no label"),
        ({"label": "4"}, "no ending has the label"),
        ({"label": "-1"}, "no ending has the label"),
        ({"label": None}, "no ending has the label"),
        ({"label": "²"}, "no ending has the label"),
        ({"endings": None}, "no list of endings"),
        ({"endings": ["rises."]}, "no wrong ending"),
        ({"endings": ["rises.", None]}, "ending is null"),
        ({"ctx_a": None}, "context is no text"),
        ({"ctx_a": " "}, "context is empty"),
    ],
)
def test_odd_rows_are_dropped_with_a_reason(changes: dict[str, Any], reason: str) -> None:
    assert read(row(**changes)) == Drop(reason)
