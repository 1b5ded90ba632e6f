"""Distributed training: the process group, FSDP and DDP wrappers, reductions, gathered weights."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

TIMEOUT = timedelta(hours=6)
"""How long processes wait for each other: one of them tokenizes for all."""
_FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass(frozen=True)
class World:
    """The processes of a run; ``rank`` is this one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, the one that writes files and prints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def barrier(self) -> None:
        """Wait until all processes have come here."""
        if self.size > 1:
            dist.barrier()

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """Run the block in the main process first, then in the others, which find its files."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    def any_rank(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is true in any process."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor(float(flag), device=device)).item())


@contextlib.contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the process group that torchrun started; without torchrun, a group of one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=TIMEOUT)
    try:
        yield World(dist.get_rank(), dist.get_world_size(), local_rank)
    finally:
        dist.destroy_process_group()


def wrap(scorer: nn.Module, parallel: str, world: World, device: torch.device) -> nn.Module:
    """The module to run forward passes with: sharded by FSDP2, replicated by DDP or, in one process, the scorer."""
    if world.size == 1:
        return scorer
    if parallel == "ddp":
        devices = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(scorer, device_ids=devices)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (world.size,))
    for layer in _layers(scorer):
        fully_shard(layer, mesh=mesh)
    return fully_shard(scorer, mesh=mesh)


def unwrapped(module: Any) -> Any:
    """The ``Scorer`` inside a module that ``wrap`` returned."""
    return module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module


def _layers(scorer: nn.Module) -> list[nn.Module]:
    """The layers of a model: modules of the classes in its ``_no_split_modules``."""
    names = set(getattr(scorer.causal, "_no_split_modules", None) or ())
    return [module for module in scorer.modules() if type(module).__name__ in names]


@contextlib.contextmanager
def gradient_sync(module: nn.Module, last: bool) -> Iterator[None]:
    """Run a micro-batch; processes exchange gradients only in the ``last`` one of a step."""
    if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
        with module.no_sync():
            yield
        return
    if hasattr(module, "set_requires_gradient_sync"):
        module.set_requires_gradient_sync(last)
    yield


def full_norm(norm: Tensor) -> Tensor:
    """The gradient norm as a plain tensor; under FSDP2 it is a DTensor."""
    return norm.full_tensor() if hasattr(norm, "full_tensor") else norm


def model_state(module: nn.Module) -> dict[str, Tensor]:
    """All weights by their names in the transformers model, on the CPU; empty except in the main process."""
    state = get_model_state_dict(module, options=_FULL)
    return {name.removeprefix("model."): value for name, value in state.items()}


def optimizer_state(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimizer's state by parameter name, on the CPU; empty except in the main process."""
    state: dict[str, Any] = get_optimizer_state_dict(module, optimizer, options=_FULL)
    return state


def load_optimizer_state(module: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state that ``optimizer_state`` returned."""
    set_optimizer_state_dict(module, optimizer, state, options=StateDictOptions(full_state_dict=True))
