"""Callbacks for progress and warnings, accepted by builds, training and other long-running functions."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol


class BuildPhase(StrEnum):
    """Phases of a build or an audit, as passed to callbacks: merging counts pairs, uploading bytes of the output, all
    others bytes of the source.
    """

    READING = "reading questions"
    MAKING = "building pairs"
    MERGING = "merging parts"
    UPLOADING = "uploading"
    AUDITING = "auditing solutions"


class Progress(Protocol):
    """Called as work proceeds."""

    def __call__(self, phase: str, done: int, total: int, fields: Mapping[str, float | str] = ..., /) -> None:
        """Report that ``done`` of ``total`` units of ``phase`` are complete.

        ``fields`` are values to show next to it, by name, such as the current loss.
        """


Warn = Callable[[str], None]
"""Called with one message for the user."""


def ignore(*_: object) -> None:
    """A callback that does nothing: the default for ``Progress`` and ``Warn``."""
