"""Statistics of a dataset as tables."""

from pathlib import Path

import pytest
from helpers.console import render
from helpers.rows import good_pairs, make_folder, pair
from rich.cells import cell_len

from pairgen.report.dataset_tables import statistics_view
from pairgen.stats import BY, describe


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("by", [None, *BY])
def test_statistics_fit_the_terminal(tmp_path: Path, by: str | None, width: int) -> None:
    pairs = good_pairs()
    pairs["train"] += [pair(" a", f" {'long ' * 30_000}", f"l-{at}", "p" * 123_456, source="s" * 99) for at in range(3)]
    drops = {"no calculation in the solution": 123_456, "a reason that goes on and on " * 5: 7}
    text = render(statistics_view(describe(make_folder(tmp_path / "out", pairs, drops=drops), by=by)), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text


def test_statistics_show_the_definition_and_the_figures_of_the_paper(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", good_pairs(), drops={"too long": 2})
    described = describe(dataset, metric="hamming", unit="word")
    text = " ".join(render(statistics_view(described, "arc")).split())
    assert described["train"]["edit_distance"]["definition"] in text
    for text_part in ("6.5%", "90%", "train: 4 pairs from 6 rows", "eval: 1 pair from 3 rows", "too long (2)", "█"):
        assert text_part in text
    for name in ("prompt length", "shared prefix", "pairs per group"):
        assert name in text
    assert "6.5%" not in render(statistics_view(described, "gsm8k")), "the paper has no figures for other datasets"


def test_statistics_show_only_the_selected_ones(tmp_path: Path) -> None:
    dataset = make_folder(tmp_path / "out", good_pairs())
    assert "prompt length" not in render(statistics_view(describe(dataset, names=["edit_distance"])))
    assert "6.5%" not in render(statistics_view(describe(dataset, names=["prompt_length"])))


def test_statistics_of_an_empty_split_are_dashes(tmp_path: Path) -> None:
    text = render(statistics_view(describe(make_folder(tmp_path / "out", {"train": []}), by="source")))
    assert "train: 0 pairs" in text
    assert " - " in text


def test_reasons_and_sources_are_not_markup(tmp_path: Path) -> None:
    dataset = make_folder(
        tmp_path / "out", {"train": [pair(" a", " b", "1", source="[red]\x1b[2J")]}, drops={"\x1b[": 1}
    )
    text = render(statistics_view(describe(dataset, by="source")))
    assert "[red]\\x1b[2J" in text
    assert "\x1b" not in text


def test_a_narrow_terminal_shows_numbers_in_full(tmp_path: Path) -> None:
    statistics = describe(make_folder(tmp_path / "out", good_pairs()))
    line = next(
        line for line in render(statistics_view(statistics), 40).splitlines() if line.startswith("edit distance ")
    )
    wide = next(line for line in render(statistics_view(statistics)).splitlines() if line.startswith("edit distance "))
    assert set(line.split()) < set(wide.split())
    assert line.split()[2] == wide.split()[2], "the mean"


@pytest.mark.parametrize("width", [30, 40, 60, 80])
def test_narrow_terminals_hide_columns_instead_of_cutting_numbers(width: int, tmp_path: Path) -> None:
    described = describe(make_folder(tmp_path / "out", good_pairs(), drops={"too long": 2}), by="source")
    text = render(statistics_view(described, "arc"), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "…" not in text
    row = next(line.split() for line in text.splitlines() if line.startswith("edit"))
    figures = [cell for cell in row if cell[0].isdigit()]
    assert len(figures) >= 2
    assert all(cell.endswith("%") for cell in figures)
