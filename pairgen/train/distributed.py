"""All that knows of several processes: who they are, how a model is spread over them, how numbers are summed."""

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

PATIENCE = timedelta(hours=6)
"""How long a process waits for the others: one of them tokenises for all."""
_FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass(frozen=True)
class World:
    """The processes of a run, and which one this is."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def main(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()

    @contextlib.contextmanager
    def main_first(self) -> Iterator[None]:
        """What is within is done by the main process, and then by the others, who find its files."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    def agree(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor(float(flag), device=device)).item())


@contextlib.contextmanager
def world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started; alone without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = device != "cpu" and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield World(dist.get_rank(), dist.get_world_size(), local_rank)
    finally:
        dist.destroy_process_group()


def spread(scorer: nn.Module, parallel: str, world: World, device: torch.device) -> nn.Module:
    """The module that all passes go through: sharded by FSDP2 layer by layer, replicated, or as it is."""
    if world.size == 1:
        return scorer
    if parallel == "replicated":
        devices = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(scorer, device_ids=devices)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (world.size,))
    for layer in _layers(scorer):
        fully_shard(layer, mesh=mesh)
    return fully_shard(scorer, mesh=mesh)


def unwrapped(module: Any) -> Any:
    """The ``Scorer`` inside a module that ``spread`` returned."""
    return module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module


def _layers(scorer: nn.Module) -> list[nn.Module]:
    """The repeated blocks of a model: the modules that its own class says must not be split."""
    names = set(getattr(scorer.causal, "_no_split_modules", None) or ())
    return [module for module in scorer.modules() if type(module).__name__ in names]


@contextlib.contextmanager
def accumulating(module: nn.Module, last: bool) -> Iterator[None]:
    """A backward pass within; gradients cross processes with the last of a step only."""
    if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
        with module.no_sync():
            yield
        return
    if hasattr(module, "set_requires_gradient_sync"):
        module.set_requires_gradient_sync(last)
    yield


def whole(norm: Tensor) -> Tensor:
    """A number that FSDP2 may hold in parts."""
    return norm.full_tensor() if hasattr(norm, "full_tensor") else norm


def model_state(module: nn.Module) -> dict[str, Tensor]:
    """All weights on the CPU, in the main process (empty elsewhere), under their names in the transformers model."""
    state = get_model_state_dict(module, options=_FULL)
    return {name.removeprefix("model."): value for name, value in state.items()}


def optimizer_state(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimizer's state by parameter name, on the CPU, in the main process."""
    state: dict[str, Any] = get_optimizer_state_dict(module, optimizer, options=_FULL)
    return state


def load_optimizer_state(module: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take up a state that ``optimizer_state`` gave."""
    set_optimizer_state_dict(module, optimizer, state, options=StateDictOptions(full_state_dict=True))
