"""--loss-on: losses over the tokens of the edit, or of the edit and after it, against sums made by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs as runs
from helpers.slow_trees import TREE_SHARES, model_of
from helpers.token_groups import random_groups
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pairgen.train.config import OPTIONS, Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.losses import LOSSES
from pairgen.train.model.scorer import Scorer
from pairgen.train.run import train
from pairgen.train.scores.forward import Forward
from pairgen.train.scores.objective import Objective
from pairgen.train.scores.pair_logps import PairLogps

LOSS_ON = OPTIONS["loss_on"].metadata["choices"]
PAIRED = [name for name, loss in LOSSES.items() if loss.uses_rejected]


def padded(groups: list[TokenGroup]) -> Batch:
    return padded_batch(groups)


LAYOUTS = {"none": padded, **{s: lambda groups, s=s: tree_batch(groups, 200, s) for s in TREE_SHARES}}


def token_by_token(model: Any, prompt: Any, completion: Any) -> list[float]:
    """The log-prob of each token of a completion, from the logits of a plain pass over one sequence."""
    ids = torch.tensor([[*prompt.tolist(), *completion.tolist()]])
    with torch.no_grad():
        logps = model(input_ids=ids).logits[0].log_softmax(-1)
    return [float(logps[at - 1, ids[0, at]]) for at in range(len(prompt), ids.shape[1])]


def by_hand(values: list[float], start: int, stop: int, loss_on: str) -> float:
    """The sum over tokens start to stop, or the first after them if there are none; or over all from start."""
    if loss_on == "edit":
        return sum(values[start:stop] or values[start : start + 1])
    return sum(values[start:] if loss_on == "from-edit" else values)


@pytest.mark.parametrize("loss_on", LOSS_ON)
@pytest.mark.parametrize("share", LAYOUTS)
def test_dpo_equals_sums_made_by_hand(share: str, loss_on: str) -> None:
    """In float64, with another model as reference; groups have up to three pairs, and some only delete or insert."""
    policy, reference = model_of("Llama"), model_of("Llama", seed=1)
    groups = random_groups(3, 8)
    expected, empty = [], 0
    for group in groups:
        for (start, stop), rejected in zip(group.edit.tolist(), group.completions[1:], strict=True):
            rejected_stop = stop + len(rejected) - len(group.completions[0])
            empty += start in (stop, rejected_stop)
            ratios = []
            for completion, end in ((group.completions[0], stop), (rejected, rejected_stop)):
                ours, theirs = (token_by_token(model, group.prompt, completion) for model in (policy, reference))
                ratios.append(by_hand(ours, start, end, loss_on) - by_hand(theirs, start, end, loss_on))
            expected.append(math.log1p(math.exp(-0.3 * (ratios[0] - ratios[1]))))
    assert empty > 1
    config = Config(loss="dpo", loss_on=loss_on, beta=0.3)
    forward = Forward(share, LAYOUTS[share], torch.device("cpu"), autocast=False)
    objective = Objective(config, Scorer(policy), forward, Scorer(reference), multiple_choice=False)
    found = objective.losses(objective.batch(groups))[0]
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("loss_on", LOSS_ON)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), level=st.sampled_from(["completion", "token"]))
def test_every_loss_equals_that_of_completions_cut_to_these_tokens(
    name: str, loss_on: str, seed: int, level: str
) -> None:
    """The whole completion of the cut pair counts, so lengths are those of the counted tokens, too."""
    batch = padded_batch(random_groups(seed, 3))
    random = torch.Generator().manual_seed(seed)
    policy, reference = (
        batch.completions(-3 * torch.rand(len(batch.targets), generator=random, dtype=torch.float64)) for _ in range(2)
    )
    mask = torch.arange(policy.shape[1]) < batch.lengths[:, None]
    pairs = PairLogps(policy, reference, mask, batch.edit, loss_on=loss_on, baseline=0.2)
    config = Config(loss=name, dpop_level=level, ipo_level=level)
    cut = _cut(pairs)
    expected, found = (LOSSES[name].function(logps, config) for logps in (cut, pairs))
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-12)


def _cut(logps: PairLogps) -> PairLogps:
    """Completions of the counted tokens alone; one without any gets a token of log-prob 0."""
    rows = [row.nonzero()[:, 0] for row in logps.counted]
    width = max(1, *map(len, rows))

    def moved(values: Tensor) -> Tensor:
        out = torch.zeros(len(rows), width, dtype=values.dtype)
        for line, (row, at) in enumerate(zip(values, rows, strict=True)):
            out[line, : len(at)] = row[at]
        return out

    lengths = torch.tensor([max(1, len(at)) for at in rows])
    mask = torch.arange(width) < lengths[:, None]
    assert logps.reference is not None
    return PairLogps(
        moved(logps.policy), moved(logps.reference), mask, torch.zeros_like(logps.edit), baseline=logps.baseline
    )


@pytest.mark.parametrize("seed", range(4))
def test_tokens_before_the_edit_cancel_in_dpo(seed: int) -> None:
    """Chosen and rejected share them, so from-edit and all give the same loss; edit does not."""
    forward = Forward("none", padded, torch.device("cpu"), autocast=False)
    policy, reference = Scorer(model_of("Llama")), Scorer(model_of("Llama", seed=1))
    found = {}
    for loss_on in LOSS_ON:
        config = Config(loss="dpo", loss_on=loss_on)
        objective = Objective(config, policy, forward, reference, multiple_choice=False)
        found[loss_on] = objective.losses(objective.batch(random_groups(seed, 4)))[0]
    assert torch.allclose(found["from-edit"], found["all"], atol=1e-9)
    assert not torch.allclose(found["edit"], found["all"], atol=1e-3)


def test_sft_counts_whole_completions() -> None:
    assert Config(loss="sft", loss_on="edit").without_effect() == ["--loss-on has no effect with --loss sft"]
    assert Config(loss="cpo", loss_on="edit").without_effect() == []
    scorer = Scorer(model_of("Llama"))
    forward = Forward("none", padded, torch.device("cpu"), autocast=False)
    losses = [
        Objective(Config(loss="sft", loss_on=loss_on), scorer, forward, None, multiple_choice=False)
        for loss_on in LOSS_ON
    ]
    first, *others = (objective.losses(objective.batch(random_groups(0, 3)))[0] for objective in losses)
    assert all(torch.equal(first, other) for other in others)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_runs_share_reference_log_probs(tmp_path: Path) -> None:
    """They are kept by token, so that --loss-on is no part of their key; the SFT stage counts whole completions."""
    data = runs.dataset(tmp_path / "pairs", rows=12)
    model = train(runs.config(data, tmp_path / "first", loss="dpo", loss_on="edit", steps=2)).folder / "sft" / "final"
    kept = sorted((data / "reference").rglob("*.arrows"))
    assert kept
    for loss_on in ("from-edit", "all"):
        changes: dict[str, Any] = {"loss": "dpo", "loss_on": loss_on, "model": str(model), "sft_steps": 0, "steps": 2}
        train(runs.config(data, tmp_path / loss_on, **changes))
    assert sorted((data / "reference").rglob("*.arrows")) == kept
    found = {name: lines(tmp_path / name) for name in ("first", "from-edit", "all")}
    assert all(one[1]["loss"] == pytest.approx(math.log(2), abs=1e-5) for one in found.values())
    last = {name: one[-1]["loss"] for name, one in found.items()}
    assert last["from-edit"] == pytest.approx(last["all"], abs=1e-4)
    assert last["first"] != pytest.approx(last["all"], abs=1e-4)


def test_ktos_reference_point_is_over_the_tokens_that_count(tmp_path: Path) -> None:
    data = runs.dataset(tmp_path / "pairs")
    changes: dict[str, Any] = {"loss": "kto", "loss_on": "edit", "learning_rate": 1e-2, "lr_schedule": "constant"}
    run = train(runs.config(data, tmp_path / "run", **changes, warmup_ratio=0.0, steps=3)).folder
    state = json.loads(next((run / "checkpoints").rglob("state.json")).read_text("utf-8"))
    line = lines(run)[-1]
    mean = (line["rewards/chosen"] + line["rewards/rejected"]) / 2 / line_beta(run)
    assert state["baseline"] == pytest.approx(max(0, mean), abs=1e-6)
    assert mean != pytest.approx((line["logratios/chosen"] + line["logratios/rejected"]) / 2, abs=1e-3)


def line_beta(run: Path) -> float:
    from pairgen.run_folder import open_run

    return float(open_run(run).config["beta"])


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("loss_on", ["edit", "from-edit"])
def test_trees_and_padded_rows_give_the_same_curve(tmp_path: Path, name: str, loss_on: str) -> None:
    data = runs.dataset(tmp_path / "pairs", "arc", rows=12)
    same: dict[str, Any] = {"model": str(runs.start_model(data, tmp_path / "model")), "best": "none", "loss": name}
    same |= {"loss_on": loss_on, "sft_steps": 0, "steps": 8, "batch_size": 6, "learning_rate": 1e-4, "dpop_lambda": 5.0}
    curves = []
    for share in ("none", "shots"):
        run = train(
            runs.config(data, tmp_path / share, share=share, reference_dir=str(tmp_path / f"r-{share}"), **same)
        )
        curves.append([line["loss"] for line in lines(run.folder)])
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)
    assert abs(curves[0][-1] - curves[0][0]) > 1e-3
