"""Compute reference log-probs: of all pairs before training, or of every batch during it."""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pairgen.atomic import write_text
from pairgen.errors import RunFolderError
from pairgen.run_folder import REFERENCE, REFERENCE_MODEL
from pairgen.train import distributed
from pairgen.train.config import Config
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.splits import TokenizedSplit
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.model import loading as models
from pairgen.train.model.scorer import Scorer
from pairgen.train.reference import cache
from pairgen.train.scores.forward import Forward

Needed = list[tuple[TokenizedSplit, NDArray[np.int64]]]
"""Splits, and the indices of the groups in them whose pairs are needed."""


@dataclass
class StartingModel:
    """The policy as it was before its first step, loaded when it is first needed."""

    load: Callable[[], Scorer]
    forward: Forward

    @cached_property
    def scorer(self) -> Scorer:
        """The model, in evaluation mode."""
        scorer: Scorer = self.load().eval()
        return scorer

    @torch.no_grad()
    def score(self, groups: Sequence[TokenGroup]) -> tuple[Batch, Tensor]:
        """A batch of groups and [2P, T] log-probs of its completions' tokens."""
        batch = self.forward.to_device(self.forward.layout(groups))
        return batch, self.forward.token_logps(self.scorer, batch)

    def weights_hash(self, file: Path, world: World) -> str:
        """The hash of its weights, kept in ``file``: after the first step, the policy's weights are others.

        Raises:
            RunFolderError: the file is damaged.
        """
        if world.is_main and not file.is_file():
            write_text(file, json.dumps({"weights": models.weights_hash(self.scorer)}))
        world.barrier()
        try:
            weights: str = json.loads(file.read_text("utf-8"))["weights"]
        except (ValueError, KeyError, TypeError) as error:
            raise RunFolderError(f"{file}: damaged ({error}); delete it to recompute the hash of the weights") from None
        return weights


def precompute(config: Config, needed: Needed, model: StartingModel, context: RunContext) -> cache.ReferenceLogps:
    """Reference log-probs of all pairs that are needed, computed where they are not in the cache.

    Raises:
        RunFolderError: the run's hash of its reference model is damaged.
        OutputError: the disk is full.
    """
    world, precision = context.world, "bf16" if model.forward.autocast else "full"
    prefix = f"{model.weights_hash(context.folder / REFERENCE_MODEL, world)[:16]}-{precision}"
    pairs_at_once = config.micro_batch_size or config.batch_size
    known = cache.ReferenceLogps()
    for split, indices in needed:
        for dataset, key_prefix, groups in zip(split.datasets, split.prefixes, split.by_dataset(indices), strict=True):
            folder = cache.folder_of(dataset.path, config.reference_dir, context.folder / REFERENCE)
            folder /= f"{prefix}-{dataset.tokens.hash[:16]}-v{cache.FORMAT}"
            work = cache.ReferencePass(dataset.tokens.groups, groups, model.score, pairs_at_once)
            cache.compute(work, folder, world, partial(context.progress, f"{Phase.REFERENCE} {dataset.path.name}"))
            world.barrier()
            known.add(cache.read(folder), key_prefix)
    return known


@dataclass(frozen=True)
class OnlineReference:
    """A reference model that scores every batch: a frozen starting model or, under LoRA, the policy itself."""

    module: nn.Module
    is_policy: bool
    """Whether ``module`` is the policy, whose LoRA adapter is disabled for the reference."""

    def token_logps(self, forward: Forward, batch: Batch) -> Tensor:
        """[2P, T] float64 log-prob of each token of each completion, without a gradient."""
        adapter = (
            distributed.unwrapped(self.module).model.disable_adapter() if self.is_policy else contextlib.nullcontext()
        )
        with torch.no_grad(), adapter:
            return forward.token_logps(self.module, batch)
