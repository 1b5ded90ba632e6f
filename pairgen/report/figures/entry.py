"""An entry of a table of figures."""

from collections.abc import Callable, Mapping
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


def figures_of(table: Mapping[str, Plot[Subject]], subject: Subject) -> dict[str, Figure]:
    """The figures of a table that a subject has something to show in, by name."""
    found = {name: plot.figure(subject) for name, plot in table.items()}
    return {name: figure for name, figure in found.items() if figure is not None}
