"""Passes without gradients: the metrics of held-out pairs, and the log-probs of their tokens for ``pairs.parquet``."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from pairgen.errors import NonFiniteLoss
from pairgen.run_folder import EVAL, PAIRS
from pairgen.run_folder.measured import MeasuredAt, measured_at, read_table, with_origin, write_table
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.schedule import TrainingData
from pairgen.train.layout.batch import Batch
from pairgen.train.scores.metrics import Sums, add, global_means
from pairgen.train.scores.objective import Objective
from pairgen.train.scores.pair_logps import PairLogps
from pairgen.train.scores.pair_table import PairTable
from pairgen.train.scores.speed import machine

TRAINING_PAIRS = 200
"""Training pairs that are scored where there are no held-out pairs."""


@dataclass
class HeldOut:
    """Evaluates the policy of a run as it is. Every process must call the methods, at the same steps."""

    objective: Objective
    data: TrainingData
    tokenizer: Any
    context: RunContext
    _evaluated_at: int = field(default=-1, init=False)

    @cached_property
    def _pairs(self) -> PairTable | None:
        """The pairs of the eval split, with log-probs of the last evaluation."""
        if not (split := self.data.evaluation):
            return None
        return PairTable(split, "eval", np.arange(len(split.groups)), self.objective.loss, self.tokenizer)

    def evaluate(self, step: int, baseline: float) -> dict[str, float]:
        """Mean metrics over all pairs of the eval split and, if there are several datasets, over those of each.

        The log-probs are written to ``pairs.parquet``; after the last step, ``finish`` does that. Before the first step
        they are kept as those of the reference, if the loss has none.

        Args:
            step: how many steps were done.
            baseline: KTO's reference point, in nats.

        Raises:
            NonFiniteLoss: a metric is not finite.
        """
        assert self._pairs is not None
        metrics = self._metrics(self._pairs, baseline)
        self._evaluated_at = step
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise NonFiniteLoss(f"step {step}: {name} is {value}; the last checkpoint is intact")
        if step == 0 and not self.objective.loss.needs_reference:
            self._pairs.use_as_reference()
        if step < self.data.steps:
            self._write(self._table([self._pairs], step))
        return metrics

    def restore(self) -> None:
        """Read what ``pairs.parquet`` has as the reference of a loss that has none, when a run is resumed.

        Raises:
            RunFolderError: the file is damaged.
        """
        if self._pairs is None or self.objective.loss.needs_reference:
            return
        file, world = self.context.folder / PAIRS, self.context.world
        table = read_table(file) if world.is_main and file.is_file() else None
        known = table is not None and self._pairs.has_reference(table)
        if world.any_rank(known, self.objective.forward.device):
            self._pairs.read_reference(table)

    def finish(self, step: int, trained: bool) -> None:
        """Write ``pairs.parquet`` after the last step.

        Args:
            trained: whether a step was taken; if not, a file of this step need not be written again.
        """
        file, world = self.context.folder / PAIRS, self.context.world
        missing = world.is_main and (trained or not file.is_file() or measured_at(file) != (step, self.data.steps))
        if world.any_rank(missing, self.objective.forward.device):
            self._write(self.score_pairs(step))

    def score_pairs(self, step: int) -> pa.Table:
        """Log-probs of training pairs (``RunContext.train_pairs``) and held-out pairs, in ``SCORED``.

        Those of an evaluation after the same step are not computed again.
        """
        tables = []
        if wanted := self.context.train_pairs or (0 if self._pairs else TRAINING_PAIRS):
            tables.append(self._first_training_pairs(wanted))
            self._score(tables[0])
        if self._pairs:
            if self._evaluated_at != step:
                self._score(self._pairs)
            tables.append(self._pairs)
        return self._table(tables, step)

    def _first_training_pairs(self, most: int) -> PairTable:
        """The first training pairs that are used: the reference may not know the others."""
        groups = self.data.sampler.used(self.data.steps)
        pairs = self.data.pairs.groups.pairs[groups]
        stop = max(1, int(np.searchsorted(np.cumsum(pairs), most, side="right")))
        return PairTable(self.data.pairs, "train", groups[:stop], self.objective.loss, self.tokenizer)

    def _table(self, tables: list[PairTable], step: int) -> pa.Table:
        found = pa.concat_tables([table.table(self.context.world) for table in tables])
        return with_origin(found, MeasuredAt(step, self.data.steps), machine(self.objective.forward.device))

    def _write(self, table: pa.Table) -> None:
        if self.context.world.is_main:
            write_table(table, self.context.folder / PAIRS)

    def _metrics(self, pairs: PairTable, baseline: float) -> dict[str, float]:
        world, several = self.context.world, len(pairs.split.datasets) > 1
        sums: Sums = {}
        metrics: dict[str, float] = {}
        for name, start, stop in pairs.split.ranges():
            of_dataset: Sums = {}
            with self._without_gradients():
                for batch, logps in self._scored(pairs, start, stop, baseline):
                    of_dataset = add(of_dataset, self.objective.losses_of(batch, logps)[1])
            sums = add(sums, of_dataset)
            if several:
                metrics |= {f"{EVAL}{name}/{key}": value for key, value in global_means(of_dataset, world).items()}
        return {EVAL + name: value for name, value in global_means(sums, world).items()} | metrics

    def _score(self, pairs: PairTable) -> None:
        with self._without_gradients():
            for _ in self._scored(pairs, 0, len(pairs.groups)):
                pass

    def _scored(
        self, pairs: PairTable, first: int, end: int, baseline: float = 0.0
    ) -> Iterator[tuple[Batch, PairLogps]]:
        """This process's batches of groups ``first`` to ``end`` (exclusive) of a table, scored and added to it."""
        config, world = self.objective.config, self.context.world
        before, within, total = (
            int(pairs.pairs[part].sum()) for part in (slice(first), slice(first, end), slice(None))
        )
        passes = self.data.passes(pairs.split, pairs.groups, (first, end), config, world)
        for number, (start, stop, weighted) in enumerate(passes, 1):
            groups = [pairs.split.groups[at] for at in pairs.groups[start:stop]]
            batch = self.objective.batch(groups, weighted)
            logps = self.objective.logps(batch, baseline)
            if weighted:
                pairs.add(start, batch, logps)
            yield batch, logps
            self.context.progress(Phase.EVALUATION, before + within * number // len(passes), total, {})

    @contextlib.contextmanager
    def _without_gradients(self) -> Iterator[None]:
        self.objective.module.eval()
        with torch.no_grad():
            yield
        self.objective.module.train()
