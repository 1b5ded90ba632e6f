"""ARC rows in both layouts, and the odd ones."""

from typing import Any

import pytest

from pairgen.builders.arc import read
from pairgen.pairs.record import Drop


def hub(key: Any = "B", labels: Any = ("A", "B", "C"), texts: Any = ("ice", "steam", "rock")) -> dict[str, Any]:
    return {"question": "What is hot?", "choices": {"text": list(texts), "label": list(labels)}, "answerKey": key}


def ai2(key: Any = "B") -> dict[str, Any]:
    choices = [{"text": text, "label": label} for text, label in zip(("ice", "steam", "rock"), "ABC", strict=True)]
    return {"question": {"stem": "What is hot?", "choices": choices}, "answerKey": key}


@pytest.mark.parametrize("row", [hub(), ai2(), hub(" B "), hub("2", "123"), hub(2, (1, 2, 3))])
def test_both_layouts_and_digit_keys(row: dict[str, Any]) -> None:
    example = read(row)
    assert not isinstance(example, Drop)
    assert (example.question, example.answer, example.detail) == ("What is hot?", "steam", ["ice", "rock"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (hub("D"), "no choice has the key"),
        (hub(""), "no choice has the key"),
        (hub(None), "no choice has the key"),
        (hub("A", "AAB"), "two choices have the key"),
        (hub("A", "A", ["steam"]), "no wrong choice"),
        (hub("B", "AB"), "no list of choices"),
        (hub(texts=["ice", None, "rock"]), "choice is null"),
        (hub(texts=["ice", " ", "rock"]), "choice is empty"),
        ({"question": "q", "choices": None, "answerKey": "A"}, "no list of choices"),
        ({"question": {"stem": None, "choices": []}, "answerKey": "A"}, "question is null"),
    ],
)
def test_odd_rows_are_dropped_with_a_reason(row: dict[str, Any], reason: str) -> None:
    assert read(row) == Drop(reason)
