"""Terminal views as pure functions of data: the tables of statistics, and one pair with its edit marked.

What they return is printed by a rich ``Console``; nothing depends on colour.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from pairgen.pairs import shares

# ---------------------------------------------------------------- statistics

BLOCKS = " ▏▎▍▌▋▊▉█"
"""Eighths of a cell."""

BAR = 40
"""Cells of the longest bar of a histogram."""

_COLUMNS = ("mean", "sd", "min", "5", "25", "50", "75", "95", "max")

PAPER = (
    "The Smaug paper gives 6.5% for MetaMath and 90% for ARC and does not say what it counted. Its figures look like "
    "a position-by-position comparison of tokens, where one token put in makes everything behind it count as changed. "
    "Compare with --metric hamming --unit token --tokenizer ID."
)


def statistics_table(described: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """Tables of what ``stats.describe`` found per split, with a histogram of the edit distance; and its definition."""
    parts: list[RenderableType] = []
    for name, split in described.items():
        parts += [*_split(name, split), Text()]
    for split in list(described.values())[:1]:
        if "edit_distance" in split:
            parts.append(Text.assemble(("edit distance: ", "bold"), plain(split["edit_distance"]["definition"])))
            parts.append(Text(PAPER, style="dim"))
    return Group(*parts)


def _split(name: str, split: Mapping[str, Any]) -> list[RenderableType]:
    table = _table("", *(f"{head}%" if head.isdigit() else head for head in _COLUMNS))
    parts: list[RenderableType] = [_heading(name, split), table]
    for title, found in split.items():
        if isinstance(found, Mapping) and "quantiles" in found:
            table.add_row(plain(title.replace("_", " ")), *_figures(found, found["scale"]))
    distance = split.get("edit_distance")
    if distance:
        parts += [Text("edit distance", style="bold"), _histogram(distance["histogram"])]
        for column, groups in distance.get("by", {}).items():
            parts += [Text(), _by_table(column, groups)]
    if "corruptions" in split:
        said = f"{split['corruptions']['pairs']:,} pairs, {shares.verified(split['corruptions'])}"
        parts += [Text(), Text.assemble(("corruptions: ", "bold"), said), corruption_tables(split["corruptions"])]
    if split["drops"]:
        rows = ", ".join(f"{reason} {count:,}" for reason, count in split["drops"].items())
        parts += [Text(), Text.assemble(("dropped rows: ", "bold"), plain(rows))]
    return parts


def corruption_tables(found: Mapping[str, Any]) -> RenderableType:
    """How corruptions were checked, of what ``stats.corruptions.shares`` counted."""
    parts: list[RenderableType] = []
    for made in shares.tables(found):
        table = _table(*made.heads)
        for first, *figures in made.rows:
            table.add_row(cut(first, LINE), *figures)
        parts += [*([Text()] if parts else []), table, *([Text(made.others, style="dim")] if made.others else [])]
    return Group(*parts)


def built_sentence(name: str, split: Mapping[str, Any], corruptions: int) -> str:
    """What came out of a split, in one line: pairs, how many are verified, rows with fewer than wanted, drops."""
    said = [f"{name}: {split['pairs']:,} pairs from {split['rows']:,} rows"]
    if "corruptions" in split:
        said.append(shares.verified(split["corruptions"]))
    if corruptions > 1 and split.get("rows_with_fewer_pairs"):
        said.append(f"{split['rows_with_fewer_pairs']:,} rows made fewer than {corruptions}")
    said += [f"dropped {count:,}: {reason}" for reason, count in split["drops"].items()]
    return plain("; ".join(said)).plain


def _heading(name: str, split: Mapping[str, Any]) -> Text:
    read = f" from {split['rows']:,} rows" if split["rows"] is not None else ""
    return Text.assemble((plain(name).plain, "bold"), f": {split['pairs']:,} pairs{read}")


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for at, head in enumerate(heads):
        table.add_column(head, justify="right" if at else "left", no_wrap=bool(at), overflow="fold")
    return table


def _by_table(column: str, groups: Mapping[str, Mapping[str, Any]]) -> Table:
    heads = ("mean", "sd", "5", "50", "95")
    table = _table(f"edit distance by {column}", "pairs", *(f"{head}%" if head.isdigit() else head for head in heads))
    for value, found in groups.items():
        table.add_row(plain(value), f"{found['count']:,}", *_figures(found, "share", heads))
    return table


def _figures(found: Mapping[str, Any], scale: str, heads: Sequence[str] = _COLUMNS) -> list[str]:
    values = [found["quantiles"][head] if head.isdigit() else found[head] for head in heads]
    return [figure(value, scale == "share") for value in values]


def figure(value: float | None, share: bool) -> str:
    """A number in at most six characters: a share of 0.0123 is ``1.23%``, a length of 1234.5 is ``1,234``."""
    if value is None:
        return "-"
    if share:
        return f"{100 * value:.{2 if value < 0.09995 else 1}f}%"
    if value >= 9_999_500:
        return f"{value / 1e6:,.0f}M"
    if value >= 99_999.5:
        return f"{value / 1e3:,.0f}k"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _histogram(found: Mapping[str, Any]) -> Table:
    """One line per bin from the first to the last that holds any pair."""
    counts, edges = found["counts"], found["edges"]
    used = [at for at, count in enumerate(counts) if count] or [0]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for at in range(used[0], used[-1] + 1):
        span = f"{100 * edges[at]:g}% to {100 * edges[at + 1]:g}%"
        bar = draw_bar(counts[at] / max(max(counts), 1), BAR)
        share = figure(counts[at] / max(sum(counts), 1), True)
        table.add_row(span, Text(bar, style="cyan"), f"{counts[at]:,} ({share})")
    return table


def draw_bar(share: float, width: int) -> str:
    """A bar of ``share`` of ``width`` cells, drawn to an eighth of a cell; anything above nothing leaves a mark."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + BLOCKS[eighths % 8].strip()


# ---------------------------------------------------------------- one pair

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
"""Characters that move the cursor, colour, reorder or hide text: all of them can make a screen lie. Newline, tab and
the joiners that emoji are built with stay."""

MOST = 600
"""Code points of a text that are shown unless all of it is asked for."""

LINE = 200
"""Code points of an id or a literal that are shown in any case: provenance is there to be scanned."""

_PROVENANCE = ("expression", "check", "reason", "strategy", "source", "pair_id", "group_id")


def pair_view(row: Mapping[str, Any], width: int, full: bool = False) -> RenderableType:
    """One pair: prompt, chosen with ``[-what was there-]``, rejected with ``{+what came instead+}``, provenance.

    Args:
        row: a row of the contract.
        width: cells of the view.
        full: show texts whole; otherwise long ones are cut, and what is cut is counted.
    """
    most = None if full else MOST
    start = row["edit_start"]
    parts: list[RenderableType] = [Rule(cut(row["pair_id"], LINE), style="dim")]
    parts += _section("prompt", cut(row["prompt"], most))
    parts += _section("chosen", _marked(row["chosen"], start, row["chosen_edit_stop"], ("[-", "-]"), "bold red", most))
    parts += _section(
        "rejected", _marked(row["rejected"], start, row["rejected_edit_stop"], ("{+", "+}"), "bold green", most)
    )
    parts.append(_provenance(row))
    return Constrain(Group(*parts), width)


def plain(text: Any) -> Text:
    """A text that cannot act on the terminal: control characters and direction marks are shown as escapes."""
    return Text(UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), str(text)))


def cut(text: str, most: int | None) -> Text:
    """A text with its middle left out, and how much that is, if it is over ``most`` code points."""
    if most is None or len(text) <= most:
        return plain(text)
    half = most // 2
    left_out = Text(f" [... {len(text) - 2 * half:,} characters ...] ", style="dim")
    return Text.assemble(plain(text[:half]), left_out, plain(text[-half:]))


def _marked(text: str, start: int, stop: int, marks: tuple[str, str], style: str, most: int | None) -> Text:
    """A completion with its edited span marked; of a long text the part around the span is kept whole."""
    before, edited, after = text[:start], text[start:stop], text[stop:]
    each = None if most is None else most // 2
    if each is not None and len(before) > each:
        before_text = Text.assemble(Text(f"[... {len(before) - each:,} characters ...] ", "dim"), plain(before[-each:]))
    else:
        before_text = plain(before)
    if each is not None and len(after) > each:
        after_text = Text.assemble(plain(after[:each]), Text(f" [... {len(after) - each:,} characters ...]", "dim"))
    else:
        after_text = plain(after)
    middle = cut(edited, most)
    middle.stylize(style)
    return Text.assemble(before_text, (marks[0], style), middle, (marks[1], style), after_text)


def _section(title: str, text: Text) -> list[RenderableType]:
    return [Text(title, style="bold"), Padding(text, (0, 0, 0, 2))]


def _provenance(row: Mapping[str, Any]) -> RenderableType:
    """What is known of the edit, one line per fact; what is null is left out."""
    facts = []
    if row["correct"] is not None:
        facts.append(("edit", f"{row['correct']} -> {row['corrupted']}{_values(row)}"))
    if row["step"] is not None:
        facts.append(("step", f"{row['step']} of {row['steps']}"))
    facts += [(name.replace("_", " "), row[name]) for name in _PROVENANCE if row[name] is not None]
    facts.append(("edit distance", figure(row["edit_distance"], True)))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(name, style="dim"), cut(str(value), LINE))
    return table


def _values(row: Mapping[str, Any]) -> str:
    """The exact values, where they say more than the literals do."""
    values = [str(row[name] or "").removesuffix("/1") for name in ("correct_value", "corrupted_value")]
    known = all(values) and values != [row["correct"], row["corrupted"]]
    return f" (exactly {values[0]} -> {values[1]})" if known else ""
