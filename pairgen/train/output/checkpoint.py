"""Checkpoints: the model in the Hugging Face layout, the optimizer's moments and random state as safetensors.

``checkpoints/step-00000050/`` holds ``model/``, which ``from_pretrained`` reads, ``optimizer/`` (``moments``),
``random.safetensors`` and ``state.json``. No file depends on how many processes wrote it: a run goes on with any number
of them. It is written atomically (``Saver``), so the latest one can always be resumed from.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pairgen.errors import RunFolderError
from pairgen.run_folder import CHECKPOINTS
from pairgen.train import distributed
from pairgen.train.output import moments

MODEL, OPTIMIZER, RANDOM, STATE = "model", "optimizer", "random.safetensors", "state.json"


@dataclass
class TrainState:
    """The state of a run besides the weights and the optimizer. The position in the data depends on ``step`` alone."""

    step: int = 0
    """Optimizer steps done."""
    baseline: float = 0.0
    """KTO's reference point, in nats."""
    best: float | None = None
    """Best value so far of the metric of --best."""


@dataclass(frozen=True)
class Policy:
    """The model that is trained."""

    module: nn.Module
    """A ``Scorer``, or the module that distributes it over processes."""
    optimizer: torch.optim.Optimizer
    tokenizer: Any
    blueprint: Any
    """The transformers model that knows how its weights are saved; its own are not used."""

    @property
    def scorer(self) -> Any:
        return distributed.unwrapped(self.module)

    def weights(self) -> dict[str, Tensor]:
        """Weights and saved buffers by their names in the transformers model; tied ones are the same tensor.

        Of a model with an adapter, those of the adapter alone. Those of a sharded model are the parts of this process.
        """
        state = self.scorer.state_dict(keep_vars=True)  # of the whole module: FSDP then puts its parts back
        named = {name.removeprefix("model."): value for name, value in state.items()}
        if hasattr(self.scorer.model, "peft_config"):
            return {name: value for name, value in named.items() if value.requires_grad}
        return named


def newest(run: Path) -> Path | None:
    """The latest checkpoint of a run."""
    found = sorted((run / CHECKPOINTS).glob(f"step-*/{STATE}"))
    return found[-1].parent if found else None


def read_state(folder: Path) -> TrainState:
    """The state of a checkpoint. Raises RunFolderError for a damaged file."""
    try:
        return TrainState(**json.loads((folder / STATE).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(
            f"{folder / STATE}: damaged ({error}); delete {folder} to resume from the previous checkpoint"
        ) from None


def random_state() -> dict[str, Tensor]:
    """The state of torch's random numbers, by device."""
    random = {"cpu": torch.get_rng_state()}
    return random | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def restore(folder: Path, policy: Policy, world: distributed.World) -> None:
    """Load the optimizer's and the random state of a checkpoint; its model is already loaded.

    Raises RunFolderError if a file is missing or damaged, or belongs to another model.
    """
    try:
        random = load_file(folder / RANDOM)
        moments.restore(folder / OPTIMIZER, policy.weights(), policy.optimizer, alone=world.size == 1)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise RunFolderError(f"{folder}: damaged ({error}); delete it to resume from the previous checkpoint") from None
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
