"""The engine of Ray Data: tasks on one machine or many read the parts of the sources and apply the function.

A Ray Dataset holds the numbers of the parts, in order and in blocks. Its tasks stream their results to this process,
which takes them in the order of the rows: what is written does not depend on the number of blocks. Ray holds tasks
back while results wait, and runs a task again if the process that ran it died.

Where sources have much fewer parts than there should be blocks, such as one large compressed file, reading and applying
are tasks of their own: one process reads, all apply.
"""

import contextlib
import logging
import os
import re
import socket
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pairgen.atomic import staging
from pairgen.building.reading import Reader, RowBatch
from pairgen.errors import PairgenError, UsageError, in_short, install_hint
from pairgen.sources.origin import SourcePart

R = TypeVar("R")
Column = dict[str, Any]
"""A Ray batch of one column of Python objects."""
_COLUMN = "value"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")

PART_BYTES = 16 << 20
"""Bytes that a task reads, unless the number of blocks is given: about a second of work, which is lost with a process.
"""
STORE_BYTES = 256 << 20
"""Size of the memory that the processes of a Ray started here share for results."""
RESULT_BYTES = 1 << 20
"""Results that a task holds before it hands them on."""
LONGEST_FOLDER = 12
"""Characters of a temporary folder with which the paths of Ray's sockets have at most the 107 that are possible."""
CONNECT_SECONDS = 10
"""How long to wait for a Ray at an address."""
READING_CPUS = 0.01
"""Share of a CPU that a task takes which only reads. Tasks that apply the function take the rest."""


class _Part(NamedTuple):
    """Rows of the source of one split."""

    split: str
    start: int
    """Bytes of the sources of other splits that are read before."""
    required: frozenset[str]
    read: SourcePart


class _Task(NamedTuple):
    """What all tasks know."""

    parts: list[_Part]
    block_bytes: int
    folder: str
    """The working directory of the build, which relative paths begin at."""


class _Failed(NamedTuple):
    """An error in place of a result."""

    error: Exception


class RayEngine:
    """Applies functions to rows in tasks of Ray Data, within a ``with`` block.

    Ray is started on this machine, and stopped afterwards, unless it runs already (in this process, or at
    ``address`` or ``RAY_ADDRESS``). On several machines, all must see the sources under the same paths or URLs, and
    have pairgen installed.

    Args:
        workers: number of CPUs of a Ray that is started; 0 for all.
        address: a running Ray: ``auto`` for the one of this machine's cluster, or ``HOST:PORT``.
        blocks: number of blocks; 0 for one per ``PART_BYTES``.

    Raises:
        UsageError: Ray is not installed, or there is none at the address.
    """

    def __init__(self, workers: int = 0, address: str | None = None, blocks: int = 0) -> None:
        self._workers, self._blocks = workers, blocks
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "RayEngine":
        ray = _import_ray()
        with self._stack:
            if not ray.is_initialized():
                self._start(ray)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, ray: Any) -> None:
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if not self._address:
            place = Path(tempfile.gettempdir())
            if len(str(place)) > LONGEST_FOLDER:
                place = Path("/tmp")
            settings |= {
                "address": "local",
                "num_cpus": self._workers or os.cpu_count(),
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
                "_temp_dir": str(self._stack.enter_context(staging(place / "ray"))),
            }
        try:
            _check_reachable(self._address)
            ray.init(**{"address": self._address, **settings})
        except Exception as error:  # ConnectionError, ValueError, RuntimeError, ...: not one base class
            where = f"at {self._address}" if self._address else "on this machine"
            token = "; if it requires a token, set RAY_AUTH_MODE=token" if self._address else ""
            raise UsageError(f"--engine ray: cannot use Ray {where} ({in_short(error, 200)}){token}") from error
        self._stack.callback(ray.shutdown)

    def map(self, reader: Reader, function: Callable[[RowBatch], R]) -> Generator[R]:
        """The function's results for batches of the rows of all sources, in order.

        Raises:
            PairgenError: a source cannot be read, or Ray gave up.
            Exception: whatever the function raised.
        """
        wanted = self._blocks or max(1, -(-reader.size // PART_BYTES))
        task = _Task(_parts_of(reader, -(-reader.size // wanted)), reader.block_bytes, str(Path.cwd()))
        if not task.parts:
            return
        for result in _results(_dataset(task, wanted, function)):
            if isinstance(result, _Failed):
                raise result.error
            yield result


def _check_reachable(address: str | None) -> None:
    """Raise OSError if nobody listens at ``HOST:PORT``: Ray itself would try for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.removeprefix("ray://"), int(port)), timeout=CONNECT_SECONDS).close()


def _parts_of(reader: Reader, part_bytes: int) -> list[_Part]:
    parts: list[_Part] = []
    start = 0
    for split, source in reader.sources.items():
        parts += (_Part(split, start, source.columns.required, part) for part in source.parts(part_bytes))
        start += source.size
    return parts


def _dataset(task: _Task, blocks: int, function: Callable[[RowBatch], Any]) -> Any:
    """A Ray Dataset of the function's results, which is computed as it is read."""
    import ray.data
    from ray.data import DataContext

    context = DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.target_max_block_size = RESULT_BYTES
    context.enable_progress_bars = context.print_on_execution_start = False
    with DataContext.current(context):
        numbers = ray.data.range(len(task.parts), override_num_blocks=min(len(task.parts), blocks))
        if 2 * len(task.parts) >= blocks:
            return numbers.map_batches(partial(_read_and_apply, task, function), batch_size=None)
        batches = numbers.map_batches(partial(_read, task), batch_size=None, num_cpus=READING_CPUS)
        return batches.map_batches(partial(_apply, function), batch_size=None, num_cpus=1 - READING_CPUS)


def _results(dataset: Any) -> Iterator[Any]:
    """What the dataset holds, one by one. Raises PairgenError if Ray gave up."""
    batches = iter(dataset.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0))
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # of Ray and of Ray Data: not one base class
            reason = in_short(_COLORS.sub("", str(error)))
            raise PairgenError(f"--engine ray: Ray stopped the build ({reason})") from error
        if batch is None:
            return
        yield from batch[_COLUMN]


# ---------------------------------------------------------------- in the processes of Ray


def _read_and_apply(task: _Task, function: Callable[[RowBatch], Any], numbers: Column) -> Iterator[Column]:
    for batches in _read(task, numbers):
        yield from _apply(function, batches)


def _read(task: _Task, numbers: Column) -> Iterator[Column]:
    """The rows of the parts with these numbers, up to one that cannot be read."""
    with contextlib.chdir(task.folder) if Path(task.folder).is_dir() else contextlib.nullcontext():
        for number in numbers["id"]:
            split, start, required, read = task.parts[number]
            try:
                for file, block in read(task.block_bytes):
                    yield _column(RowBatch(split, file, block, required, start + block.position))
            except Exception as error:
                yield _column(_failed(error))
                return


def _apply(function: Callable[[RowBatch], Any], batches: Column) -> Iterator[Column]:
    for batch in batches[_COLUMN]:
        try:
            result = batch if isinstance(batch, _Failed) else function(batch)
        except Exception as error:
            result = _failed(error)
        yield _column(result)


def _failed(error: Exception) -> _Failed:
    error.add_note(f"In a process of Ray:\n{traceback.format_exc()}")
    return _Failed(error)


def _column(value: Any) -> Column:
    cell = np.empty(1, object)
    cell[0] = value
    return {_COLUMN: cell}


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray.data
    except ImportError as error:
        raise UsageError(f"--engine ray needs Ray Data: {install_hint('ray')}") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
