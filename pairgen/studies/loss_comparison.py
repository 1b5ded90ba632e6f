"""Which losses keep the preferred completion likely (Figures 2, 5 and 6 of Pal et al., 2024)."""

from collections.abc import Sequence

from pairgen.report.documents.content import Cell, Column, Figure, Lines, Report, Table
from pairgen.report.documents.number_format import NATS, NATS_PER_TOKEN, SHARE
from pairgen.report.documents.statements import compare_text, level_text, listing
from pairgen.studies import study_pairs
from pairgen.studies.running.about import about_data, setting_lines
from pairgen.studies.running.plan import Setting, Study, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import (
    RATE,
    accuracy,
    after_edit,
    below_reference,
    common_limits,
    median_logratio,
    over_seeds,
    over_steps,
    rates_table,
)
from pairgen.studies.running.workspace import BETA

PAPER = ("dpo", "ipo", "dpop")
"""The losses of the paper's figures."""
OTHERS = ("rpo", "bdpo", "dpo-shift", "cal-dpo", "apo-zero", "simpo")
"""Losses that are said to keep chosen likely, or to need no reference model."""
OWN = {"simpo": {"beta": 2.0}}
"""Options of losses for which the paper's beta means something else."""


def variants(setting: Setting) -> list[Variant]:
    """All losses on pairs that differ in little; those of the paper also on pairs that differ in nearly everything.

    At the real scale, only the losses of the paper, on the former.
    """
    losses = PAPER if setting.scale_name == "real" else (*PAPER, *OTHERS)
    low = [Variant(loss, {"loss": loss, "beta": BETA, **OWN.get(loss, {})}) for loss in losses]
    if setting.scale_name == "real" and not setting.choices:
        return low
    return [*low, *(Variant(loss, {"loss": loss, "beta": BETA}, data="high") for loss in PAPER)]


def report(results: Results) -> Report:
    """Table of all losses, the learning rates tried, and log-ratios over training."""
    data = list(dict.fromkeys(variant.data for variant in results.variants))
    return Report(
        title="Which losses keep the preferred completion likely",
        question=STUDY.question,
        setting=setting_lines(results, f"beta {BETA} for all losses (SimPO: {OWN['simpo']['beta']}), lambda 50"),
        tables=[*(loss_table(results, name) for name in data), rates_table(results)],
        figures=[figure for name in data for figure in figures(results, name)],
        findings=[text for name in data for text in findings(results, name)],
        not_shown=[
            "Whether a model that keeps chosen likely answers better: log-probs are measured, not answers.",
            "Other values of beta and lambda, longer training and larger models.",
            *common_limits(results),
        ],
    )


# ---------------------------------------------------------------- tables


def loss_table(results: Results, data: str) -> Table:
    """A row per loss: what became of chosen in training pairs and in held-out pairs."""
    columns = [
        Column("loss"),
        Column("learning rate", RATE),
        Column("chosen log-ratio, train", NATS),
        Column("below reference, train", SHARE),
        Column("chosen log-ratio, held out", NATS),
        Column("below reference, held out", SHARE),
        Column("after the edit, held out", NATS_PER_TOKEN),
        Column("accuracy, held out", SHARE),
    ]
    found = [results.runs[key] for key in results.runs if key[0] == data]
    reference = over_seeds(found[0], after_edit, "reference")
    rows: list[Sequence[Cell]] = [["reference model", None, 0.0, None, 0.0, None, reference, None]]
    for runs in found:
        rows.append(
            [
                runs[0].variant.name,
                runs[0].learning_rate,
                over_seeds(runs, median_logratio, "train"),
                over_seeds(runs, below_reference, "train"),
                over_seeds(runs, median_logratio, "eval"),
                over_seeds(runs, below_reference, "eval"),
                over_seeds(runs, after_edit),
                over_seeds(runs, accuracy),
            ]
        )
    return Table(
        f"Losses on {about_data(data)}",
        columns,
        rows,
        [
            f"Median (lowest to highest) of {len(found[0])} seeds.",
            "Chosen log-ratio: log-prob of chosen under the policy minus that under the reference, median over pairs.",
            "Below reference: pairs with a negative chosen log-ratio.",
            "Accuracy: pairs whose chosen log-ratio exceeds the rejected one.",
        ],
    )


# ---------------------------------------------------------------- figures


def figures(results: Results, data: str) -> list[Figure]:
    """Log-ratios of chosen over training: of training batches, and of held-out pairs."""
    shown = {}
    for split, key in (("train", "logratios/chosen"), ("held out", "eval/logratios/chosen")):
        series = {name: over_steps(runs, key) for (of, name), runs in results.runs.items() if of == data}
        shown[split] = {name: line for name, line in series.items() if len(line.x)}
    return [
        Lines(
            name=f"chosen-{data}-{split.replace(' ', '-')}",
            title=f"Log-ratio of chosen, {about_data(data)}, {'training batches' if split == 'train' else 'held out'}",
            x_label="step",
            y_label="chosen log-ratio (nats)",
            series=series,
            zero="reference model",
            note="Median over seeds, and their range.",
        )
        for split, series in shown.items()
        if series
    ]


# ---------------------------------------------------------------- what follows


def findings(results: Results, data: str) -> list[str]:
    """Sentences on what became of chosen with each loss, and how DPOP compares with DPO."""
    runs = {name: runs for (of, name), runs in results.runs.items() if of == data}
    ratios = {name: over_seeds(of, median_logratio, "eval") for name, of in runs.items()}
    about = about_data(data)
    texts = [
        level_text(
            f"With {name}, the median log-ratio of held-out chosen completions on {about}",
            ratios[name],
            NATS,
            level_name="the reference model",
        )
        for name in runs
        if name in PAPER
    ]
    if {"dpo", "dpop"} <= set(runs):
        texts.append(
            compare_text(
                "dpop", ratios["dpop"], "dpo", ratios["dpo"], f"the chosen log-ratio of held-out pairs on {about}", NATS
            )
        )
        accuracies = {name: over_seeds(runs[name], accuracy) for name in ("dpo", "dpop")}
        texts.append(
            compare_text(
                "dpop", accuracies["dpop"], "dpo", accuracies["dpo"], f"the accuracy on held-out pairs, {about},", SHARE
            )
        )
    fallen = [name for name, ratio in ratios.items() if ratio.high < 0]
    kept = [name for name, ratio in ratios.items() if ratio.low >= 0]
    if fallen and len(runs) > len(PAPER):
        texts.append(f"On {about}, chosen fell below the reference in every seed with {listing(fallen)}.")
    if kept and len(runs) > len(PAPER):
        texts.append(f"On {about}, it did not fall in any seed with {listing(kept)}.")
    return texts


STUDY = Study(
    title="Losses compared",
    question="Does a loss make the preferred completion less likely than it was before training, on pairs that differ "
    "in little and on pairs that differ in nearly everything?",
    data={"low": study_pairs.solutions(), "high": study_pairs.choices},
    variants=variants,
    report=report,
)
