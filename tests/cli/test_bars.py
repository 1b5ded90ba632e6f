"""Progress as bars on a terminal and as lines in a log."""

import io
from typing import Any

import pytest
from rich.console import Console

from pairgen.cli import bars
from pairgen.cli.bars import LogLines, format_fields, progress_reporter
from pairgen.progress import ignore


class Log:
    """Collects the lines; its clock is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[str] = []
        self.update = LogLines(self.written.append, lambda: self.now).update


def test_format_fields() -> None:
    fields = {
        "pairs_per_second": 45.06,
        "loss": 0.31249,
        "logratios/chosen": -1.234,
        "grad_norm": 3.0,
        "note": "warm-up",
    }
    assert format_fields(fields) == "warm-up  loss 0.312  chosen log-ratio -1.23  45.1 pairs/s"
    assert format_fields({}) == ""


def test_a_quick_phase_is_two_lines() -> None:
    log = Log()
    for done in range(101):
        log.now += 0.001
        log.update("tokens", done, 100, {})
    assert log.written == ["tokens 0/100", "tokens 100/100"]


def test_a_long_phase_is_logged_every_ten_seconds() -> None:
    log = Log()
    for step in range(100_001):
        log.now += 0.1
        log.update("train", step, 100_000, {"loss": 0.5})
    assert len(log.written) == pytest.approx(1000, abs=3)
    assert log.written[1].startswith("train 10")
    assert log.written[1].endswith("/100,000  loss 0.500  2:46:30 left")
    assert log.written[-1] == "train 100,000/100,000  loss 0.500"


def test_every_tenth_is_logged_once_a_second_at_most() -> None:
    log = Log()
    for step in range(51):
        log.now += 0.5
        log.update("train", step, 50, {})
    assert [line.split()[1] for line in log.written] == [f"{step}/50" for step in range(0, 51, 5)]


def test_interleaved_evaluations_do_not_flood_the_log() -> None:
    log = Log()
    for step in range(1000):
        log.now += 0.05
        log.update("train", step, 1000, {"loss": 0.5})
        for done in (32, 64, 96):
            log.update("evaluation", done, 96, {})
    assert len(log.written) < 60
    assert sum(line.startswith("evaluation 96/96") for line in log.written) >= 1


def test_fields_are_repeated_until_there_are_new_ones() -> None:
    log = Log()
    log.update("train", 1, 50, {"loss": 0.5})
    log.now = 11
    log.update("train", 2, 50, {})
    assert log.written[-1].startswith("train 2/50  loss 0.500")


def test_bars_are_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    out = io.StringIO()

    def console(**_: Any) -> Console:
        return Console(file=out, force_terminal=True, width=120, color_system=None)

    monkeypatch.setattr(bars, "Console", console)
    with progress_reporter() as (progress, warn):
        progress("[red]train", 1, 50, {"loss": 0.5, "logratios/chosen": -1.0})
        warn("left out [2] pairs")
        progress("evaluation", 96, 96, {})
        progress("evaluation", 32, 96, {})
        progress("[red]train", 2, 50, {})
    text = out.getvalue()
    assert "[red]train" in text
    assert "2/50" in text
    assert "loss 0.500  chosen log-ratio -1.00" in text
    assert "left out [2] pairs" in text


def test_other_ranks_are_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RANK", "1")
    with progress_reporter() as (progress, warn):
        assert progress is ignore
        warn("nothing")
    assert capsys.readouterr() == ("", "")


def test_large_totals_are_shown_as_a_percentage() -> None:
    log = Log()
    log.update("building pairs", 0, 5_000_000, {})
    log.update("building pairs", 5_000_000, 5_000_000, {})
    assert log.written == ["building pairs 0%", "building pairs 100%"]
