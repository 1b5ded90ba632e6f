"""Early ends of a run: a signal, after which a checkpoint is saved, and running out of memory."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pairgen.errors import OutOfMemory

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""Parts of the messages of a RuntimeError for lack of memory."""


@contextmanager
def graceful_interrupt() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the current step can finish; a second signal stops at once."""
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
def translate_out_of_memory() -> Iterator[None]:
    """Raise OutOfMemory, with the options that help, in place of the various errors for lack of memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        lacks_memory = any(text in str(error) for text in OUT_OF_MEMORY)
        if not lacks_memory and not isinstance(error, (MemoryError, torch.OutOfMemoryError)):
            raise
        raise OutOfMemory(
            "out of memory: --resume with a smaller --micro-batch-size (same result) or --activation-checkpointing "
            "full; or start a new run with a smaller --max-length or --batch-size"
        ) from error
