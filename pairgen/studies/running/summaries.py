"""Numbers of runs that several studies report, and the parts of a report that they share."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pairgen.report.documents.content import Cell, Column, Line, Table
from pairgen.report.documents.number_format import NATS, NumberFormat, Spread
from pairgen.report.documents.statements import chance_text, listing
from pairgen.studies.running.results import Results
from pairgen.studies.running.workspace import Finished

RATE = NumberFormat(0, scientific=True)


def over_seeds(runs: Sequence[Finished], value: Callable[..., float], *arguments: Any) -> Spread:
    """Median and range of a number of each run."""
    return Spread.of([value(run, *arguments) for run in runs])


def median_logratio(run: Finished, split: str) -> float:
    """Median over pairs of the chosen log-ratio, in nats."""
    return float(np.median(run.measured.split(split).logratio("chosen")))


def below_reference(run: Finished, split: str) -> float:
    """Share of pairs whose chosen completion is less likely than under the reference model."""
    return float(np.mean(run.measured.split(split).logratio("chosen") < 0))


def accuracy(run: Finished, split: str = "eval") -> float:
    """Share of pairs whose chosen log-ratio exceeds the rejected one."""
    return float(np.mean(run.measured.split(split).margin > 0))


def after_edit(run: Finished, of: str = "policy") -> float:
    """Mean log-prob of chosen tokens after the edit in held-out pairs, in nats per token."""
    return run.measured.split("eval").pooled("chosen", "after", of)


def rates_table(results: Results) -> Table:
    """A row per variant, columns per learning rate: the preference loss, by which it was chosen, and the log-ratio."""
    rates = sorted({run.learning_rate for runs in results.tried.values() for run in runs})
    columns = [Column("data"), Column("loss"), Column("chosen rate", RATE)]
    columns += [Column(f"preference loss at {rate:g}", NumberFormat(3)) for rate in rates]
    columns += [Column(f"log-ratio at {rate:g}", NATS) for rate in rates]
    rows: list[Sequence[Cell]] = []
    for (data, name), runs in results.tried.items():
        by_rate = {run.learning_rate: run for run in runs}
        losses = [by_rate[rate].preference_loss if rate in by_rate else None for rate in rates]
        ratios = [median_logratio(by_rate[rate], "eval") if rate in by_rate else None for rate in rates]
        rows.append([data, name, results.runs[data, name][0].learning_rate, *losses, *ratios])
    notes = [
        "First seed, held-out pairs. The chosen rate has the lowest preference loss, -log sigmoid(0.3 margin).",
        "Log-ratio: of chosen, median over pairs.",
    ]
    return Table("Learning rates tried", columns, rows, notes)


def over_steps(runs: Sequence[Finished], key: str) -> Line:
    """A logged metric over the steps of runs with different seeds."""
    logged = [{line["step"]: line[key] for line in run.metrics if key in line} for run in runs]
    steps = sorted(set.intersection(*map(set, logged)))
    return Line.over_seeds(steps, [[of_run[step] for step in steps] for of_run in logged])


def common_limits(results: Results) -> list[str]:
    """What no study can tell from its seeds and its learning rates."""
    texts = []
    edges = [
        name
        for (data, name), runs in results.tried.items()
        if len(runs) > 1
        and results.runs[data, name][0].learning_rate in (runs[0].learning_rate, runs[-1].learning_rate)
    ]
    if edges:
        texts.append(
            f"The best learning rate of {listing(dict.fromkeys(edges))}: it may lie outside the range tried, since the "
            "chosen one is at an end of it."
        )
    if len(results.setting.seeds) > 1:
        texts.append(chance_text(len(results.setting.seeds)))
    return texts
