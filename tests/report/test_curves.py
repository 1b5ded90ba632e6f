"""Curves of characters: their size, their ticks, and how many points they take."""

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pairgen.report.curves import HEIGHT, MARKERS, curves, round_ticks, thinned


def rendered(series: dict[str, list[tuple[int, float]]], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(curves(series, width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("low", "high", "most", "whole", "ticks"),
    [
        (-14, 0.3, 5, False, [-10, -5, 0]),
        (0, 50, 6, True, [0, 10, 20, 30, 40, 50]),
        (0, 3, 6, True, [0, 1, 2, 3]),
        (6.5, 7.5, 6, True, [7]),
        (-0.5, 0.5, 5, False, [-0.4, -0.2, 0, 0.2, 0.4]),
        (-0.004, 0, 5, False, [-0.004, -0.003, -0.002, -0.001, 0]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, whole: bool, ticks: list[float]) -> None:
    assert round_ticks(low, high, most, whole) == ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
def test_ticks_are_few_and_within(low: float, span: float, most: int) -> None:
    ticks = round_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most + 1
    assert ticks == sorted(ticks)
    assert all(low - 1e-6 * max(1, span) <= tick <= low + span + 1e-6 * max(1, span) for tick in ticks)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=200), st.integers(60, 140))
@settings(deadline=None, max_examples=20)
def test_any_curve_fits(values: list[float], width: int) -> None:
    lines = rendered({"a": list(enumerate(values)), "b": [(3, 1.0)]}, width)
    assert len(lines) == HEIGHT + 1
    assert max(map(cell_len, lines)) <= width
    assert any("o" in line for line in lines[:-1])


def test_many_points_are_means_and_drawn_quickly() -> None:
    points = [(step, float(step % 2)) for step in range(200_000)]
    few = thinned(points, 100)
    assert len(few) == 100
    assert all(0.4 < value < 0.6 for _, value in few[:-1])
    began = time.perf_counter()
    rendered({"long": points}, 100)
    assert time.perf_counter() - began < 5


def test_markers_are_no_part_of_a_number_or_of_each_other() -> None:
    assert len(set(MARKERS)) == len(MARKERS) > 30
    assert not set(MARKERS) & set("0123456789,.-+e─│┌┐└┘┼┤├┬┴")


def test_a_long_legend_goes_on_below() -> None:
    lines = rendered({f"run-{at}-with-a-name": [(0, 0.0), (9, float(at))] for at in range(9)}, 80)
    assert len(lines) == HEIGHT + 5, "two to a line"
    assert max(map(cell_len, lines)) <= 80
