"""The training loop. The state of a run consists of the weights, the optimizer and ``TrainState``."""

import json
import math
import threading
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from pairgen.atomic import write_text
from pairgen.errors import NonFiniteLoss, UsageError
from pairgen.run_folder import BELOW_REFERENCE, BEST, EVAL, NON_FINITE, SAME_AS_REFERENCE
from pairgen.train import distributed
from pairgen.train.config import Config
from pairgen.train.context import RunContext
from pairgen.train.data.schedule import TrainingData
from pairgen.train.interrupts import graceful_interrupt
from pairgen.train.layout.batch import Batch
from pairgen.train.model import loading as models
from pairgen.train.output import rounding
from pairgen.train.output.checkpoint import Policy, TrainState
from pairgen.train.output.metrics_log import MetricsLog
from pairgen.train.output.saver import Saver
from pairgen.train.scores.held_out import HeldOut
from pairgen.train.scores.metrics import Sums, add, global_means
from pairgen.train.scores.objective import Objective
from pairgen.train.scores.speed import Interval

LOWER_IS_BETTER = ("loss", *BELOW_REFERENCE, "dpop/penalty", "dpop/penalty_at_edit", "dpop/active")
"""Metrics whose lowest value is the best; of all others it is the highest."""


@dataclass
class Trainer:
    """Trains from the state of a run to its last step."""

    config: Config
    """With all defaults filled in (``Config.resolved``)."""
    context: RunContext
    objective: Objective
    policy: Policy
    data: TrainingData
    held_out: HeldOut
    state: TrainState
    saver: Saver
    log: MetricsLog
    interval: Interval

    @property
    def _device(self) -> torch.device:
        return self.objective.forward.device

    def run(self) -> None:
        """Train until the last step is done.

        Raises:
            NonFiniteLoss: the loss is NaN or infinite; the pairs of the batch are in ``non-finite-RANK.json``.
            OutOfMemory: the device has no memory left.
            OutputError: a checkpoint cannot be written.
            KeyboardInterrupt: Ctrl-C or SIGTERM; a checkpoint was saved.
        """
        start = self.state.step
        with graceful_interrupt() as interrupt, ThreadPoolExecutor(1, initializer=self._use_device) as worker:
            if self.state.step == 0 and self.data.evaluation:
                metrics = self.held_out.evaluate(0, self.state.baseline)
                check_best(self.config.best, metrics)  # choice/* depends on the data
                if self.objective.loss.needs_reference:
                    metrics = {name: value for name, value in metrics.items() if not name.endswith(SAME_AS_REFERENCE)}
                self._log({"step": 0, "epoch": 0.0, "loss": metrics["eval/loss"], **metrics})
            self.interval = self.interval.restarted()
            upcoming = worker.submit(self._batches, self.state.step)
            while self.state.step < self.data.steps:
                batches = upcoming.result()
                upcoming = worker.submit(self._batches, self.state.step + 1)  # while this step runs
                norm = self._step(batches)
                self._after_step(norm, interrupt)
            self.held_out.finish(self.state.step, trained=self.state.step > start)
        self.saver.wait()

    def _use_device(self) -> None:
        """Select this process's GPU in the thread that prepares batches."""
        if self._device.type == "cuda":
            torch.cuda.set_device(self._device)

    def _batches(self, step: int) -> list[Batch]:
        """The micro-batches of this process."""
        if step >= self.data.steps:
            return []
        groups = self.data.pairs.groups
        parts = self.data.micro_batches(step, self.config, self.context.world)
        return [self.objective.batch([groups[index] for index in part], weighted) for part, weighted in parts]

    def _step(self, batches: list[Batch]) -> float:
        """Take an optimizer step over the mean loss of all pairs; returns the gradient's norm before clipping."""
        pairs = int(self.data.pairs.groups.pairs[self.data.sampler.batch(self.state.step)].sum())
        timer = self.policy.scorer.timer
        timed = self._is_logged(self.state.step + 1)  # timing makes a GPU wait for the end of the step
        if timed:
            timer.start(self._device)
        sums = self._accumulate(batches, pairs)
        norm = self._clip(sums["loss"][0], batches)
        for group in self.policy.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.state.step, self.data.steps)
        with rounding.reported(self.policy.optimizer, self.config, self.state.step == 0, self.context.warn):
            self.policy.optimizer.step()
        self.policy.optimizer.zero_grad(set_to_none=True)
        if self.objective.loss.needs_baseline:
            rewards = {name: sums[name] for name in ("rewards/chosen", "rewards/rejected")}
            mean = sum(global_means(rewards, self.context.world).values()) / 2
            self.state.baseline = max(0.0, mean / self.config.beta)
        self.interval.add(sums, batches, pairs, timer.stop() if timed else {})
        self.state.step += 1
        return norm

    def _accumulate(self, batches: list[Batch], pairs: int) -> Sums:
        """Accumulate the gradients of micro-batches; returns the sums of their metrics."""
        sums: Sums = {}
        module = self.objective.module
        for index, batch in enumerate(batches):
            with distributed.gradient_sync(module, index == len(batches) - 1):
                losses, measured = self.objective.losses(batch, self.state.baseline)
                # processes average their gradients: times their number, it is the mean over all pairs
                ((losses * batch.weight).sum() * (self.context.world.size / pairs)).backward()
            sums = add(sums, measured)
        return sums

    def _clip(self, loss: Tensor, batches: list[Batch]) -> float:
        """Clip the gradients; returns their norm before. Raises NonFiniteLoss if the norm or the loss is not finite."""
        weights = [weight for weight in self.objective.module.parameters() if weight.requires_grad]
        limit = self.config.max_grad_norm or math.inf
        norm: Any = torch.nn.utils.clip_grad_norm_(weights, limit)
        if hasattr(norm, "full_tensor"):  # a DTensor, under FSDP2
            norm = norm.full_tensor()
        values = torch.stack([self.context.world.sum(loss.clone()).float(), norm.float()])  # one transfer for both
        total, size = (float(value) for value in values.tolist())
        if not (math.isfinite(total) and math.isfinite(size)):
            self._refuse_step(total, size, batches)
        return size

    def _refuse_step(self, loss: float, norm: float, batches: list[Batch]) -> NoReturn:
        """Save a checkpoint of the previous step and the pairs of this one, then raise."""
        self.policy.optimizer.zero_grad(set_to_none=True)
        if self.state.step:
            self.saver.checkpoint(self.state, wait=True)
        file = self.context.folder / NON_FINITE.format(rank=self.context.world.rank)
        pair_ids = [pair_id for batch in batches for pair_id in batch.pair_ids]
        content = {"step": self.state.step + 1, "loss": str(loss), "pairs": pair_ids}
        write_text(file, json.dumps(content, indent=1))
        advice = "a checkpoint of the previous step was saved: --resume" if self.state.step else "start again"
        advice += " with a lower --learning-rate"
        if models.precision(self.config, self._device) != "float32":
            advice += ", or start a new run with --precision float32"
        raise NonFiniteLoss(
            f"step {self.state.step + 1}: loss {loss}, gradient norm {norm}; the pairs of the batch are in {file}; "
            + advice
        )

    # ------------------------------------------------------------ logging, evaluating and saving

    def _after_step(self, norm: float, interrupt: threading.Event) -> None:
        """Evaluate, log and save where it is due."""
        step, is_last = self.state.step, self.state.step == self.data.steps
        interrupted = self.context.world.any_rank(interrupt.is_set() or self.saver.failed, self._device)
        if interrupted:
            self.saver.wait()  # raises what failed
        evaluates = self.data.evaluation and (is_last or _is_due(step, self.config.eval_every))
        saves = is_last or interrupted or _is_due(step, self.config.save_every)
        if not (evaluates or saves or self._is_logged(step)):
            self.context.progress(self.context.phase, step, self.data.steps, {})
            return
        line = self._line(norm)
        if evaluates:
            line |= self.held_out.evaluate(step, self.state.baseline)
            self._save_if_best(line)
        self._log(line)
        if saves:
            self.saver.checkpoint(self.state, wait=is_last or interrupted or self._short_of_memory)
        self.interval = self.interval.restarted()
        if interrupted and not is_last:
            raise KeyboardInterrupt(f"stopped after step {step} of {self.data.steps}; a checkpoint was saved")

    @property
    def _short_of_memory(self) -> bool:
        """Whether a copy of the state would take memory that training needs: on a CPU, with all of it here."""
        return self._device.type == "cpu" and self.context.world.size == 1

    def _is_logged(self, step: int) -> bool:
        """Whether a step is logged even if it is neither evaluated nor saved."""
        return step in (1, self.data.steps) or _is_due(step, self.config.log_every)

    def _line(self, norm: float) -> dict[str, float]:
        """The metrics since the last line."""
        world = self.context.world
        return {
            "step": self.state.step,
            "epoch": round(self.data.sampler.epoch(self.state.step), 6),
            **global_means(self.interval.sums, world),
            "learning_rate": self.policy.optimizer.param_groups[0]["lr"],
            "grad_norm": norm,
            **self.interval.throughput(world, self._device),
        }

    def _save_if_best(self, line: Mapping[str, float]) -> None:
        """Save the model in ``best/`` if its value of --best is the best so far."""
        name = self.config.best
        if name not in line:
            return
        value, best = line[name], self.state.best
        if best is None or (value < best if name.removeprefix(EVAL) in LOWER_IS_BETTER else value > best):
            self.state.best = value
            self.saver.model(self.context.folder / BEST)

    def _log(self, line: dict[str, float]) -> None:
        if self.context.world.is_main:
            self.log.append(line)
            self.context.progress(self.context.phase, self.state.step, self.data.steps, line)


def check_best(best: str, metrics: Collection[str]) -> None:
    """Raise UsageError if --best is not one of the metrics of the eval split."""
    if best not in ("none", *metrics):
        raise UsageError(f"--best {best}: unknown metric; available: none, {', '.join(metrics)}")


def learning_rate(config: Config, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then constant, or half a cosine down to 0."""
    assert config.learning_rate is not None
    warmup = round(config.warmup_ratio * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.lr_schedule == "constant":
        return config.learning_rate
    done = (step - warmup) / max(1, steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _is_due(step: int, every: int) -> bool:
    return bool(every) and step % every == 0
