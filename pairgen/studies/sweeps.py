"""What studies of one option share: a table and a figure with a row or a point for each value."""

from collections.abc import Mapping, Sequence

import numpy as np

from pairgen.report.documents.content import Cell, Column, Line, Lines, Table
from pairgen.report.documents.number_format import NATS, NATS_PER_TOKEN, SHARE
from pairgen.run_folder.measured import PARTS
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import RATE, accuracy, below_reference, median_logratio, over_seeds
from pairgen.studies.running.workspace import Finished


def sweep_table(results: Results, title: str, heads: Mapping[str, Column], tokens: Sequence[str]) -> Table:
    """A row per variant: its label, what became of held-out pairs, and log-probs in some parts of chosen.

    Args:
        heads: the columns of ``Variant.label``, by its keys.
        tokens: of ``PARTS``.
    """
    columns = [
        *heads.values(),
        Column("learning rate", RATE),
        Column("chosen log-ratio", NATS),
        Column("below reference", SHARE),
        Column("accuracy", SHARE),
        *(Column(f"{part} the edit", NATS_PER_TOKEN) for part in tokens),
        Column("edit below reference", SHARE),
    ]
    rows: list[Sequence[Cell]] = []
    for variant in results.variants:
        runs = results.runs[variant.key]
        rows.append(
            [
                *(variant.label.get(key) for key in heads),
                runs[0].learning_rate,
                over_seeds(runs, median_logratio, "eval"),
                over_seeds(runs, below_reference, "eval"),
                over_seeds(runs, accuracy),
                *(over_seeds(runs, change, part) for part in tokens),
                over_seeds(runs, edit_below_reference),
            ]
        )
    notes = [
        f"Held-out pairs; median (lowest to highest) of {results.setting.scale.seeds} seeds.",
        "Chosen log-ratio: median over pairs.",
        "Before, at, after the edit: change of the mean log-prob of chosen tokens there, against the reference.",
        "Edit below reference: pairs in which the chosen tokens of the edit became less likely.",
    ]
    return Table(title, columns, rows, notes)


def change(run: Finished, part: str) -> float:
    """Change of the mean log-prob per chosen token of a part in held-out pairs, against the reference, in nats."""
    if part not in PARTS:
        raise ValueError(f"{part}: no part of a completion; there are {', '.join(PARTS)}")
    pairs = run.measured.split("eval")
    return pairs.pooled("chosen", part) - pairs.pooled("chosen", part, "reference")


def edit_below_reference(run: Finished) -> float:
    """Share of held-out pairs in which the chosen tokens of the edit are less likely than under the reference."""
    return float(np.mean(run.measured.split("eval").logratio("chosen", "at") < 0))


def sweep_figure(option: str, series: Mapping[str, Mapping[float, Sequence[Finished]]]) -> Lines:
    """Log-ratio of chosen by the value of an option, on a logarithmic axis.

    Args:
        series: by the name of the line, the runs of each value.
    """
    lines = {}
    for name, runs in series.items():
        spreads = [over_seeds(of, median_logratio, "eval") for of in runs.values()]
        low, median, high = zip(*(spread.ends for spread in spreads), strict=True)
        lines[name] = Line([*runs], median, low, high)
    return Lines(
        name=f"chosen-by-{option}",
        title=f"Log-ratio of chosen by {option}, held-out pairs",
        x_label=option,
        y_label="chosen log-ratio (nats)",
        series=lines,
        zero="reference model",
        x_log=True,
        note="Median over pairs; median over seeds, and their range.",
    )
