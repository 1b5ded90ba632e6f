"""The pass of the reference model over all pairs, before training; and a reference that scores in every step."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pairgen.atomic import write_text
from pairgen.errors import RunFolderError
from pairgen.train.config import Config
from pairgen.train.data import load as data
from pairgen.train.data.groups import TokenGroup
from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch
from pairgen.train.model import loading as models
from pairgen.train.model.scorer import Scorer
from pairgen.train.objective import Scoring
from pairgen.train.reference import cache as reference

Wanted = list[tuple[data.Data, NDArray[np.int64]]]
"""Groups whose pairs will be asked for."""


def online_reference(scorer: Scorer, policy: Scorer) -> nn.Module:
    """A model that scores every batch anew: frozen, unless it is the policy with an adapter to switch off."""
    if scorer is policy:
        return scorer
    scorer.clock = policy.clock  # its attention and head are those of the step
    return scorer.requires_grad_(False).eval()


def known_reference(
    config: Config,
    wanted: Wanted,
    scoring: Scoring,
    start: Callable[[], Scorer],
    run: Path,
    world: World,
    tell: Callable[..., None],
) -> reference.Reference:
    """The reference's log-probs of pairs, computed where they are not known yet.

    Args:
        start: gives the model as it was before the first step.

    Raises:
        RunFolderError: the run's note of its reference is damaged.
        OutputError: the disk is full.
    """
    weights = _weights(run / "reference.json", start, world)
    model: list[Scorer] = []

    def score(groups: Sequence[TokenGroup]) -> tuple[Batch, Tensor]:
        if not model:
            model.append(start().eval())
        batch = scoring.laid_out(groups)
        with torch.no_grad():
            return batch, scoring.tokens(batch, model[0])

    found = reference.Reference()
    for of_split, indices in wanted:
        for part, prefix, groups in zip(of_split.parts, of_split.prefixes, of_split.by_part(indices), strict=True):
            name = f"{weights[:16]}-{'bf16' if scoring.autocast else 'full'}-{part.tokens.hash[:16]}"
            folder = reference.folder_of(part.dataset, config.reference_dir, run / "reference") / name
            phase = f"reference log-probs of {part.dataset.name}"
            reference.compute(
                part.tokens.groups,
                groups,
                score,
                folder,
                config.micro_batch_size or config.batch_size,
                world.rank,
                world.size,
                partial(_told, tell, phase),
            )
            world.wait()
            found.add(reference.read(folder), prefix)
    return found


def _told(tell: Callable[..., None], phase: str, done: int, total: int) -> None:
    tell(phase, done, total, {})


def _weights(note: Path, start: Callable[[], Any], world: World) -> str:
    """The hash of the weights that a run started from, kept in the run: later they are others."""
    if world.main and not note.is_file():
        write_text(note, json.dumps({"weights": models.weights_hash(start())}))
    world.wait()
    try:
        weights: str = json.loads(note.read_text("utf-8"))["weights"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{note}: damaged ({error}); remove it, and the model's hash is taken again") from None
    return weights
