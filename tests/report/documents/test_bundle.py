"""The files of a report, with matplotlib and without."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairgen.report.documents.bundle import figure_json, report_files, report_json, undrawn
from pairgen.report.documents.content import (
    Arrows,
    Bars,
    Cloud,
    Column,
    Histogram,
    Line,
    Lines,
    Moves,
    Points,
    Report,
    Table,
)
from pairgen.report.documents.drawing import PANELS
from pairgen.report.documents.number_format import NATS, Spread
from pairgen.report.documents.saved import read_report

REPORT = Report(
    "Losses",
    "Which loss?",
    {"Seeds": "0, 1, 2"},
    [Table("t", [Column("loss"), Column("chosen", NATS)], [["dpo", Spread(1, 0, 2, 3)], ["ipo", math.nan]])],
    [
        Lines("chosen", "Chosen", "step", "nats", {"dpo": Line(np.arange(3), np.float32([0.5, np.nan, 1]))}),
        Points("ches", "CHES", "score", "nats", {"a": Cloud([1], [math.inf])}),
        Bars("accuracy", "Accuracy", "loss", "share", ["dpo"], {"arc": [None]}),
    ],
    ["A finding."],
)


def strict(text: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_all_files() -> None:
    files = report_files(REPORT)
    figures = [f"figures/{name}.{kind}" for name in ("chosen", "ches", "accuracy") for kind in ("svg", "png")]
    assert [*files] == ["report.md", "report.json", *figures]
    assert files == report_files(REPORT)
    for name in figures[::2]:
        assert name in files["report.md"].decode()


def test_json_holds_all_numbers() -> None:
    found = strict(report_files(REPORT)["report.json"])
    assert found == report_json(REPORT)
    assert found["tables"][0]["rows"] == [["dpo", {"median": 1, "low": 0, "high": 2, "seeds": 3}], ["ipo", None]]
    lines, points, bars = found["figures"]
    assert lines["kind"] == "lines"
    assert lines["series"]["dpo"] == {"x": [0, 1, 2], "y": [0.5, None, 1.0], "low": None, "high": None}
    assert points["groups"]["a"] == {"x": [1], "y": [None]}
    assert bars["series"] == {"arc": [None]}


def test_text_from_outside_can_be_written() -> None:
    files = report_files(Report("\ud800\x00", "q", {"a\x1b": "\ud800"}))
    assert strict(files["report.json"])["title"] == "\ud800\x00"
    assert files["report.md"].startswith(b"# \\\\ud800\\\\x00\n")


def test_without_matplotlib_a_report_has_no_figures_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert undrawn() == ""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, name, None)
    files = report_files(REPORT)
    assert [*files] == ["report.md", "report.json"]
    text = files["report.md"].decode()
    assert "The figures were not drawn: " in text
    assert "pip install '.\\[plot\\]'" in text
    assert "](figures/" not in text
    assert len(strict(files["report.json"])["figures"]) == 3
    assert "not drawn" not in report_files(Report("t", "q", {}))["report.md"].decode()


def test_two_figures_with_one_name_would_be_one_file() -> None:
    figure = Bars("a", "t", "x", "y", [], {})
    with pytest.raises(ValueError, match="same name"):
        Report("t", "q", {}, figures=[figure, figure])
    for name in ("../a", "A", "a b", "", "a.svg"):
        with pytest.raises(ValueError, match="lower-case"):
            Bars(name, "t", "x", "y", [], {})


def test_figures_of_every_kind_are_read_back(tmp_path: Path) -> None:
    shares = Histogram("h", "H", "x", "y", [0, 0.5, 1], {"a": [0.25, 0.75]}, x_percent=True)
    bars = Bars("b", "B", "x", "y", ["c"], {"a": [Spread(1, 0, 2, 3)]}, base=0.5, labels=True)
    lines = Lines("l", "L", "x", "y", {"a": Line([0, 1], [1, 2])}, y_percent=True)
    points = Points("p", "P", "x", "y", {"a": Cloud([1], [2])})
    arrows = Arrows("a", "A", "x", "y", {"a": Moves([0], [0], [1], [2])}, corners=["b", "c", "d", "e"])
    figures = [shares, bars, lines, points, arrows]
    assert {type(figure) for figure in figures} == {*PANELS}
    (tmp_path / "report.json").write_text(json.dumps(report_json(Report("t", "q", {}, figures=figures))))
    assert [figure_json(one) for one in read_report(tmp_path).report.figures] == [figure_json(one) for one in figures]


def test_a_report_of_before_a_field_was_added_is_read(tmp_path: Path) -> None:
    lines = Lines("l", "L", "x", "y", {"a": Line([0, 1], [1, 2])})
    written = report_json(Report("t", "q", {}, figures=[lines]))
    del written["figures"][0]["y_percent"]
    (tmp_path / "report.json").write_text(json.dumps(written))
    (found,) = read_report(tmp_path).report.figures
    assert figure_json(found) == figure_json(lines)


def test_data_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="as many y as x"):
        Line([1, 2], [1])
    with pytest.raises(ValueError, match="or neither"):
        Line([1], [1], low=[0])
    with pytest.raises(ValueError, match="increasing"):
        Line([2, 1], [1, 1])
    with pytest.raises(ValueError, match="as many y as x"):
        Cloud([1], [])
    with pytest.raises(ValueError, match="1 values for 2 categories"):
        Bars("a", "t", "x", "y", ["b", "c"], {"d": [1]})
    with pytest.raises(ValueError, match="1 shares for 2 bins"):
        Histogram("a", "t", "x", "y", [0, 1, 2], {"d": [1]})
    for edges in ([0], [0, 1, 1], [0, math.nan, 1]):
        with pytest.raises(ValueError, match="in increasing order"):
            Histogram("a", "t", "x", "y", edges, {})


def test_line_over_seeds() -> None:
    line = Line.over_seeds([0, 1], [[0, 5], [2, math.nan], [1, 7]])
    assert (line.y[0], line.low[0], line.high[0]) == (1, 0, 2)  # type: ignore[index]
    assert math.isnan(line.y[1])
