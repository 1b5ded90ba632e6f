"""The journal of a recipe's folder: how long each stage took, over all the times that it was begun.

A process that is killed cannot say when it ended, so the time is written every few seconds.
"""

import contextlib
import fcntl
import json
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pairgen.errors import OutputError

FILE = "journal.jsonl"
LOCK = ".lock"

INTERVAL = 10.0
"""Seconds between two lines of a stage that is being done."""

PATIENCE = 10.0
"""Seconds for processes of a recipe that was killed to end."""


@dataclass
class Spent:
    """What a stage took."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    begun: int = 0
    """How often it was begun: once, if it was never interrupted."""


class Session:
    """A stage that is being done."""

    def __init__(self, journal: "Journal", stage: str) -> None:
        self._journal, self._stage = journal, stage
        self._id = f"{os.getpid()}-{time.time_ns()}"
        self._start, self._cpu = time.monotonic(), _cpu_seconds()
        self._last = self._start
        self.write()

    def beat(self) -> None:
        """Write the time so far if the last line is ``INTERVAL`` old."""
        if time.monotonic() - self._last >= INTERVAL:
            self.write()

    def write(self) -> None:
        self._last = time.monotonic()
        line = {
            "stage": self._stage,
            "session": self._id,
            "seconds": round(self._last - self._start, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
        }
        with (self._journal.out / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Journal:
    """The journal in a folder."""

    def __init__(self, out: Path) -> None:
        self.out = out

    @contextlib.contextmanager
    def session(self, stage: str) -> Iterator[Session]:
        """Record the time of a block, also if it ends with an error.

        Args:
            stage: its key.
        """
        file = self.out / FILE
        if file.is_file() and not file.read_bytes().endswith(b"\n"):  # a killed process cut its last line off
            with file.open("a", encoding="utf-8") as lines:
                lines.write("\n")
        session = Session(self, stage)
        try:
            yield session
        finally:
            session.write()

    def spent(self) -> dict[str, Spent]:
        """What each stage took so far, by its key. A line that a killed process cut off is ignored."""
        sessions: dict[tuple[str, str], tuple[float, float]] = {}
        file = self.out / FILE
        for text in file.read_text("utf-8", "replace").splitlines() if file.is_file() else ():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                line = json.loads(text)
                sessions[line["stage"], line["session"]] = float(line["seconds"]), float(line["cpu_seconds"])
        found: dict[str, Spent] = {}
        for (stage, _), (seconds, cpu) in sessions.items():
            one = found.setdefault(stage, Spent())
            one.seconds, one.cpu_seconds, one.begun = one.seconds + seconds, one.cpu_seconds + cpu, one.begun + 1
        return found


def _cpu_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextlib.contextmanager
def locked(out: Path) -> Iterator[int]:
    """Keep other processes from working in a folder; gives the descriptor of the lock, for processes started here.

    Raises:
        OutputError: another process works in it, or it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error
    try:
        _wait_for(lock, out)
        yield lock
    finally:
        os.close(lock)


def _wait_for(lock: int, out: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(0.1)
                continue
            raise OutputError(
                f"{out}: another process is running a recipe there; wait until it ends, or choose another --out"
            ) from None
        except OSError:  # a file system without locks
            return
        else:
            return
