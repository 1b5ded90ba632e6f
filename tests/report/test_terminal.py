"""What the terminal shows: within its width, without colour, and never what a hostile text would have it show."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.rows import as_batch, good_pairs, good_rows, make_folder, pair
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from pairgen.pairs.record import to_batch
from pairgen.report.terminal import BAR, MOST, draw_bar, figure, pair_view, plain, statistics_table
from pairgen.stats import BY, describe


def rendered(view: RenderableType, width: int = 80, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None).print(view)
    return out.getvalue()


def row(chosen: str = " the sun", rejected: str = " the moon", prompt: str = "Why?", **other: Any) -> dict[str, Any]:
    (made,) = to_batch([pair(chosen, rejected, "a-1", prompt)]).to_pylist()
    return {**made, **other}


# ---------------------------------------------------------------- statistics


@pytest.mark.parametrize("by", [None, *BY])
def test_statistics_fit_into_80_columns(tmp_path: Path, by: str | None) -> None:
    pairs = good_pairs()
    pairs["train"] += [pair(" a", f" {'long ' * 30_000}", f"l-{at}", "p" * 123_456, source="s" * 99) for at in range(3)]
    drops = {"no calculation in the solution": 123_456, "a reason that goes on and on " * 5: 7}
    text = rendered(statistics_table(describe(make_folder(tmp_path / "out", pairs, drops=drops), by=by)))
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "…" not in text


def test_statistics_name_the_definition_and_the_paper_s_figures(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", good_pairs(), drops={"too long": 2})
    described = describe(dataset, metric="hamming", unit="word")
    text = " ".join(rendered(statistics_table(described)).split())
    assert described["train"]["edit_distance"]["definition"] in text
    for said in ("6.5%", "90%", "train: 4 pairs from 6 rows", "eval: 1 pairs from 3 rows", "too long 2", "█"):
        assert said in text
    for name in ("prompt length", "shared prefix", "pairs per group"):
        assert name in text


def test_statistics_show_what_was_asked_for_alone(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", good_pairs())
    assert "prompt length" not in rendered(statistics_table(describe(dataset, names=["edit_distance"])))
    assert "6.5%" not in rendered(statistics_table(describe(dataset, names=["prompt_length"])))


def test_statistics_of_an_empty_split_are_dashes(tmp_path: Path) -> None:
    text = rendered(statistics_table(describe(make_folder(tmp_path / "out", {"train": []}), by="source")))
    assert "train: 0 pairs" in text
    assert " - " in text


def test_a_hostile_reason_or_source_stays_text(tmp_path: Path) -> None:
    dataset = make_folder(
        tmp_path / "out", {"train": [pair(" a", " b", "1", source="[red]\x1b[2J")]}, drops={"\x1b[": 1}
    )
    text = rendered(statistics_table(describe(dataset, by="source")))
    assert "[red]\\x1b[2J" in text
    assert "\x1b" not in text


@given(st.floats(0, 1e10), st.booleans())
def test_a_figure_takes_six_characters(value: float, share: bool) -> None:
    assert len(figure(min(value, 1) if share else value, share)) <= (6 if share or value < 9_999_500_000 else 7)


@pytest.mark.parametrize(
    ("value", "share", "shown"),
    [
        (None, True, "-"),
        (0, True, "0.00%"),
        (0.0044, True, "0.44%"),
        (0.09994, True, "9.99%"),
        (0.634, True, "63.4%"),
        (1, True, "100.0%"),
        (3, False, "3"),
        (1.25, False, "1.25"),
        (368.4, False, "368"),
        (12_345.6, False, "12,346"),
        (123_456, False, "123k"),
        (10_000_000, False, "10M"),
    ],
)
def test_figures(value: float | None, share: bool, shown: str) -> None:
    assert figure(value, share) == shown


def test_bars_are_drawn_to_an_eighth_of_a_cell() -> None:
    assert [draw_bar(share, 2) for share in (0, 1e-9, 0.25, 0.5, 0.5625, 1)] == ["", "▏", "▌", "█", "█▏", "██"]
    assert all(len(draw_bar(step / 1000, BAR)) <= BAR for step in range(1001))


# ---------------------------------------------------------------- one pair


def test_the_edit_is_marked_without_colour() -> None:
    text = rendered(pair_view(good_rows()["train"][0], 80))
    assert " 1 + 1 = [-2-], so 4." in text
    assert " 1 + 1 = {+13+}, so 4." in text
    for said in ("2 -> 13", "1 of 2", "1+1", "verified", "plain", "test/sums", "c-1", "How many?| 1 + 1 = 2, so 4."):
        assert said in text
    assert "\x1b" not in text


def test_the_edit_is_coloured_where_there_is_colour() -> None:
    text = rendered(pair_view(good_rows()["train"][0], 80), colour=True)
    assert "\x1b[1;31m[-" in text
    assert "\x1b[1;32m{+" in text


def test_what_is_put_in_or_taken_out_has_its_place_marked() -> None:
    text = rendered(pair_view(row(" a b", " a very b"), 80))
    assert " a [--]b" in text
    assert " a {+very +}b" in text


def test_newlines_stay_newlines() -> None:
    lines = [line.strip() for line in rendered(pair_view(row("\none\n2", "\none\n3"), 80)).splitlines()]
    assert lines[lines.index("chosen") :][:4] == ["chosen", "", "one", "[-2-]"]


def test_what_is_unknown_is_left_out() -> None:
    text = rendered(pair_view(row(), 80))
    assert "None" not in text
    assert "expression" not in text


def test_why_a_pair_is_unchecked_stands_behind_the_check() -> None:
    texts = {**good_rows()["train"][0], "check": "unchecked", "reason": "not true as read", "expression": None}
    lines = [line.split() for line in rendered(pair_view(texts, 80)).splitlines()]
    assert lines[lines.index(["check", "unchecked"]) + 1] == ["reason", "not", "true", "as", "read"]


def test_exact_values_are_shown_where_they_say_more() -> None:
    given = good_rows()["train"][0]
    assert "exactly" not in rendered(pair_view({**given, "correct_value": "2/1", "corrupted_value": "13/1"}, 80))
    assert "exactly 2 -> 27/2" in rendered(pair_view({**given, "corrupted_value": "27/2"}, 80))


HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J \r[bold]not bold[/bold][/] \u202egnp.exe\u2066 :smile: {+fake+}"


def test_a_hostile_text_is_shown_and_not_obeyed() -> None:
    texts = dict.fromkeys(
        ("source", "pair_id", "group_id", "correct", "corrupted", "check", "reason", "strategy"), HOSTILE
    )
    view = pair_view(row(f" {HOSTILE} x", f" {HOSTILE} y", HOSTILE, **texts, expression=HOSTILE), 400)
    text = rendered(view, 400)
    assert not any(letter in text for letter in "\x1b\x07\x9b\r\u202e\u2066")
    assert text.count("\\x1b[31mred\\x1b]0;title\\x07\\x9b2J \\r[bold]not bold[/bold][/] \\u202egnp.exe\\u2066") >= 10
    assert ":smile:" in text


@given(st.text(max_size=30), st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_shown_within_the_width(a: str, b: str) -> None:
    a, b = (f" {text}".encode("utf-8", "replace").decode() for text in (a, b))
    text = rendered(pair_view(row(a, b, prompt=f"{a}?"), 40), 40)
    assert not any((ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160 for letter in text)


def test_emoji_and_combining_marks_stay() -> None:
    assert plain("👩\u200d👧 e\u0301 न\u093f\tx\n").plain == "👩\u200d👧 e\u0301 न\u093f\tx\n"


def test_ten_megabytes_are_shortened_quickly() -> None:
    long = "x" * 10_000_000
    made = as_batch([row(f" {long}2{long}", f" {long}3{long}", long, correct=long, edit_distance=0.0)]).to_pylist()[0]
    began = time.perf_counter()
    text = rendered(pair_view(made, 80))
    assert time.perf_counter() - began < 2
    assert len(text) < 8 * MOST
    assert "[-2-]" in text
    assert "{+3+}" in text
    assert "9,999,400 characters" in text


def test_long_texts_are_whole_if_asked_for() -> None:
    made = row(f" {'c' * 5000}2", f" {'c' * 5000}3", "p" * 5000, group_id="g")
    text = rendered(pair_view(made, 80, full=True))
    assert text.count("p" * 78) == 5000 // 78
    assert "characters ..." not in text
    assert "characters ..." in rendered(pair_view(made, 80))
