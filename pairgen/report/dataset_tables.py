"""The statistics of a dataset as tables and histograms, and the summary of a build."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pairgen.errors import count
from pairgen.pairs import verification_rates
from pairgen.report.tables import Column, FittedTable
from pairgen.report.text import format_number, format_share, format_signed, safe_text

BAR_WIDTH = 40
"""Cells of the longest bar of a histogram."""

COLUMNS = {"mean": 0, "sd": 3, "min": 2, "5": 5, "25": 6, "50": 1, "75": 7, "95": 4, "max": 1}
"""Columns of a summary; the higher the number, the earlier a narrow terminal hides it."""

SIGNED = "inner product"
"""The scale of numbers that may be negative, which have a table of their own."""

PAPER_DATASETS = ("metamath", "arc")
PAPER = (
    "The Smaug paper reports 6.5% for MetaMath and 90% for ARC without defining the metric; "
    "--metric hamming --unit token comes closest."
)


def statistics_view(statistics: Mapping[str, Mapping[str, Any]], dataset: str | None = None) -> RenderableType:
    """Tables of what ``stats.describe`` returns, by split, a histogram of the edit distance, and definitions.

    Numbers on the scale ``SIGNED``, such as CHES, get a table of their own.

    Args:
        dataset: the name of the builder; the paper's figures are cited for its datasets.
    """
    parts: list[RenderableType] = []
    for name, split in statistics.items():
        parts += [*_split_view(name, split), Text()]
    distance = next((split["edit_distance"] for split in statistics.values() if "edit_distance" in split), None)
    if distance:
        parts += [Text.assemble(("edit distance: ", "bold"), safe_text(distance["definition"]))]
        parts += [Text(PAPER, style="dim")] if dataset in PAPER_DATASETS else []
    definitions = {title: of["definition"] for split in statistics.values() for title, of in _signed(split).items()}
    parts += [Text.assemble((f"{_shown(title)}: ", "bold"), safe_text(text)) for title, text in definitions.items()]
    return Group(*parts)


def _signed(split: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {title: of for title, of in split.items() if isinstance(of, Mapping) and of.get("scale") == SIGNED}


def _shown(title: str) -> str:
    return title.replace("_", " ")


def _split_view(name: str, split: Mapping[str, Any]) -> list[RenderableType]:
    read = f" from {count(split['rows'], 'row')}" if split["rows"] is not None else ""
    heading = Text.assemble((safe_text(name).plain, "bold"), f": {count(split['pairs'], 'pair')}{read}")
    signed = _signed(split)
    summaries = {
        title: values
        for title, values in split.items()
        if isinstance(values, Mapping) and "scale" in values and title not in signed
    }
    parts: list[RenderableType] = [heading, *([_summary_table(summaries)] if summaries else [])]
    distance = split.get("edit_distance")
    if distance:
        parts += [Text(), Text("edit distance", style="bold"), _histogram(distance["histogram"])]
        for column, groups in distance.get("by", {}).items():
            parts += [Text(), _group_table("edit distance", column, groups, format_share)]
    parts += [*([Text()] if signed and summaries else []), *([_signed_table(signed)] if signed else [])]
    for title, about in signed.items():
        for column, groups in about.get("by", {}).items():
            parts += [Text(), _group_table(_shown(title), column, groups, format_signed)]
    if "corruptions" in split:
        total = f"{count(split['corruptions']['pairs'], 'pair')}, {verification_rates.summary(split['corruptions'])}"
        parts += [Text(), Text.assemble(("corruptions: ", "bold"), total), corruption_tables(split["corruptions"])]
    if split["drops"]:
        parts += [Text(), Text.assemble(("dropped rows: ", "bold"), safe_text(_drops(split["drops"])))]
    return parts


def _summary_table(summaries: Mapping[str, Mapping[str, Any]]) -> FittedTable:
    units = {summary["scale"] for summary in summaries.values()} - {"share", "pairs"}
    table = FittedTable(
        Column(f"lengths in\n{', '.join(sorted(units))}" if units else "", numeric=False), *_columns(COLUMNS)
    )
    for title, summary in summaries.items():
        form = format_share if summary["scale"] == "share" else format_number
        table.add_row(_shown(title), *_cells(summary, COLUMNS, form))
    return table


def _signed_table(summaries: Mapping[str, Mapping[str, Any]]) -> FittedTable:
    table = FittedTable(Column(SIGNED, numeric=False), Column("pairs", hide=8), *_columns(COLUMNS))
    for title, summary in summaries.items():
        table.add_row(_shown(title), f"{summary['count']:,}", *_cells(summary, COLUMNS, format_signed))
    return table


def _group_table(
    title: str, column: str, groups: Mapping[str, Mapping[str, Any]], form: Callable[[float | None], str]
) -> FittedTable:
    heads = ("mean", "sd", "5", "50", "95")
    table = FittedTable(Column(f"{title} by {column}", numeric=False), Column("pairs"), *_columns(heads))
    for value, summary in groups.items():
        table.add_row(value, f"{summary['count']:,}", *_cells(summary, heads, form))
    return table


def _columns(heads: Iterable[str]) -> list[Column]:
    return [Column(f"{head}%" if head.isdigit() else head, hide=COLUMNS[head]) for head in heads]


def _cells(summary: Mapping[str, Any], heads: Iterable[str], form: Callable[[float | None], str]) -> list[str]:
    return [form(summary["quantiles"][head] if head.isdigit() else summary[head]) for head in heads]


def _histogram(histogram: Mapping[str, Any]) -> Table:
    """One line per bin, from the first to the last that is not empty."""
    counts, edges = histogram["counts"], histogram["edges"]
    used = [at for at, count in enumerate(counts) if count] or [0]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(max_width=BAR_WIDTH)
    table.add_column(justify="right", no_wrap=True)
    for at in range(used[0], used[-1] + 1):
        span = f"{100 * edges[at]:g}% to {100 * edges[at + 1]:g}%"
        share = format_share(counts[at] / max(sum(counts), 1))
        table.add_row(span, Bar(max(*counts, 1), 0, counts[at], color="cyan"), f"{counts[at]:,} ({share})")
    return table


def corruption_tables(corruptions: Mapping[str, Any]) -> RenderableType:
    """How corruptions were verified, as counted by ``verification_rates.count``."""
    parts: list[RenderableType] = []
    for counted in verification_rates.tables(corruptions):
        first, *others = counted.heads
        table = FittedTable(Column(first, numeric=False), *(Column(head, hide=head == "verified") for head in others))
        for row in counted.rows:
            table.add_row(*row)
        parts += [*([Text()] if parts else []), table, *([Text(counted.others, style="dim")] if counted.others else [])]
    return Group(*parts)


def shortcuts_view(splits: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> RenderableType:
    """The shortcuts of each split (``stats.shortcuts``, as JSON): what each decides, and how often it is right."""
    parts: list[RenderableType] = []
    definitions: dict[str, str] = {}
    for name, rules in splits.items():
        table = FittedTable(
            Column("rule", numeric=False), Column("pairs", hide=1), *map(Column, ("decided", "right", "with coin"))
        )
        for rule, found in rules.items():
            shares = (
                "-" if found[key] is None else format_share(found[key]) for key in ("decided", "right", "with_coin")
            )
            table.add_row(rule, f"{found['pairs']:,}", *shares)
            definitions[rule] = found["definition"]
        parts += [Text(safe_text(name).plain, style="bold"), table, Text()]
    parts += [Text(SHORTCUTS_LEGEND, style="dim"), *(Text(f"{rule}: {text}") for rule, text in definitions.items())]
    return Group(*parts)


SHORTCUTS_LEGEND = (
    "Each rule picks one of two completions. decided: pairs where it does; right: of these, those where it picks "
    "chosen; with coin: how often it is right in all, if a coin decides the rest. Below 50%, its opposite is right."
)


def split_summary(name: str, split: Mapping[str, Any], pairs_per_row: int, is_sft: bool = False) -> str:
    """What a build made of a split, in one line: pairs, how many are verified, rows with fewer pairs, drops."""
    pairs = count(split["pairs"], "example" if is_sft else "pair")
    parts = [f"{name}: {pairs} from {count(split['rows'], 'row')}"]
    if "corruptions" in split:
        parts.append(verification_rates.summary(split["corruptions"]))
    if pairs_per_row > 1 and split.get("rows_with_fewer_pairs"):
        parts.append(f"rows with fewer than {pairs_per_row} pairs: {split['rows_with_fewer_pairs']:,}")
    if split.get("repeated_pairs"):
        parts.append(f"repeated pairs left out: {split['repeated_pairs']:,}")
    if split["drops"]:
        parts.append(f"dropped rows: {_drops(split['drops'])}")
    return safe_text("; ".join(parts)).plain


def preview_summary(name: str, preview: Mapping[str, Any]) -> str:
    """What a split of a build would hold, in one line."""
    pairs, size = preview["estimated_pairs"], preview["estimated_bytes"]
    megabytes = f"{size / 1e6:,.1f} MB" if size >= 1e5 else "under 0.1 MB"
    parts = [f"{name}: about {count(pairs, 'pair')}, {megabytes}"]
    parts.append(f"estimated from the first {count(preview['rows'], 'row')}")
    if preview["drops"]:
        parts.append(f"dropped rows: {_drops(preview['drops'])}")
    return safe_text("; ".join(parts)).plain


def _drops(drops: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({count:,})" for reason, count in drops.items())
