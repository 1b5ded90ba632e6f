"""HellaSwag rows: cleaned as in lm-evaluation-harness."""

from typing import Any

import pytest

from pairgen.builders.hellaswag import clean, read
from pairgen.pairs.record import DropRow


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
def test_clean(text: str, cleaned: str) -> None:
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


@pytest.mark.parametrize("label", ["0", 0, " 0 ", 0.0, "0.0"])
def test_read_returns_question_answer_and_wrong_endings(label: object) -> None:
    example = read(row(label=label))
    assert example.question == "Baking: A cook stirs. The dough"
    assert example.answer == "rises."
    assert example.detail == ["barks.", "sinks deep.", "flies."]


def test_read_with_an_empty_second_context() -> None:
    example = read(row(ctx_b=""))
    assert example.question == "Baking: A cook stirs."


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": ""}, "no label"),
        ({"label": "4"}, "label out of range"),
        ({"label": "-1"}, "label out of range"),
        ({"label": None}, "no label"),
        ({"label": 0.5}, "label out of range"),
        ({"label": "²"}, "label out of range"),
        ({"endings": None}, "malformed endings"),
        ({"endings": ["rises."]}, "no wrong choice"),
        ({"endings": ["rises.", None]}, "ending is null"),
        ({"ctx_a": None}, "context is not a string"),
        ({"ctx_a": " "}, "context is empty"),
    ],
)
def test_read_drops_malformed_rows(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DropRow) as drop:
        read(row(**changes))
    assert drop.value.reason == reason
