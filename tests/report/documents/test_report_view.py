"""Reports in the terminal: nothing is wider than it is, and what is hidden is named."""

import sys

import pytest
from helpers.console import render
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pairgen.report.curves import MIN_WIDTH
from pairgen.report.documents.content import Bars, Cloud, Column, Histogram, Line, Lines, Points, Report, Table
from pairgen.report.documents.number_format import NATS, SHARE, Spread
from pairgen.report.documents.terminal import TableView, as_table, report_view

TABLE = Table(
    "Log-ratios",
    [Column("loss"), Column("chosen log-ratio", NATS), Column("accuracy", SHARE), Column("kept")],
    [["dpo", Spread(-19.5, -21, -18.2, 3), 0.5, False], ["[/red]", None, Spread(0.9, 0.8, 1, 3), True]],
    ["Medians and ranges over 3 seeds."],
)
REPORT = Report(
    "A [bold]title[/bold]",
    "Which \x1b[31mloss?",
    {"Command": "pairgen study loss-comparison"},
    [TABLE],
    [
        Lines("chosen", "Chosen", "step", "nats", {"dpo": Line([0, 1], [0, -3]), "none": Line([], [])}, note="A note."),
        Lines("beta", "Beta", "beta", "nats", {"dpo": Line([0.1, 0.5], [0, -3])}),
        Points("ches", "CHES", "score", "nats", {"a": Cloud([1], [2])}, correlation="ρ = 1"),
        Bars("accuracy", "Accuracy", "task", "share right", ["arc"], {"dpo": [0.25]}, number=SHARE),
    ],
    ["DPO's chosen falls."],
    ["Why."],
)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_wide_table_shows_medians_with_ranges() -> None:
    assert lines(render(TableView(TABLE))) == [
        "              chosen log-ratio",
        "loss                    (nats)                 accuracy  kept",
        "─" * 61,
        "dpo     -19.5 (-21.0 to -18.2)                    50.0%    no",
        "[/red]                       -  90.0% (80.0% to 100.0%)   yes",
        "Medians and ranges over 3 seeds.",
    ]


@pytest.mark.parametrize(("width", "hidden"), [(45, []), (37, ["kept"]), (24, ["accuracy", "kept"])])
def test_a_narrow_table_hides_ranges_before_columns(width: int, hidden: list[str]) -> None:
    text = render(TableView(TABLE), width)
    assert "-19.5" in text
    assert "-21.0" not in text
    words = " ".join(text.split())
    assert "the ranges are hidden" in words
    assert ("hidden (narrow terminal): " + ", ".join(hidden) in words) == bool(hidden)


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_a_report_fits(width: int) -> None:
    text = render(report_view(REPORT, folder="study/figures"), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "\x1b[31m" not in text
    words = " ".join(text.split())
    for part in ("A [bold]title[/bold]", "\\x1b[31mloss?", "DPO's chosen falls.", "Why.", "ρ = 1", "25.0%", "A note."):
        assert part in words
    assert ("o dpo -3.00" in text) == (width >= MIN_WIDTH)


def test_a_histogram_is_a_table_of_its_bins() -> None:
    shares = Histogram("h", "Edit", "edit distance", "pairs", [0, 0.001, 1], {"train": [0.5, 0.25]}, x_percent=True)
    assert as_table(shares).texts() == [["0% to 0.1%", "50.0%"], ["0.1% to 100%", "25.0%"]]
    lengths = Histogram("h", "Lengths", "code points", "pairs", [0, 1000, 2500.5], {"train": [0.5, 0.25]})
    assert as_table(lengths).texts()[1] == ["1,000 to 2,500.5", "25.0%"]


def test_figures_that_were_not_drawn_are_not_named() -> None:
    assert "figures/chosen.svg" in render(report_view(REPORT, folder="figures"))
    assert ".svg" not in render(report_view(REPORT))


def test_without_plotext_there_are_no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotext", None)
    text = render(report_view(REPORT, folder="figures"))
    assert "o dpo -3.00" not in text
    assert "figures/chosen.svg" in text


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=9)), min_size=1, max_size=4), st.integers(30, 120))
@settings(max_examples=30)
def test_any_text_is_shown_as_text(rows: list[tuple[str, str]], width: int) -> None:
    table = Table("t", [Column(rows[0][0]), Column(rows[0][1]), Column("number")], [[*row, 1.5] for row in rows])
    text = render(TableView(table), width)
    assert max(map(cell_len, text.splitlines())) <= width
