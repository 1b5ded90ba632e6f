"""How far a command is, on stderr: a bar where there is a terminal, else now and then a line, for logs to show life."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import TaskProgressColumn as Share

from pairgen.cli.app import rank, say

Said = Mapping[str, float | str]
"""What a phase says beside how far it is: metrics by name, or any text."""
Tell = Callable[[str, int, int, Said], None]
"""``tell(phase, done, total, said)``."""
Say = Callable[[str], None]

SHOWN = {
    "loss": ("loss", ".3f"),
    "logratios/chosen": ("chosen log-ratio", "+.2f"),
    "pairs_per_second": ("pairs/s", ".1f"),
}
"""The metrics that are shown, by key: what a person reads, and how the number is written. Other numbers are not."""

PAUSE = 10.0
"""Seconds after which a log gets another line; a tenth of the way is reason enough after one second."""


@contextmanager
def bar() -> Iterator[Any]:
    """A progress bar on stderr, shown where there is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), Share(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        known: dict[str, TaskID] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in known:
                known[phase] = shown.add_task(phase, total=total)
            shown.update(known[phase], completed=done)

        yield tell


@contextmanager
def telling() -> Iterator[tuple[Tell | None, Say]]:
    """How a run tells how far it is, and how it warns. Of several processes the first speaks for all."""
    console = Console(stderr=True)
    if rank():
        yield None, _silent
    elif console.is_terminal:
        with _bars(console) as shown:
            known: dict[str, TaskID] = {}

            def tell(phase: str, done: int, total: int, said: Said) -> None:
                if phase not in known:
                    known[phase] = shown.add_task(escape(phase), total=total, completed=done, said="")
                task = known[phase]
                if done < shown.tasks[task].completed:  # a second evaluation
                    shown.reset(task, total=total, completed=done)
                shown.update(task, completed=done, total=total)
                if said:
                    shown.update(task, said=escape(shortly(said)))

            yield tell, lambda text: shown.console.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        yield Lines(say).tell, say


def _silent(_: str) -> None:
    pass


def _bars(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[said]}"), console=console, transient=True)


def shortly(said: Said) -> str:
    """``loss 0.312  chosen log-ratio +0.21  45.1 pairs/s``, and texts as they are."""
    parts = [value for value in said.values() if isinstance(value, str)]
    for key, (name, digits) in SHOWN.items():
        value = said.get(key)
        if isinstance(value, (int, float)):
            parts.append(f"{value:{digits}} {name}" if name.endswith("/s") else f"{name} {value:{digits}}")
    return "  ".join(parts)


@dataclass
class _Phase:
    """What was last told of a phase."""

    began: float
    first: int
    wrote: int
    ended: bool = False
    said: Said = field(default_factory=dict)


class Lines:
    """Plain lines for a log: at the first and the last step of a phase, and between them not too often."""

    def __init__(self, write: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._phases: dict[str, _Phase] = {}
        self._wrote = clock()

    def tell(self, phase: str, done: int, total: int, said: Said) -> None:
        """Write a line if there is reason to. Phases may take turns; one that has done less than before starts anew."""
        now = self._clock()
        is_new = phase not in self._phases
        known = self._phases.setdefault(phase, _Phase(now, done, done))
        if done < known.wrote:
            known.began, known.first, known.wrote = now, done, done
        known.said = said or known.said
        if is_new or self._due(now, done, total, known):
            parts = [f"{phase} {done:,}/{total:,}", shortly(known.said), _left(now, done, total, known)]
            self._write("  ".join(part for part in parts if part))
            self._wrote, known.wrote = now, done
            known.ended = known.ended or done >= total

    def _due(self, now: float, done: int, total: int, known: _Phase) -> bool:
        since = now - self._wrote
        ends = done >= total and not known.ended
        return ends or since >= PAUSE or (since >= 1 and done - known.wrote >= total / 10)


def _left(now: float, done: int, total: int, known: _Phase) -> str:
    """The time left, by the speed of this phase so far."""
    if done <= known.first or done >= total:
        return ""
    seconds = (total - done) * (now - known.began) / (done - known.first)
    return f"{timedelta(seconds=round(seconds))} left"
