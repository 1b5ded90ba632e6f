"""Progress as lines of a log and as bars: not too often, and never nothing for long."""

import io
from typing import Any

import pytest
from rich.console import Console

from pairgen.cli import bars as progress
from pairgen.cli.bars import Lines, shortly, telling


class Log:
    """Lines that were written, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[str] = []
        self.lines = Lines(self.written.append, lambda: self.now)


def test_what_is_said_beside() -> None:
    said = {"pairs_per_second": 45.06, "loss": 0.31249, "logratios/chosen": -1.234, "grad_norm": 3.0, "note": "warm-up"}
    assert shortly(said) == "warm-up  loss 0.312  chosen log-ratio -1.23  45.1 pairs/s"
    assert shortly({}) == ""


def test_a_quick_phase_is_two_lines() -> None:
    log = Log()
    for done in range(101):
        log.now += 0.001
        log.lines.tell("tokens", done, 100, {})
    assert log.written == ["tokens 0/100", "tokens 100/100"]


def test_a_long_phase_shows_life_every_ten_seconds() -> None:
    log = Log()
    for step in range(100_001):
        log.now += 0.1
        log.lines.tell("train", step, 100_000, {"loss": 0.5})
    assert len(log.written) == pytest.approx(1000, abs=3)
    assert log.written[1].startswith("train 10")
    assert log.written[1].endswith("/100,000  loss 0.500  2:46:30 left")
    assert log.written[-1] == "train 100,000/100,000  loss 0.500"


def test_a_tenth_of_the_way_is_a_reason_after_a_second() -> None:
    log = Log()
    for step in range(51):
        log.now += 0.5
        log.lines.tell("train", step, 50, {})
    assert [line.split()[1] for line in log.written] == [f"{step}/50" for step in range(0, 51, 5)]


def test_evaluations_within_training_do_not_flood_the_log() -> None:
    log = Log()
    for step in range(1000):
        log.now += 0.05
        log.lines.tell("train", step, 1000, {"loss": 0.5})
        for done in (32, 64, 96):
            log.lines.tell("evaluation", done, 96, {})
    assert len(log.written) < 60
    assert sum(line.startswith("evaluation 96/96") for line in log.written) >= 1


def test_figures_stay_until_there_are_new_ones() -> None:
    log = Log()
    log.lines.tell("train", 1, 50, {"loss": 0.5})
    log.now = 11
    log.lines.tell("train", 2, 50, {})
    assert log.written[-1].startswith("train 2/50  loss 0.500")


def test_bars_are_drawn_where_there_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    out = io.StringIO()

    def console(**_: Any) -> Console:
        return Console(file=out, force_terminal=True, width=120, color_system=None)

    monkeypatch.setattr(progress, "Console", console)
    with telling() as (tell, warn):
        assert tell
        tell("[red]train", 1, 50, {"loss": 0.5, "logratios/chosen": -1.0})
        warn("left out [2] pairs")
        tell("evaluation", 96, 96, {})
        tell("evaluation", 32, 96, {})
        tell("[red]train", 2, 50, {})
    text = out.getvalue()
    assert "[red]train" in text
    assert "2/50" in text
    assert "loss 0.500  chosen log-ratio -1.00" in text
    assert "left out [2] pairs" in text


def test_other_processes_are_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RANK", "1")
    with telling() as (tell, warn):
        assert tell is None
        warn("nothing")
    assert capsys.readouterr() == ("", "")
