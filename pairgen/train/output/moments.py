"""The optimizer's state on disk: the parts of each process, by torch.distributed.checkpoint, as safetensors.

``optimizer/shard-PROCESS.safetensors`` holds tensors named ``exp_avg/model.layers.0...`` with their places in the whole
ones, so that any number of processes reads just what it needs of them. There is no other file: the format that torch
writes by default has a pickle.
"""

import json
import warnings
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem
from torch.distributed.checkpoint.storage import WriteResult
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from torch.futures import Future

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
    writer = _Writer(str(folder), save_distributed=True)
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
    reader = HuggingFaceStorageReader(str(folder))
    wanted: dict[str, Any] = {}
    moments: dict[str, set[str]] = defaultdict(set)
    for name, found in reader.read_metadata().state_dict_metadata.items():
        moment, of = name.split("/", 1)
        moments[of].add(moment)
        if of not in weights:
            raise ValueError(f"the model has no {of}")
        if sum(prod(chunk.sizes) for chunk in found.chunks) != prod(found.size):
            raise ValueError(f"a part of {name} is missing")
        if found.size and found.size != weights[of].shape:
            raise ValueError(f"{of}: {list(weights[of].shape)} in the model, {list(found.size)} here")
        like = weights[of] if found.size else torch.zeros((), device=weights[of].device)
        wanted[name] = torch.zeros_like(like, dtype=found.properties.dtype, requires_grad=False)
    if len({frozenset(of) for of in moments.values()}) != 1:
        raise ValueError(f"a part of {folder.name}/ is missing")
    try:
        dcp.load(wanted, storage_reader=reader, no_dist=alone)
    except CheckpointException as error:
        raise _first(error) from error
    optimizer.state.clear()
    for name, value in wanted.items():
        moment, of = name.split("/", 1)
        optimizer.state[weights[of]][moment] = value


class _Writer(HuggingFaceStorageWriter):
    """Writes the file of a process straight from memory. That of torch copies it first, and stops other threads."""

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        """Write the tensors of a plan, with the first index of each in the whole one."""
        tensors = {item.index.fqn: planner.resolve_data(item).contiguous() for item in plan.items}
        places = {item.index.fqn: {"saved_offsets": _offsets(item)} for item in plan.items}
        if tensors:
            file = Path(self.path) / f"shard-{plan.storage_data['shard_index']:05}.safetensors"
            save_file(tensors, file, metadata={"DCP_SHARDING_INFO": json.dumps(places), "format": "pt"})
        done: Future[list[WriteResult]] = Future()
        done.set_result([WriteResult(item.index, 0, None) for item in plan.items])
        return done


def _offsets(item: WriteItem) -> list[int]:
    return list(item.tensor_data.chunk.offsets) if item.tensor_data else []


def _on_cpu(value: Tensor, copy: bool) -> Tensor:
    """A tensor on the CPU, of a sharded one the part of this process."""
    if not isinstance(value, DTensor):
        return value.detach().to("cpu", copy=copy)
    local, mesh = value.to_local().to("cpu", copy=copy), value.device_mesh
    if mesh.device_type != "cpu":
        mesh = _cpu_mesh(mesh.size())
    return DTensor.from_local(local, mesh, value.placements, run_check=False, shape=value.shape, stride=value.stride())


@cache
def _cpu_mesh(processes: int) -> DeviceMesh:
    return init_device_mesh("cpu", (processes,))


def _first(error: CheckpointException) -> Exception:
    """What the first of the processes that failed raised."""
    failure: Any = error.failures[min(error.failures)][0]
    return failure if isinstance(failure, Exception) else RuntimeError(str(failure))
