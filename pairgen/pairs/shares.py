"""How corruptions were checked, as rows of text: terminal and card show the same tables, each in its own way."""

from collections.abc import Mapping
from typing import Any, NamedTuple

MOST = 24
"""Rows of one table; what a source calls its rows may be different in each of them."""


class Shares(NamedTuple):
    """A table: its heads, then rows whose first cell comes from the data and the others are figures."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    others: str
    """What became of the rows beyond ``MOST``; empty if there are none."""


def tables(found: Mapping[str, Any]) -> list[Shares]:
    """By source, by strategy, and the reasons of the unchecked, of what ``stats.corruptions.shares`` counted."""
    made = []
    for by in ("source", "strategy"):
        rows: list[tuple[str, ...]] = [
            (name, f"{counts['pairs']:,}", f"{counts['verified']:,}", share(counts["verified"], counts["pairs"]))
            for name, counts in found[by].items()
        ]
        made.append(_shortened((by, "pairs", "verified", "share"), rows))
    rows = [(name, f"{count:,}", share(count, found["pairs"])) for name, count in found["reason"].items()]
    if rows:
        made.append(_shortened(("unchecked because", "pairs", "of all"), rows))
    return made


def _shortened(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Shares:
    others = f"{len(rows) - MOST:,} more, with no more pairs each" if len(rows) > MOST else ""
    return Shares(heads, rows[:MOST], others)


def verified(found: Mapping[str, Any]) -> str:
    """The sum of it: ``3,912 verified (97.8%)``."""
    return f"{found['verified']:,} verified ({share(found['verified'], found['pairs'])})"


def share(part: int, whole: int) -> str:
    """A share in percent; it is 100% only of all and 0% only of none, however close it comes."""
    if not whole:
        return "-"
    if 0 < part < whole:
        text = f"{100 * part / whole:.1f}%"
        return {"0.0%": "<0.1%", "100.0%": ">99.9%"}.get(text, text)
    return "100%" if part else "0%"
