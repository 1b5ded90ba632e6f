"""TRL's DPO trainer for comparison: its own training loop over the same pairs in order, timed step by step."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch

os.environ["TQDM_DISABLE"] = "1"
BETA, RATE = 0.1, 1e-5

CLOCKS = {"wall": perf_counter, "own": process_time}
clock = perf_counter
"""Seconds; ``own`` counts the time of this process only."""

Row = dict[str, str]
"""A pair's prompt, chosen and rejected."""


class Cost(NamedTuple):
    """Time and memory of a step."""

    seconds: float
    lifted: int
    """Increase of the device's peak memory over what is allocated between steps, in bytes; 0 on a CPU."""


Turn = Callable[[int, Cost], None]
"""Callback after each TRL step, with its number from 0 and its cost; not part of TRL's time."""


class Meter:
    """Measures a step, synchronizing with a GPU at its start and end."""

    def __init__(self, device: torch.device) -> None:
        self.gpu = device.type == "cuda"
        self.held, self.began = 0, 0.0

    def start(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.held = torch.cuda.memory_allocated()
        self.began = clock()

    def stop(self) -> Cost:
        if self.gpu:
            torch.cuda.synchronize()
        seconds = clock() - self.began
        return Cost(seconds, torch.cuda.max_memory_allocated() - self.held if self.gpu else 0)


@dataclass(frozen=True)
class First:
    """Loss, log-probs and gradient norm of a first step."""

    loss: float
    chosen: float
    """Mean summed log-prob of chosen."""
    rejected: float
    norm: float
    """Of the gradient, before it is clipped."""

    def off(self, other: "First") -> float:
        """The largest relative difference of any figure."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return max(abs(mine - theirs) / max(abs(theirs), 1e-9) for mine, theirs in pairs)


def train(
    model: Any,
    tokenizer: Any,
    pairs: Any,
    step: int,
    micro: int,
    precision: str,
    folder: Path,
    turn: Turn,
    device: torch.device,
) -> First:
    """Train over the pairs once, in order: reference log-probs beforehand, no checkpointing, chunked head (always on).

    A step's time is from its first forward pass to the end of AdamW's step; collating its batch is not counted.

    Args:
        model: trained in place.
        pairs: a dataset of ``Row``.
        step: pairs per step.
        micro: pairs per forward pass; divides ``step``.
        precision: float32, or bf16 for bfloat16 arithmetic on float32 weights.
    """
    from transformers import PrinterCallback, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    class InOrder(DPOTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: object) -> torch.utils.data.Sampler[int]:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    class Turns(TrainerCallback):  # type: ignore[misc]
        meter = Meter(device)

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.meter.start()

        def on_step_end(self, _: object, state: Any, *__: object, **___: object) -> None:
            turn(state.global_step - 1, self.meter.stop())

    config = DPOConfig(
        output_dir=str(folder),
        loss_type="sigmoid",
        beta=BETA,
        max_steps=len(pairs) // step,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=step // micro,
        precompute_ref_log_probs=True,
        precompute_ref_batch_size=micro,
        gradient_checkpointing=False,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        max_length=4096,
        logging_steps=1,
        report_to=[],
        use_cpu=device.type == "cpu",
        bf16=precision == "bf16",
        fp16=False,
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=device.type == "cuda",
    )
    trainer = InOrder(model=model, args=config, train_dataset=pairs, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Turns())
    trainer.train()
    line = trainer.state.log_history[0]
    return First(line["loss"], line["logps/chosen"], line["logps/rejected"], line["grad_norm"])


def dataset(rows: Sequence[Row]) -> Any:
    """Rows as a dataset for TRL."""
    import datasets

    datasets.disable_progress_bars()
    return datasets.Dataset.from_list(list(rows))
