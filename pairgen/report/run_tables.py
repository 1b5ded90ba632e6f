"""Training runs as tables: one run from its start to its end, and several runs next to each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pairgen.errors import install_hint
from pairgen.report.curves import MIN_WIDTH, curves
from pairgen.report.tables import Column, FittedTable, facts
from pairgen.report.text import format_share, safe_text, shorten
from pairgen.run_folder import EVAL, Run, open_run

NATS, NATS_PER_TOKEN, PAIRS, GROUPS = "nats", "nats per token", "of pairs", "of groups"


class Metric(NamedTuple):
    """How a metric is shown."""

    name: str
    unit: str
    head: str = ""
    """Heading of its column where runs are compared; empty if it has none."""
    hide: int = 0
    """See ``tables.Column``."""
    note: str = ""
    """What the words mean."""


METRICS = {
    "loss": Metric("loss", ""),
    "logratios/chosen": Metric(
        "chosen log-ratio",
        NATS,
        "chosen\nlog-ratio",
        note="log-ratio: policy minus reference log-prob, summed over the completion, in nats",
    ),
    "logratios/rejected": Metric("rejected log-ratio", NATS, "rejected\nlog-ratio", hide=2),
    "logps/before_edit": Metric("log-prob before the edit", NATS_PER_TOKEN, "before\nedit", hide=4),
    "logps/at_edit": Metric("log-prob at the edit", NATS_PER_TOKEN, "at\nedit", hide=3),
    "logps/after_edit": Metric(
        "log-prob after the edit",
        NATS_PER_TOKEN,
        "after\nedit",
        hide=1,
        note="before, at, after the edit: mean log-prob of a chosen token there, in nats",
    ),
    "chosen_below_reference": Metric(
        "chosen below reference",
        PAIRS,
        "below\nref.",
        note="below reference (ref.): pairs whose chosen log-ratio is negative",
    ),
    "rewards/accuracies": Metric(
        "accuracy",
        PAIRS,
        "accuracy",
        hide=5,
        note="accuracy: pairs whose chosen log-ratio exceeds the rejected one",
    ),
    "choice/acc": Metric(
        "choice accuracy",
        GROUPS,
        note="choice accuracy: groups whose chosen completion has the highest log-prob",
    ),
    "choice/acc_norm": Metric("choice accuracy per character", GROUPS),
}

COMPARED = [key for key, metric in METRICS.items() if metric.head]
"""The metrics that runs are compared by."""

SAME_AS_REFERENCE = ("rewards/accuracies", "chosen_below_reference")
"""Not shown for step 0, where policy and reference are equal and any difference is rounding."""

SPLITS = {EVAL: "eval split", "": "training batches"}
"""Which pairs the values are means of, by the prefix of their metrics."""

MIN_EVALUATIONS = 5
"""With fewer evaluations the values of training batches are plotted."""


def format_metric(value: float | None, unit: str) -> str:
    """A metric as shown: ``+0.31`` nats, ``-0.512`` nats per token, ``3.10%`` of pairs."""
    if value is None:
        return "-"
    if unit in (PAIRS, GROUPS):
        return format_share(value)
    if unit == NATS:
        return f"{value:+,.2f}" if round(value, 2) else "0.00"
    return f"{value:.1e}" if 0 < abs(value) < 0.0005 else f"{value:,.3f}"


def _cell(values: Mapping[str, Any], key: str) -> str:
    """A metric of a logged step."""
    hidden = key in SAME_AS_REFERENCE and values["step"] == 0
    return format_metric(None if hidden else values.get(key), METRICS[key].unit)


# ---------------------------------------------------------------- one run


def summary_table(run: Run) -> RenderableType:
    """Each metric at the start and at the end, then speed, tokens, and where the models are."""
    prefix = EVAL if run.evaluated else ""
    start, end = run.values(prefix, last=False), run.values(prefix, last=True)
    heads = [f"step {values['step']:,}" for values in (start, end)]
    first, arrow, last, unit = Column(heads[0]), Column("", hide=1), Column(heads[1]), Column("unit", False, hide=2)
    table = FittedTable(Column("", numeric=False), first, arrow, last, unit)
    keys = [key for key in METRICS if key in end]
    for key in keys:
        comparable = prefix or not key.startswith("logps/")  # log-probs of two batches are not: their texts differ
        at_start = _cell(start, key) if comparable else "-"
        table.add_row(METRICS[key].name, at_start, "->", _cell(end, key), METRICS[key].unit)
    loss = "" if run.name == run.loss else f" ({safe_text(run.loss)})"
    title = Text.assemble((shorten(run.name).plain, "bold"), f"{loss}, {SPLITS[prefix]}")
    notes = [Text(METRICS[key].note, style="dim") for key in keys if METRICS[key].note]
    return Group(title, table, Text(), *notes, Text(), _run_facts(run))


def _run_facts(run: Run) -> Table:
    rows = []
    speeds = [value for _, value in run.series("pairs_per_second")]
    if speeds:
        rows.append(("speed", f"{median(speeds):,.1f} pairs/s"))
    processed = sum(value for _, value in run.series("tokens/processed"))
    if processed:
        padded = sum(value for _, value in run.series("tokens/padded"))
        rows.append(("tokens", f"{processed:,.0f} processed instead of {padded:,.0f} ({padded / processed:.2f}x)"))
    times = {part: [value for _, value in run.series(f"time/{part}")] for part in ("attention", "head", "rest")}
    if any(times.values()):
        rows.append(("time", ", ".join(f"{part} {fmean(values):.0%}" for part, values in times.items() if values)))
    rows += [("best model" if folder.name == "best" else "model", str(folder)) for folder in run.models()]
    return facts((name, safe_text(text)) for name, text in rows)


# ---------------------------------------------------------------- several runs


@dataclass(frozen=True)
class RunEnds:
    """The first and the last values of a run."""

    run: str
    """Its name, unique among the runs."""
    path: str
    loss: str
    start: Mapping[str, Any]
    end: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Runs next to each other, as plain data."""

    split: str
    """``eval`` if every run was evaluated, else ``train``: values of training batches."""
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
        RunEnds(name, str(run.path), run.loss, run.values(prefix, last=False), run.values(prefix, last=True))
        for name, run in _named(runs)
    ]
    return Comparison("eval" if prefix else "train", ends)


def _named(runs: Sequence[Run]) -> list[tuple[str, Run]]:
    """Folder names, or paths where two runs have the same."""
    names = [run.name for run in runs]
    return [(str(run.path) if names.count(run.name) > 1 else run.name, run) for run in runs]


def comparison(runs: Sequence[Run], width: int) -> RenderableType:
    """One table, a row per run under the reference it started from, and one plot of the chosen log-ratio over steps.

    Args:
        runs: at least one.
        width: cells of the view; below ``MIN_WIDTH`` there is no plot.
    """
    found = compared(runs)
    title = Text(f"{len(runs)} {'runs' if len(runs) > 1 else 'run'}, {SPLITS[found.prefix]}", style="bold")
    parts: list[RenderableType] = [title, _comparison_table(found.runs)]
    return Group(*parts, *(_plot(runs, width) if width >= MIN_WIDTH else []))


def _comparison_table(runs: Sequence[RunEnds]) -> FittedTable:
    metrics = [METRICS[key] for key in COMPARED]
    columns = [Column(metric.head, hide=metric.hide, note=metric.note) for metric in metrics]
    names = [Column("run", numeric=False), Column("loss", numeric=False)]
    table = FittedTable(*names, Column("step", hide=6), *columns)
    for group in _by_start(runs):
        start = max((run.start for run in group), key=len)  # some losses log fewer metrics
        is_reference = start["step"] == 0 and "logratios/chosen" in start
        cells = [_cell(start, key) for key in COMPARED]
        table.add_row("reference" if is_reference else "start", "", f"{start['step']:,}", *cells, style="dim")
        for run in group:
            cells = [_cell(run.end, key) for key in COMPARED]
            table.add_row(run.run, run.loss, f"{run.end['step']:,}", *cells)
    return table


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
    series = {safe_text(name).plain: run.series(prefix + key) for name, run in _named(runs)}
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
