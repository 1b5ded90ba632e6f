"""On a CUDA device: trees scored by compiled FlexAttention, and complete runs, against a CPU."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs
from helpers.slow_trees import MODELS, model_of, score_with_gradients
from helpers.token_groups import group, random_groups

from pairgen.train.checks.exactness import check_model, check_trees
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer
from pairgen.train.run import resume, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CUDA = torch.device("cuda")


def long_groups(seed: int) -> list[TokenGroup]:
    """Groups over several of FlexAttention's blocks of 128 tokens, some with a common start."""
    start = list(range(3, 23)) * 10
    return [
        *random_groups(seed, 6, pairs=4, length=90),
        group([*start, 3], [7, 7, *[3] * 140], [7, 8], [7, 7, 9], [9]),
        group([*start, 4, 4], [7, 7], [7], [7, 7, 9], [7, 7, 5, 5]),
    ]


def on_gpu(model: Any, batch: Batch, *, bf16: bool = False) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """As ``score_with_gradients``, computed on the device and returned on the CPU."""
    with torch.autocast("cuda", torch.bfloat16, enabled=bf16), torch.device(CUDA):
        sums, gradients = score_with_gradients(model.to(CUDA), batch.to(CUDA))
    model.to("cpu")
    return sums.cpu(), {name: gradient.cpu() for name, gradient in gradients.items()}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("share", ["prefix", "shots"])
@pytest.mark.parametrize("head_dim", [8, 16, 24])
def test_trees_equal_padded_rows_on_a_cpu(name: str, share: str, head_dim: int) -> None:
    """In float32 on the device, against float64 on a CPU; FlexAttention takes heads of at least 16."""
    settings = {"hidden_size": 4 * head_dim} if name in ("Llama", "Qwen2") else {"head_dim": head_dim}
    exact = model_of(name, **settings)
    expected, gradients = score_with_gradients(exact, padded_batch(long_groups(0)))
    model = model_of(name, torch.float32, **settings)
    found, our_gradients = on_gpu(model, tree_batch(long_groups(0), 512, share))
    assert float((found - expected).abs().max()) <= 2e-3
    for parameter, gradient in gradients.items():
        scale = max(1e-3, float(gradient.abs().max()))
        assert float((our_gradients[parameter] - gradient).abs().max()) <= 2e-3 * scale, parameter


@pytest.mark.parametrize("name", MODELS)
def test_trees_in_bf16_are_as_close_as_padded_rows(name: str) -> None:
    """Errors of bfloat16 depend on the model, so those of padded rows on the same device are the measure."""
    exact = model_of(name, head_dim=16)
    expected, _ = score_with_gradients(exact, padded_batch(long_groups(1)))
    model = model_of(name, torch.float32, head_dim=16)
    trees, _ = on_gpu(model, tree_batch(long_groups(1), 512, "shots"), bf16=True)
    padded, _ = on_gpu(model, padded_batch(long_groups(1)), bf16=True)
    assert float((trees - expected).abs().mean()) <= 1.5 * float((padded - expected).abs().mean())


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.dataset(tmp_path_factory.mktemp("data") / "pairs")


@pytest.mark.parametrize("share", ["shots", "none"])
@pytest.mark.parametrize("loss", ["dpop", "ipo"])
def test_a_run_equals_one_on_a_cpu(pairs: Path, tmp_path: Path, share: str, loss: str) -> None:
    """In float32, from the same model."""
    model = str(runs.start_model(pairs, tmp_path / "model"))
    settings: dict[str, Any] = {"share": share, "loss": loss, "model": model, "sft_steps": 0, "precision": "float32"}
    found = {
        device: train(runs.config(pairs, tmp_path / device, device=device, **settings)).folder
        for device in ("cpu", "cuda")
    }
    ours, expected = metrics(found["cuda"]), metrics(found["cpu"])
    assert len(ours) == len(expected) == 7
    for our, other in zip(ours, expected, strict=True):
        for name in ("loss", "logps/chosen", "logps/rejected", "grad_norm"):
            if name in other:
                assert our[name] == pytest.approx(other[name], rel=1e-3, abs=1e-3), (our["step"], name)


@pytest.mark.parametrize("share", ["shots", "none"])
@pytest.mark.parametrize("precision", ["bf16", "bf16-pure"])
def test_dpop_starts_at_ln_2_in_bf16(pairs: Path, tmp_path: Path, precision: str, share: str) -> None:
    settings: dict[str, Any] = {"precision": precision, "share": share, "loss": "dpop", "steps": 1}
    run = train(runs.config(pairs, tmp_path / "run", device="cuda", **settings)).folder
    assert metrics(run)[1]["loss"] == pytest.approx(math.log(2), abs=1e-3)


def test_a_resumed_run_goes_on_as_if_uninterrupted(pairs: Path, tmp_path: Path) -> None:
    settings = {"device": "cuda", "precision": "float32", "lr_schedule": "constant", "warmup_ratio": 0.0}
    whole = train(runs.config(pairs, tmp_path / "whole", **settings)).folder
    part = train(runs.config(pairs, tmp_path / "part", **settings, steps=3)).folder
    assert [line["loss"] for line in metrics(resume(part, {"steps": 6}).folder)] == pytest.approx(
        [line["loss"] for line in metrics(whole)], rel=1e-4, abs=1e-4
    )


@pytest.mark.parametrize("name", ["Llama", "Gemma2", "Gemma3Text"])
@pytest.mark.parametrize("head_dim", [64, 128, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_checks_pass_on_a_device(name: str, head_dim: int, dtype: torch.dtype) -> None:
    """They run in float32, in which FlexAttention has least memory for its blocks."""
    model = model_of(name, torch.float32, head_dim=head_dim).to(CUDA, dtype)
    scorer, groups = Scorer(model), long_groups(1)
    plain = check_model(scorer, groups)
    check_trees(scorer, plain, partial(tree_batch, row_tokens=512, share="shots"))
    assert {weight.dtype for weight in model.parameters()} == {dtype}
