"""``pairs.parquet``, the log-probs of evaluated pairs that a run leaves: against metrics, and against plain passes."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers import tiny_runs as runs
from helpers.small_tokenizers import chatml

from pairgen.errors import RunFolderError
from pairgen.pairs.dataset import open_pairs
from pairgen.run_folder import EVAL, PAIRS, read_metrics
from pairgen.run_folder.measured import PARTS, SCORED, Measured, MeasuredAt, measured_at
from pairgen.train import losses
from pairgen.train.context import Phase
from pairgen.train.from_texts import groups_of_texts
from pairgen.train.model import loading
from pairgen.train.run import resume, train


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs", pairs_per_row=2)


@pytest.fixture(scope="module")
def start(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.start_model(pairs, tmp_path_factory.mktemp("models") / "start")


def options(start: Path, **changes: Any) -> dict[str, Any]:
    return {"model": str(start), "sft_steps": 0, "steps": 2, "learning_rate": 1e-3, "best": "none", **changes}


def last_metrics(run: Path) -> dict[str, float]:
    line = read_metrics(run / "metrics.jsonl")[-1]
    return {name.removeprefix(EVAL): value for name, value in line.items() if name.startswith(EVAL)}


def ids_of(pairs: Path, split: str) -> list[str]:
    return [row["pair_id"] for row in open_pairs(pairs)[split]]


def assert_metrics_are_those_of(measured: Measured, logged: dict[str, float]) -> None:
    """Every logged mean that log-probs decide, from the file."""
    sides = [side for side in ("chosen", "rejected") if measured.has(side)]
    for side in sides:
        assert logged[f"logps/{side}"] == pytest.approx(measured.sums(side).mean(), rel=1e-5)
        if f"logratios/{side}" in logged:
            assert logged[f"logratios/{side}"] == pytest.approx(measured.logratio(side).mean(), abs=1e-4)
    if "chosen_below_reference" in logged:
        assert logged["chosen_below_reference"] == (measured.logratio("chosen") < 0).mean()
    for part in PARTS:
        assert logged[f"logps/{part}_edit"] == pytest.approx(measured.pooled("chosen", part), rel=1e-5)
    if "rejected" in sides:
        assert logged["logps/rejected_at_edit"] == pytest.approx(measured.pooled("rejected", "at"), rel=1e-5)


QUICK = ("dpop", "sft", "simpo")
"""Losses with and without a reference, and one that does not use rejected completions."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in sorted(losses.LOSSES)]
)
def test_log_probs_are_those_of_the_last_evaluation(pairs: Path, start: Path, tmp_path: Path, name: str) -> None:
    run = train(runs.config(pairs, tmp_path / "run", **options(start, loss=name, steps=1))).folder
    table, loss = pq.read_table(run / PAIRS), losses.LOSSES[name]
    measured = Measured(table)
    assert table.schema.equals(SCORED)
    assert set(table["split"].to_pylist()) == {"eval"}
    assert measured.pair_ids == ids_of(pairs, "eval")[: len(measured)]
    assert measured.has("rejected") == loss.uses_rejected
    assert measured.has("chosen", "reference"), "without one, the model that the run started from"
    assert measured.has("rejected", "reference") == loss.uses_rejected
    assert measured_at(run / PAIRS) == MeasuredAt(1, 1)
    assert_metrics_are_those_of(measured, last_metrics(run))
    first = read_metrics(run / "metrics.jsonl")[0]
    assert first["eval/logps/chosen"] == pytest.approx(measured.sums("chosen", "reference").mean(), rel=1e-5)


def plain_logps(model: Path, groups: list[Any]) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Log-probs of the tokens of chosen and of rejected of every pair, from a model's own logits, text by text."""
    causal = loading.load_model(str(model), torch.float32).eval()
    found = {}
    for group in groups:
        rows = []
        for ids in group.completions:
            tokens = torch.from_numpy(np.concatenate([group.prompt, ids]).astype(np.int64))
            with torch.no_grad():
                logps = causal(tokens[None]).logits[0].double().log_softmax(-1)
            places = range(len(group.prompt), len(tokens))
            rows.append(np.array([float(logps[at - 1, tokens[at]]) for at in places]))
        for at in range(group.pairs):
            found[group.pair_ids[at]] = (rows[0], rows[1 + at])
    return found


@pytest.mark.parametrize("chat", [False, True])
def test_log_probs_and_texts_are_those_of_a_plain_pass(tmp_path: Path, pairs: Path, start: Path, chat: bool) -> None:
    if chat:
        start = runs.start_model(pairs, tmp_path / "chat", tokenizer=chatml())
    run = train(runs.config(pairs, tmp_path / "run", **options(start, loss="dpop", learning_rate=5e-3))).folder
    measured, tokenizer = Measured.read(run / PAIRS), loading.load_tokenizer(str(start))
    rows = {row["pair_id"]: row for row in open_pairs(pairs)["eval"]}
    texts = {side: measured.texts(side) or [] for side in ("chosen", "rejected")}
    for of, model in (("policy", run / "final"), ("reference", start)):
        ends = {side: measured.tokens(side, of) for side in ("chosen", "rejected")}
        for at, pair_id in enumerate(measured.pair_ids):
            row = rows[pair_id]
            groups = groups_of_texts(tokenizer, [(row["prompt"], row["chosen"], row["rejected"])])
            plain = plain_logps(model, groups)["0-0"]
            for side, expected in zip(("chosen", "rejected"), plain, strict=True):
                np.testing.assert_allclose(ends[side][at], expected, atol=2e-4)
                assert len(texts[side][at]) == len(expected)
                completion = row[side].strip() if chat else row[side]
                assert "".join(texts[side][at]) == completion + tokenizer.eos_token
    for side in ("chosen", "rejected"):
        for words, (first, stop), pair_id in zip(texts[side], measured.edit(side), measured.pair_ids, strict=True):
            row = rows[pair_id]
            assert row["corrupted" if side == "rejected" else "correct"] in "".join(words[first:stop])


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["dpop", "simpo"])
def test_the_file_is_of_the_last_evaluation_wherever_the_run_stops(
    pairs: Path, start: Path, tmp_path: Path, loss: str
) -> None:
    chosen = options(start, steps=6, eval_every=2, loss=loss)
    run, config = tmp_path / "run", runs.config(pairs, tmp_path / "run", **chosen)
    seen: list[MeasuredAt | None] = []

    def stop(phase: str, step: int, *_: object) -> None:
        if phase == Phase.TRAINING:
            seen.append(measured_at(run / PAIRS))
            if step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(config, progress=stop)
    assert seen[:3] == [MeasuredAt(0, 6), MeasuredAt(0, 6), MeasuredAt(2, 6)]
    assert measured_at(run / PAIRS) == MeasuredAt(2, 6)
    logged = next(line for line in read_metrics(run / "metrics.jsonl") if line["step"] == 2)
    assert Measured.read(run / PAIRS).sums("chosen").mean() == pytest.approx(logged["eval/logps/chosen"], rel=1e-5)
    resume(run)
    whole = train(runs.config(pairs, tmp_path / "whole", **chosen)).folder
    assert measured_at(run / PAIRS) == MeasuredAt(6, 6)
    assert pq.read_table(run / PAIRS).equals(pq.read_table(whole / PAIRS))
    assert not list(run.glob(".*"))
    before = (run / PAIRS).stat().st_mtime_ns
    resume(run)
    assert (run / PAIRS).stat().st_mtime_ns == before, "nothing is left to do"
    if loss == "dpop":
        (run / PAIRS).unlink()
        resume(run)
        assert pq.read_table(run / PAIRS).equals(pq.read_table(whole / PAIRS)), "as after a version without such files"


def test_without_held_out_pairs_the_first_training_pairs_are_scored(tmp_path: Path, start: Path) -> None:
    data = runs.dataset(tmp_path / "pairs", eval_size=0)
    run = train(runs.config(data, tmp_path / "run", **options(start))).folder
    measured = Measured.read(run / PAIRS)
    assert set(pq.read_table(run / PAIRS)["split"].to_pylist()) == {"train"}
    assert 8 >= len(measured) > 4, "only pairs that were trained on have reference log-probs"
    assert np.abs(measured.logratio("chosen")).max() > 1e-3
    ids = iter(ids_of(data, "train"))
    assert all(pair_id in ids for pair_id in measured.pair_ids), "in the order of the dataset"


def test_training_pairs_are_scored_if_asked_for(pairs: Path, start: Path, tmp_path: Path) -> None:
    config = runs.config(pairs, tmp_path / "run", **options(start, steps=0, epochs=1.0))
    measured = Measured.read(train(config, train_pairs=5).folder / PAIRS)
    assert measured.split("train").pair_ids == ids_of(pairs, "train")[:4], "whole groups"
    assert_metrics_are_those_of(measured.split("eval"), last_metrics(tmp_path / "run"))


def test_pairs_of_several_datasets_are_told_apart(pairs: Path, start: Path, tmp_path: Path) -> None:
    shutil.copytree(pairs, tmp_path / "other")
    config = runs.config(pairs, tmp_path / "run", **options(start))
    config = replace(config, data=(str(pairs), str(tmp_path / "other")))
    measured = Measured.read(train(config).folder / PAIRS)
    half = len(measured) // 2
    assert measured.datasets == ["pairs"] * half + ["other"] * half
    assert measured.pair_ids[:half] == measured.pair_ids[half:] == ids_of(pairs, "eval")[:half]
    np.testing.assert_allclose(measured.sums("chosen")[:half], measured.sums("chosen")[half:], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"lora": 4}, {"reference": "online"}, {"micro_batch_size": 1, "share": "none"}])
def test_other_ways_of_training(pairs: Path, start: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    run = train(runs.config(pairs, tmp_path / "run", **options(start, **changes))).folder
    assert_metrics_are_those_of(Measured.read(run / PAIRS), last_metrics(run))


def test_bf16_starts_at_the_reference(pairs: Path, start: Path, tmp_path: Path) -> None:
    """A rate that changes no weight: the log-probs of the evaluation are those of the reference to the last bit."""
    config = runs.config(pairs, tmp_path / "run", **options(start, precision="bf16", learning_rate=1e-30))
    measured = Measured.read(train(config).folder / PAIRS)
    assert np.abs(measured.logratio("chosen")).max() == np.abs(measured.logratio("rejected")).max() == 0


def test_the_sft_stage_leaves_a_file_of_its_own(pairs: Path, tmp_path: Path) -> None:
    run = train(runs.config(pairs, tmp_path / "run", steps=1, sft_steps=1)).folder
    sft = Measured.read(run / "sft" / PAIRS)
    assert not sft.has("rejected")
    assert sft.texts("rejected") is None
    np.testing.assert_allclose(
        sft.sums("chosen"), Measured.read(run / PAIRS).sums("chosen", "reference"), rtol=1e-5, err_msg="SFT's end"
    )


def test_damaged_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"none\.parquet: no such file; `pairgen train --resume` writes it"):
        Measured.read(tmp_path / "none.parquet")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and nothing else")
    for read in (Measured.read, measured_at):
        with pytest.raises(RunFolderError, match=r"cut\.parquet: cannot be read \("):
            read(tmp_path / "cut.parquet")
    pq.write_table(SCORED.empty_table().drop_columns(["edit_start"]), tmp_path / "other.parquet")
    with pytest.raises(RunFolderError, match=r"other\.parquet: has no column edit_start"):
        Measured.read(tmp_path / "other.parquet")
