"""Line plots in characters: their size, ticks and points."""

import time

import pytest
from helpers.console import render
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pairgen.report.curves import HEIGHT, MARKERS, curves, round_ticks, thin


def plot(series: dict[str, list[tuple[int, float]]], width: int) -> list[str]:
    return render(curves(series, width), width).splitlines()


@pytest.mark.parametrize(
    ("low", "high", "count", "integers", "ticks"),
    [
        (-14, 0.3, 5, False, [-10, -5, 0]),
        (0, 50, 6, True, [0, 10, 20, 30, 40, 50]),
        (0, 3, 6, True, [0, 1, 2, 3]),
        (6.5, 7.5, 6, True, [7]),
        (-0.5, 0.5, 5, False, [-0.4, -0.2, 0, 0.2, 0.4]),
        (-0.004, 0, 5, False, [-0.004, -0.003, -0.002, -0.001, 0]),
    ],
)
def test_round_ticks(low: float, high: float, count: int, integers: bool, ticks: list[float]) -> None:
    assert round_ticks(low, high, count, integers) == ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 12))
def test_round_ticks_are_few_and_in_range(low: float, span: float, count: int) -> None:
    ticks = round_ticks(low, low + span, count)
    assert 1 <= len(ticks) <= count + 1
    assert ticks == sorted(ticks)
    assert all(low - 1e-6 * max(1, span) <= tick <= low + span + 1e-6 * max(1, span) for tick in ticks)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=200), st.integers(60, 140))
@settings(deadline=None, max_examples=20)
def test_curves_fit_the_width(values: list[float], width: int) -> None:
    lines = plot({"a": list(enumerate(values)), "b": [(3, 1.0)]}, width)
    assert len(lines) == HEIGHT + 1
    assert max(map(cell_len, lines)) <= width
    assert any("o" in line for line in lines[:-1])


def test_curves_of_many_points_are_thinned() -> None:
    points = [(step, float(step % 2)) for step in range(200_000)]
    few = thin(points, 100)
    assert len(few) == 100
    assert all(0.4 < value < 0.6 for _, value in few[:-1])
    began = time.perf_counter()
    plot({"long": points}, 100)
    assert time.perf_counter() - began < 5


def test_markers_are_unique_and_in_no_number_or_frame() -> None:
    assert len(set(MARKERS)) == len(MARKERS) > 30
    assert not set(MARKERS) & set("0123456789,.-+e─│┌┐└┘┼┤├┬┴")


def test_a_long_legend_takes_several_lines() -> None:
    lines = plot({f"run-{at}-with-a-name": [(0, 0.0), (9, float(at))] for at in range(9)}, 80)
    assert len(lines) == HEIGHT + 5, "two to a line"
    assert max(map(cell_len, lines)) <= 80
