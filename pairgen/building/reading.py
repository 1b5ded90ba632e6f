"""A function mapped over the rows of all sources; unreadable rows are counted, or stop it."""

import gc
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, TypeVar

import pyarrow as pa

from pairgen.errors import InvalidRow
from pairgen.progress import Progress, Warn, ignore
from pairgen.sources.formats import Block, Row
from pairgen.sources.origin import Source

R = TypeVar("R")

MAX_WARNINGS = 5
"""Unreadable rows of a split that are reported one by one."""


class SourceRow(NamedTuple):
    """A row and where it is: the name of its file, and the number of its line or row."""

    where: str
    row: Row


class Invalid(NamedTuple):
    """A row that cannot be read."""

    where: str
    location: str
    """The same in words, with the path of the file."""
    problem: str


class RowBatch(NamedTuple):
    """Consecutive rows of the source of one split, to be parsed by a worker."""

    split: str
    file: str
    block: Block
    required: frozenset[str]
    position: int
    """Bytes of all sources read so far."""

    def rows(self) -> tuple[list[SourceRow], list[Invalid]]:
        """The rows that have all required columns, and those that cannot be read."""
        rows: list[SourceRow] = []
        invalid: list[Invalid] = []
        name = Path(self.file).name
        for number, row in self.block.rows():
            if type(row) is dict and self.required <= row.keys():
                rows.append(SourceRow(f"{name}:{number}", row))
                continue
            problem = f"has no {', '.join(sorted(self.required - row.keys()))}" if type(row) is dict else str(row)
            invalid.append(Invalid(f"{name}:{number}", f"{self.file}: {self.block.unit} {number}", problem))
        return rows, invalid


@dataclass
class Reader:
    """Reads the sources of all splits in order.

    ``block_bytes`` limits a batch. Of all batches, only every ``every``-th from number ``first`` (from 0) on is read.
    """

    sources: Mapping[str, Source]
    block_bytes: int
    skip_invalid: bool = False
    warn: Warn = ignore
    first: int = 0
    every: int = 1
    invalid: dict[str, list[Invalid]] = field(default_factory=dict)
    """The unreadable rows of the last batch by split, if they are skipped."""
    skipped: Counter[str] = field(default_factory=Counter)
    """The number of all unreadable rows by split."""

    @property
    def size(self) -> int:
        """Bytes of all sources."""
        return sum(source.size for source in self.sources.values())

    def map(
        self, phase: str, function: Callable[[str, list[SourceRow]], R], engine: "Engine", progress: Progress
    ) -> Iterator[R]:
        """The function's results for the split and rows of each batch, in order, with progress in bytes read.

        Raises:
            InvalidRow: a row cannot be read, unless such rows are skipped.
        """
        progress(phase, 0, self.size)
        pa.array([])  # pyarrow imports pandas for its first array: once here, so that forked workers share it
        with closing(engine.map(self, partial(_apply, function))) as results:
            for split, position, invalid, result in results:
                self.report(split, invalid)
                progress(phase, position, self.size)
                yield result
        for split, skipped in self.skipped.items():
            if skipped > MAX_WARNINGS:
                self.warn(f"skipped {skipped - MAX_WARNINGS:,} more unreadable rows of {split}")
        progress(phase, self.size, self.size)

    def batches(self) -> Iterator[RowBatch]:
        """Batches of rows. Those that are not read are cut, but not parsed."""
        return islice(self._all_batches(), self.first, None, self.every)

    def _all_batches(self) -> Iterator[RowBatch]:
        start = 0
        for split, source in self.sources.items():
            for file, block in source.blocks(self.block_bytes):
                yield RowBatch(split, file, block, source.columns.required, start + block.position)
            start += source.size

    def report(self, split: str, invalid: Sequence[Invalid]) -> None:
        """Count the unreadable rows of a batch, and warn of the first. Raises InvalidRow unless they are skipped."""
        self.invalid = {split: list(invalid)}
        for row in invalid:
            if not self.skip_invalid:
                raise InvalidRow(row.location, row.problem)
            self.skipped[split] += 1
            if self.skipped[split] <= MAX_WARNINGS:
                self.warn(f"skipped: {row.location}: {row.problem}")


class Engine(Protocol):
    """What applies a function to all batches of rows: worker processes, or Ray. It works within a ``with`` block."""

    def __enter__(self) -> "Engine": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def map(self, reader: Reader, function: Callable[[RowBatch], R]) -> Generator[R]:
        """The function's results for the batches of all sources, in order; how rows are batched is up to the engine."""
        ...


def _apply(function: Callable[[str, list[SourceRow]], R], batch: RowBatch) -> tuple[str, int, list[Invalid], R]:
    """Parse a batch and call the function.

    Python's search for reference cycles is off meanwhile: rows form none, and it takes 10% of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        rows, invalid = batch.rows()
        return batch.split, batch.position, invalid, function(batch.split, rows)
    finally:
        if was_enabled:
            gc.enable()
