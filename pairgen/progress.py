"""Progress and warnings: the callbacks that builds, training and every other long call accept."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Progress(Protocol):
    """Called as work proceeds."""

    def __call__(self, phase: str, done: int, total: int, fields: Mapping[str, float | str] = ..., /) -> None:
        """Report that ``done`` of ``total`` units of ``phase`` are complete.

        ``fields`` are figures to show next to it, such as the current loss, by metric name.
        """


Warn = Callable[[str], None]
"""Receives one sentence that a person should read."""


def ignore(*_: object) -> None:
    """A callback that does nothing: the default for ``Progress`` and ``Warn``."""
