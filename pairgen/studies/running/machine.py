"""The machines that the runs of a study were trained on, which each run writes into its file of log-probs.

A study may be continued on another machine, so that of the report says little about the runs.
"""

import os
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KEY = b"machine"
"""Of the file's metadata."""

UNKNOWN = "not recorded"


def machine(device: str) -> str:
    """The device in words: ``auto``, ``cpu`` or ``cuda`` of this machine."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), torch {torch.__version__}"


def with_machine(table: pa.Table, device: str) -> pa.Table:
    """A table that says where its numbers were computed."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: machine(device).encode()})


def machines(files: Iterable[Path]) -> str:
    """The machine of all runs; if they were trained on several, each with its number of runs."""
    found = Counter(machine_of(file) for file in files)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{name} ({runs:,} of {found.total():,} runs)" for name, runs in found.most_common())


def machine_of(file: Path) -> str:
    """The machine that a Parquet file of log-probs names."""
    metadata: dict[bytes, bytes] = pq.read_schema(file).metadata or {}
    return metadata.get(KEY, UNKNOWN.encode()).decode()
