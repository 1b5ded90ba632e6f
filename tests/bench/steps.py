"""A step of pairgen's trainer, for benchmarks: layout, forward, backward, clipping, AdamW."""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import peers
import torch
from peers import Cost, FirstStep, Meter
from workloads import Pairs

from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.order import chunks
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer
from pairgen.train.reference.passes import ReferencePass, compute_missing
from pairgen.train.reference.start import StartingModel
from pairgen.train.scores.forward import Forward
from pairgen.train.scores.metrics import Sums, add
from pairgen.train.scores.objective import Objective
from pairgen.train.scores.speed import ModelFlops

ROW_TOKENS = 8192


class Variant(NamedTuple):
    """How a model is run."""

    precision: str
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.precision} c" if self.compiled else self.precision


class Pairgen:
    """A model, its optimizer and its reference log-probs."""

    def __init__(self, model: Any, share: str, variant: "Variant", multiple_choice: bool, device: torch.device) -> None:
        precision = variant.precision
        self.model = copy.deepcopy(model).to(device)
        self.micro = 0
        """Groups per forward pass; 0: all groups of a step."""
        self.meter = Meter(device)
        self.spent: Counter[str] = Counter()
        """Seconds of each part of the timed steps."""
        scorer = Scorer(self.model)
        if variant.compiled:
            scorer.compile_layers()
        layout = partial(tree_batch, row_tokens=ROW_TOKENS, share=share, pad=0)
        forward = Forward(precision, layout, device, autocast=precision == "bf16")
        config = Config(loss="dpo", beta=peers.BETA)
        self.objective = Objective(config, scorer, forward, reference=None, multiple_choice=multiple_choice)
        self.runs = precision
        self.restart()

    def restart(self) -> None:
        """Forget the state of the optimizer."""
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=peers.RATE, weight_decay=0.0, fused=True)

    def precompute_reference(self, pairs: Pairs, folder: Path) -> None:
        """Compute the reference log-probs of all pairs with the current weights."""
        forward = self.objective.forward
        model = StartingModel(lambda: self.objective.module, forward)
        used = np.asarray(pairs.used)
        order = used[np.argsort(pairs.groups.tokens[used], kind="stable")]
        batches = [order[start:stop] for start, stop in chunks(pairs.groups.pairs[order], 32)]
        work = ReferencePass(pairs.groups, batches, [folder] * len(pairs.groups.tables), model.score)
        compute_missing(work)
        self.objective.module.train()
        self.objective = replace(self.objective, reference=work.known())

    def step(self, groups: Sequence[TokenGroup]) -> FirstStep:
        """One optimizer step over groups."""
        size = self.micro or len(groups)
        pairs = sum(group.pairs for group in groups)
        sums: Sums = {}
        for first in range(0, len(groups), size):
            batch = self.objective.batch(groups[first : first + size])
            losses, found = self.objective.losses(batch)
            ((losses * batch.weight).sum() / pairs).backward()
            sums = add(sums, found)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        means = [float(sums[name][0] / sums[name][1]) for name in ("loss", "logps/chosen", "logps/rejected")]
        return FirstStep(*means, norm)

    def timed(self, groups: Sequence[TokenGroup]) -> Cost:
        """Time and memory of a step; the time of its parts is added to ``spent``."""
        timer = self.objective.module.timer
        self.meter.start()
        timer.start(self.objective.forward.device)
        self.step(groups)
        self.spent += timer.stop()
        return self.meter.stop()

    def tune(self, groups: Sequence[TokenGroup], sizes: Sequence[int]) -> None:
        """Set the fastest micro-batch size, by the faster of two steps each."""
        seconds = {}
        for self.micro in sizes:
            try:
                seconds[self.micro] = min(self.timed(groups).seconds for _ in range(2))
            except torch.OutOfMemoryError:
                self.optimizer.zero_grad(set_to_none=True)
        self.micro = min(seconds, key=seconds.__getitem__)
        self.spent = Counter()

    def flops(self, groups: Sequence[TokenGroup]) -> float:
        """FLOPs of a step, as training counts them."""
        return ModelFlops(self.model).of(self.objective.forward.layout(groups).work)
