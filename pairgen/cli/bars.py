"""Progress on stderr, for builds and training alike: bars on a terminal, lines in a log."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rich import progress as rich_progress
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from pairgen.building.upload import shown
from pairgen.cli.app import print_stderr, rank
from pairgen.progress import BuildPhase, Progress, Warn, ignore
from pairgen.report.text import safe_text

Fields = Mapping[str, float | str]
"""Values shown next to a phase: metrics by name, or texts."""

NO_FIELDS: Fields = {}

METRICS = {
    "loss": "loss {:.3f}",
    "logratios/chosen": "chosen log-ratio {:+.2f}",
    "pairs_per_second": "{:.1f} pairs/s",
}
"""The metrics that are shown, and how. Others are left to metrics.jsonl."""

MAX_COUNT = 100_000
"""A larger total is one of tokens: only the percentage is shown."""

LOG_INTERVAL = 10.0
"""Seconds between lines of a log. Each 10% of a phase is also logged, at most once a second."""


@contextmanager
def progress_reporter(quiet: bool = False) -> Iterator[tuple[Progress, Warn]]:
    """Callbacks for progress and for warnings. Under torchrun only rank 0 reports.

    Args:
        quiet: show warnings only.
    """
    console = Console(stderr=True)
    if rank():
        yield ignore, ignore
    elif quiet:
        yield ignore, print_stderr
    elif console.is_terminal:
        with _new_bars(console) as bars:
            yield (
                Bars(bars).update,
                lambda text: bars.console.print(safe_text(text), highlight=False, soft_wrap=True),
            )
    else:
        yield LogLines(print_stderr).update, print_stderr


@contextmanager
def output_reporter(quiet: bool, out: str | Path | None) -> Iterator[tuple[Progress, Warn]]:
    """``progress_reporter`` for commands that write ``out`` atomically: if interrupted, they say that nothing was,
    unless the interrupt says what was.
    """
    try:
        with progress_reporter(quiet) as callbacks:
            yield callbacks
    except KeyboardInterrupt as interrupt:
        nothing = [f"nothing was written to {shown(out)}"] if out else []
        raise KeyboardInterrupt(*(interrupt.args or nothing)) from None


def _new_bars(console: Console) -> rich_progress.Progress:
    def text(template: str) -> TextColumn:
        return TextColumn(template, markup=False)  # with markup, `:100:` in a name would become a picture

    columns = (
        text("{task.description}"),
        BarColumn(20),
        text("{task.percentage:>3.0f}%"),
    )
    return rich_progress.Progress(
        *columns,
        text("{task.fields[count]}"),
        TimeRemainingColumn(),
        text("{task.fields[values]}"),
        console=console,
        transient=True,
    )


class Bars:
    """One bar per phase."""

    def __init__(self, bars: rich_progress.Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, rich_progress.TaskID] = {}

    def update(self, phase: str, done: int, total: int, fields: Fields = NO_FIELDS, /) -> None:
        """Move the bar of a phase. A count that goes down starts the phase again, as each evaluation does."""
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase, total=total, count="", values="")
        task = self._tasks[phase]
        if done < self._bars.tasks[task].completed:
            self._bars.reset(task, total=total)
        self._bars.update(task, completed=done, total=total, count=format_count(phase, done, total))
        if fields:
            self._bars.update(task, values=format_fields(fields))


def format_count(phase: str, done: int, total: int) -> str:
    """``7/50``, or nothing for the bytes of a build and for totals over ``MAX_COUNT``."""
    return f"{done:,}/{total:,}" if total <= MAX_COUNT and phase not in set(BuildPhase) else ""


def format_fields(fields: Fields) -> str:
    """Texts as they are, then the ``METRICS``: ``loss 0.312  chosen log-ratio +0.21  45.1 pairs/s``."""
    parts = [value for value in fields.values() if isinstance(value, str)]
    for key, text in METRICS.items():
        value = fields.get(key)
        if isinstance(value, (int, float)):
            parts.append(text.format(value))
    return "  ".join(parts)


@dataclass
class _Phase:
    """When and where a phase started, and what of it was logged last."""

    start_time: float
    start: int
    logged: int
    finished: bool = False
    fields: Fields = field(default_factory=dict)


class LogLines:
    """Lines for a log: the first and the last step of a phase, and some in between (see ``LOG_INTERVAL``)."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._phases: dict[str, _Phase] = {}
        self._last_time = clock()

    def update(self, phase: str, done: int, total: int, fields: Fields = NO_FIELDS, /) -> None:
        """Write a line if one is due. Phases may take turns; a phase whose count goes down has started again."""
        now = self._clock()
        is_new = phase not in self._phases
        state = self._phases.setdefault(phase, _Phase(now, done, done))
        if done < state.logged:
            state.start_time, state.start, state.logged = now, done, done
        state.fields = fields or state.fields
        if is_new or self._is_due(now, done, total, state):
            position = format_count(phase, done, total) or f"{done / max(total, 1):.0%}"
            parts = [f"{phase} {position}", format_fields(state.fields), _time_left(now, done, total, state)]
            self._write("  ".join(part for part in parts if part))
            self._last_time, state.logged = now, done
            state.finished = state.finished or done >= total

    def _is_due(self, now: float, done: int, total: int, state: _Phase) -> bool:
        waited = now - self._last_time
        finishes = done >= total and not state.finished
        return finishes or waited >= LOG_INTERVAL or (waited >= 1 and done - state.logged >= total / 10)


def _time_left(now: float, done: int, total: int, state: _Phase) -> str:
    """The time left at the speed of this phase so far."""
    if done <= state.start or done >= total:
        return ""
    seconds = (total - done) * (now - state.start_time) / (done - state.start)
    return f"{timedelta(seconds=round(seconds))} left"
