"""What ends a run before its last step: a signal, after which it is saved, and a full memory."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pairgen.errors import OutOfMemory

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""How messages of a full memory go."""


class Interrupted(KeyboardInterrupt):
    """A run that was asked to stop and has saved."""


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the step under way ends and is saved; the second stops at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def stop(*_: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def memory() -> Iterator[None]:
    """Say which knobs help where memory is short."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(sign in str(error) for sign in NO_MEMORY):
            raise OutOfMemory(
                "the device's memory is full: go on with --resume and a lower --micro-batch-size (the result stays the "
                "same) or --gradient-checkpointing; or start anew with a lower --max-length or --batch-size"
            ) from error
        raise
