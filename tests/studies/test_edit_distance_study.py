"""The study of edit distance and CHES: its datasets, and its report on runs whose outcome is known."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairgen.pairs.dataset import PairDataset
from pairgen.report.documents.markdown import markdown
from pairgen.run_folder.measured import SCORED
from pairgen.studies import edit_distance
from pairgen.studies.edit_distance import LOSS, STUDY, make, report, variants
from pairgen.studies.running.plan import SCALES, StudyOptions
from pairgen.studies.running.results import Results
from pairgen.studies.running.runner import setting_of
from pairgen.studies.running.workspace import Finished
from pairgen.studies.same_rows import edit_levels, falls, predictors
from pairgen.studies.same_rows.edit_levels import FIRST, OTHER, VARIANTS, carried, kept
from pairgen.studies.same_rows.falls import ches_of

NAMES = (kept(1), kept(8), carried(1), OTHER)
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PairDataset]:
    folder = tmp_path_factory.mktemp("data")
    return {name: edit_levels.write(name, "sample:200", folder / name, held_out=5) for name in NAMES}


def measured(data: PairDataset, loss: Mapping[str, float], file: Path) -> None:
    """Log-probs of -1 for each of 30 tokens, and what some pairs lost, taken from the first token of chosen."""
    rows = []
    for split, of in data.splits.items():
        for pair in of.table(["pair_id"])["pair_id"].to_pylist():
            tokens = [-1.0] * 30
            changed = [-1.0 - loss.get(pair, 0.0), *tokens[1:]]
            edit = {"edit_start": 3, "chosen_edit_stop": 5, "rejected_edit_stop": 6}
            rows.append({"split": split, "pair_id": pair, "chosen": changed, "rejected": tokens, **edit})
    pq.write_table(pa.Table.from_pylist(rows, SCORED), file)


def results_of(data: dict[str, PairDataset], folder: Path, falls: Any) -> Results:
    """Runs in which the chosen completion of each pair fell by ``falls(name, seed, row)`` nats."""
    setting = replace(setting_of(StudyOptions(out=str(folder))), device="cpu")
    setting = replace(setting, scale=replace(setting.scale, seeds=len(SEEDS), measured=20, held_out=5))
    runs: dict[tuple[str, str], list[Finished]] = {}
    every = {variant.data: variant for variant in variants(setting)}
    for name, dataset in data.items():
        measured(dataset, {}, folder / f"{name}-reference.parquet")
        for seed in SEEDS:
            run = folder / f"{name}-{seed}"
            run.mkdir()
            rows = [row for split in dataset.splits.values() for row in split.table().to_pylist()]
            measured(dataset, {row["pair_id"]: falls(name, seed, row) for row in rows}, run / "pairs.parquet")
            (run / "metrics.jsonl").write_text('{"step": 7, "eval/loss": 0.5}\n')
            finished = Finished(every[name], seed, 2e-4, run, folder / f"{name}-reference.parquet")
            runs.setdefault(every[name].key, []).append(finished)
    tried = {(FIRST, LOSS): runs[FIRST, LOSS][:1]}
    starts = {(FIRST, seed): "tiny" for seed in SEEDS}
    return Results(setting, data, starts, [every[name] for name in data], runs, tried)


def by_distance(sign: int) -> Any:
    """Falls that grow, or shrink, with the edit distance; a little noise keeps medians of seeds apart."""
    return lambda _, seed, row: 5 + sign * 4 * row["edit_distance"] ** 0.5 + 0.001 * seed


def text_of(results: Results) -> tuple[str, list[str]]:
    found = report(results)
    return markdown(found), list(found.findings)


@pytest.fixture
def without_ches(monkeypatch: pytest.MonkeyPatch) -> None:
    """CHES that is the same for all pairs of a dataset, without a model."""

    def constant(results: Results, name: str, seed: int) -> Mapping[str, pa.Table]:
        del seed
        splits = results.datasets[name].splits
        ids = {split: of.table(["pair_id"])["pair_id"].to_pylist() for split, of in splits.items()}
        return {
            split: pa.table({"pair_id": of, "ches": [1.0] * len(of), "ches_normalized": [2.0] * len(of)})
            for split, of in ids.items()
        }

    monkeypatch.setattr(falls, "ches_of", constant)
    monkeypatch.setattr(predictors, "DRAWS", 100)


@pytest.mark.usefixtures("without_ches")
@pytest.mark.parametrize(("sign", "words"), [(-1, "expect this direction"), (1, "expect the opposite")])
def test_what_falls_with_distance_is_said_to(
    data: dict[str, PairDataset], tmp_path: Path, sign: int, words: str
) -> None:
    text, findings = text_of(results_of(data, tmp_path, by_distance(sign)))
    agrees = "in 3 of 3 comparisons;" if sign < 0 else "in 0 of 3 comparisons, and in the opposite direction in 3;"
    assert findings[0].startswith(
        f"Edit distance predicts the fall of chosen in the direction that was claimed {agrees}"
    )
    strong = [finding for finding in findings if "edit distance strongly predicts" in finding]
    assert len(strong) == 3
    assert all(words in finding for finding in strong)
    assert sum(
        "whether CHES predicts" in finding or "CHES predicts the fall of chosen cannot" in finding
        for finding in findings
    )
    higher = (
        "kept-1 than with other" in text
        and f"is {'lower' if sign < 0 else 'higher'} with kept-1 than with other" in text
    )
    assert higher
    assert "0.0002 for all datasets, the best of 0.0002 on kept-1" in text
    assert "training pairs each, 5 held out" in text


@pytest.mark.usefixtures("without_ches")
def test_what_does_not_fall_is_not_said_to(data: dict[str, PairDataset], tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    text, findings = text_of(results_of(data, tmp_path, lambda *_: float(noise.normal(-3, 1))))
    assert findings[0].startswith(
        "Edit distance predicts the fall of chosen in the direction that was claimed in 0 of 3 comparisons;"
    )
    assert "On no dataset the median log-ratio of chosen in training pairs is below the reference" in text
    assert "strongly" not in text


@pytest.mark.slow
def test_ches_of_the_starting_model_is_computed_once(
    data: dict[str, PairDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pairgen.evaluate import ches

    results = results_of({FIRST: data[FIRST]}, tmp_path, by_distance(1))
    first = ches_of(results, FIRST, 0)
    ids = data[FIRST].splits["eval"].table(["pair_id"])["pair_id"].to_pylist()
    assert first["eval"]["pair_id"].to_pylist() == ids
    monkeypatch.setattr(ches, "scores", None)
    assert ches_of(results, FIRST, 0)["train"] == first["train"]
    assert ches_of(results, FIRST, 1)["train"] == first["train"], "of the same model"


def test_all_runs_have_the_rate_and_the_start_of_the_first_dataset(tmp_path: Path) -> None:
    setting = setting_of(StudyOptions(out=str(tmp_path)))
    first, *others = variants(setting)
    assert [variant.data for variant in (first, *others)] == list(VARIANTS)
    assert not first.rate_of
    assert {(one.rate_data, one.rate_of, one.start, one.name) for one in others} == {(FIRST, LOSS, FIRST, LOSS)}
    assert set(STUDY.data) == set(VARIANTS)
    real = variants(replace(setting, scale_name="real"))
    assert {one.data for one in real} < set(VARIANTS)
    assert real[0] == first


def test_the_sample_is_as_large_as_it_must_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr(edit_distance, "write", lambda *arguments: called.append(arguments))
    scale = replace(SCALES["small"], pairs=30, held_out=10)
    setting = replace(setting_of(StudyOptions(out=str(tmp_path))), scale=scale)
    for source in ("sample", "sample:800", "sample:9000:3", "rows.json", ""):
        make(kept(1), replace(setting, source=source), tmp_path)
    expected = [("sample:640", 0), ("sample:800", 0), ("sample:9000:3", 0), ("rows.json", 1600), ("", 1600)]
    assert [(source, most) for _, source, _, _, most in called] == expected
    assert {(name, out, held_out) for name, _, out, held_out, _ in called} == {(kept(1), tmp_path, 10)}
