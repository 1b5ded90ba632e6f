"""Distributed training: the process group, messages between processes, and DDP; FSDP is in ``devices``."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pairgen.errors import TrainingError

T = TypeVar("T")

TIMEOUT = timedelta(hours=6)
"""How long processes wait for each other: one of them tokenizes for all."""


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
        """Wait for all processes."""
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

    def most(self, number: int, device: torch.device) -> int:
        """The largest number of any process."""
        if self.size == 1:
            return number
        largest = torch.tensor(number, device=device)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest.item())

    def any_rank(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is true in any process."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor(float(flag), device=device)).item())

    def own_group(self) -> Any:
        """A group of all processes, for a thread that must not mix its messages with those of others; None for one."""
        return dist.new_group(backend="gloo", timeout=TIMEOUT) if self.size > 1 else None

    def agree(self, action: Callable[[], T], group: Any = None) -> T:
        """Run an action in every process; if it fails in one, raise in all of them, so that none waits for ever.

        Raises:
            TrainingError: it failed in another process; this one raises what the action raises.
        """
        if self.size == 1:
            return action()
        failed = torch.ones(1)
        try:
            result = action()
            failed.zero_()
        finally:
            dist.all_reduce(failed, group=group)
        if failed.item():
            raise TrainingError(f"stopped, since {int(failed.item())} of {self.size} processes failed")
        return result

    def text_of_main(self, text: str, group: Any = None) -> str:
        """The text of the main process, in all of them."""
        if self.size == 1:
            return text
        content = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
        length = torch.tensor([len(content)])
        dist.broadcast(length, 0, group=group)
        if not self.is_main:
            content = torch.empty(int(length.item()), dtype=torch.uint8)
        dist.broadcast(content, 0, group=group)
        return bytes(content.numpy()).decode()


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


def replicated(scorer: nn.Module, world: World, device: torch.device) -> nn.Module:
    """The module to train: the scorer, or in several processes that of DDP, whose gradients are their mean."""
    if world.size == 1:
        return scorer
    return nn.parallel.DistributedDataParallel(scorer, device_ids=[device] if device.type == "cuda" else None)


def unwrapped(module: Any) -> Any:
    """The ``Scorer`` inside a module that ``replicated`` returned."""
    return module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module


def gradient_sync(module: nn.Module, last: bool) -> contextlib.AbstractContextManager[None]:
    """A context for a micro-batch: with DDP, processes exchange gradients only in the ``last`` one of a step.

    FSDP exchanges them in each: else every process would have all gradients of the whole model in between.
    """
    is_ddp = isinstance(module, nn.parallel.DistributedDataParallel)
    return module.no_sync() if is_ddp and not last else contextlib.nullcontext()
