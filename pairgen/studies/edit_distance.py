"""Whether edit distance or CHES predicts how far chosen falls, on versions of the same rows that differ in distance."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pairgen.report.documents.content import Bars, Cell, Cloud, Column, Figure, Points, Report, Table
from pairgen.report.documents.number_format import CORRELATION, NATS, SHARE, NumberFormat, Spread
from pairgen.report.documents.statements import chance_text, compare_text, in_seeds, listing, sentence
from pairgen.stats.ranks import Correlation, spearman
from pairgen.studies.running.about import setting_lines
from pairgen.studies.running.plan import Setting, Study, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.summaries import accuracy, below_reference, median_logratio, over_seeds
from pairgen.studies.running.workspace import BETA
from pairgen.studies.same_rows import predictors
from pairgen.studies.same_rows.edit_levels import CARRIED, FIRST, KEPT, OTHER, VARIANTS, carried, kept, write
from pairgen.studies.same_rows.falls import SPLITS, Outcomes, outcomes, trials

LOSS = "dpo"
AT_REAL_SCALE = (kept(1), kept(4), kept(8), carried(4), OTHER)
"""The datasets where a run takes minutes."""

ROWS_OF_SAMPLE = 16
ROWS_OF_FILE = 40
"""Source rows read for each pair that is wanted: few have enough verified places."""

# ---------------------------------------------------------------- what is trained


def make(name: str, setting: Setting, out: Path) -> object:
    """Write one dataset of the study."""
    wanted = setting.scale.pairs + setting.scale.held_out
    source, most = setting.source, ROWS_OF_FILE * wanted
    if match := re.fullmatch(r"sample(?::(\d+))?(:\d+)?", source):
        source, most = f"sample:{max(int(match[1] or 0), ROWS_OF_SAMPLE * wanted)}{match[2] or ''}", 0
    return write(name, source, out, setting.scale.held_out, most)


def variants(setting: Setting) -> list[Variant]:
    """DPO on each dataset, all at the learning rate that is best on the first one."""
    names = AT_REAL_SCALE if setting.scale_name == "real" else VARIANTS
    options = {"loss": LOSS, "beta": BETA}
    first = Variant(LOSS, options, data=FIRST)
    return [first, *(replace(first, data=name, start=FIRST, rate_of=LOSS, rate_data=FIRST) for name in names[1:])]


# ---------------------------------------------------------------- report


def report(results: Results) -> Report:
    """Tables of datasets and of correlations, scatter plots, and what predicts the fall of chosen."""
    measured = {split: outcomes(results, split) for split in SPLITS}
    found = {split: predictors.correlations(trials(of), predictors.DRAWS) for split, of in measured.items()}
    return Report(
        title="Whether edit distance or CHES predicts the fall of chosen",
        question=STUDY.question,
        setting=setting(results),
        tables=[
            dataset_table(results, measured["train"]),
            correlation_table(found),
            dataset_correlations(measured["train"]),
        ],
        figures=figures(measured["train"], found["train"]),
        findings=findings(measured["train"], found["train"]),
        not_shown=not_shown(results),
    )


def setting(results: Results) -> dict[str, str]:
    """What is needed to repeat the study."""
    lines = setting_lines(results, f"{LOSS}, beta {BETA}")
    tried = ", ".join(f"{run.learning_rate:g}" for run in results.tried[FIRST, LOSS])
    rate = results.of(LOSS, FIRST)[0].learning_rate
    lines["learning rate"] = f"{rate:g} for all datasets, the best of {tried} on {FIRST}"
    sizes = {tuple((name, of.pairs) for name, of in data.splits.items()) for data in results.datasets.values()}
    if len(sizes) == 1:
        counts = dict(sizes.pop())
        names = listing(results.datasets)
        lines["data"] = f"{names}: {counts['train']:,} training pairs each, {counts['eval']:,} held out"
    return lines


LEGEND = (
    "kept-K: K places of a solution are wrong, and nothing else is changed. carried-K: K results are wrong, and later "
    "results are recomputed. other: the solution of another question. All have the same prompts and chosen "
    "completions. Edit span: from the first to the last changed token of chosen."
)


def dataset_table(results: Results, measured: Outcomes) -> Table:
    """A row per dataset: how far rejected is from chosen, and what became of chosen."""
    share, number = NumberFormat(2, percent=True), NumberFormat(3)
    columns = [
        Column("dataset"),
        Column("edit distance", share),
        Column("edit span", NumberFormat(0, unit="tokens")),
        Column("CHES", NumberFormat(0)),
        Column("normalized CHES", number),
        Column("chosen log-ratio, train", NATS),
        Column("below reference, train", SHARE),
        Column("chosen log-ratio, held out", NATS),
        Column("below reference, held out", SHARE),
        Column("accuracy, held out", SHARE),
    ]
    rows: list[Sequence[Cell]] = []
    for name, of_train in measured.items():
        known = {key: Spread.of([float(np.median(one.known[key])) for one in of_train]) for key in of_train[0].known}
        runs = results.of(LOSS, name)
        rows.append(
            [
                name,
                known["edit distance"],
                known["edit span"],
                known["CHES"],
                known["normalized CHES"],
                over_seeds(runs, median_logratio, "train"),
                over_seeds(runs, below_reference, "train"),
                over_seeds(runs, median_logratio, "eval"),
                over_seeds(runs, below_reference, "eval"),
                over_seeds(runs, accuracy),
            ]
        )
    seeds = len(results.setting.seeds)
    notes = [LEGEND, f"Medians over pairs; median (lowest to highest) of {seeds} seeds. CHES: of the starting model."]
    return Table("Datasets, and what became of chosen", columns, rows, notes)


def correlation_table(found: Mapping[str, predictors.Correlations]) -> Table:
    """A row per way and predictor: the correlation with the fall, and in how many seeds its interval excludes 0."""
    columns = [Column("compared"), Column("predictor")]
    for about in SPLITS.values():
        columns += [Column(f"Spearman's ρ, {about}", CORRELATION), Column("interval excludes 0")]
    rows: list[Sequence[Cell]] = []
    for way, predictor in found["train"]:
        cells: list[Cell] = [way, predictor]
        for split in SPLITS:
            values = found[split][way, predictor]
            defined = not any(np.isnan(one.rho) for one in values)
            cells.append(Spread.of([one.rho for one in values]))
            cells.append(in_seeds([excludes_0(one) for one in values]) if defined else "-")
        rows.append(cells)
    meaning = "The fall of chosen is minus its log-ratio after training. Positive: it falls more where the predictor is"
    intervals = "95% bootstrap intervals, for which pairs are drawn with all of their versions."
    means = "Among the pairs of one dataset, or the versions of one pair: mean over datasets, or over pairs."
    notes = [f"{meaning} higher. {intervals}", means]
    return Table("What predicts the fall of chosen", columns, rows, notes)


def excludes_0(correlation: Correlation) -> bool:
    """Whether an interval is above or below 0."""
    return bool(correlation.low > 0 or correlation.high < 0)


def dataset_correlations(of_train: Outcomes) -> Table:
    """A row per dataset, a column per predictor: the correlation with the fall of its training pairs."""
    names = list(next(iter(of_train.values()))[0].known)
    rows: list[Sequence[Cell]] = [
        [data, *(Spread.of([spearman(one.known[name], one.fall) for one in of_seeds]) for name in names)]
        for data, of_seeds in of_train.items()
    ]
    columns = [Column("dataset"), *(Column(name, CORRELATION) for name in names)]
    return Table(
        "The same for each dataset, training pairs", columns, rows, ["Median (lowest to highest) of the seeds."]
    )


def figures(of_train: Outcomes, found: predictors.Correlations) -> list[Figure]:
    """Chosen log-ratio against each claimed predictor (first seed), and the correlations in bars."""
    clouds = [_cloud(of_train, name) for name in ("edit distance", "normalized CHES")]
    names = list(dict.fromkeys(predictor for _, predictor in found))
    series = {way: [_bar(found[way, name]) for name in names] for way in dict.fromkeys(way for way, _ in found)}
    bars = Bars(
        name="correlations",
        title="Rank correlation with the fall of chosen, training pairs",
        x_label="predictor",
        y_label="Spearman's ρ",
        categories=names,
        series=series,
        note="Median over seeds, and their range.",
    )
    return [*clouds, bars]


def _bar(values: Sequence[Correlation]) -> Spread | None:
    spread = Spread.of([one.rho for one in values])
    return None if np.isnan(spread.median) else spread


def _cloud(of_train: Outcomes, predictor: str) -> Points:
    groups = {
        data: Cloud(of_seeds[0].known[predictor].tolist(), (-of_seeds[0].fall).tolist())
        for data, of_seeds in of_train.items()
    }
    return Points(
        name=predictor.lower().replace(" ", "-"),
        title=f"Chosen log-ratio of training pairs by {predictor}",
        x_label=f"{predictor} (share of the longer completion)" if predictor == "edit distance" else predictor,
        y_label="chosen log-ratio (nats)",
        groups=groups,
        zero="reference model",
        x_log=predictor == "edit distance",
        note="First seed; a point per pair, a color per dataset.",
    )


# ---------------------------------------------------------------- what follows


def findings(of_train: Outcomes, found: predictors.Correlations) -> list[str]:
    """How chosen fares on each dataset, whether less distance makes it fall more, and what predicts its fall."""
    levels = {name: Spread.of([-float(np.median(one.fall)) for one in of]) for name, of in of_train.items()}
    fallen = [name for name, level in levels.items() if level.high < 0]
    others = [name for name in levels if name not in fallen]
    below = "the median log-ratio of chosen in training pairs is below the reference in every seed"
    texts = [sentence(f"{below} on {listing(fallen)}")] if fallen else []
    texts += [sentence(f"it is not on {listing(others)}" if fallen else f"on no dataset {below}")] if others else []
    of_kept, of_carried = ([name for name in map(of, KEPT) if name in levels] for of in (kept, carried))
    compared = [(of_kept[0], of_kept[-1]), (of_kept[0], OTHER), *zip(of_carried[:1], of_carried[1:][-1:], strict=False)]
    compared += [(kept(count), carried(count)) for count in CARRIED if {kept(count), carried(count)} <= set(levels)]
    what = "the chosen log-ratio of training pairs"
    texts += [compare_text(near, levels[near], far, levels[far], what, NATS) for near, far in compared]
    summary, *predicted = predictors.findings(found)
    return [summary, *texts, *predicted]


def not_shown(results: Results) -> list[str]:
    """What the study cannot tell."""
    cause = (
        "Why a predictor works: a longer completion has both a larger CHES and more log-prob to lose. The correlations"
    )
    models = (
        "Pairs of different datasets trained together: each dataset has a model of its own, so a difference between"
    )
    texts = [
        f"{cause} with the number of tokens show how far length alone goes.",
        f"{models} datasets is one of models.",
        "Other losses, models and learning rates, and longer training.",
        "Rows with fewer verified places, which are in no dataset.",
    ]
    if len(results.setting.seeds) > 1:
        texts.append(chance_text(len(results.setting.seeds)))
    return texts


STUDY = Study(
    title="Edit distance and CHES",
    question="Does chosen fall more in training the less rejected differs from it, and does edit distance or CHES "
    "predict which pairs fall?",
    data={name: partial(make, name) for name in VARIANTS},
    variants=variants,
    report=report,
)
