"""The terminal view of ``audit``: how many solutions have false results, by source and column, and examples."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from pairgen.errors import count
from pairgen.report.tables import Column, FittedTable
from pairgen.report.text import format_share, safe_text, shorten


def audit_view(summary: Mapping[str, Any], found: Sequence[Mapping[str, Any]], limit: int) -> RenderableType:
    """Render an audit.

    Args:
        summary: ``Audit.summary()``.
        found: the findings as ``Audited.to_json()``, each with its ``context``: the text before and after it.
        limit: maximum number of examples.
    """
    table = FittedTable(
        Column("source", numeric=False),
        Column("column", numeric=False),
        Column("solutions"),
        Column("with false\nresults"),
        Column("share", hide=1),
        Column("truncated", hide=2),
        Column("doubtful", hide=3),
    )
    for row in summary["table"]:
        numbers = (row["solutions"], row["false"])
        share = format_share(row["false"] / row["solutions"])
        more = (row["truncated"], row["doubtful"])
        table.add_row(row["source"], row["column"], *(f"{n:,}" for n in numbers), share, *(f"{n:,}" for n in more))
    parts: list[RenderableType] = [table]
    if summary["unreadable"]:
        skipped = count(summary["unreadable"], "row")
        parts += [Text(f"skipped {skipped} of {summary['rows']:,}: no readable solution", style="bold yellow")]
    worst = worst_first(found)[:limit]
    if worst:
        parts += [Text(), Text("examples of false results", style="bold")]
        parts += [Padding(_example(one), (0, 0, 0, 2)) for one in worst]
    return Group(*parts)


def worst_first(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The false findings, first those of the solutions with most of them, then the largest relative errors."""
    false = [one for one in found if one["kind"] == "false"]
    where = [(one["split"], one["row"], one["column"]) for one in false]
    times = {key: where.count(key) for key in set(where)} if len(where) <= MAX_RANKED else {}
    order = sorted(range(len(false)), key=lambda at: (-times.get(where[at], 0), -_relative_error(false[at]), where[at]))
    return [false[at] for at in order]


MAX_RANKED = 5000
"""More findings than this are ordered by their errors only."""


def _relative_error(one: Mapping[str, Any]) -> float:
    """The relative error of a number as written; 0 if it is not a plain decimal."""
    try:
        stated, value = Fraction(one["text"].replace(",", "")), Fraction(one["value"])
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return float(abs(stated - value) / abs(value)) if value else float(abs(stated))


def _example(one: Mapping[str, Any]) -> Text:
    """``row 3, response: She has 3 * 4 = [13] pens (3 * 4 is 12)``."""
    before, after = one["context"]
    value = "" if one["value"] is None else f" is {shorten(one['value']).plain}"
    step = "" if one["step"] is None else f", step {one['step']}"
    return Text.assemble(
        (f"{one['split']} row {one['row']}, {safe_text(one['column']).plain}{step}: ", "dim"),
        safe_text(_one_line(before)),
        (f"[{safe_text(one['text']).plain}]", "bold red"),
        safe_text(_one_line(after)),
        "  ",
        (f"({shorten(one['expression']).plain}{value})", "bold"),
    )


def _one_line(text: str) -> str:
    return text.replace("\n", " ")
