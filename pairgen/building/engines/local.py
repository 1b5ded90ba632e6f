"""The local engine: this process reads, worker processes of this machine apply the function."""

from collections.abc import Callable, Generator
from types import TracebackType
from typing import NamedTuple, TypeVar

from pairgen.building.reading import Reader, RowBatch
from pairgen.building.workers import Workers

R = TypeVar("R")


class LocalEngine(NamedTuple):
    """Applies functions to rows in worker processes; with one worker, in this process."""

    workers: int

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to end: the processes of a ``map`` end with it."""

    def map(self, reader: Reader, function: Callable[[RowBatch], R]) -> Generator[R]:
        """The function's results for the batches of all sources, in order."""
        with Workers(self.workers, function) as pool:
            yield from pool.map(reader.batches())
