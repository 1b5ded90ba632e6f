"""Figures: the same bytes every time, nothing outside the picture, and no legend on the data."""

import doctest
import math
import os
import re
import struct
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from helpers.pictures import assert_tidy, laid_out, overlap
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure as Canvas

from pairgen.report.documents.content import Arrows, Band, Bars, Cloud, Figure, Histogram, Line, Lines, Moves, Points
from pairgen.report.documents.drawing import draw, own_settings
from pairgen.report.documents.number_format import SHARE, Spread
from pairgen.report.documents.panels import ticks
from pairgen.report.documents.panels.bar_plot import is_lying, value_text
from pairgen.report.documents.panels.ticks import set_scale

NAN = math.nan
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking, which takes minutes for pictures."""
LINES = Lines(
    "lines",
    "Log-ratio of chosen",
    "step",
    "nats",
    {
        "dpo": Line([0, 1, 2, 3], [0, -1, NAN, -3], [0, -2, NAN, -4], [0, -1, NAN, -2]),
        "dpop": Line([0, 3], [0, 2]),
    },
    bands=[Band(1, 2, "the edit"), Band(2.5, 2.5, "the end")],
    zero="reference model",
    note="Medians and ranges over 3 seeds.",
)
POINTS = Points("points", "CHES", "score", "nats", {"a": Cloud([1, 2, NAN], [3, 4, 5])}, correlation="ρ = 1", zero="0")
BARS = Bars(
    "bars", "Accuracy", "task", "accuracy", ["arc", "gsm8k"], {"a": [Spread(0.5, 0.4, 0.7), 0.2], "b": [None, -0.3]},
    number=SHARE,
)  # fmt: skip
EDGES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
HISTOGRAM = Histogram(
    "histogram",
    "Edit distance",
    "edit distance",
    "share of pairs",
    EDGES,
    {"train": [0.01] * 16, "eval": [0, 0.8, 0.2, *[0.0] * 13]},
    x_percent=True,
    even=True,
)
ARROWS = Arrows(
    "arrows",
    "What became of each pair",
    "chosen",
    "rejected",
    {"dpo": Moves([0, 0, 0], [0, 0, 0], [-1, -4, 2], [-3, -4, NAN]), "dpop": Moves([0, 0], [0, 0], [3, 1], [1, -2])},
    zero="reference model",
    diagonal="margin 0",
    corners=["both rise", "chosen falls", "both fall", "chosen rises, rejected falls"],
)
HOSTILE = "$\\frac{ <b> & \x1b[31m _漢字 \ud800 \n\t --> " + "long " * 30
FIGURES = {
    "lines": LINES,
    "points": POINTS,
    "bars": BARS,
    "histogram": HISTOGRAM,
    "arrows": ARROWS,
    "a thousand arrows": Arrows("a", "t", "x", "y", {"a": Moves([0] * 1000, [0] * 1000, range(1000), range(1000))}),
    "no arrows": Arrows("a", "t", "x", "y", {"a": Moves([], [], [], []), "b": Moves([NAN], [0], [1], [2])}),
    "one arrow of no length": Arrows("a", "t", "x", "y", {"a": Moves([1], [2], [1], [2])}, diagonal="margin 0"),
    "hostile arrows": Arrows(
        "a", HOSTILE, HOSTILE, HOSTILE, {HOSTILE: Moves([0], [0], [1], [1])}, zero=HOSTILE, corners=[HOSTILE] * 4
    ),
    "wide bins": Histogram("a", "t", "x", "y", [0, 500_000, 1_000_000, 1_500_000], {"a": [0.5, 0.2, 0.1]}),
    "one bin": Histogram("a", "t", "x", "y", [-1.5, 2], {"a": [1]}, even=True),
    "no shares": Histogram("a", "t", "x", "y", [0, 1], {"a": [NAN]}),
    "fifty bins": Histogram("a", "t", "x", "y", range(51), {"a": [0.02] * 50}, even=True),
    "shares of 1": Lines(
        "a", "t", "x", "y", {"a": Line([0.001, 1], [0, 1])}, x_log=True, x_percent=True, y_percent=True
    ),
    "around half": Bars("a", "t", "x", "y", ["a", "b"], {"a": [0.4, 0.61]}, number=SHARE, base=0.5, base_label="coin"),
    "labels": Bars(
        "a", "t", "x", "y", ["a", "b"], {"a": [0.4, 0.61], "b": [None, 0.50004]}, number=SHARE, base=0.5, labels=True
    ),
    "labels, narrow": Bars(
        "a", "t", "x", "y", [*"abcdefghij"], {name: [0.1] * 10 for name in "abc"}, number=SHARE, labels=True
    ),
    "labels, lying": Bars(
        "a",
        "t",
        "x",
        "y",
        [f"one of {at} categories" for at in range(9)],
        {"a": [Spread(1, 0.5, 9)] * 9, "b": [-5] * 9},
        labels=True,
    ),
    "labels on both sides": Bars(
        "a",
        "t",
        "rule",
        "y",
        [f"more words of the prompt {at}" for at in range(12)],
        {"a": [0.96, 0.469, 0.49] * 4, "b": [0.97, 0.479, 0.52] * 4},
        number=SHARE,
        base=0.5,
        base_label="50%: no better than a coin",
        labels=True,
    ),
    "one point": Lines("a", "t", "x", "y", {"a": Line([3], [5], [4], [6])}),
    "no values": Lines("a", "t", "x", "y", {"a": Line([], []), "b": Line([1, 2], [NAN, NAN])}),
    "no series": Bars("a", "t", "x", "y", [], {}),
    "infinite": Lines("a", "t", "x", "y", {"a": Line([1, 2, 3], [1, math.inf, -math.inf])}),
    "huge": Lines("a", "t", "x", "y", {"a": Line([0, 1, 2], [1e-12, 1, 1e12])}),
    "logarithmic": Lines("a", "t", "x", "y", {"a": Line([0.01, 0.1, 1], [1e-12, 1, 1e12])}, x_log=True, y_log=True),
    "largest": Lines("a", "t", "x", "y", {"a": Line([0, 1, 2], [1.7e308, 1, -1e199])}),
    "largest, logarithmic": Lines("a", "t", "x", "y", {"a": Line([0, 1], [1e199, 1.7e308])}, y_log=True),
    "logarithmic around 0": Lines("a", "t", "x", "y", {"a": Line([-1, 0, 9], [-1e9, 0, 1e9])}, x_log=True, y_log=True),
    "twelve": Lines("a", "t", "x", "y", {f"_{at}": Line(range(40), [at * x for x in range(40)]) for at in range(12)}),
    "hostile lines": Lines("a", HOSTILE, HOSTILE, HOSTILE, {HOSTILE: Line([1], [1])}, note=HOSTILE, zero=HOSTILE),
    "hostile points": Points("a", HOSTILE, HOSTILE, HOSTILE, {HOSTILE: Cloud([1], [1])}, correlation=HOSTILE),
    "hostile bars": Bars("a", HOSTILE, HOSTILE, HOSTILE, [HOSTILE, "b"], {HOSTILE: [1, Spread(2, 1, 3)]}),
    "hostile histogram": Histogram("a", HOSTILE, HOSTILE, HOSTILE, [0, 1], {HOSTILE: [0.5]}, note=HOSTILE),
    "many points": Points("a", "t", "x", "y", {"a": Cloud(np.arange(4000.0), np.arange(4000.0) % 7)}),
}


@pytest.fixture(params=FIGURES)
def figure(request: pytest.FixtureRequest) -> Figure:
    return FIGURES[request.param]


def test_docstrings() -> None:
    assert doctest.testmod(ticks).failed == 0


def test_files(figure: Figure) -> None:
    drawing = draw(figure)
    assert b"<dc:date>" not in drawing.svg
    root = ElementTree.fromstring(drawing.svg)  # hostile text leaves it well-formed
    assert float(root.attrib["width"].removesuffix("pt")) == pytest.approx(7 * 72)
    assert b"fill: #ffffff" in drawing.svg[:3000]
    width, height = struct.unpack(">II", drawing.png[16:24])
    assert width == 7 * 150
    assert 3.5 * 150 < height < 10 * 150


def test_nothing_overlaps_or_is_cut(figure: Figure) -> None:
    assert_tidy(figure)


FLOATS = st.floats() | st.floats(-100, 100) | st.integers(-5, 5)
SERIES = st.dictionaries(st.text(max_size=90), st.lists(FLOATS, max_size=4), max_size=20)
NAMES = st.lists(st.text(max_size=60), max_size=8, unique=True)
FEW = settings(max_examples=6, deadline=None, phases=QUICK, derandomize=True)
MANY = settings(max_examples=60, deadline=None, phases=QUICK)


def lines_are_tidy(series: dict[str, list[float]], text: str, log: bool) -> None:
    lines = {name: Line(range(len(values)), values) for name, values in series.items()}
    assert_tidy(Lines("a", text, "x", text, lines, y_log=log, note=text))


def bars_are_tidy(names: list[str], count: int, value: float | None) -> None:
    assert_tidy(Bars("a", "t", "x", "y", names, {str(at): [value] * len(names) for at in range(count)}))


ANY_LINES = given(SERIES, st.text(max_size=200), st.booleans())
ANY_BARS = given(NAMES, st.integers(1, 8), FLOATS | st.none())
test_no_series_can_break_the_picture = FEW(ANY_LINES(lines_are_tidy))
test_no_category_can_break_the_picture = FEW(ANY_BARS(bars_are_tidy))
test_no_series_at_all_can_break_the_picture = pytest.mark.slow(MANY(ANY_LINES(lines_are_tidy)))
test_no_category_at_all_can_break_the_picture = pytest.mark.slow(MANY(ANY_BARS(bars_are_tidy)))


def test_letters_that_are_drawn_wide() -> None:
    lines_are_tidy({"a": [1.0, 2.0]}, "\N{MATHEMATICAL BOLD SCRIPT CAPITAL T}" * 43, log=False)


@pytest.mark.parametrize("name", ["lines", "bars"])
def test_settings_of_the_user_have_no_effect(name: str) -> None:
    before = draw(FIGURES[name])
    mine = {"font.size": 30, "axes.facecolor": "black", "svg.hashsalt": "mine", "lines.linewidth": 9}
    with mpl.rc_context(mine):
        assert draw(FIGURES[name]) == before
        assert mpl.rcParams["font.size"] == 30


@pytest.mark.slow
def test_another_process_draws_the_same_bytes() -> None:
    code = (
        "import hashlib, sys; from pairgen.report.documents.drawing import draw;"
        "from pairgen.report.documents.content import Bars, Lines, Line;"
        "figures = [Lines('a', 't', 'x', 'y', {'a': Line([1, 2], [1, 2], [0, 1], [2, 3]), 'b': Line([1], [1])}),"
        "Bars('b', 't', 'x', 'y', ['c'], {'a': [1], 'b': [2]})];"
        "print([hashlib.sha256(part).hexdigest() for figure in figures for part in draw(figure)])"
    )
    hashes = [
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, env={**os.environ, **changed})
        for changed in ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C"})
    ]
    assert hashes[0].stdout == hashes[1].stdout
    assert hashes[0].stdout.count(b"'") == 8


def test_a_point_between_gaps_is_shown() -> None:
    with laid_out(Lines("a", "t", "x", "y", {"a": Line(range(99), [NAN] * 50 + [1] + [NAN] * 48)})) as (_, axes):
        (line,) = axes.lines
        assert 50 in line.get_markevery()


def test_series_differ_without_color() -> None:
    with laid_out(FIGURES["twelve"]) as (_, axes):
        assert len({line.get_marker() for line in axes.lines}) == 12
    with laid_out(BARS) as (_, axes):
        assert len({bar.get_hatch() for bar in axes.patches}) == 2


def test_a_bar_without_a_value_says_so() -> None:
    with laid_out(BARS) as (_, axes):
        assert [text.get_text() for text in axes.texts] == ["n/a"]
        assert len(axes.patches) == 3


def test_bars_grow_from_their_base() -> None:
    with laid_out(FIGURES["around half"]) as (_, axes):
        assert [(bar.get_y(), bar.get_height()) for bar in axes.patches] == [
            (0.5, pytest.approx(-0.1)),
            (0.5, pytest.approx(0.11)),
        ]
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "coin"]


def test_labels_show_values_apart_from_the_base() -> None:
    with laid_out(FIGURES["labels"]) as (_, axes):
        assert [text.get_text() for text in axes.texts] == ["40.0%", "61.0%", "n/a", "50.004%"]
    shares = Bars("a", "t", "x", "y", [], {}, number=SHARE)
    assert [value_text(value, shares) for value in (0, 0.5, 0.0002, 0.9999, 1)] == [
        "0%",
        "50.0%",
        "0.02%",
        "99.99%",
        "100%",
    ]
    assert value_text(1, Bars("a", "t", "x", "y", [], {})) == "1.00"


@pytest.mark.parametrize("name", ["labels", "labels, narrow", "labels, lying", "labels on both sides"])
def test_labels_overlap_neither_bars_nor_one_another(name: str) -> None:
    with laid_out(FIGURES[name]) as (_, axes):
        names = (axes.yaxis if is_lying(FIGURES[name]) else axes.xaxis).get_ticklabels()
        others = [part.get_window_extent() for part in (*axes.patches, axes.get_legend(), *names)]
        boxes = [text.get_window_extent() for text in axes.texts]
        sides = 0 if name == "labels, narrow" else 4  # of 150 dots per inch
        assert not any(overlap(box.padded(sides, 0), other) for box in boxes for other in others)
        for at, box in enumerate(boxes):
            assert not any(overlap(box, other) for other in boxes[at + 1 :])


def test_ticks_of_bins_of_equal_width_are_their_edges() -> None:
    with laid_out(HISTOGRAM) as (_, axes):
        shown = {
            place: label.get_text() for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        }
        assert len(shown) > 5
        assert {float(text.removesuffix("%")) for text in shown.values()} == {100 * EDGES[place] for place in shown}
        assert {*shown, *axes.get_xticks(minor=True)} == {*range(17)}


def test_percent_on_both_axes() -> None:
    with laid_out(FIGURES["shares of 1"]) as (_, axes):
        for axis in (axes.xaxis, axes.yaxis):
            assert {tick.get_text()[-1:] for tick in axis.get_ticklabels()} == {"%"}


def ids_and_references(svg: bytes) -> tuple[list[str], set[str]]:
    elements = list(ElementTree.fromstring(svg).iter())
    links = {
        value[1:]
        for one in elements
        for name, value in one.attrib.items()
        if name.endswith("href") and value[:1] == "#"
    }
    urls = {found for one in elements for value in one.attrib.values() for found in re.findall(r"url\(#(.+?)\)", value)}
    return [one.attrib["id"] for one in elements if "id" in one.attrib], links | urls


@pytest.mark.slow
def test_ids_of_drawings_on_one_page_do_not_collide() -> None:
    drawn = [draw(figure).svg for figure in FIGURES.values()]
    found = [ids_and_references(svg) for svg in drawn]
    for ids, references in found:
        assert len(set(ids)) == len(ids)
        assert references
        assert references <= {*ids}
    ids_of_all = [one for ids, _ in found for one in ids]
    assert len(set(ids_of_all)) == len(ids_of_all)
    assert not any(b">*{" in svg for svg in drawn), "no rule of style applies to the page around it"


def test_texts_like_ids_stay_as_they_are() -> None:
    name = 'id="a" href="#a" url(#a)'
    svg = draw(Lines("a", name, "x", "y", {name: Line([1], [1])})).svg
    assert ElementTree.fromstring(svg).findtext("{*}title") == name


def test_nothing_to_draw_is_said() -> None:
    with laid_out(FIGURES["no values"]) as (_, axes):
        assert [text.get_text() for text in axes.texts] == ["No values to show"]


def test_long_names_of_categories_are_beside_lying_bars() -> None:
    long = Bars("a", "t", "x", "y", [f"a model with a long name, number {at}" for at in range(6)], {"a": [1] * 6})
    assert is_lying(long)
    assert not is_lying(BARS)
    with laid_out(long) as (_, axes):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("y", "x")


def test_names_are_shown_as_they_are() -> None:
    with laid_out(Lines("a", "t", "x", "y", {"_a": Line([1], [1]), "$b$": Line([1], [2])})) as (_, axes):
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["_a", "$b$"]


def ticks_of(values: list[float], log: bool) -> list[tuple[float, str]]:
    """Places and texts of the ticks that are in view."""
    with own_settings():
        axes = Canvas().add_subplot()
        axes.plot(range(len(values)), values)
        set_scale(axes.yaxis, values, log=log)
        low, high = sorted(axes.get_ylim())
        show = axes.yaxis.get_major_formatter()
        return [(place, show(place)) for place in axes.yaxis.get_majorticklocs() if low <= place <= high]


def read(text: str) -> float:
    """The number that a tick shows."""
    plain = text.replace("−", "-").replace(",", "")
    mantissa, has_power, power = plain.rpartition("10") if any(c in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹" for c in plain) else (plain, "", "")
    if not has_power:
        return float(plain)
    exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    sign = {"": 1.0, "-": -1.0}.get(mantissa)
    return (sign if sign is not None else float(mantissa.rstrip("×"))) * 10.0**exponent


@given(st.lists(st.floats(-1e9, 1e9) | st.floats(-1, 1) | st.integers(-50, 50), min_size=1, max_size=5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_ticks_show_their_values(values: list[float], log: bool) -> None:
    shown = ticks_of(values, log)
    assert 1 <= len(shown) <= 9
    span = max(abs(place) for place, _ in shown)
    for place, text in shown:
        assert read(text) == pytest.approx(place, rel=0.006, abs=1e-6 * span)
    if len(shown) > 1 and span / (shown[1][0] - shown[0][0]) < 100:  # else values differ beyond the digits shown
        assert len({text for _, text in shown}) == len(shown)
