"""The view of one pair: the edit marked without colour, and untrusted texts that cannot act on the terminal."""

import time
from typing import Any

import pytest
from helpers.console import render
from helpers.rows import as_batch, good_rows, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.pairs.edits import span
from pairgen.pairs.record import to_batch
from pairgen.report.pair_view import MIN_OMITTED, pair_view, whole_words
from pairgen.report.text import MAX_TEXT


def row(chosen: str = " the sun", rejected: str = " the moon", prompt: str = "Why?", **other: Any) -> dict[str, Any]:
    (made,) = to_batch([pair(chosen, rejected, "a-1", prompt)]).to_pylist()
    return {**made, **other}


def test_pair_view_marks_the_edit_without_colour() -> None:
    text = render(pair_view(good_rows()["train"][0], 80))
    assert " 1 + 1 = [-2-], so 4." in text
    assert " 1 + 1 = {+13+}, so 4." in text
    for text_part in (
        "2 -> 13",
        "1 of 2",
        "1+1",
        "verified",
        "plain",
        "test/sums",
        "c-1",
        "How many?| 1 + 1 = 2, so 4.",
    ):
        assert text_part in text
    assert "\x1b" not in text


def test_pair_view_colours_the_edit() -> None:
    text = render(pair_view(good_rows()["train"][0], 80), colour=True)
    assert "\x1b[1;31m[-" in text
    assert "\x1b[1;32m{+" in text


def test_pair_view_marks_pure_insertions() -> None:
    text = render(pair_view(row(" a b", " a very b"), 80))
    assert " a [--]b" in text
    assert " a {+very +}b" in text


def test_pair_view_of_sft_data_has_no_edit() -> None:
    text = render(pair_view({**row(), "rejected": ""}, 80))
    assert " the sun" in text
    assert not any(part in text for part in ("[-", "{+", "rejected", "edit distance"))


def test_pair_view_keeps_newlines() -> None:
    lines = [line.strip() for line in render(pair_view(row("\none\n2", "\none\n3"), 80)).splitlines()]
    assert lines[lines.index("chosen") :][:4] == ["chosen", "", "one", "[-2-]"]


def test_pair_view_omits_nulls() -> None:
    text = render(pair_view(row(), 80))
    assert "None" not in text
    assert "expression" not in text


def test_pair_view_shows_the_reason_after_the_check() -> None:
    texts = {
        **good_rows()["train"][0],
        "check": "unchecked",
        "reason": "does not match the recomputed value",
        "expression": None,
    }
    lines = [line.split() for line in render(pair_view(texts, 80)).splitlines()]
    reason = "does not match the recomputed value"
    assert lines[lines.index(["check", "unchecked"]) + 1] == ["reason", *reason.split()]


def test_pair_view_shows_exact_values_that_differ_from_the_text() -> None:
    given = good_rows()["train"][0]
    assert "exactly" not in render(pair_view({**given, "correct_value": "2/1", "corrupted_value": "13/1"}, 80))
    assert "exactly 2 -> 27/2" in render(pair_view({**given, "corrupted_value": "27/2"}, 80))


HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J \r[bold]not bold[/bold][/] \u202egnp.exe\u2066 :smile: {+fake+}"


def test_pair_view_escapes_hostile_texts() -> None:
    texts = dict.fromkeys(
        ("source", "pair_id", "group_id", "correct", "corrupted", "check", "reason", "strategy"), HOSTILE
    )
    view = pair_view(row(f" {HOSTILE} x", f" {HOSTILE} y", HOSTILE, **texts, expression=HOSTILE), 400)
    text = render(view, 400)
    assert not any(letter in text for letter in "\x1b\x07\x9b\r\u202e\u2066")
    assert text.count("\\x1b[31mred\\x1b]0;title\\x07\\x9b2J \\r[bold]not bold[/bold][/] \\u202egnp.exe\\u2066") >= 10
    assert ":smile:" in text


@given(st.text(max_size=30), st.text(max_size=30))
@settings(deadline=None)
def test_pair_view_contains_no_control_characters(a: str, b: str) -> None:
    a, b = (f" {text}".encode("utf-8", "replace").decode() for text in (a, b))
    text = render(pair_view(row(a, b, prompt=f"{a}?"), 40), 40)
    assert not any((ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160 for letter in text)


def test_pair_view_shortens_ten_megabytes_quickly() -> None:
    long = "x" * 10_000_000
    made = as_batch([row(f" {long}2{long}", f" {long}3{long}", long, correct=long, edit_distance=0.0)]).to_pylist()[0]
    began = time.perf_counter()
    text = render(pair_view(made, 80))
    assert time.perf_counter() - began < 2
    assert len(text) < 8 * MAX_TEXT
    assert "[-2-]" in text
    assert "{+3+}" in text
    assert "9,999,400 characters" in text


def test_pair_view_shows_long_texts_in_full_on_request() -> None:
    made = row(f" {'c' * 5000}2", f" {'c' * 5000}3", "p" * 5000, group_id="g")
    text = render(pair_view(made, 80, full=True))
    assert text.count("p" * 78) == 5000 // 78
    assert "characters ..." not in text
    assert "characters ..." in render(pair_view(made, 80))


@pytest.mark.parametrize(
    ("chosen", "rejected", "expected"),
    [
        (" he sings a song", " he sang a song", ("sings", "sang")),
        (" It is 12.5 m", " It is 13.5 m", ("12.5", "13.5")),
        (" 3 pens", " 3 pens and caps", ("", " and caps")),
        (" cat", " cats", ("cat", "cats")),
        (" a, b", " a; b", (",", ";")),
        (" steam", " ice", ("steam", "ice")),
    ],
)
def test_whole_words_extends_the_edit(chosen: str, rejected: str, expected: tuple[str, str]) -> None:
    edit = span(chosen, rejected)
    row = {
        "chosen": chosen,
        "rejected": rejected,
        "edit_start": edit.start,
        "chosen_edit_stop": edit.chosen_stop,
        "rejected_edit_stop": edit.rejected_stop,
    }
    at, other = whole_words(row)
    assert (chosen[at], rejected[other]) == expected
    assert chosen[: at.start] == rejected[: other.start]
    assert chosen[at.stop :] == rejected[other.stop :]


def test_each_of_several_edits_is_marked() -> None:
    row = to_batch([pair(" 1 + 1 = 2, so 2.", " 1 + 1 = 3, so 3.", "two")]).to_pylist()[0]
    spans = [(9, 10), (15, 16)]
    row["edits"] = [
        {"start": start, "chosen_stop": stop, "rejected_start": start, "rejected_stop": stop} for start, stop in spans
    ]
    shown = render(pair_view(row, 80))
    assert "1 + 1 = [-2-], so [-2-]." in shown
    assert "1 + 1 = {+3+}, so {+3+}." in shown


@pytest.mark.parametrize(("length", "omits"), [(MAX_TEXT // 2 + MIN_OMITTED // 2, False), (MAX_TEXT, True)])
def test_no_note_takes_the_place_of_a_few_characters(length: int, omits: bool) -> None:
    before = ("word " * length)[:length]
    text = render(pair_view(row(f"{before} the sun", f"{before} the moon", group_id="g"), 80))
    assert ("characters ..." in text) == omits
