"""Checkpoints: the model in the Hugging Face layout, optimizer and random state as safetensors, the rest as JSON.

``checkpoints/step-00000050/`` holds ``model/``, ``optimizer.safetensors`` with ``optimizer.json``,
``random.safetensors`` and ``state.json``. It appears whole or not at all, so the newest one can be gone on from.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pairgen.atomic import new_folder
from pairgen.errors import RunFolderError
from pairgen.train import distributed
from pairgen.train.model import loading as models


@dataclass
class State:
    """Where a run stands. The data position follows from ``step`` alone."""

    step: int = 0
    """Optimizer steps done."""
    baseline: float = 0.0
    """KTO's reference point."""
    best: float | None = None
    """Best value of the metric that picks the best model."""


def newest(run: Path) -> Path | None:
    """The checkpoint of a run to go on from."""
    found = sorted((run / "checkpoints").glob("step-*/state.json"))
    return found[-1].parent if found else None


def save(
    run: Path,
    state: State,
    module: Any,
    optimizer: torch.optim.Optimizer,
    tokenizer: Any,
    keep: int,
    world: distributed.World,
) -> None:
    """Write a checkpoint, then remove all but the ``keep`` newest. Every process calls it, the main one writes."""
    weights = distributed.model_state(module)
    moments = distributed.optimizer_state(module, optimizer)
    if not world.main:
        return
    with new_folder(run / "checkpoints" / f"step-{state.step:08}") as folder:
        models.save(distributed.unwrapped(module).model, tokenizer, folder / "model", weights)
        save_file(_flat(moments["state"]), folder / "optimizer.safetensors")
        save_file(_random_state(), folder / "random.safetensors")
        (folder / "optimizer.json").write_text(json.dumps(moments["param_groups"]), "utf-8")
        (folder / "state.json").write_text(json.dumps(asdict(state)), "utf-8")
    for old in sorted((run / "checkpoints").glob("step-*"))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path) -> State:
    """Raises RunFolderError for a damaged file."""
    try:
        return State(**json.loads((folder / "state.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(
            f"{folder / 'state.json'}: damaged ({error}); remove {folder} to go on from before"
        ) from None


def restore(folder: Path, module: Any, optimizer: torch.optim.Optimizer) -> None:
    """Take up the optimizer's and the random state of a checkpoint; its model is loaded before.

    Raises:
        RunFolderError: a file is missing or damaged, or belongs to another model.
    """
    try:
        moments = load_file(folder / "optimizer.safetensors")
        random = load_file(folder / "random.safetensors")
        groups = json.loads((folder / "optimizer.json").read_text("utf-8"))
        distributed.load_optimizer_state(module, optimizer, {"state": _nested(moments), "param_groups": groups})
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise RunFolderError(f"{folder}: damaged ({error}); remove it to go on from the checkpoint before") from None
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])


def _random_state() -> dict[str, torch.Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _flat(state: dict[str, dict[str, Any]]) -> dict[str, torch.Tensor]:
    """``{weight: {moment: tensor}}`` as ``{moment/weight: tensor}``."""
    return {
        f"{moment}/{name}": torch.as_tensor(value).contiguous()
        for name, moments in state.items()
        for moment, value in moments.items()
    }


def _nested(flat: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    state: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in flat.items():
        moment, name = key.split("/", 1)
        state.setdefault(name, {})[moment] = value
    return state
