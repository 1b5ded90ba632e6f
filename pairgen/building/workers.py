"""One function mapped over items in worker processes, with results in order.

``ProcessPoolExecutor`` is not used: its processes share one pipe for results, so that it waits forever for the rest of
a result if a worker is killed while sending one of a few megabytes.
"""

import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, NamedTuple, TypeVar

from pairgen.errors import PairgenError

T = TypeVar("T")
R = TypeVar("R")

LOOK_AHEAD = 2
"""Items per worker that are sent before its next result is needed: one in work, one waiting."""


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection


class Workers(Generic[T, R]):
    """Worker processes for the length of a ``with`` block.

    The function is sent once: where processes are forked (Linux before Python 3.14), they inherit it, and it need not
    be picklable. Where they are spawned, it must be, and a script needs the ``if __name__ == "__main__":`` guard.

    Args:
        count: number of processes; 1 calls the function in this process.
    """

    def __init__(self, count: int, function: Callable[[T], R]) -> None:
        self._count, self._function = count, function
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Workers[T, R]":
        for _ in range(self._count if self._count > 1 else 0):
            connection, other_end = multiprocessing.Pipe()
            process = multiprocessing.Process(target=_serve, args=(other_end, self._function), daemon=True)
            process.start()
            other_end.close()  # so that the connection ends when the worker does
            self._workers.append(_Worker(process, connection))
        return self

    def map(self, items: Iterable[T]) -> Iterator[R]:
        """The results in the order of the items, of which only a few are read ahead.

        Raises:
            PairgenError: a worker died, for example because the machine ran out of memory.
        """
        if not self._workers:
            yield from map(self._function, items)
            return
        sent = received = 0
        for item in items:
            if sent - received == LOOK_AHEAD * self._count:
                yield self._receive(received)
                received += 1
            self._send(sent, item)
            sent += 1
        for number in range(received, sent):
            yield self._receive(number)

    def _send(self, number: int, item: T) -> None:
        try:
            self._workers[number % self._count].connection.send(item)
        except OSError as error:
            raise _worker_died() from error

    def _receive(self, number: int) -> R:
        """The result of an item; items go to the workers in turn."""
        try:
            result, error = self._workers[number % self._count].connection.recv()
        except (EOFError, OSError) as gone:
            raise _worker_died() from gone
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()  # it has no state, and may be blocked
        for worker in self._workers:
            worker.process.join()
            worker.connection.close()


def _worker_died() -> PairgenError:
    return PairgenError("a worker process died, perhaps for lack of memory; try --workers 1")


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """In a worker: answer items until killed, leaving Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    items: queue.SimpleQueue[Any] = queue.SimpleQueue()
    exit_with_parent()
    threading.Thread(target=_receive_items, args=(connection, items), daemon=True).start()
    while True:
        item = items.get()
        answer: tuple[Any, Exception | None]
        try:
            answer = function(item), None
        except Exception as error:
            error.add_note(f"In a worker process:\n{traceback.format_exc()}")
            answer = None, error
        connection.send(answer)


def _receive_items(connection: Connection, items: "queue.SimpleQueue[Any]") -> None:
    """Receive items all the time: parent and worker would block each other if both were sending."""
    try:
        while True:
            items.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


def exit_with_parent() -> None:
    """In a worker: have it exit when its parent exits, for any reason."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
