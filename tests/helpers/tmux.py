"""Programs in a real terminal: tmux."""

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE = 60
"""Seconds that a screen may take on a busy machine; tests go on as soon as it is there."""


class Terminal:
    """A terminal in which a shell ran one command, and then says how it ended: ``[exit 0]``."""

    def __init__(self, server: list[str]) -> None:
        self._server = server

    def press(self, *keys: str) -> None:
        """Keys by their names in tmux, such as ``Enter`` and ``C-c``."""
        self._run("send-keys", "-t", "0", *keys)

    def type(self, text: str) -> None:
        """A text, and Enter."""
        self._run("send-keys", "-t", "0", "-l", text)
        self.press("Enter")

    def screen(self, *options: str) -> str:
        return self._run("capture-pane", "-p", "-t", "0", *options)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-t", "0", "-x", str(width), "-y", str(height))

    def wait(self, words: str | Callable[[str], bool], patience: float = PATIENCE) -> str:
        """The screen as soon as it has these words, or meets a condition."""
        end = time.monotonic() + patience
        while True:
            found = self.screen()
            if words in found if isinstance(words, str) else words(found):
                return found
            assert time.monotonic() < end, f"no {words!r} on the screen:\n{found}"
            time.sleep(0.02)

    def processes(self) -> list[int]:
        """The programs that the shell runs."""
        shell = self._run("display-message", "-p", "-t", "0", "#{pane_pid}").strip()
        found = subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=False).stdout
        return [int(line) for line in found.split()]

    def _run(self, *words: str) -> str:
        return subprocess.run([*self._server, *words], capture_output=True, text=True, check=True).stdout


@contextmanager
def terminal(
    *arguments: object,
    width: int = 80,
    height: int = 24,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[Terminal]:
    """Run ``pairgen`` with these arguments in a terminal. Without tmux, the test is skipped; in CI it fails."""
    if shutil.which("tmux") is None:
        if os.environ.get("CI"):
            pytest.fail("CI runs the tests in a terminal, which need tmux")
        pytest.skip("install tmux to run this test")
    server = ["tmux", "-L", f"pairgen-{uuid.uuid4().hex}", "-f", os.devnull]
    variables = {"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8", "PS1": "", **(env or {})}
    assignments = [f"{name}={value}" for name, value in variables.items()]
    program = shlex.join(["env", *assignments, sys.executable, "-m", "pairgen", *map(str, arguments)])
    script = f'{program}; echo "[exit $?]"; read -r line; echo "typed: $line"; sleep 1000'
    size = ["-x", str(width), "-y", str(height)]
    cwd = ["-c", str(folder)] if folder else []
    clean = {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR", "FORCE_COLOR")}
    subprocess.run([*server, "new-session", "-d", *size, *cwd, "sh", "-c", script], env=clean, check=True)
    try:
        yield Terminal(server)
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True, check=False)
