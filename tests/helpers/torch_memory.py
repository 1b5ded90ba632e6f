"""What torch allocates on a CPU, and what autograd keeps, counted exactly."""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile


def allocated_peak(run: Callable[[], Any]) -> int:
    """The most bytes that torch has allocated at a time on the CPU while a function runs, above those at its start."""
    return max(_allocated(run))


def allocated_at_end(run: Callable[[], Any]) -> int:
    """The bytes that torch has allocated on the CPU when a function returns, above those at its start."""
    return _allocated(run)[-1]


def _allocated(run: Callable[[], Any]) -> list[int]:
    """The bytes allocated after each event."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    changes = [int(event.nbytes()) for event in sorted(events, key=lambda event: int(event.start_ns()))]
    return list(accumulate(changes, initial=0))


def kept_bytes(model: torch.nn.Module, run: Callable[[], Any]) -> int:
    """Bytes of the tensors that autograd keeps in a forward pass, weights excluded."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(values: torch.Tensor) -> torch.Tensor:
        kept[values.untyped_storage().data_ptr()] = values  # alive, so that no other tensor gets its address
        return values

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda values: values):
        result = run()
    assert result is not None
    return sum(values.untyped_storage().nbytes() for at, values in kept.items() if at not in weights)
