"""Checkpoints: the model in the Hugging Face layout, optimizer and random state as safetensors, the rest as JSON.

``checkpoints/step-00000050/`` holds ``model/``, ``optimizer.safetensors`` with ``optimizer.json``,
``random.safetensors`` and ``state.json``. It is written atomically, so the latest one can always be resumed from.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from pairgen.atomic import new_folder
from pairgen.errors import RunFolderError
from pairgen.run_folder import CHECKPOINTS
from pairgen.train import distributed
from pairgen.train.model import loading as models

_GATHERED = StateDictOptions(full_state_dict=True, cpu_offload=True)
"""State of all processes, on the CPU of the main one; empty in the others."""


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

    @property
    def scorer(self) -> Any:
        return distributed.unwrapped(self.module)


def newest(run: Path) -> Path | None:
    """The latest checkpoint of a run."""
    found = sorted((run / CHECKPOINTS).glob("step-*/state.json"))
    return found[-1].parent if found else None


def save(run: Path, state: TrainState, policy: Policy, keep: int, world: distributed.World) -> None:
    """Write a checkpoint, then remove all but the ``keep`` latest ones. Every process must call it."""
    weights = _weights(policy)
    moments: dict[str, Any] = get_optimizer_state_dict(policy.module, policy.optimizer, options=_GATHERED)
    if not world.is_main:
        return
    with new_folder(run / CHECKPOINTS / f"step-{state.step:08}") as folder:
        models.save(policy.scorer.model, policy.tokenizer, folder / "model", weights)
        save_file(_flat(moments["state"]), folder / "optimizer.safetensors")
        random = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            random["cuda"] = torch.cuda.get_rng_state()
        save_file(random, folder / "random.safetensors")
        (folder / "optimizer.json").write_text(json.dumps(moments["param_groups"]), "utf-8")
        (folder / "state.json").write_text(json.dumps(asdict(state)), "utf-8")
    for old in sorted((run / CHECKPOINTS).glob("step-*"))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def save_model(folder: Path, policy: Policy, world: distributed.World, readme: str = "") -> None:
    """Write the model and its tokenizer, for ``from_pretrained``. Every process must call it."""
    weights = _weights(policy)
    if world.is_main:
        with new_folder(folder) as new:
            models.save(policy.scorer.model, policy.tokenizer, new, weights)
            if readme:
                (new / "README.md").write_text(readme, "utf-8")


def read_state(folder: Path) -> TrainState:
    """The state of a checkpoint. Raises RunFolderError for a damaged file."""
    try:
        return TrainState(**json.loads((folder / "state.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(
            f"{folder / 'state.json'}: damaged ({error}); delete {folder} to resume from the previous checkpoint"
        ) from None


def restore(folder: Path, policy: Policy) -> None:
    """Load the optimizer's and the random state of a checkpoint; its model is already loaded.

    Raises RunFolderError if a file is missing or damaged, or belongs to another model.
    """
    try:
        moments = load_file(folder / "optimizer.safetensors")
        random = load_file(folder / "random.safetensors")
        groups = json.loads((folder / "optimizer.json").read_text("utf-8"))
        saved = {"state": _nested(moments), "param_groups": groups}
        options = StateDictOptions(full_state_dict=True)
        set_optimizer_state_dict(policy.module, policy.optimizer, saved, options=options)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise RunFolderError(f"{folder}: damaged ({error}); delete it to resume from the previous checkpoint") from None
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])


def _weights(policy: Policy) -> dict[str, Tensor]:
    """All weights, by their names in the transformers model."""
    state = get_model_state_dict(policy.module, options=_GATHERED)
    return {name.removeprefix("model."): value for name, value in state.items()}


def _flat(state: dict[str, dict[str, Any]]) -> dict[str, Tensor]:
    """``{weight: {moment: tensor}}`` as ``{moment/weight: tensor}``."""
    return {
        f"{moment}/{name}": torch.as_tensor(value).contiguous()
        for name, moments in state.items()
        for moment, value in moments.items()
    }


def _nested(flat: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    state: dict[str, dict[str, Tensor]] = {}
    for key, value in flat.items():
        moment, name = key.split("/", 1)
        state.setdefault(name, {})[moment] = value
    return state
