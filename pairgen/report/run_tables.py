"""What a person looks at after training: one run from start to end, and several runs side by side."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pairgen.report.curves import NARROWEST, curves
from pairgen.report.terminal import LINE, cut, figure, plain
from pairgen.run_folder import EVAL, Run

_LOSS, _NATS, _PER_TOKEN, _PAIRS, _GROUPS = "", "nats", "nats per token", "of pairs", "of groups"

ROWS = {
    "loss": ("loss", _LOSS),
    "logratios/chosen": ("chosen log-ratio", _NATS),
    "logratios/rejected": ("rejected log-ratio", _NATS),
    "rewards/accuracies": ("accuracy", _PAIRS),
    "chosen_below_reference": ("chosen below reference", _PAIRS),
    "logps/before_edit": ("log-prob before the edit", _PER_TOKEN),
    "logps/at_edit": ("log-prob at the edit", _PER_TOKEN),
    "logps/after_edit": ("log-prob after the edit", _PER_TOKEN),
    "choice/acc": ("right choice", _GROUPS),
    "choice/acc_norm": ("right choice per character", _GROUPS),
}
"""By metric: what it is called, and what it is measured in."""

COLUMNS = {
    "step": "\nstep",
    "logratios/chosen": "chosen\nlog-ratio",
    "logratios/rejected": "rejected\nlog-ratio",
    "logps/before_edit": "before\nedit",
    "logps/at_edit": "at\nedit",
    "logps/after_edit": "after\nedit",
    "chosen_below_reference": "below\nref.",
    "rewards/accuracies": "\naccuracy",
}
"""What runs are compared by, and its heads."""

SPARED = ("step", "rewards/accuracies", "logps/before_edit", "logps/at_edit", "logratios/rejected", "logps/after_edit")
"""The columns that a narrow terminal does without, the first of them first."""

NAME = 20
"""Cells that a run's name gets; longer ones take what is free, and wrap."""

NOTES = {
    "logratios/chosen": "log-ratio: log-prob of the completion less the reference's, in nats",
    "logps/after_edit": "before, at, after the edit: log-prob of chosen per token, in nats",
    "chosen_below_reference": "below the reference: pairs whose chosen log-ratio is under 0",
    "rewards/accuracies": "accuracy: pairs whose chosen log-ratio is above the rejected one",
    "choice/acc": "right choice: groups whose chosen has the highest log-prob",
}
"""What the words mean, by a metric that needs it."""

_START = ("logps/before_edit", "logps/at_edit", "logps/after_edit")
_TIES = ("rewards/accuracies", "chosen_below_reference")
"""What says nothing at step 0, where the model is its own reference."""

_PARTS = ("attention", "head", "rest")
"""What a step's time is told of."""

MEANT = {EVAL: "eval split", "": "training batches"}
"""Which pairs the values are means of."""

POINTS = 5
"""Evaluations from which on they make a curve; under that the training batches do."""


def number(value: float | None, kind: str) -> str:
    """A metric as it is shown: ``+0.31`` nats, ``-0.512`` nats per token, a share of ``3.10%``."""
    if value is None:
        return "-"
    if kind in (_PAIRS, _GROUPS):
        return figure(value, True)
    if kind == _NATS:
        return f"{value:+,.2f}" if round(value, 2) else "0.00"
    return f"{value:.1e}" if 0 < abs(value) < 0.0005 else f"{value:,.3f}"


# ---------------------------------------------------------------- one run


def closing_table(run: Run) -> RenderableType:
    """Each metric at the start and at the end, the speed, and where the models are."""
    prefix = EVAL if run.evaluated else ""
    start, end = run.values(prefix, last=False), run.values(prefix, last=True)
    table = _table(2)
    table.add_column("", overflow="fold")
    for head in (f"step {start['step']:,}", "", f"step {end['step']:,}"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    known = [key for key in ROWS if key in end]
    for key in known:
        name, kind = ROWS[key]
        comparable = prefix or not key.startswith("logps/")  # a batch's log-probs say nothing of another batch's
        table.add_row(name, _at(start, key) if comparable else "-", "->", _at(end, key), Text(kind, style="dim"))
    title = Text.assemble((cut(run.name, LINE).plain, "bold"), f" ({plain(run.loss)}), {MEANT[prefix]}")
    return Group(title, table, Text(), *_notes(known), Text(), _facts(run))


def _notes(keys: Iterable[str]) -> list[Text]:
    return [Text(note, style="dim") for key, note in NOTES.items() if key in keys]


def _facts(run: Run) -> Table:
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    speeds = [value for _, value in run.series("pairs_per_second")]
    if speeds:
        facts.add_row("speed", f"{median(speeds):,.1f} pairs/s")
    run_tokens = sum(value for _, value in run.series("tokens/run"))
    if run_tokens:
        plain_tokens = sum(value for _, value in run.series("tokens/plain"))
        saved = f"{run_tokens:,.0f} run, of {plain_tokens:,.0f} in padded pairs ({plain_tokens / run_tokens:.2f}x)"
        facts.add_row("tokens", saved)
    shares = {part: [value for _, value in run.series(f"time/{part}")] for part in _PARTS}
    if any(shares.values()):
        spent = ", ".join(f"{part} {fmean(values):.0%}" for part, values in shares.items() if values)
        facts.add_row("time", spent)
    for folder in run.models():
        facts.add_row("best model" if folder.name == "best" else "model", plain(folder))
    return facts


def _at(values: Mapping[str, Any], key: str) -> str:
    """A metric at a step, or the step itself."""
    if key == "step":
        return f"{values['step']:,}"
    return number(None if key in _TIES and values["step"] == 0 else values.get(key), ROWS[key][1])


def _table(gap: int) -> Table:
    """An empty table; the box draws one cell of the gap between columns."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 1, 0, 0), show_edge=False)


# ---------------------------------------------------------------- several runs


def compared(runs: Sequence[Run]) -> dict[str, Any]:
    """Runs side by side as plain data: which values they are (``eval`` only if all runs have them), and each run's."""
    prefix = EVAL if all(run.evaluated for run in runs) else ""
    names = _names(runs)
    return {
        "values": "eval" if prefix else "train",
        "runs": [
            {
                "run": name,
                "path": str(run.path),
                "loss": run.loss,
                "start": run.values(prefix, last=False),
                "end": run.values(prefix, last=True),
            }
            for name, run in zip(names, runs, strict=True)
        ],
    }


def _names(runs: Sequence[Run]) -> list[str]:
    """Folder names, or paths where two runs have the same."""
    names = [run.name for run in runs]
    return [str(run.path) if names.count(run.name) > 1 else run.name for run in runs]


def comparison(runs: Sequence[Run], width: int) -> RenderableType:
    """One table, a row per run under the reference it started from, and one plot of the chosen log-ratio over steps.

    Args:
        runs: at least one.
        width: cells of the view; under ``NARROWEST`` there is no plot.
    """
    found = compared(runs)
    prefix = EVAL if found["values"] == "eval" else ""
    title = Text(f"{len(runs)} {'runs' if len(runs) > 1 else 'run'}, {MEANT[prefix]}", style="bold")
    table, left_out = _rows(found["runs"], width)
    parts: list[RenderableType] = [title, table, Text(), *_notes(COLUMNS.keys() - left_out)]
    if left_out:
        heads = ", ".join(" ".join(COLUMNS[key].split()) for key in left_out)
        parts.append(Text(f"left out, the terminal is narrow: {heads}", style="dim"))
    return Group(*parts, *(_plot(runs, width) if width >= NARROWEST else []))


def _rows(runs: Sequence[Mapping[str, Any]], width: int) -> tuple[Table, list[str]]:
    """The table, and the columns there was no room for."""
    gap = 2 if width >= 90 else 1
    firsts = [cell_len(text) for run in runs for text in (run["run"], "reference")]
    room = (
        width
        - min(max(firsts), NAME, width // 3)
        - max(cell_len(text) for text in ("loss", *(run["loss"] for run in runs)))
    )
    taken = {key: _widest(key, runs) + gap for key in COLUMNS}
    left_out: list[str] = []
    while len(left_out) < len(SPARED) and sum(taken.values()) + gap > room:
        left_out.append(SPARED[len(left_out)])
        del taken[left_out[-1]]
    table = _table(gap)
    for head in ("\nrun", "\nloss"):
        table.add_column(head, overflow="fold")
    for key in taken:
        table.add_column(COLUMNS[key], justify="right", overflow="fold", min_width=taken[key] - gap)
    for started in _by_start(runs).values():
        start = _start_of(started)
        table.add_row(_called(start), "", *(_at(start, key) for key in taken), style="dim")
        for run in started:
            table.add_row(cut(run["run"], LINE), plain(run["loss"]), *(_at(run["end"], key) for key in taken))
    return table, left_out


def _widest(key: str, runs: Sequence[Mapping[str, Any]]) -> int:
    """Cells of a column."""
    cells = [_at(run[when], key) for run in runs for when in ("start", "end")]
    return max(map(len, (*COLUMNS[key].split("\n"), *cells)))


def _by_start(runs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Mapping[str, Any]]]:
    """Runs that started from the same model together, by their start's step and what the model scored there."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        start = run["start"]
        key = (str(start["step"]), *(number(start.get(metric), _PER_TOKEN) for metric in _START))
        groups.setdefault(key, []).append(run)
    return groups


def _start_of(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What runs that started alike have in common: the start with the most metrics, for some losses have fewer."""
    start: Mapping[str, Any] = max((run["start"] for run in runs), key=len)
    return start


def _called(start: Mapping[str, Any]) -> str:
    """What a start's row is called: at step 0 the model is what log-ratios refer to, if there are any."""
    return "reference" if start["step"] == 0 and "logratios/chosen" in start else "start"


def _plot(runs: Sequence[Run], width: int) -> list[RenderableType]:
    """The chosen log-ratio over steps, of the evaluations if each run has enough of them to make a curve."""
    key = "logratios/chosen"
    lines = {plain(name).plain: run for name, run in zip(_names(runs), runs, strict=True)}
    evaluated = all(len(run.series(EVAL + key)) >= POINTS or not run.series(key) for run in runs)
    series = {name: run.series(EVAL + key if evaluated else key) for name, run in lines.items()}
    shown = {name: points for name, points in series.items() if points}
    if not shown:
        return []
    said = "eval split" if evaluated else "training batches"
    title = Text.assemble(("chosen log-ratio by step", "bold"), f" ({said}, in nats; 0 is the reference)")
    left_out = [f"{name}: no reference, no curve" for name in series if name not in shown]
    try:
        drawn = curves(shown, width)
    except ImportError:
        return [Text(), Text("no plot: plotext is not installed (pip install 'pairgen[train]')", style="dim")]
    return [Text(), title, drawn, *(Text(note, style="dim") for note in left_out)]
