"""The model that a run starts from: its reference model."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from pairgen.atomic import write_text
from pairgen.errors import RunFolderError
from pairgen.run_folder import REFERENCE_MODEL
from pairgen.train.context import RunContext
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.model.fingerprint import fingerprint
from pairgen.train.model.scorer import Scorer
from pairgen.train.scores.forward import Forward


@dataclass
class StartingModel:
    """The policy as it was before its first step, loaded when it is first needed."""

    load: Callable[[], Scorer]
    """Calls ``check_start``."""
    forward: Forward

    @cached_property
    def scorer(self) -> Scorer:
        """The model."""
        return self.load()

    @torch.no_grad()
    def score(self, groups: Sequence[TokenGroup]) -> tuple[Batch, Tensor]:
        """A batch of groups and [2P, T] log-probs of its completions' tokens, computed as in an evaluation."""
        batch = self.forward.layout(groups).to(self.forward.device)
        return batch, self.forward.token_logps(self.scorer.eval(), batch)

    def score_with_gradients(self, groups: Sequence[TokenGroup]) -> tuple[Batch, Tensor]:
        """The same, computed as in training: compiled code and some kernels round differently without gradients."""
        batch = self.forward.layout(groups).to(self.forward.device)
        with torch.enable_grad():
            return batch, self.forward.token_logps(self.scorer.train(), batch).detach()


def recorded_fingerprint(file: Path) -> str | None:
    """The fingerprint of the model that a run started from; None if it was not recorded. Raises RunFolderError."""
    try:
        recorded = json.loads(file.read_text("utf-8")).get("model") if file.is_file() else None
    except (ValueError, AttributeError) as error:
        raise RunFolderError(f"{file}: damaged ({error}); delete it to compute its fingerprint again") from None
    return None if recorded is None else str(recorded)


def check_start(model: torch.nn.Module, name: str, context: RunContext) -> None:
    """Record the fingerprint of the model that a run starts from or, in a resumed run, compare with it.

    Args:
        model: as it was loaded from ``name``, the value of --model.

    Raises:
        RunFolderError: the run started from another model, so its reference and the base of its adapter are lost.
    """
    file = context.folder / REFERENCE_MODEL
    found, recorded = fingerprint(model), recorded_fingerprint(file)
    if recorded is None and context.world.is_main:
        write_text(file, json.dumps({"model": found}))
    if recorded not in (None, found):
        raise RunFolderError(
            f"{context.folder}: --model {name} has changed since the run started (its config, its weights, or the "
            "version of transformers); restore it, or start a new run"
        )
