"""An entry of a table of figures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pairgen.report.documents.content import Figure

Subject = TypeVar("Subject", contravariant=True)


@dataclass(frozen=True)
class Plot(Generic[Subject]):
    """A figure that can be drawn of a subject: a dataset, or training runs.

    The name of the figure it returns is its name in the table.
    """

    about: str
    """What it shows, in one line."""
    figure: Callable[[Subject], Figure | None]
    """The figure of a subject; None if the subject has nothing to show in it."""
