"""TRL's DPO trainer for comparison: its training loop over the same pairs in order, timed step by step."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch

os.environ["TQDM_DISABLE"] = "1"
BETA, RATE = 0.1, 1e-5

CLOCKS = {"wall": perf_counter, "process": process_time}
clock = perf_counter
"""Seconds; ``process`` counts only the CPU time of this process."""

Row = dict[str, str]
"""A pair's prompt, chosen and rejected."""


class Cost(NamedTuple):
    """Time and memory of a step."""

    seconds: float
    memory: int
    """Peak memory of the device minus the memory allocated between steps, in bytes; 0 on a CPU."""


OnStep = Callable[[int, Cost], None]
"""Callback after each TRL step, with its index and its cost; excluded from TRL's time."""


class Meter:
    """Measures a step, synchronizing with a GPU at its start and end."""

    def __init__(self, device: torch.device) -> None:
        self.gpu = device.type == "cuda"
        self.allocated, self.started = 0, 0.0

    def start(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            self.allocated = torch.cuda.memory_allocated()
        self.started = clock()

    def stop(self) -> Cost:
        if self.gpu:
            torch.cuda.synchronize()
        seconds = clock() - self.started
        return Cost(seconds, torch.cuda.max_memory_allocated() - self.allocated if self.gpu else 0)


@dataclass(frozen=True)
class FirstStep:
    """Loss, log-probs and gradient norm of the first step."""

    loss: float
    chosen: float
    """Mean summed log-prob of chosen."""
    rejected: float
    norm: float
    """Gradient norm before clipping."""

    def difference(self, other: "FirstStep") -> float:
        """The largest relative difference of any field."""
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
    on_step: OnStep,
    device: torch.device,
) -> FirstStep:
    """Train one epoch in order, with precomputed reference log-probs, a chunked LM head and no gradient checkpointing.

    The time of a step is from its first forward pass to the end of AdamW's step; it excludes collating the batch.

    Args:
        model: modified in place.
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

    class StepCallback(TrainerCallback):  # type: ignore[misc]
        meter = Meter(device)

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.meter.start()

        def on_step_end(self, _: object, state: Any, *__: object, **___: object) -> None:
            on_step(state.global_step - 1, self.meter.stop())

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
    trainer.add_callback(StepCallback())
    trainer.train()
    line = trainer.state.log_history[0]
    return FirstStep(line["loss"], line["logps/chosen"], line["logps/rejected"], line["grad_norm"])


def dataset(rows: Sequence[Row]) -> Any:
    """Rows as a dataset for TRL."""
    import datasets

    datasets.disable_progress_bars()
    return datasets.Dataset.from_list(list(rows))
