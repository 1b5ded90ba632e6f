"""The optimizer's state on disk: the parts of each process, by torch.distributed.checkpoint, as safetensors.

``optimizer/shard-RANK-model-FILE-of-FILES.safetensors`` holds tensors named ``exp_avg/model.layers.0...`` with their
places in the whole ones, so that any number of processes reads just what it needs of them. There is no other file: the
format that torch writes by default has a pickle.
"""

import warnings
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

MAX_FILE = 2 << 30
"""Bytes of all processes in files of the same number: torch has the file of a process in memory twice."""

warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)  # in a run of one process


def snapshot(weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, copy: bool) -> dict[str, Tensor]:
    """The optimizer's state on the CPU, named ``exp_avg/NAME``; of sharded weights, the part of this process.

    Args:
        weights: by name.
        copy: whether the state must not change with the optimizer's.
    """
    named: dict[int, str] = {}
    for name, weight in weights.items():
        named.setdefault(id(weight), name)  # the first name of tied weights
    return {
        f"{moment}/{named[id(weight)]}": _on_cpu(value, copy)
        for weight, moments in optimizer.state.items()
        for moment, value in moments.items()
    }


def write(folder: Path, state: Mapping[str, Tensor], group: Any) -> None:
    """Write what ``snapshot`` returned. Every process of ``group`` must call it; None: there is one.

    Raises:
        Exception: what it failed with, in this or another process.
    """
    folder.mkdir(exist_ok=True)
    files: dict[str, int] = {}
    file, size = 1, 0
    for name, value in state.items():
        size += value.numel() * value.element_size()  # of all processes: so the number is the same in all of them
        if size > MAX_FILE and files:
            file, size = file + 1, value.numel() * value.element_size()
        files[name] = file
    writer = HuggingFaceStorageWriter(str(folder), files, save_distributed=True)
    try:
        dcp.save(dict(state), storage_writer=writer, process_group=group, no_dist=group is None)
    except CheckpointException as error:
        raise _first(error) from error


def restore(folder: Path, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, alone: bool) -> None:
    """Give an optimizer the state in a folder, whichever number of processes wrote it. Every process must call it.

    Args:
        weights: by name.
        alone: whether there is one process.

    Raises:
        OSError, ValueError, RuntimeError, SafetensorError: it is incomplete or damaged, or belongs to another model.
    """
    files = {file.name.removesuffix(".safetensors").split("-")[3]: file for file in folder.glob("shard-*.safetensors")}
    number = int(next(iter(files.values())).stem.split("-")[5]) if files else 1
    if len(files) < number:
        raise ValueError(f"{number - len(files)} of {number} files are missing in {folder.name}/")
    reader = HuggingFaceStorageReader(str(folder))
    wanted: dict[str, Any] = {}
    for name, found in reader.read_metadata().state_dict_metadata.items():
        of = name.split("/", 1)[1]
        if of not in weights:
            raise ValueError(f"the model has no {of}")
        if sum(prod(chunk.sizes) for chunk in found.chunks) != prod(found.size):
            raise ValueError(f"a part of {name} is missing")
        if found.size and found.size != weights[of].shape:
            raise ValueError(f"{of}: {list(weights[of].shape)} in the model, {list(found.size)} here")
        like = weights[of] if found.size else torch.zeros((), device=weights[of].device)
        wanted[name] = torch.zeros_like(like, dtype=found.properties.dtype, requires_grad=False)
    try:
        dcp.load(wanted, storage_reader=reader, no_dist=alone)
    except CheckpointException as error:
        raise _first(error) from error
    optimizer.state.clear()
    for name, value in wanted.items():
        moment, of = name.split("/", 1)
        optimizer.state[weights[of]][moment] = value


def _on_cpu(value: Tensor, copy: bool) -> Tensor:
    """A tensor on the CPU, of a sharded one the part of this process."""
    if not isinstance(value, DTensor):
        return value.detach().to("cpu", copy=copy)
    local, mesh = value.to_local().to("cpu", copy=copy), value.device_mesh
    if mesh.device_type != "cpu":
        mesh = init_device_mesh("cpu", (mesh.size(),))
    return DTensor.from_local(local, mesh, value.placements, run_check=False, shape=value.shape, stride=value.stride())


def _first(error: CheckpointException) -> Exception:
    """What the first of the processes that failed raised."""
    failure: Any = error.failures[min(error.failures)][0]
    return failure if isinstance(failure, Exception) else RuntimeError(str(failure))
