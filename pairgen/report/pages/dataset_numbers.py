"""The statistics of a dataset as tables of the page."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pairgen.errors import count
from pairgen.pairs import verification_rates
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.edits import METRICS
from pairgen.report.dataset_tables import COLUMNS, PAPER, PAPER_DATASETS, SHORTCUTS_LEGEND
from pairgen.report.pages.html.markup import Child, Html, join, paragraphs, prose, table
from pairgen.report.pages.strata import at_random
from pairgen.report.text import format_number, format_share
from pairgen.stats import RECORDED, STATISTICS, describe
from pairgen.stats.distance import UNITS, measure
from pairgen.stats.summary import summarize

Statistics = Mapping[str, Mapping[str, Any]]
"""By split, as ``stats.describe`` returns them."""

HEADS = [f"{head}%" if head.isdigit() else head for head in COLUMNS]
LENGTHS = ("prompt_length", "chosen_length", "rejected_length", "pairs_per_group")

DISTANCE_PAIRS = 2000
"""Pairs of a split on which distances other than the stored one are measured."""


def statistics_of(dataset: PairDataset) -> Statistics:
    """What ``describe`` returns, and shortcuts. Those that the manifest records are not computed again.

    Raises:
        InvalidDataset: a damaged shard.
    """
    recorded = dataset.manifest.get("statistics", {})
    known = {name for name in RECORDED if all(name in recorded.get(split, {}) for split in dataset.splits)}
    names = [name for name in (*STATISTICS, "pairs_per_group", *RECORDED[1:]) if name not in known]
    found = describe(dataset, names=names)
    return {split: {**found[split], **{name: recorded[split][name] for name in known}} for split in dataset.splits}


def counts(dataset: PairDataset) -> Html:
    """Pairs and rows of each split, and the rows dropped, by reason."""
    rows: list[list[Child]] = []
    drops: list[list[Child]] = []
    for name, split in dataset.manifest["splits"].items():
        read, dropped = split.get("rows"), split.get("drops") or {}
        rows.append([name, f"{split['pairs']:,}", "-" if read is None else f"{read:,}", f"{sum(dropped.values()):,}"])
        drops += [
            [name, reason, f"{number:,}", format_share(number / read) if read else "-"]
            for reason, number in dropped.items()
        ]
    parts = [table("", ["split", "pairs", "source rows", "rows dropped"], rows, [False, True, True, True])]
    if drops:
        heads = ["split", "reason", "rows", "of source rows"]
        parts.append(table("Source rows that yield no pair, by reason", heads, drops, [False, False, True, True]))
    return join(parts)


def distances(dataset: PairDataset, statistics: Statistics) -> Html:
    """The edit distance under each definition that needs no tokenizer: the stored one over all pairs."""
    rows: list[list[Child]] = []
    for name, split in dataset.splits.items():
        found = {("levenshtein", "char"): statistics[name]["edit_distance"]}
        some = at_random(split, DISTANCE_PAIRS, ["chosen", "rejected"])
        for key in itertools.product(METRICS, ("char", "word")):
            if key not in found and some.num_rows:
                found[key] = summarize(measure(*key, None)(some))
        rows += [
            [name, metric.capitalize(), UNITS[unit].definition, f"{about['count']:,}", *_cells(about, format_share)]
            for (metric, unit), about in found.items()
        ]
    heads = ["split", "distance", "over", "pairs", *HEADS]
    numeric = [False, False, False, *[True] * (len(HEADS) + 1)]
    notes = [f"{metric.definition}." for metric in METRICS.values()]
    notes.append(
        f"All but the first are measured on {count(DISTANCE_PAIRS, 'pair')} of a split at most, at fixed places all "
        "over it. `pairgen stats` measures them on all pairs, and over tokens."
    )
    notes += [PAPER] if dataset.manifest.get("dataset") in PAPER_DATASETS else []
    return join(
        [
            table("Distance between chosen and rejected", heads, rows, numeric),
            paragraphs(*map(prose, notes), class_="note"),
        ]
    )


def lengths(statistics: Statistics) -> Html:
    """Lengths of the texts and sizes of groups."""
    rows: list[list[Child]] = []
    for name, split in statistics.items():
        rows += [
            [name, key.replace("_", " "), split[key]["scale"], *_cells(split[key], format_number)]
            for key in LENGTHS
            if key in split
        ]
    heads = ["split", "", "unit", *HEADS]
    return table(
        "Lengths of texts, and pairs with the same prompt and chosen", heads, rows, [False] * 3 + [True] * len(HEADS)
    )


def places(statistics: Statistics) -> Html:
    """Where in the completion the edit begins."""
    found = {name: split["shared_prefix"] for name, split in statistics.items() if "shared_prefix" in split}
    rows = [[name, *_cells(about, format_share)] for name, about in found.items()]
    made = table("Part of the completion before the edit", ["split", *HEADS], rows, [False, *[True] * len(HEADS)])
    note = next((f"{about['definition'].capitalize()}." for about in found.values()), "")
    heads = [f"{10 * at} to {10 * at + 10}%" for at in range(10)]
    tenths = [[name, *_tenths(about["histogram"])] for name, about in found.items()]
    by_place = table("Share of pairs by that part", ["split", *heads], tenths, [False, *[True] * 10])
    return join([made, by_place, paragraphs(note, class_="note")])


def _tenths(histogram: Mapping[str, Sequence[float]]) -> list[str]:
    """The shares of a histogram in each tenth from 0 to 1; its bins end at every tenth."""
    totals = [0.0] * 10
    for edge, number in zip(histogram["edges"], histogram["counts"], strict=False):
        totals[int(10 * edge + 1e-6)] += number
    return [format_share(number / max(sum(totals), 1)) for number in totals]


def corruptions(statistics: Statistics) -> Html:
    """How corruptions were verified, by source, strategy, error and reason; nothing if there are none."""
    parts: list[Html] = []
    for name, split in statistics.items():
        if found := split.get("corruptions"):
            summary = f"{name}: {count(found['pairs'], 'pair')}, {verification_rates.summary(found)}."
            parts.append(paragraphs(summary))
            for counted in verification_rates.tables(found):
                numeric = [False, *[True] * (len(counted.heads) - 1)]
                parts.append(table("", counted.heads, counted.rows, numeric))
                parts.append(paragraphs(counted.others, class_="note"))
    return join(parts)


def shortcuts(statistics: Statistics) -> Html:
    """How often rules that need neither the calculation nor the fact pick chosen; nothing if none applies."""
    rows: list[list[Child]] = []
    for name, split in statistics.items():
        for rule, about in (split.get("shortcuts") or {}).items():
            shares = [
                "-" if about[key] is None else format_share(about[key]) for key in ("decided", "right", "with_coin")
            ]
            rows.append([name, join([rule, ": ", about["definition"]]), f"{about['pairs']:,}", *shares])
    if not rows:
        return Html()
    heads = ["split", "rule", "first pairs", "decided", "right", "with coin"]
    return join([table("", heads, rows, [False, False, *[True] * 4]), paragraphs(SHORTCUTS_LEGEND, class_="note")])


def _cells(summary: Mapping[str, Any], form: Callable[[float | None], str]) -> list[str]:
    return [form(summary["quantiles"][head] if head.isdigit() else summary[head]) for head in COLUMNS]
