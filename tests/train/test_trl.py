"""Against TRL: same model, same pairs, same order, float32 on a CPU: the same losses and log-probs at every step."""

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from helpers import tiny_runs as runs

from pairgen.train.data.order import BatchSampler
from pairgen.train.run import train

STEPS, RATE = 5, 1e-3

OURS: dict[str, dict[str, Any]] = {
    "dpo": {"beta": 0.1, "batch_size": 4},
    "ipo": {"beta": 0.1, "batch_size": 4},
    "apo-zero": {"beta": 0.1, "batch_size": 4},
    # TRL's SFT term is the mean over all chosen tokens of a batch, ours that of each pair: equal for a single pair
    "rpo": {"beta": 0.1, "batch_size": 1, "rpo_alpha": 0.7},
    "simpo": {"beta": 2.0, "batch_size": 4, "simpo_gamma": 0.8},
}
THEIRS: dict[str, dict[str, Any]] = {
    "dpo": {"loss_type": "sigmoid"},
    "ipo": {"loss_type": "ipo"},
    "apo-zero": {"loss_type": "apo_zero"},
    "rpo": {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.7]},
    "simpo": {"loss_type": "simpo", "simpo_gamma": 0.8, "cpo_alpha": 0.0},
}


def trainer_and_config(loss: str) -> tuple[type[Any], type[Any]]:
    """TRL's classes for a loss."""
    if loss == "simpo":
        from trl.experimental.cpo import CPOConfig, CPOTrainer

        return CPOTrainer, CPOConfig
    from trl import DPOConfig, DPOTrainer

    return DPOTrainer, DPOConfig


@pytest.mark.slow
@pytest.mark.parametrize("loss", OURS)
@pytest.mark.parametrize("name", ["metamath", "hellaswag"])
def test_five_steps_match_trl(tmp_path: Path, loss: str, name: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    data = runs.dataset(tmp_path / "pairs", name, rows=40, prompt_style="lm-eval")
    model = runs.start_model(data, tmp_path / "model")
    ours = train(
        runs.config(
            data, tmp_path / "run", model=str(model), loss=loss, sft_steps=0, steps=STEPS, learning_rate=RATE,
            lr_schedule="constant", warmup_ratio=0.0, best="none", **OURS[loss],
        )
    )  # fmt: skip
    lines = [json.loads(line) for line in (ours.folder / "metrics.jsonl").read_text().splitlines()]
    found = [line for line in lines if line["step"] > 0]

    rows = datasets.load_from_disk(str(data))["train"]
    starts = [at for at, row in enumerate(rows) if not at or row["group_id"] != rows[at - 1]["group_id"]]
    members = np.split(np.arange(len(rows)), starts[1:])
    order = BatchSampler(np.array([len(part) for part in members]), OURS[loss]["batch_size"], runs.FAST["seed"])
    taken = [np.concatenate([members[index] for index in order.batch(step)]) for step in range(STEPS)]
    size = len(taken[0])
    assert all(len(step) == size for step in taken)

    trainer_class, config_class = trainer_and_config(loss)

    class InOrder(trainer_class):  # type: ignore[misc]
        def _get_train_sampler(self, *_: object) -> torch.utils.data.Sampler[int]:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    arguments = config_class(
        output_dir=str(tmp_path / "trl"),
        beta=OURS[loss]["beta"],
        max_steps=STEPS,
        per_device_train_batch_size=size,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        logging_steps=1,
        max_length=2048,
        report_to=[],
        use_cpu=True,
        bf16=False,
        fp16=False,
        save_strategy="no",
        gradient_checkpointing=False,
        **THEIRS[loss],
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    pairs = rows.select(np.concatenate(taken)).select_columns(["prompt", "chosen", "rejected"])
    trainer = InOrder(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=arguments,
        train_dataset=pairs,
        processing_class=tokenizer,
    )
    trainer.train()
    theirs = [line for line in trainer.state.log_history if "loss" in line]
    assert len(theirs) == len(found) == STEPS
    for mine, other in zip(found, theirs, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], abs=1e-4)
        if loss == "simpo":  # TRL logs the mean per token
            continue
        for key in ("logps/chosen", "logps/rejected", "rewards/chosen", "rewards/rejected"):
            assert mine[key] == pytest.approx(other[key], rel=1e-5, abs=1e-3), key
    assert abs(found[-1]["loss"] - found[0]["loss"]) > 1e-3  # something was learnt
