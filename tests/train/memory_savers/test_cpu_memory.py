"""Memory of freed tensors on a CPU."""

import os
import subprocess
import sys

import pytest

from pairgen.train.memory_savers import cpu_memory

HOLES = """
import sys, torch
from pathlib import Path
from pairgen.train.memory_savers.cpu_memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "returned":
    assert return_freed_memory()
torch.ones(2_000_000)  # 8 MB: by default, the allocator keeps what is smaller than the last mapping that was freed
tensors = [torch.ones(1_000_000) for _ in range(64)]
before = resident()
tensors[::2] = [None] * 32
print(before - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
@pytest.mark.parametrize(("mode", "low", "high"), [("returned", 0.95, 1.05), ("default", 0.0, 0.5)])
def test_freed_tensors_are_given_back(mode: str, low: float, high: float) -> None:
    """Half of 64 tensors, every other one, which leaves holes that the allocator would keep."""
    done = subprocess.run([sys.executable, "-c", HOLES, mode], capture_output=True, text=True, check=True)
    assert low <= int(done.stdout) / (32 * 4_000_000) <= high


def test_a_threshold_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "1000000")
    assert not cpu_memory.return_freed_memory()


@pytest.mark.parametrize(("state", "returned"), [(10, False), (13, True)])
def test_only_runs_that_need_much_of_the_memory_return_it(
    monkeypatch: pytest.MonkeyPatch, state: int, returned: bool
) -> None:
    monkeypatch.setattr(cpu_memory, "available", lambda: 100)
    monkeypatch.setattr(cpu_memory, "return_freed_memory", lambda: True)
    assert cpu_memory.return_freed_memory_if_short(state) == returned


def test_without_a_number_of_the_system_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_memory, "available", lambda: None)
    assert not cpu_memory.return_freed_memory_if_short(1 << 60)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_available_memory_is_less_than_all() -> None:
    found = cpu_memory.available()
    assert found is not None
    assert 0 < found < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
