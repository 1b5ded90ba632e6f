"""How far runs are, and their curves: a function of what was read of them and of the size of the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from pairgen.errors import install_hint
from pairgen.report.curves import MIN_WIDTH, Point, curves, thin
from pairgen.report.run_tables import MIN_EVALUATIONS
from pairgen.report.text import safe_text
from pairgen.run_folder import EVAL, SAME_AS_REFERENCE, Run


class Plot(NamedTuple):
    """Metrics that share an axis."""

    title: str
    unit: str
    metrics: Mapping[str, str]
    """Their names in the legend, by key; evaluations of them are plotted as well."""


PLOTS = (
    Plot("loss", "", {"loss": "training"}),
    Plot("log-ratio", "nats; 0 is the reference", {"logratios/chosen": "chosen", "logratios/rejected": "rejected"}),
    Plot("accuracy", "of pairs; chosen log-ratio above the rejected one", {"rewards/accuracies": "training"}),
    Plot("log-prob of chosen at the edit", "nats per token", {"logps/at_edit": "training"}),
)
"""What is plotted, where a run has it."""

SPEED = "pairs_per_second"
KEYS = {SPEED, "epoch", *(prefix + key for plot in PLOTS for key in plot.metrics for prefix in ("", EVAL))}
"""The metrics that are shown or calculated with."""

RECENT = 20
"""Logged steps over which the speed is averaged."""

MAX_POINTS = 1000

LEAST_HEIGHT = 10
"""Lines of a plot, with its title and legend, below which it says nothing."""

SILENCE = 60.0
"""Seconds without a new step after which a run may have ended, or more if its steps take long."""


@dataclass(frozen=True)
class Watched:
    """A run as it was last read."""

    name: str
    """As it is shown."""
    run: Run
    """Its lines may be empty."""
    age: float
    """Seconds since something was last written to its metrics, or since it was started."""
    is_finished: bool


# ---------------------------------------------------------------- progress


def total_steps(run: Run) -> int | None:
    """The steps that a run will have; None if they are not known yet."""
    if steps := int(run.config.get("steps") or 0):
        return steps
    last = run.lines[-1] if run.lines else {}
    epochs, epoch = float(run.config.get("epochs") or 0), float(last.get("epoch", 0))
    return max(round(last["step"] * epochs / epoch), last["step"]) if epochs and epoch else None


def progress_line(watched: Watched) -> Text:
    """Step, speed, time left and whether the run still writes."""
    run = watched.run
    if not run.lines:
        return Text(f"no step logged yet, {_duration(watched.age)} after the start")
    step, total = run.lines[-1]["step"], total_steps(run)
    parts = [f"step {step:,}" + (f" of {total:,}" if total else "")]
    speeds = [line[SPEED] for line in run.lines[-RECENT:] if line.get(SPEED)]
    if speeds:
        parts.append(f"{median(speeds):,.1f} pairs/s")
    seconds = int(run.config.get("batch_size") or 0) / median(speeds) if speeds else 0.0
    if watched.is_finished:
        return Text("  ").join([Text("  ".join(parts)), Text("finished", style="bold green")])
    if total and seconds and total > step:
        parts.append(f"about {_duration((total - step) * seconds)} left")
    every = max(1, int(run.config.get("log_every") or 1))
    silent = watched.age > max(SILENCE, 10 * every * seconds)
    last = f"logged {_duration(watched.age)} ago" + (": it may have stopped" if silent else "")
    return Text("  ").join([Text("  ".join(parts)), Text(last, style="bold red" if silent else "dim")])


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 99.5 else str(timedelta(seconds=round(seconds)))


# ---------------------------------------------------------------- plots


class Drawn(NamedTuple):
    """A plot to draw: its title, and its curves by name."""

    title: str
    unit: str
    series: Mapping[str, Sequence[Point]]


def plots(runs: Sequence[Watched]) -> list[Drawn]:
    """The plots for which there are values. Of several runs, each metric is a plot with a curve per run.

    Curves have about ``MAX_POINTS`` points, so that drawing them takes no time.
    """
    found = [_of_one(plot, runs[0].run) for plot in PLOTS] if len(runs) == 1 else _of_several(runs)
    return [plot for plot in found if plot.series]


def _of_one(plot: Plot, run: Run) -> Drawn:
    series: dict[str, list[Point]] = {}
    for key, name in plot.metrics.items():
        evaluated = "eval" if name == "training" else f"eval {name}"
        series |= {name: _points(run, key), evaluated: _points(run, EVAL + key)}
    return Drawn(plot.title, plot.unit, {name: points for name, points in series.items() if points})


def _of_several(runs: Sequence[Watched]) -> list[Drawn]:
    found = []
    for plot in PLOTS:
        for key, name in plot.metrics.items():
            evaluated = all(len(_points(each.run, EVAL + key)) >= MIN_EVALUATIONS for each in runs)
            series = {each.name: _points(each.run, (EVAL if evaluated else "") + key) for each in runs}
            title = plot.title if name == "training" else f"{name} {plot.title}"
            split = "eval split" if evaluated else "training batches"
            shown = {run: points for run, points in series.items() if points}
            found.append(Drawn(title, ", ".join(filter(None, (split, plot.unit))), shown))
    return found


def _points(run: Run, key: str) -> list[Point]:
    points = run.series(key)
    if key.removeprefix(EVAL) in SAME_AS_REFERENCE:
        points = [point for point in points if point[0]]
    return [*thin(points[:-1], MAX_POINTS), *points[-1:]]


# ---------------------------------------------------------------- the view


def progress_view(
    runs: Sequence[Watched], found: Sequence[Drawn], width: int, height: int, first: int = 0
) -> RenderableType:
    """How far each run is, and as many plots as fit below.

    Args:
        runs: at least one.
        found: their ``plots``.
        width: cells of the view.
        height: lines of it.
        first: the plot at the top; the others follow, in a circle.
    """
    lines: list[RenderableType] = [
        Text.assemble((safe_text(each.name).plain, "bold"), f" ({each.run.loss})  ", progress_line(each))
        for each in runs
    ]
    if not found:
        return Group(*lines, Text(), Text("The curves begin with the first logged step.", style="dim"))
    if width < MIN_WIDTH:
        return Group(*lines, Text(), *(_last_values(plot) for plot in found))
    room = height - sum(max(1, -(-line.cell_len // width)) for line in lines if isinstance(line, Text))
    shown = max(1, min(len(found), room // LEAST_HEIGHT))
    turned = [*found[first % len(found) :], *found[: first % len(found)]]
    try:
        drawn = [_plot(plot, width, room // shown) for plot in turned[:shown]]
    except ImportError:
        hint = Text(f"no plot: plotext is not installed; {install_hint('train')}", style="dim")
        return Group(*lines, Text(), *(_last_values(plot) for plot in found), hint)
    return Group(*lines, *drawn)


def _plot(plot: Drawn, width: int, height: int) -> RenderableType:
    series = {safe_text(name).plain: points for name, points in plot.series.items()}
    legend = sum(len(name) + 12 for name in series) // width + 1
    unit = f" ({plot.unit})" if plot.unit else ""
    title = Text.assemble((f"{plot.title} by step", "bold"), unit, no_wrap=True, overflow="ellipsis")
    return Group(title, curves(series, width, max(5, height - 1 - legend)))


def _last_values(plot: Drawn) -> Text:
    """In a terminal too narrow for a plot."""
    values = ", ".join(f"{name} {points[-1][1]:+,.2f}" for name, points in plot.series.items())
    return Text.assemble((plot.title, "bold"), " ", safe_text(values))
