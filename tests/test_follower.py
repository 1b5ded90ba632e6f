"""Metrics that are read while they are written."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen.errors import RunFolderError
from pairgen.run_folder import read_metrics
from pairgen.run_folder.follower import MetricsFollower

ADD = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["loss", "eval/loss", "other"])), max_size=6)


def text_of(lines: list[tuple[int, str]]) -> str:
    return "".join(json.dumps({"step": step, name: float(at)}) + "\n" for at, (step, name) in enumerate(lines))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.tuples(st.booleans(), ADD, st.integers(0, 40)), max_size=6))
def test_reading_piece_by_piece_is_reading_at_once(parts: list[tuple[bool, Any, int]], tmp_path: Path) -> None:
    """Also of lines that are cut anywhere, of steps that are logged again, and of a file that is replaced."""
    file = tmp_path / "metrics.jsonl"
    file.unlink(missing_ok=True)
    follower = MetricsFollower(file)
    assert not follower.update()
    for replaced, lines, cut in parts:
        text = text_of(lines)
        if replaced:
            (tmp_path / "new").write_text("")
            (tmp_path / "new").replace(file)
        for piece in (text[:cut], text[cut:]):
            with file.open("a") as out:
                out.write(piece)
            follower.update()
        assert follower.lines == read_metrics(file)
        assert not follower.update()


def test_only_some_metrics_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "loss": 0.5, "tokens/padded": 7}\n')
    follower = MetricsFollower(file, {"loss"})
    assert follower.update()
    assert follower.lines == [{"step": 1, "loss": 0.5}]
    file.unlink()
    assert follower.update()
    assert follower.lines == []


@pytest.mark.parametrize("line", ["{", "[]", '{"step": 1, "loss": NaN}', '{"loss": 1.0}', "\ufffd"])
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1}\n')
    follower = MetricsFollower(file)
    follower.update()
    with file.open("a") as out:
        out.write(f'{{"step": 2}}\n{line}\n')
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl, line 3"):
        follower.update()


def test_an_update_costs_what_was_added(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(f'{{"step": {step}, "loss": 0.5}}\n' for step in range(100_000)))
    follower = MetricsFollower(file)
    begun = time.process_time()
    follower.update()
    first = time.process_time() - begun
    with file.open("a") as out:
        out.write('{"step": 100000, "loss": 0.25}\n')
    begun = time.process_time()
    assert follower.update()
    assert time.process_time() - begun < first / 20
    assert len(follower.lines) == 100_001
