"""Figures of what pairs and source rows are: their kinds, group sizes, reasons for dropping rows, shortcuts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.evidence import RESULT
from pairgen.pairs.record import CHECKS
from pairgen.report.documents.content import Bar, Bars
from pairgen.report.documents.number_format import COUNT, SHARE
from pairgen.report.documents.statements import share_text
from pairgen.report.figures.counts import filled
from pairgen.stats import SHORTCUT_PAIRS, shortcuts

CORRUPTED = "share of corrupted pairs"

UNCHECKED = CHECKS[1:]

MOST_BARS = 12
"""Values that have bars of their own; all further ones share one."""

MOST_SIZES = 10
"""Group sizes that have a bar of their own."""

MOST_CHARACTERS = 60
"""Characters of a value below its bar."""


def group_sizes(dataset: PairDataset) -> Bars | None:
    """Share of groups by their number of pairs, in each split, if some have several."""
    if dataset.manifest.get("sft"):
        return None
    shares: dict[str, list[float]] = {}
    for name, split in filled(dataset).items():
        sizes = split.table(["group_id"])["group_id"].value_counts().field("counts")
        shares[name] = [0.0] * (MOST_SIZES + 1)
        for item in pc.value_counts(sizes).to_pylist():
            shares[name][min(item["values"], MOST_SIZES + 1) - 1] += item["counts"] / len(sizes)
    most = max((at for found in shares.values() for at, share in enumerate(found) if share), default=-1) + 1
    if most < 2:
        return None
    return Bars(
        "group-sizes",
        "Pairs with the same prompt and chosen",
        "pairs per group",
        "share of groups",
        [*map(str, range(1, MOST_SIZES + 1)), f"over {MOST_SIZES}"][:most],
        {name: found[:most] for name, found in shares.items()},
        number=SHARE,
        labels=True,
    )


def sources(dataset: PairDataset) -> Bars | None:
    """Share of pairs from each source, if there are several. A dataset that all have in common is left out."""
    found = {name: _values(split.table(["source"]), "source") for name, split in filled(dataset).items()}
    names = {str(source).rpartition("/")[0] for values in found.values() for source in values}
    shared, *others = names or {""}
    if shared and not others:
        found = {
            name: Counter({str(source).rpartition("/")[2]: number for source, number in values.items()})
            for name, values in found.items()
        }
        return _bars(("sources", f"Sources in {_shown(shared)}", "source", "share of pairs"), found, least=2)
    return _bars(("sources", "Sources", "source", "share of pairs"), found, least=2)


def checks(dataset: PairDataset) -> Bars | None:
    """Share of corrupted pairs that exact arithmetic has verified."""
    return _bars(("checks", "Verified corruptions", "check", CORRUPTED), _corruptions(dataset, "check"))


def strategies(dataset: PairDataset) -> Bars | None:
    """Share of corrupted pairs by the kind of value that was corrupted, if there are several."""
    found = _corruptions(dataset, "strategy")
    return _bars(("strategies", "Strategies: the kind of value that was corrupted", "strategy", CORRUPTED), found, 2)


def errors(dataset: PairDataset) -> Bars | None:
    """Share of corrupted pairs by their kind of error, if there are others than wrong results."""
    found = _corruptions(dataset, "error")
    if all(value in (None, RESULT) for values in found.values() for value in values):
        return None
    return _bars(("errors", "Kinds of error", "error", CORRUPTED), found)


def reasons(dataset: PairDataset) -> Bars | None:
    """Why corrupted pairs are not verified."""
    corrupted = _corruptions(dataset, "check")
    found = {name: counts for name, counts in _corruptions(dataset, "reason", UNCHECKED).items() if counts}
    totals = {name: corrupted[name].total() for name in found}
    return _bars(("reasons", "Why corruptions are not verified", "reason", CORRUPTED), found, totals=totals)


def _corruptions(dataset: PairDataset, column: str, checks: Sequence[str] = CHECKS) -> dict[str, Counter[str | None]]:
    """How many corrupted pairs of each split, with one of these checks, have each value of a column."""
    found: dict[str, Counter[str | None]] = {}
    for name, split in filled(dataset).items():
        table = split.table([*{"check", column}])
        values = _values(table.filter(pc.is_in(table["check"], pa.array(checks))), column)
        found |= {name: values} if values else {}
    return found


def _values(table: pa.Table, column: str) -> Counter[str | None]:
    return Counter({item["values"]: item["counts"] for item in table[column].value_counts().to_pylist()})


def drops(dataset: PairDataset) -> Bars | None:
    """Source rows that yielded no pair, by reason: shares if the number of rows is known, else counts."""
    splits = dataset.manifest["splits"]
    found = {name: Counter[str | None](split.get("drops") or {}) for name, split in splits.items()}
    found = {name: reasons for name, reasons in found.items() if reasons}
    rows = {name: splits[name].get("rows") or 0 for name in found}
    known = all(rows.values())
    dropped = "; ".join(f"{name}: {share_text(found[name].total(), of, 'row')}" for name, of in rows.items() if known)
    figure = _bars(
        ("drops", "Rows that yield no pair", "reason", "share of source rows" if known else "source rows"),
        found,
        totals=rows if known else dict.fromkeys(rows, 1),
    )
    return figure and replace(figure, number=SHARE if known else COUNT, note=dropped and f"{dropped}.")


def shortcut_strengths(dataset: PairDataset) -> Bars | None:
    """How often each rule picks chosen without the calculation or the fact; see ``stats.shortcuts``."""
    if dataset.manifest.get("sft"):
        return None
    found = {name: shortcuts.measure(split, SHORTCUT_PAIRS) for name, split in filled(dataset).items()}
    rules = {rule: strength.summary for split in found.values() for rule, strength in split.items()}
    if not rules:
        return None
    is_cut = any(split.pairs > SHORTCUT_PAIRS for split in dataset.splits.values())
    measured = f"the first {SHORTCUT_PAIRS:,} pairs of each split" if is_cut else "all pairs"
    return Bars(
        "shortcuts",
        "Shortcuts: rules that pick chosen without the calculation or the fact",
        "rule",
        "share of pairs where the rule picks chosen",
        [*rules],
        {name: [split[rule].accuracy if rule in split else None for rule in rules] for name, split in found.items()},
        number=SHARE,
        labels=True,
        base=0.5,
        base_label="50%: no better than a coin",
        note=f"On {measured}; a coin decides where a rule does not. "
        + "; ".join(f"{rule}: {summary}" for rule, summary in rules.items())
        + ".",
    )


def _bars(
    titles: tuple[str, str, str, str],
    found: Mapping[str, Counter[str | None]],
    least: int = 1,
    totals: Mapping[str, int] | None = None,
) -> Bars | None:
    """Share of each value in each split, the most frequent value first; None if there are fewer than ``least``.

    Args:
        titles: name, title, and labels of the axes.
        totals: what the counts are shares of; by default their sums.
    """
    counts = sum(found.values(), Counter[str | None]())
    values = sorted(counts, key=lambda value: (-counts[value], str(value)))
    if len(values) < least:
        return None
    shown = values if len(values) <= MOST_BARS + 1 else values[:MOST_BARS]
    series: dict[str, list[Bar]] = {}
    for name, split in found.items():
        numbers = [split[value] for value in shown]
        others = [split.total() - sum(numbers)] * (len(shown) < len(values))
        whole = totals[name] if totals else split.total()
        series[name] = [number / whole for number in [*numbers, *others]]
    rest = [f"{len(values) - len(shown)} others"] * (len(shown) < len(values))
    return Bars(*titles, [*map(_shown, shown), *rest], series, number=SHARE, labels=True)


def _shown(value: str | None) -> str:
    text = "none" if value is None else value
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
