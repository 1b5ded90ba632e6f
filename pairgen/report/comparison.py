"""Several training runs next to each other: what differs between them, their metrics, and a plot."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from pairgen.errors import install_hint
from pairgen.report.curves import MIN_WIDTH, curves
from pairgen.report.run_tables import COMPARED, METRICS, MIN_EVALUATIONS, NATS_PER_TOKEN, SPLITS, cell, format_metric
from pairgen.report.tables import Column, FittedTable
from pairgen.report.text import safe_text
from pairgen.run_folder import EVAL, Run, open_run


@dataclass(frozen=True)
class RunEnds:
    """The first and the last values of a run."""

    run: str
    """Its name, unique among the runs."""
    path: str
    loss: str
    config: Mapping[str, Any]
    start: Mapping[str, Any]
    end: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Runs next to each other, as plain data."""

    split: str
    """``eval`` if every run was evaluated, else ``train``: values of training batches."""
    differing: list[str]
    """Options that do not have the same value in all runs."""
    runs: list[RunEnds]

    @property
    def prefix(self) -> str:
        """Prefix of the metrics that are compared."""
        return EVAL if self.split == "eval" else ""


def compare(paths: Iterable[Path]) -> Comparison:
    """Compare run folders.

    Raises:
        RunFolderError: a folder that is not a run, or a damaged one.
    """
    return compared([open_run(path) for path in paths])


def compared(runs: Sequence[Run]) -> Comparison:
    """The first and the last values of each run."""
    prefix = EVAL if all(run.evaluated for run in runs) else ""
    ends = [
        RunEnds(
            name,
            str(run.path),
            run.loss,
            run.config,
            run.values(prefix, last=False),
            run.values(prefix, last=True),
        )
        for name, run in named(runs)
    ]
    return Comparison("eval" if prefix else "train", differing_options(runs), ends)


NOT_COMPARED = {
    *("out", "loss", "reference_dir", "device"),
    *("report_to", "log_every", "eval_every", "save_every", "keep_checkpoints", "best"),
}
"""Options that do not affect the final metrics, or that have a column of their own."""


def differing_options(runs: Sequence[Run]) -> list[str]:
    """The options that do not have the same value in all runs; those of one loss count only for its runs."""
    names = dict.fromkeys(name for run in runs for name in run.config if name not in NOT_COMPARED)
    return [name for name in names if len({str(run.config.get(name)) for run in runs}) > 1]


def named(runs: Sequence[Run]) -> list[tuple[str, Run]]:
    """Runs, each after its brief name."""
    return list(zip(brief_names([run.path for run in runs]), runs, strict=True))


def brief_names(folders: Sequence[Path]) -> list[str]:
    """The names of folders, or their paths where two have the same name."""
    names = [folder.resolve().name for folder in folders]
    return [str(path) if names.count(name) > 1 else name for path, name in zip(folders, names, strict=True)]


def comparison(runs: Sequence[Run], width: int) -> RenderableType:
    """One table, a row per run under the reference it started from, and one plot of the chosen log-ratio over steps.

    Args:
        runs: at least one.
        width: cells of the view; below ``MIN_WIDTH`` there is no plot.
    """
    found = compared(runs)
    title = Text(f"{len(runs)} {'runs' if len(runs) > 1 else 'run'}, {SPLITS[found.prefix]}", style="bold")
    parts: list[RenderableType] = [title, _comparison_table(found)]
    return Group(*parts, *(_plot(runs, width) if width >= MIN_WIDTH else []))


class ComparedRow(NamedTuple):
    """A row of the table of compared runs."""

    name: str
    loss: str
    config: Mapping[str, Any]
    """Its options; empty for the model that runs started from."""
    values: Mapping[str, Any]
    """Metrics by name, and the step."""
    kind: str
    """``start``, ``run``, or ``seeds`` for a statistic over runs with different seeds."""


STYLES = {"start": "dim", "run": "", "seeds": "bold"}


def compared_rows(found: Comparison) -> Iterator[ComparedRow]:
    """The runs under the models that they started from, each group with means and deviations over seeds."""
    for group in _by_start(found.runs):
        start = max((run.start for run in group), key=len)  # some losses log fewer metrics
        is_reference = start["step"] == 0 and "logratios/chosen" in start
        yield ComparedRow("reference" if is_reference else "start", "", {}, start, "start")
        for run in group:
            yield ComparedRow(run.run, run.loss, run.config, run.end, "run")
        for runs in _by_seed(group):
            for name, statistic in (("mean", fmean), ("sd", stdev)):
                values = {key: statistic(run.end[key] for run in runs) for key in COMPARED if key in runs[0].end}
                config = {key: value for key, value in runs[0].config.items() if key != "seed"}
                yield ComparedRow(f"{name} of {len(runs)} seeds", runs[0].loss, config, values, "seeds")


def _comparison_table(found: Comparison) -> FittedTable:
    metrics = [METRICS[key] for key in COMPARED]
    columns = [Column(metric.head, hide=metric.hide, note=metric.note) for metric in metrics]
    names = [Column("run", numeric=False), Column("loss", numeric=False)]
    options = [Column(name.replace("_", "\n"), hide=5) for name in found.differing]
    table = FittedTable(*names, *options, Column("step", hide=6), *columns)

    for row in compared_rows(found):
        chosen = [option_text(row.config[option]) if option in row.config else "" for option in found.differing]
        step = f"{row.values['step']:,}" if "step" in row.values else ""
        cells = (row.name, row.loss, *chosen, step, *(cell(row.values, key) for key in COMPARED))
        table.add_row(*cells, style=STYLES[row.kind])
    return table


def _by_seed(runs: Sequence[RunEnds]) -> list[list[RunEnds]]:
    """Runs that differ in nothing but their seeds, where there are at least two."""
    groups: dict[tuple[str, ...], list[RunEnds]] = {}
    for run in runs:
        rest = {name: value for name, value in run.config.items() if name not in ("out", "seed")}
        groups.setdefault((run.loss, *sorted(map(str, rest.items()))), []).append(run)
    return [group for group in groups.values() if len(group) > 1]


def option_text(value: Any) -> str:
    """An option's value; paths without their folders."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(Path(part).name if isinstance(part, str) and "/" in part else str(part) for part in parts)


def _by_start(runs: Sequence[RunEnds]) -> list[list[RunEnds]]:
    """Runs that started from the same model together: at the same step, with the same log-probs."""
    groups: dict[tuple[str, ...], list[RunEnds]] = {}
    for run in runs:
        logps = [run.start.get(f"logps/{part}_edit") for part in ("before", "at", "after")]
        key = (str(run.start["step"]), *(format_metric(value, NATS_PER_TOKEN) for value in logps))
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def _plot(runs: Sequence[Run], width: int) -> list[RenderableType]:
    """The chosen log-ratio over steps, of evaluations if every run has enough of them."""
    key = "logratios/chosen"
    evaluated = all(len(run.series(EVAL + key)) >= MIN_EVALUATIONS or not run.series(key) for run in runs)
    prefix = EVAL if evaluated else ""
    series = {safe_text(name).plain: run.series(prefix + key) for name, run in named(runs)}
    plotted = {name: points for name, points in series.items() if points}
    if not plotted:
        return []
    title = Text.assemble(("chosen log-ratio by step", "bold"), f" ({SPLITS[prefix]}, in nats; 0 is the reference)")
    missing = [Text(f"{name}: no reference model, not plotted", style="dim") for name in series if name not in plotted]
    try:
        plot = curves(plotted, width)
    except ImportError:
        return [Text(), Text(f"no plot: plotext is not installed; {install_hint('train')}", style="dim")]
    return [Text(), title, plot, *missing]
