"""Files of a run that are measured with its model, while there is one."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.small_studies import setting, use_miniature

from pairgen.studies import study_pairs
from pairgen.studies.running.plan import Study, Trained, Variant
from pairgen.studies.running.runner import run_study

FILE = "weights.parquet"


def weights(run: Trained) -> pa.Table:
    """The size of the model's file, and what else a measurement is told."""
    size = (run.model / "model.safetensors").stat().st_size
    return pa.table({"size": [size], "start": [run.start], "rate": [run.learning_rate], "pairs": [str(run.data.path)]})


def study(**files: object) -> Study:
    variant = Variant("dpo", {"loss": "dpo"}, files=files)  # type: ignore[arg-type]
    return Study("One loss", "Which?", {"low": study_pairs.solutions()}, lambda _: [variant], None)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_model_is_trained_again_for_a_file_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_miniature(monkeypatch, seeds=1, learning_rates=(1e-3,))
    (plain,) = run_study(study(), setting(tmp_path)).of("dpo")
    before = plain.measured.logratio("chosen")
    assert not (plain.folder / FILE).exists()

    results = run_study(study(**{FILE: weights}), setting(tmp_path))
    (run,) = results.of("dpo")
    assert run.folder == plain.folder
    (row,) = pq.read_table(run.folder / FILE).to_pylist()
    assert row["size"] > 1e6
    assert row["start"] == results.starts["low", 0]
    assert row["rate"] == 1e-3
    assert row["pairs"] == str(results.datasets["low"].path)
    assert run.measured.logratio("chosen").tolist() == before.tolist()
    assert not (run.folder / "final").exists()

    written = (run.folder / FILE).stat().st_mtime_ns
    (again,) = run_study(study(**{FILE: weights}), setting(tmp_path)).of("dpo")
    assert (again.folder / FILE).stat().st_mtime_ns == written
