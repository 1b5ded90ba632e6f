"""Give the memory of freed tensors back to the system, in training on a CPU that is short of memory.

The allocator of the C library (glibc) keeps the memory of freed tensors of up to 32 MB for later ones. They rarely fit
into the holes: the resident memory grows from step to step, to 1.5 times what the tensors take after three steps of a
Llama of 12 million weights. ``return_freed_memory`` makes each large tensor a mapping of its own, which is gone once
the tensor is freed, so that a process takes what ``pairgen plan`` computes. New mappings cost page faults, up to a
third of a step (tests/bench/RESULTS.md), so runs that need little of the memory there is keep the faster allocator.
"""

import ctypes
import os
import sys
from pathlib import Path

LARGE = 2 << 20
"""Bytes from which a tensor gets a mapping of its own: a huge page. Smaller ones are reused well."""
SMALL_SHARE = 1 / 8
"""Share of the available memory up to which the weights, gradients and optimizer states of a run are little: with
activations and freed memory, it then takes less than half."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h
_KEPT_AT_THE_TOP = 32 << 20
"""Bytes of small freed blocks that are kept. Setting one threshold would otherwise leave the other at 128 kB."""


def available() -> int | None:
    """Bytes of memory that this process may still take, by /proc and its cgroup; None if that is not reported."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        found = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    try:
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text("ascii")) for name in ("memory.max", "memory.current"))
        return min(found, max(0, limit - used))
    except (OSError, ValueError):  # no cgroup, or the limit "max"
        return found


def return_freed_memory_if_short(state: int) -> bool:
    """Call ``return_freed_memory`` if a run may need most of the memory; returns whether it had an effect.

    Args:
        state: bytes of its weights, gradients and optimizer states.
    """
    memory = available()
    return memory is not None and state > SMALL_SHARE * memory and return_freed_memory()


def return_freed_memory() -> bool:
    """Map tensors of at least ``LARGE`` bytes one by one from now on; returns whether that is possible.

    It is on Linux with glibc. A threshold that the user set in the environment stays as it is.
    """
    if sys.platform != "linux" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then asks for huge pages: fewer faults
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, LARGE) and mallopt(_TRIM_THRESHOLD, _KEPT_AT_THE_TOP))
