"""Calls spread over processes, answered in order; with one worker they run here."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from pairgen.errors import PairgenError

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """A pool for the length of a ``with`` block. Left by an exception, it kills what is still running.

    Processes start as the platform starts them: where they are spawned (macOS, Windows, Python 3.14), a script that
    asks for more than one needs the usual ``if __name__ == "__main__":`` guard.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self.count > 1:
            self._pool = ProcessPoolExecutor(self.count, initializer=_live_with_parent)
        return self

    def map(self, call: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """``call`` of each item, in the order of the items.

        Raises:
            PairgenError: a worker died, as when the machine ran out of memory.
        """
        if self._pool is None:
            yield from map(call, items)
            return
        try:
            yield from self._pool.map(call, items)
        except BrokenProcessPool as error:
            raise PairgenError("a worker process died, perhaps for want of memory; try --workers 1") from error

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._pool is None:
            return
        if kind is not None:
            for process in list(self._pool._processes.values()):
                process.kill()
        self._pool.shutdown(cancel_futures=True)


def _live_with_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and end when it ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
