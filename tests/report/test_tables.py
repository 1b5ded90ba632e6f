"""Tables that fit the terminal without cutting numbers."""

import re

import pytest
from helpers.console import render
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pairgen.report.tables import Column, FittedTable, facts


def table(name: str = "a") -> FittedTable:
    made = FittedTable(
        Column("name", numeric=False),
        Column("first\nnumber"),
        Column("second", hide=2),
        Column("third", hide=1, note="3!"),
    )
    made.add_row(name, "111", "-222.22", "3,333.3")
    return made


def test_a_wide_terminal_shows_all_columns() -> None:
    assert [line.split() for line in render(table()).splitlines()] == [
        ["first"],
        ["name", "number", "second", "third"],
        ["─" * 30],
        ["a", "111", "-222.22", "3,333.3"],
        [],
        ["3!"],
    ]


def test_a_narrow_terminal_hides_columns_and_names_them() -> None:
    text = render(table(), 25)
    assert "3,333.3" in text
    assert "-222.22" not in text
    assert "hidden (narrow" in text
    assert "3!" in text
    narrower = render(table(), 16)
    assert re.sub(r"\s+", " ", narrower).endswith("hidden (narrow terminal): second, third ")


@given(st.integers(9, 90), st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300))
@settings(deadline=None)
def test_numbers_are_shown_in_full_within_the_width(width: int, name: str) -> None:
    lines = render(table(name), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert any(" 111" in line for line in lines)
    assert "".join(lines).count("…") <= name.count("…")


@pytest.mark.parametrize("name", ["[red]x[/]", ":smile:"])
def test_names_are_not_markup(name: str) -> None:
    assert name in render(table(name))
    assert name in render(facts([("what", name)]))
    assert "\\x1b" in render(table("\x1b[2J"))


def test_heads_are_shown_without_markup() -> None:
    made = FittedTable(Column("[/red] a"), Column("\x1b[31mb"))
    made.add_row("1", "2")
    assert render(made).splitlines()[0].split() == ["[/red]", "a", "\\x1b[31mb"]
