"""Reading complete and damaged run folders."""

import json
from pathlib import Path

import pytest
from helpers.logged_runs import make_run, run_in_memory

from pairgen.errors import RunFolderError
from pairgen.run_folder import EVAL, open_run


def test_open_run_reads_config_and_metrics(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path / "ipo", "ipo"))
    assert (run.name, run.loss, run.config["model"]) == ("ipo", "ipo", "tiny")
    assert [line["step"] for line in run.lines] == list(range(51))
    assert run.series(EVAL + "logratios/chosen")[0] == (0, 0)
    assert [step for step, _ in run.series(EVAL + "loss")] == [0, 10, 20, 30, 40, 50]
    assert run.series("no such metric") == []
    assert run.models() == [tmp_path / "ipo" / "final"]


def test_values_skips_lines_without_metrics_of_the_split() -> None:
    run = run_in_memory(every=20)
    assert run.values(EVAL, last=False)["step"] == 0
    assert run.values(EVAL, last=True)["step"] == 40
    assert run.values("", last=False)["step"] == 1, "step 0 has the evaluation loss but no training metrics"
    end = run.values("", last=True)
    assert end["step"] == 50
    assert "logratios/chosen" in end
    assert not any(key.startswith(EVAL) for key in end)


def test_evaluated_needs_an_evaluation_after_training() -> None:
    assert run_in_memory(every=50).evaluated
    assert run_in_memory(every=20).evaluated
    assert not run_in_memory(every=100).evaluated, "only step 0"
    assert not run_in_memory(every=0).evaluated


@pytest.mark.parametrize("truncated", ['{"step": 51, "loss": 0.', "{", '{"step": 51', "   "])
def test_open_run_ignores_a_truncated_last_line(tmp_path: Path, truncated: str) -> None:
    with (make_run(tmp_path / "run") / "metrics.jsonl").open("a") as file:
        file.write(truncated)
    assert open_run(tmp_path / "run").lines[-1]["step"] == 50


def test_open_run_reads_a_last_line_without_newline(tmp_path: Path) -> None:
    with (make_run(tmp_path / "run") / "metrics.jsonl").open("a") as file:
        file.write('{"step": 51, "loss": 0.1}')
    assert open_run(tmp_path / "run").lines[-1] == {"step": 51, "loss": 0.1}


def test_open_run_keeps_the_last_values_of_a_repeated_step(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", steps=5, every=5)
    with (folder / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps({"step": step, "loss": 9}) + "\n" for step in (3, 4))
        file.write(json.dumps({"step": 4, "eval/loss": 7}) + "\n")
    lines = open_run(folder).lines
    assert [line["step"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[3]["loss"] == 9
    assert lines[4] == {"step": 4, "loss": 9, "eval/loss": 7}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "invalid JSON"),
        ("[1]", "an object with an integer `step`"),
        ('{"loss": 1}', "an object with an integer `step`"),
        ('{"step": true}', "an object with an integer `step`"),
        ('{"step": 2, "loss": NaN}', "loss is nan; the run diverged"),
        ('{"step": 2, "loss": -Infinity}', "loss is -inf"),
        ('{"step": 2, "loss": 1e999}', "loss is inf"),
        ('{"step": 2, "loss": "low"}', "loss must be a number, got 'low'"),
        ('{"step": 2, "loss": null}', "loss must be a number, got None"),
    ],
)
def test_open_run_reports_the_number_of_a_damaged_line(tmp_path: Path, line: str, message: str) -> None:
    with (make_run(tmp_path / "run", steps=1, every=1) / "metrics.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(RunFolderError) as caught:
        open_run(tmp_path / "run")
    assert "line 3: " in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_open_run_rejects_folders_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such folder"):
        open_run(tmp_path / "missing")
    with pytest.raises(RunFolderError, match=r"not a run \(no config\.toml\)"):
        open_run(tmp_path)
    folder = make_run(tmp_path / "run")
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(RunFolderError, match="no steps logged yet"):
        open_run(folder)
    (folder / "metrics.jsonl").write_bytes(b"\xff\xff\n")
    with pytest.raises(RunFolderError, match="invalid UTF-8"):
        open_run(folder)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"no metrics\.jsonl"):
        open_run(folder)


def test_open_run_reports_an_invalid_config(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "config.toml").write_text("loss = ")
    with pytest.raises(RunFolderError, match=r"config\.toml: invalid TOML"):
        open_run(folder)


def test_models_falls_back_to_the_latest_checkpoint(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "final").rmdir()
    assert open_run(folder).models() == []
    for step in (9, 10):
        (folder / "checkpoints" / f"step-{step:08}" / "model").mkdir(parents=True)
    assert open_run(folder).models() == [folder / "checkpoints" / "step-00000010" / "model"]
