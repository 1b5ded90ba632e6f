"""The view of ``explain``: results numbered in place without colour, and within the width for any text."""

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pairgen.building.inspection.explain import explain
from pairgen.report.solution_view import explained_view

HOSTILE = "\x1b[31mred\x07\x9b2J[bold]b[/bold][/] \u202egnp.exe\u2066 :smile:"


def rendered(found: dict[str, Any], width: int = 80, where: str = "", colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    console.print(explained_view(found, width, where))
    return out.getvalue()


def step(start: int, text: str, **other: Any) -> dict[str, Any]:
    verified = {"expression": "4*6", "check": "verified", "reason": None, "used_by": []}
    return {"start": start, "stop": start + len(text), "text": text, **verified, **other}


def corruption(start: int, text: str, **other: Any) -> dict[str, Any]:
    replaced = {"correct": text, "corrupted": "9", "strategy": "result", "step": 1}
    edit = {"start": start, "stop": start + len(text), "original": text, "corrupted": "9", "expression": "4*6"}
    return {**step(start, text), "edits": [edit], **replaced, **other}


def explanation(solution: str, steps: list[dict[str, Any]], corrupted: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "solution": solution,
        "steps": steps,
        "answer": None,
        "corruption": corrupted,
        "dropped": None if corrupted else "no number to corrupt",
    }


def test_view_numbers_results_in_place() -> None:
    text = rendered(explain("So 4 * 6 = 24.\nThen 24 + 3 = 27 and 2 + 2 = 5."), where="rows.jsonl: line 3")
    for shown in ("rows.jsonl: line 3", "4 * 6 = [1: 24].", "24 + 3 = [2: 27] and 2 + 2 = [3: 5]."):
        assert shown in text
    rows = [line.split() for line in text.splitlines()]
    assert ["1", "24", "verified", "?", "4", "*", "6"] in rows
    assert ["3", "5", "unchecked", *["does", "not", "match", "the", "recomputed", "value"]] in rows
    assert "\x1b" not in text


def test_view_shows_corruption() -> None:
    assert "would be corrupted: #1  24 -> 9  (result, verified)" in rendered(
        explanation("= 24", [step(2, "24")], corruption(2, "24"))
    )
    place = corruption(4, "7", check="unchecked", reason="stated without a calculation", strategy="number", step=None)
    text = rendered(explanation("The 7 birds", [], place))
    assert "The [*: 7] birds" in text
    assert "would be corrupted: *  7 -> 9  (number, unchecked: stated without a calculation)" in text
    assert "no results found" in text
    assert "no corruption possible: no number to corrupt" in rendered(explanation("Nobody.", []))


def test_view_shows_arrows_the_answer_and_what_follows() -> None:
    text = "So 30 * 9 = 270. Then 270 + 8 = 278, and 278 - 270 = 8.\nThe answer is: 8"
    shown = rendered(explain(text, "How many?", error="operator", carry="results", seed=1), 120)
    rows = [line.split() for line in shown.splitlines()]
    assert ["1", "270", "verified", "->", "2,", "3", "30", "*", "9"] in rows
    assert ["2", "278", "verified", "->", "3", "270", "+", "8"] in rows
    assert "final answer: 8" in shown
    assert "would be corrupted: #1  30 * 9 = 270 -> 30 + 9 = 39  (result, verified)" in shown
    assert "then 270 -> 39, #2  278 -> 47, 278 -> 47, 270 -> 39" in shown


def test_view_marks_overlapping_results_once() -> None:
    text = rendered(explanation("x = 1/24", [step(4, "1/24"), step(6, "24")]))
    assert "x = [1: 1/24]" in text
    assert ["2", "24", "verified", "4*6"] in [line.split() for line in text.splitlines()]


def test_view_colours_checks() -> None:
    text = rendered(explanation("1 2", [step(0, "1"), step(2, "2", check="unchecked", reason="none")]), colour=True)
    assert "\x1b[1;32m[1: 1]" in text
    assert "\x1b[1;33m[2: 2]" in text


def test_view_escapes_control_characters() -> None:
    texts = dict.fromkeys(("expression", "check"), HOSTILE)
    place = corruption(0, HOSTILE, **texts, corrupted=HOSTILE, reason=HOSTILE, strategy=HOSTILE)
    text = rendered(explanation(f"{HOSTILE} x", [step(0, HOSTILE, **texts)], place), 600, HOSTILE)
    assert not any(letter in text for letter in "\x1b\x07\x9b\u202e\u2066")
    assert text.count("\\x1b[31mred\\x07\\x9b2J[bold]b[/bold][/] \\u202egnp.exe\\u2066 :smile:") >= 9
    dropped = rendered({**explanation("x", []), "dropped": HOSTILE}, 600)
    assert "\\x1b[31m" in dropped
    assert "\x1b" not in dropped


@given(st.text(max_size=60), st.integers(0, 60))
@settings(deadline=None)
def test_view_fits_width(text: str, start: int) -> None:
    text = f"{text} 1 + 1 = 2".encode("utf-8", "replace").decode()
    start = min(start, len(text))
    shown = rendered(explanation(text, [step(start, text[start : start + 9])]), 40, text)
    assert max(map(cell_len, shown.splitlines())) <= 40
    assert not any((ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160 for letter in shown)
