"""The figures of training runs, drawn over one another.

To add one, write a function from runs to a figure, or to None if they have nothing to show in it, and enter it in
``RUN_FIGURES``.
"""

from collections.abc import Sequence

from pairgen.report.documents.content import Line, Lines
from pairgen.report.figures.entry import Plot
from pairgen.run_folder import EVAL, Run


def loss(runs: Sequence[Run]) -> Lines | None:
    """The loss of every run over its steps: of evaluations if every run was evaluated, else of training batches."""
    prefix = EVAL if all(run.evaluated for run in runs) else ""
    found = {str(run.path) if len({one.name for one in runs}) < len(runs) else run.name: run for run in runs}
    points = {name: run.series(f"{prefix}loss") for name, run in found.items()}
    series = {name: Line(*zip(*values, strict=True)) for name, values in points.items() if values}
    if not series:
        return None
    return Lines("loss", "Loss", "step", f"loss ({'eval split' if prefix else 'training batches'})", series)


RUN_FIGURES: dict[str, Plot[Sequence[Run]]] = {"loss": Plot("the loss over the steps", loss)}
"""By name, in the order in which a page shows them."""
