"""`pairgen eval` through token trees and, with `--harness`, through the harness's own code: the same scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny_runs
from typer.testing import Result

import pairgen
from pairgen.errors import UsageError
from pairgen.evaluate.choices import questions_of_pairs, score_choices
from pairgen.evaluate.choices.pair_task import is_pair_dataset, write_task
from pairgen.pairs.dataset import open_pairs

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of ARC and a model."""
    folder = tmp_path_factory.mktemp("evaluated")
    data = tiny_runs.dataset(folder / "arc-pairs", "arc", rows=10)
    tiny_runs.start_model(data, folder / "model")
    return folder


def _evaluated(model: Path, task: str, *source: str, **options: Any) -> Any:
    found = pairgen.evaluate(model, tasks=task, source=source, **options)
    (evaluation,) = found.attrs["evaluations"]
    (samples,) = evaluation.samples.values()
    return evaluation.results, samples


def assert_same(ours: Any, theirs: Any) -> None:
    """The same scores, prompts, and metrics of every question; the same log-probs up to rounding."""
    assert ours[0]["results"] == theirs[0]["results"]
    for mine, other in zip(ours[1], theirs[1], strict=True):
        assert all(mine[key] == other[key] for key in ("doc", "arguments", "target", "acc", "acc_norm", "prompt_hash"))
        assert np.allclose(np.array(mine["filtered_resps"]), np.array(other["filtered_resps"]), atol=1e-4)


def test_a_pair_dataset_is_a_task(folder: Path) -> None:
    task = str(folder / "arc-pairs")
    ours = _evaluated(folder / "model", task)
    assert_same(ours, _evaluated(folder / "model", task, harness=True))
    (name,) = ours[0]["results"]
    assert name == "arc-pairs"

    from pairgen.train.model.loading import load_model, load_tokenizer

    where = str(folder / "model")
    questions = questions_of_pairs(open_pairs(task)["eval"])
    import torch

    scored = score_choices(load_model(where, torch.float32), load_tokenizer(where), questions)
    for metric in ("acc", "acc_norm"):
        assert [getattr(one, metric) for one in scored] == [sample[metric] for sample in ours[1]]
        assert ours[0]["results"][name][f"{metric},none"] == np.mean([getattr(one, metric) for one in scored])


@pytest.mark.slow
@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("name", ["arc", "hellaswag"])
def test_source_rows(folder: Path, name: str, shots: int) -> None:
    sources = (f"{name}=sample:12", f"{name}:train=sample:20")
    ours, theirs = (
        _evaluated(folder / "model", name, *sources, shots=shots, harness=harness) for harness in (False, True)
    )
    assert_same(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "source", "shots"),
    [
        ("arc", "arc/ARC-Challenge-Dev.jsonl", 0),
        ("arc", "arc/hub_layout_validation", 2),
        ("hellaswag", "hellaswag/hub_layout_validation", 0),
    ],
)
def test_real_rows(folder: Path, real_data: Path, name: str, source: str, shots: int) -> None:
    rows = str(real_data / source)
    ours, theirs = (
        _evaluated(folder / "model", name, rows, shots=shots, limit=60, harness=harness) for harness in (False, True)
    )
    assert_same(ours, theirs)


@pytest.mark.slow
def test_pairs_of_real_rows_have_the_scores_of_these_rows(folder: Path, real_data: Path, tmp_path: Path) -> None:
    """Building removes only white space around texts, of which this split of ARC has none."""
    rows = real_data / "arc" / "ARC-Challenge-Dev.jsonl"
    pairgen.build("arc", tmp_path / "pairs", f"eval={rows}")
    of_rows, samples = _evaluated(folder / "model", "arc", str(rows))
    of_pairs, from_pairs = _evaluated(folder / "model", str(tmp_path / "pairs"))
    assert len(samples) == len(from_pairs) == 299
    by_prompt = {sample["prompt_hash"]: (sample["acc"], sample["acc_norm"]) for sample in samples}
    assert {sample["prompt_hash"]: (sample["acc"], sample["acc_norm"]) for sample in from_pairs} == by_prompt
    assert of_rows["results"]["arc_challenge"]["acc,none"] == of_pairs["results"]["pairs"]["acc,none"]


def test_truncated_contexts_are_reported(folder: Path, run: Run, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder / "model", tmp_path / "short")
    config = json.loads((tmp_path / "short" / "config.json").read_text())
    (tmp_path / "short" / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 60}))
    told = run("eval", tmp_path / "short", "--tasks", "arc", "--source", "sample:12", "--limit", 2, "--shots", 3)
    assert told.exit_code == 0, told.output
    assert "truncated from the left" in told.stderr
    whole = run("eval", folder / "model", "--tasks", "arc", "--source", "sample:12", "--limit", 2, "--shots", 3)
    assert "truncated" not in whole.stderr


def test_a_model_without_trees_says_why_it_takes_longer(folder: Path, run: Run, tmp_path: Path) -> None:
    from helpers.families import save_with_tokenizer, small_config, spread_model

    from pairgen.train.model.loading import load_tokenizer

    tokenizer = load_tokenizer(str(folder / "model"))
    model = spread_model(small_config("mamba", vocab_size=len(tokenizer)))
    mamba = save_with_tokenizer(model, tokenizer, tmp_path / "mamba")
    told = run("eval", mamba, "--tasks", folder / "arc-pairs", "--limit", 2)
    assert told.exit_code == 0, told.output
    assert "scoring choices takes longer, since Mamba" in told.stderr
    assert "--share" not in told.stderr
    assert "longer" not in run("eval", mamba, "--tasks", folder / "arc-pairs", "--limit", 2, "--harness").stderr


def test_only_complete_datasets_are_tasks(folder: Path, tmp_path: Path) -> None:
    assert is_pair_dataset(str(folder / "arc-pairs"))
    assert not is_pair_dataset(str(folder / "model"))
    assert not is_pair_dataset("arc")
    assert not is_pair_dataset(str(tmp_path / "missing"))


def test_completions_after_different_white_space(tmp_path: Path) -> None:
    for name, style in (("a", "lm-eval"), ("b", "raw")):
        pairgen.build("arc", tmp_path / name, "sample:3", prompt_style=style)
    pairgen.mix([tmp_path / "a", tmp_path / "b"], tmp_path / "mixed")
    with pytest.raises(UsageError, match=r"different white space \('\\n' and ' '\)"):
        write_task(str(tmp_path / "mixed"), tmp_path)
