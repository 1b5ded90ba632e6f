"""The loop: take pairs, score them, step, measure, save. A run's state is the weights, the optimizer and ``State``."""

import json
import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from pairgen.atomic import new_folder, os_errors, write_text
from pairgen.errors import NonFiniteLoss, UsageError
from pairgen.progress import Progress
from pairgen.train import distributed
from pairgen.train.config import Config
from pairgen.train.data.groups import GroupTable
from pairgen.train.data.order import BatchSampler, chunks, split_batch
from pairgen.train.distributed import World
from pairgen.train.interrupts import Interrupted, stopping
from pairgen.train.layout.batch import Batch
from pairgen.train.losses import LOSSES
from pairgen.train.metrics import Sums, add, means, stacked
from pairgen.train.model import loading as models
from pairgen.train.model.timing import PARTS
from pairgen.train.objective import Objective
from pairgen.train.output import checkpoint
from pairgen.train.output.checkpoint import State
from pairgen.train.output.trackers import Tracker

LOWER_IS_BETTER = ("loss", "chosen_below_reference", "dpop/penalty", "dpop/active")
"""Metrics of which --best takes the lowest; of all others it takes the highest."""


@dataclass
class Loop:
    """A run in motion."""

    config: Config
    """Resolved: every value is there."""
    run: Path
    objective: Objective
    tokenizer: Any
    optimizer: torch.optim.Optimizer
    train: GroupTable
    order: BatchSampler
    steps: int
    """Steps in all."""
    evaluation: GroupTable | None
    world: World
    state: State
    tell: Progress
    tracker: Tracker
    _since: Sums = field(default_factory=dict)
    _work: Counter[str] = field(default_factory=Counter)
    """Pairs and tokens since the last line, and seconds of each part of a step."""
    _started: float = 0.0

    def go(self) -> None:
        """Train until the last step is done.

        Raises:
            NonFiniteLoss: the loss is NaN or infinite; the pairs of the batch are in ``not-finite-RANK.json``.
            OutOfMemory: the device's memory is full.
            Interrupted: Ctrl-C or SIGTERM came; the run is saved.
        """
        with stopping() as stop, ThreadPoolExecutor(1, initializer=self._on_device) as worker:
            if self.state.step == 0:
                self._first()
            self._started = time.monotonic()
            coming = self._lay_out(worker, self.state.step)
            while self.state.step < self.steps:
                batches = coming.result()
                coming = self._lay_out(worker, self.state.step + 1)
                norm = self._step(batches)
                self._after(norm, stop)

    def _on_device(self) -> None:
        """Let the thread that lays out batches work for this process's device."""
        if self.objective.forward.device.type == "cuda":
            torch.cuda.set_device(self.objective.forward.device)

    def _lay_out(self, worker: ThreadPoolExecutor, step: int) -> "Future[list[Batch]]":
        """The coming step's batches, laid out while this one runs."""
        return worker.submit(self._batches, step)

    def _batches(self, step: int) -> list[Batch]:
        if step >= self.steps:
            return []
        groups = self.order.batch(step)
        parts = split_batch(groups, self.train.pairs, self.config.micro_batch_size, self.world.rank, self.world.size)
        return [self.objective.batch([self.train[index] for index in part], counts) for part, counts in parts]

    def _step(self, batches: list[Batch]) -> float:
        """One optimizer step over the mean loss of all its pairs; returns the gradient's norm."""
        pairs = int(self.train.pairs[self.order.batch(self.state.step)].sum())
        clock = distributed.unwrapped(self.objective.module).clock
        measures = self._reports(self.state.step + 1)  # on a GPU it waits for the end of the step
        if measures:
            clock.start(self.objective.forward.device)
        sums: Sums = {}
        for index, batch in enumerate(batches):
            with distributed.accumulating(self.objective.module, last=index == len(batches) - 1):
                losses, found = self.objective.losses(batch, self.state.baseline)
                # gradients are averaged over processes: their number makes the mean over pairs of it
                ((losses * batch.weight).sum() * (self.world.size / pairs)).backward()
            sums = add(sums, found)
        norm = self._checked_norm(sums["loss"][0], batches)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.state.step, self.steps)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if LOSSES[self.config.loss].needs_baseline:
            self.state.baseline = self._baseline(sums)
        self._since = add(self._since, sums)
        work = {name: sum(getattr(batch, name) for batch in batches) for name in ("padded_tokens", "processed_tokens")}
        self._work.update(pairs=pairs, **work, **(clock.stop() if measures else {}))
        self.state.step += 1
        return norm

    def _checked_norm(self, loss: Tensor, batches: list[Batch]) -> float:
        """Clip the gradients; returns their norm before. Raises NonFiniteLoss if it or the loss is no number."""
        weights = [weight for weight in self.objective.module.parameters() if weight.requires_grad]
        limit = self.config.max_grad_norm or math.inf
        norm = distributed.whole(torch.nn.utils.clip_grad_norm_(weights, limit))
        values = torch.stack([self.world.sum(loss.clone()).float(), norm.float()])  # one look at the device
        total, size = (float(value) for value in values.tolist())
        if not (math.isfinite(total) and math.isfinite(size)):
            self._not_finite(total, size, batches)
        return size

    def _not_finite(self, loss: float, norm: float, batches: list[Batch]) -> NoReturn:
        """Save what there was before this step, and the pairs that it took."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.state.step:
            self._save()
        file = self.run / f"not-finite-{self.world.rank}.json"
        keys = [key for batch in batches for key in batch.pair_ids]
        write_text(file, json.dumps({"step": self.state.step + 1, "loss": str(loss), "pairs": keys}, indent=1))
        raise NonFiniteLoss(
            f"step {self.state.step + 1}: the loss is {loss}, the gradient's norm {norm}; its pairs are in {file}, and "
            "the step before is saved: --resume with a lower --learning-rate, or start anew with --precision float32"
        )

    def _baseline(self, sums: Sums) -> float:
        """KTO's reference point for the step to come: the mean log-ratio of all completions, at least 0."""
        found = self._means({name: sums[name] for name in ("logratios/chosen", "logratios/rejected")})
        return max(0.0, sum(found.values()) / 2)

    def _means(self, sums: Sums) -> dict[str, float]:
        return means(list(sums), self.world.sum(stacked(sums)))

    # ------------------------------------------------------------ measuring and saving

    def _first(self) -> None:
        """Measure the model before its first step."""
        if self.evaluation is not None:
            found = self._evaluate()
            self._check_best(found)
            self._write({"step": 0, "epoch": 0.0, "loss": found["eval/loss"], **found})

    def _check_best(self, found: Mapping[str, float]) -> None:
        """Raise UsageError for a metric of --best that is not measured."""
        if self.config.best not in found and self.config.best not in ("none", "eval/loss"):
            raise UsageError(f"--best {self.config.best}: is not measured; there are {', '.join(found)}")

    def _after(self, norm: float, stop: threading.Event) -> None:
        """What follows a step: a line of metrics, an evaluation, a checkpoint, each where it is due."""
        step, last = self.state.step, self.state.step == self.steps
        interrupted = self.world.agree(stop.is_set(), self.objective.forward.device)
        evaluates = self.evaluation is not None and (last or _due(step, self.config.eval_every))
        saves = last or interrupted or _due(step, self.config.save_every)
        if evaluates or saves or self._reports(step):
            line = self._line(norm)
            if evaluates:
                line |= self._evaluate()
                self._keep_best(line)
            self._write(line)
        else:
            self.tell("train", step, self.steps, {})
        if saves:
            self._save()
        if evaluates or saves:
            self._started = time.monotonic()  # what they took is no training
        if interrupted and not last:
            raise Interrupted(f"stopped after step {step} of {self.steps}, which is saved")

    def _reports(self, step: int) -> bool:
        """Whether a step has a line of metrics by its number."""
        return step in (1, self.steps) or _due(step, self.config.log_every)

    def _line(self, norm: float) -> dict[str, float]:
        """Metrics since the last line."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        tokens = torch.tensor(
            [self._work["padded_tokens"], self._work["processed_tokens"]], device=self.objective.forward.device
        )
        plain, run = self.world.sum(tokens).tolist()
        line = {
            "step": self.state.step,
            "epoch": round(self.order.epoch(self.state.step), 6),
            **self._means(self._since),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "grad_norm": norm,
            "pairs_per_second": self._work["pairs"] / seconds,
            "tokens/plain": plain,
            "tokens/run": run,
            "tokens/ratio": plain / run,
            **self._time_shares(),
        }
        self._since, self._work, self._started = {}, Counter(), time.monotonic()
        return line

    def _time_shares(self) -> dict[str, float]:
        """What share of the last step's time each part took; attention of padded rows is part of the rest."""
        seconds = {part: self._work[part] for part in PARTS if self._work[part]}
        return {f"time/{part}": took / sum(seconds.values()) for part, took in seconds.items()}

    def _evaluate(self) -> dict[str, float]:
        """Metrics of the evaluation pairs, each name behind ``eval/``."""
        assert self.evaluation is not None
        groups, size = self.evaluation, self.config.micro_batch_size or self.config.batch_size
        runs = chunks(groups.pairs, size)
        sums: Sums = {}
        self.objective.module.eval()
        with torch.no_grad():
            for number in range(0, len(runs), self.world.size):
                mine = number + self.world.rank
                start, stop = runs[min(mine, len(runs) - 1)]
                batch = self.objective.batch([groups[index] for index in range(start, stop)], mine < len(runs))
                sums = add(sums, self.objective.losses(batch, self.state.baseline)[1])
                self.tell("evaluation", stop, len(groups), {})
        self.objective.module.train()
        found = {f"eval/{name}": value for name, value in self._means(sums).items()}
        for name, value in found.items():
            if not math.isfinite(value):
                raise NonFiniteLoss(f"step {self.state.step}: {name} is {value}; the last checkpoint is whole")
        return found

    def _keep_best(self, line: Mapping[str, float]) -> None:
        """Keep the model as ``best/`` if the metric that was asked for is better than ever (lower, for a loss)."""
        name = self.config.best
        if name not in line:
            return
        value, best = line[name], self.state.best
        if best is None or (value < best if name.removeprefix("eval/") in LOWER_IS_BETTER else value > best):
            self.state.best = value
            self.write_model("best")

    def write_model(self, name: str, readme: str = "") -> None:
        """Write the model as it is into the run's folder ``name``, with a card."""
        weights = distributed.model_state(self.objective.module)
        if self.world.main:
            with new_folder(self.run / name) as folder:
                models.save(distributed.unwrapped(self.objective.module).model, self.tokenizer, folder, weights)
                if readme:
                    (folder / "README.md").write_text(readme, "utf-8")

    def _save(self) -> None:
        checkpoint.save(
            self.run, self.state, self.objective.module, self.optimizer, self.tokenizer, self.config.keep, self.world
        )

    def _write(self, line: dict[str, float]) -> None:
        if not self.world.main:
            return
        file = self.run / "metrics.jsonl"
        with os_errors(file), file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self.tracker.send(line)
        self.tell("train", self.state.step, self.steps, line)


def learning_rate(config: Config, step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then constant, or a half cosine down to 0."""
    assert config.learning_rate is not None
    warmup = round(config.warmup * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - warmup) / max(1, steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _due(step: int, every: int) -> bool:
    return bool(every) and step % every == 0
