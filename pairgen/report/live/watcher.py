"""Reading runs while they are trained, and drawing them whenever they have changed."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairgen.report.comparison import brief_names
from pairgen.report.live.progress_view import KEYS, Drawn, Watched, plots, progress_view, total_steps
from pairgen.report.viewer.body import Line, rendered
from pairgen.report.viewer.full_screen import FullScreen
from pairgen.report.viewer.view_state import Size
from pairgen.run_folder import CONFIG, FINAL, METRICS, SFT, Run, read_config
from pairgen.run_folder.folder import check_folder
from pairgen.run_folder.follower import MetricsFollower

PERIOD = 0.5
"""Seconds between two looks at the files."""

REST = 20
"""The curves of long runs are renewed less often: after this many times what it took the last time."""


class Watch:
    """A run folder that is read again and again."""

    def __init__(self, path: Path, name: str) -> None:
        """Raises RunFolderError: the folder does not exist, or is no run."""
        check_folder(path, CONFIG)
        self._path, self._name = path, name
        self._folder = path
        self._config: dict[str, Any] = {}
        self._follower = MetricsFollower(path / METRICS, KEYS)

    def update(self) -> tuple[Watched, bool]:
        """The run now, and whether its curves have changed. Raises RunFolderError for damaged files."""
        folder = self._current()
        if folder != self._folder:
            self._folder, self._follower = folder, MetricsFollower(folder / METRICS, KEYS)
        changed = self._follower.update()
        if changed or not self._config:
            self._config = read_config(folder)
        name = f"{self._name}/{SFT}" if folder != self._path else self._name
        run = Run(folder, self._config, self._follower.lines)
        return Watched(name, run, self._age(), self._is_finished(run)), changed

    def _current(self) -> Path:
        """The folder of the stage that is trained: before preference training it may be that of SFT."""
        sft = self._path / SFT
        before = not (self._path / METRICS).is_file() and (sft / METRICS).is_file() and (sft / CONFIG).is_file()
        return sft if before else self._path

    def _age(self) -> float:
        for name in (METRICS, CONFIG):
            try:
                return max(0.0, time.time() - (self._folder / name).stat().st_mtime)
            except OSError:
                continue
        return 0.0

    def _is_finished(self, run: Run) -> bool:
        """Whether the run has its last step; that of SFT is followed by another stage."""
        if self._folder != self._path or not run.lines:
            return False
        total = total_steps(run)
        if total is not None and run.lines[-1]["step"] >= total:
            return True
        times = [(self._path / name).stat().st_mtime for name in (METRICS, FINAL) if (self._path / name).exists()]
        return len(times) == 2 and times[0] <= times[1]


def watches(paths: Sequence[Path]) -> list[Watch]:
    """The runs to watch, named as briefly as tells them apart. Raises RunFolderError."""
    return [Watch(path, name) for path, name in zip(paths, brief_names(paths), strict=True)]


def watch(runs: Sequence[Watch]) -> list[Watched]:
    """Draw the runs on the whole terminal until all are finished, or until the reader leaves.

    Returns:
        the runs as they were last.

    Raises:
        RunFolderError: damaged files.
    """
    first, curves = 0, list[Drawn]()
    changed, due, version = False, 0.0, 0
    drawn: tuple[Size, int, int, int] | None = None
    with FullScreen() as terminal:
        while True:
            updates = [run.update() for run in runs]
            found = [watched for watched, _ in updates]
            if all(watched.is_finished for watched in found):
                return found
            changed |= any(more for _, more in updates)
            begun = time.monotonic()
            if changed and begun >= due:
                curves, changed, version = plots(found), False, version + 1
                due = begun + REST * (time.monotonic() - begun)
            now = (terminal.size, first, version, int(begun))  # the age of the last step is shown in seconds
            if now != drawn:
                terminal.draw(screen(found, curves, terminal.size, first), terminal.size)
                drawn = now
            keys = terminal.keys(PERIOD)
            if keys is None or {"q", "escape", "ctrl-c"} & set(keys):
                return found
            first += sum({"right": 1, "space": 1, "tab": 1, "left": -1}.get(key, 0) for key in keys)
            if "ctrl-l" in keys:
                terminal.forget()
            if "ctrl-z" in keys:
                terminal.suspend()
            first %= max(1, len(curves))


def screen(runs: Sequence[Watched], curves: Sequence[Drawn], size: Size, first: int) -> list[Line]:
    """The lines of the terminal: the view, and the keys in the last one."""
    room = max(0, size.height - 1)
    lines = rendered(progress_view(runs, curves, size.width, room, first), size.width)[:room]
    hint = rendered("[dim]q quit  ← → other curves[/dim]", size.width)[:1]
    return [*lines, *([[]] * (room - len(lines))), *hint]
