"""ARC rows in both layouts, and malformed ones."""

from typing import Any

import pytest

from pairgen.builders.arc import read
from pairgen.pairs.record import DropRow


def hub(key: Any = "B", labels: Any = ("A", "B", "C"), texts: Any = ("ice", "steam", "rock")) -> dict[str, Any]:
    return {"question": "What is hot?", "choices": {"text": list(texts), "label": list(labels)}, "answerKey": key}


def ai2(key: Any = "B") -> dict[str, Any]:
    choices = [{"text": text, "label": label} for text, label in zip(("ice", "steam", "rock"), "ABC", strict=True)]
    return {"question": {"stem": "What is hot?", "choices": choices}, "answerKey": key}


@pytest.mark.parametrize("row", [hub(), ai2(), hub(" B "), hub("2", "123"), hub(2, (1, 2, 3))])
def test_read_takes_both_layouts_and_digit_keys(row: dict[str, Any]) -> None:
    example = read(row)
    assert (example.question, example.answer, example.detail) == ("What is hot?", "steam", ["ice", "rock"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (hub("D"), "answerKey matches no choice"),
        (hub(""), "answerKey matches no choice"),
        (hub(None), "answerKey is null"),
        (hub("A", "AAB"), "answerKey matches several choices"),
        (hub("A", "A", ["steam"]), "no wrong choice"),
        (hub("B", "AB"), "malformed choices"),
        (hub(texts=["ice", None, "rock"]), "choice is null"),
        (hub(texts=["ice", " ", "rock"]), "choice is empty"),
        ({"question": "q", "choices": None, "answerKey": "A"}, "malformed choices"),
        ({"question": {"stem": None, "choices": []}, "answerKey": "A"}, "question is null"),
    ],
)
def test_read_drops_malformed_rows(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(DropRow) as drop:
        read(row)
    assert drop.value.reason == reason
