"""A terminal as a whole screen of lines that answers to single keys, and is left as it was found."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import COLOR_SYSTEMS, Console
from rich.segment import Segment

from pairgen.report.viewer.key_codes import Decoder
from pairgen.report.viewer.view_state import Size

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
"""Alternate screen, no cursor, no automatic line breaks, empty."""
LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"

ESCAPE_DELAY = 0.05
"""Seconds after which an Esc is a key, and not the beginning of another key's sequence."""

ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end the program; the terminal is restored before."""


def is_interactive() -> bool:
    """Whether stdin and stdout are a terminal that can show a whole screen."""
    encoding = (sys.stdout.encoding or "").replace("-", "").lower()
    able = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown") and encoding == "utf8"
    return able and sys.stdin.isatty() and sys.stdout.isatty()


class FullScreen:
    """The terminal while it is in use; a context manager."""

    def __init__(self) -> None:
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._decoder = Decoder()
        self._shown: list[str] = []
        self._size = Size(0, 0)
        console = Console()
        self._colors = COLOR_SYSTEMS.get(console.color_system or "")
        self._no_color = console.no_color

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._in)
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._wake, False)
        self._old_wake, self._pipe = signal.set_wakeup_fd(wake, warn_on_full_buffer=False), wake
        handlers: dict[int, Any] = {signal.SIGWINCH: _ignore, **dict.fromkeys(ENDS, _end)}
        self._handlers = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wake)
        os.close(self._wake)
        os.close(self._pipe)

    def _begin(self) -> None:
        tty.setraw(self._in, termios.TCSADRAIN)  # keeps what was typed before
        self._write(ENTER)
        self.forget()

    def _end(self) -> None:
        with suppress(OSError, termios.error):  # the terminal may be gone
            self._write(LEAVE)
        with suppress(termios.error):
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def suspend(self) -> None:
        """Give the terminal back to the shell until the program is continued."""
        self._end()
        os.kill(0, signal.SIGTSTP)
        self._begin()

    @property
    def size(self) -> Size:
        """Its cells now."""
        with suppress(OSError):
            width, height = os.get_terminal_size(self._out)
            if width and height:
                return Size(width, height)
        return Size(80, 24)

    def forget(self) -> None:
        """Draw all lines anew the next time, also those that have not changed."""
        self._shown = []

    def draw(self, lines: Sequence[Sequence[Segment]], size: Size) -> None:
        """Show the lines from the top on. Only those that have changed are sent to the terminal."""
        if size != self._size:
            self._size = size
            self.forget()
        drawn = [self._encoded(line) for line in lines]
        known = self._shown
        changed = "" if self._shown else "\x1b[0m\x1b[2J"
        for at, line in enumerate(drawn):
            if at >= len(known) or line != known[at]:
                changed += f"\x1b[{at + 1};1H\x1b[2K{line}"
        self._shown = drawn
        if changed:
            self._write(changed)

    def _encoded(self, line: Sequence[Segment]) -> str:
        parts = Segment.remove_color(line) if self._no_color else line
        return "".join(
            part.style.render(part.text, color_system=self._colors) if part.style else part.text for part in parts
        )

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._out, data) :]

    def keys(self, timeout: float | None) -> list[str] | None:
        """Wait for keys.

        Args:
            timeout: seconds; None: until there is a key or the size changes.

        Returns:
            the keys, none if there were none; None if the terminal is gone.
        """
        wait = ESCAPE_DELAY if self._decoder.is_waiting else timeout
        ready, _, _ = select.select([self._in, self._wake], [], [], wait)
        if self._wake in ready:
            with suppress(BlockingIOError):
                os.read(self._wake, 4096)
        if self._in not in ready:
            return self._decoder.flush() if self._decoder.is_waiting and not ready else []
        try:
            data = os.read(self._in, 4096)
        except OSError:
            return None
        return self._decoder.keys(data) if data else None


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The wakeup descriptor tells of the signal."""


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
