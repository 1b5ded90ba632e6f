"""Studies from end to end at a miniature scale: what runs, what is reused, and that the numbers are the model's."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.small_studies import setting, use_miniature

from pairgen.errors import UsageError
from pairgen.studies import STUDIES, load, study_pairs
from pairgen.studies.running.plan import SCALES, Study, StudyOptions, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.runner import run_study, setting_of
from pairgen.studies.writing import run_and_report


def no_report(_: Results) -> Any:
    raise AssertionError("not reported here")


def study(*variants: Variant) -> Study:
    return Study("Two losses", "Which?", {"low": study_pairs.solutions()}, lambda _: list(variants), no_report)


DPO, DPOP = Variant("dpo", {"loss": "dpo"}), Variant("dpop", {"loss": "dpop"})


@pytest.fixture
def miniature(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    use_miniature(monkeypatch)
    return lambda **changes: use_miniature(monkeypatch, **changes)


def files(folder: Path) -> dict[str, float]:
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("runs/*/pairs.parquet")}


@pytest.mark.slow
@pytest.mark.usefixtures("miniature")
def test_a_study_trains_every_seed_at_the_best_rate_and_reuses_what_is_there(tmp_path: Path) -> None:
    results = run_study(study(DPO), setting(tmp_path))
    runs, tried = results.of("dpo"), results.tried["low", "dpo"]
    assert [run.seed for run in runs] == [0, 1]
    assert [run.learning_rate for run in tried] == [1e-3, 2e-3]
    best = min(tried, key=lambda run: run.preference_loss)
    assert {run.learning_rate for run in runs} == {best.learning_rate}
    first = files(tmp_path)
    assert len(first) == 3

    messages: list[tuple[str, int, int]] = []
    again = run_study(
        study(DPO, DPOP), setting(tmp_path), lambda phase, done, total, *_: messages.append((phase, done, total))
    )
    assert first.items() <= files(tmp_path).items()
    assert len(files(tmp_path)) == 6
    assert [run.folder for run in again.of("dpo")] == [run.folder for run in runs]
    assert ("runs", 6, 6) in messages

    for run in runs:
        measured = run.measured.split("eval")
        logged = run.metrics[-1]
        assert len(measured) == 8
        assert measured.logratio("chosen").mean() == pytest.approx(logged["eval/logratios/chosen"], abs=2e-3)
        assert measured.sums("rejected").mean() == pytest.approx(logged["eval/logps/rejected"], abs=2e-3)
        assert measured.pooled("chosen", "after") == pytest.approx(logged["eval/logps/after_edit"], abs=2e-3)
        assert not (run.folder / "final").exists()
        assert not (run.folder / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("miniature")
def test_workers_give_the_same_numbers(tmp_path: Path) -> None:
    found = []
    for workers in (1, 2):
        results = run_study(study(DPO, DPOP), setting(tmp_path / str(workers), workers=workers))
        found.append([run.measured.logratio("chosen") for name in ("dpo", "dpop") for run in results.of(name)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("miniature")
def test_variants_may_share_a_learning_rate_and_a_starting_model(tmp_path: Path) -> None:
    carried = Variant("dpo", {"loss": "dpo"}, data="carried", start="low")
    half = Variant("half", {"loss": "dpo", "beta": 0.1}, rate_of="dpo")
    asked = replace(
        study(DPO, half, carried),
        data={"low": study_pairs.solutions(), "carried": study_pairs.solutions(carry="answer")},
    )
    results = run_study(asked, setting(tmp_path))
    assert [run.learning_rate for run in results.of("half")] == [results.of("dpo")[0].learning_rate] * 2
    assert ("low", "half") not in results.tried
    assert set(results.starts) == {("low", 0), ("low", 1)}
    assert len(list((tmp_path / "start").iterdir())) == 2


@pytest.mark.slow
def test_an_interrupted_run_continues(tmp_path: Path, miniature: Callable[..., None]) -> None:
    miniature(save_every=1, seeds=1, learning_rates=(1e-3,), pairs=24)
    steps: list[int] = []

    def stop(phase: str, done: int, total: int, *_: Any) -> None:
        if (phase, total) == ("training", 3):
            steps.append(done)
            if steps == [0, 1, 2]:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study(DPOP), setting(tmp_path), stop)
    (run,) = run_study(study(DPOP), setting(tmp_path), stop).of("dpop")
    assert steps == [0, 1, 2, 2, 3]
    (other,) = run_study(study(DPOP), setting(tmp_path / "whole")).of("dpop")
    np.testing.assert_array_equal(run.measured.logratio("chosen"), other.measured.logratio("chosen"))


@pytest.mark.slow
@pytest.mark.usefixtures("miniature")
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_runs_and_reports(tmp_path: Path, name: str) -> None:
    report, written = run_and_report(name, StudyOptions(out=str(tmp_path)))
    assert written[0] == tmp_path / f"{name}-small" / "report.md"
    text = written[0].read_text("utf-8")
    assert report.question in " ".join(text.split())
    assert f"pairgen study {name}" in text
    assert report.findings
    assert report.not_shown
    assert "nan" not in text.lower().replace("finance", "")
    assert json.loads((written[0].parent / "report.json").read_text("utf-8"))["tables"]
    for figure in report.figures:
        assert (written[0].parent / "figures" / f"{figure.name}.svg").is_file()
        assert (written[0].parent / "figures" / f"{figure.name}.png").is_file()


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("scale", SCALES)
def test_variants_are_well_formed(tmp_path: Path, name: str, scale: str) -> None:
    from pairgen.train.config import Config

    found = load(name)
    variants = found.variants(setting(tmp_path, scale=scale, model="tiny" if scale == "small" else "some/model"))
    keys = [variant.key for variant in variants]
    assert len(set(keys)) == len(keys)
    assert len({(*variant.options.items(), variant.data) for variant in variants}) == len(keys)
    for variant in variants:
        assert {variant.data, variant.start or variant.data} <= set(found.data)
        assert not Config(**variant.options).without_effect()
        if variant.rate_of:
            key = variant.rate_data or variant.data, variant.rate_of
            assert key in keys
            assert not next(other for other in variants if other.key == key).rate_of


def test_unknown_studies_and_missing_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pairgen.train.model import installed_model

    monkeypatch.setattr(installed_model, "PACKAGE", "no-such-package")
    with pytest.raises(UsageError, match="--model, or install Gemma"):
        setting_of(StudyOptions(scale="real", out=str(tmp_path)))
    with pytest.raises(UsageError, match="--scale small trains a tiny model"):
        setting_of(StudyOptions(model="some/model"))
    with pytest.raises(UsageError, match="--scale"):
        StudyOptions(scale="enormous")


# ---------------------------------------------------------------- a killed study

WORKERS_OF_A_STUDY = """
import os, sys, time
from pathlib import Path
from pairgen.studies.running.plan import StudyOptions
from pairgen.studies.running.runner import setting_of
from pairgen.studies.running.workers import Workers
from pairgen.studies.running.workspace import Workspace

if __name__ == "__main__":
    setting = setting_of(StudyOptions(workers=2, out=sys.argv[1]))
    with Workers(Workspace(setting), 1) as workers:
        print(*workers._map(os.getppid, [()], lambda done: None), flush=True)
        print(*workers._map(os.getpid, [()], lambda done: None), flush=True)
        workers._map(time.sleep, [(120,), (120,)], lambda done: None)
"""


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_study(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(WORKERS_OF_A_STUDY)
    study = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert study.stdout is not None
    assert int(study.stdout.readline()) == study.pid
    worker = int(study.stdout.readline())
    study.kill()
    study.wait()
    give_up = time.monotonic() + 30
    while is_running(worker):
        assert time.monotonic() < give_up, "a worker outlived its study"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process exists that has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
