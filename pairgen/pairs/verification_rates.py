"""Verification rates: how many corrupted pairs are verified, by source and strategy, and why the others are not.

``count`` gives the numbers, ``tables`` and ``summary`` their text for the dataset card and the terminal.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from pairgen.pairs.dataset import Split
from pairgen.pairs.evidence import RESULT

DEFINITION = "corrupted pairs, and those verified by exact arithmetic"

_SHOWN = ("source", "strategy", "error")
"""Columns with a table each."""
MAX_ROWS = 24
"""Rows of one table; a source may name a type for each of its rows."""


def count(split: Split) -> dict[str, Any] | None:
    """Counts of one split, ready for JSON; None if it has no corrupted pairs.

    Keys are ``definition``, ``pairs``, ``verified``; ``source``, ``strategy`` and, if there are other errors than wrong
    results, ``error`` with ``{name: {"pairs", "verified"}}`` each; ``reason`` with ``{name: pairs}`` for the others.
    Names are sorted by descending number of pairs.
    """
    keys = ["source", "strategy", "error", "check", "reason"]
    times: Counter[tuple[str | None, ...]] = Counter()
    for batch in split.batches(keys):  # one by one: a table of all of them would keep every file mapped
        found = pa.Table.from_batches([batch]).group_by(keys).aggregate([([], "count_all")]).to_pylist()
        times.update({tuple(row[key] for key in keys): row["count_all"] for row in found})
    rows = [{**dict(zip(keys, values, strict=True)), "count_all": count} for values, count in times.items()]
    rows = [row for row in rows if row["check"] is not None]
    if not rows:
        return None
    shown = [key for key in _SHOWN if key != "error" or any(row[key] not in (None, RESULT) for row in rows)]
    return {
        "definition": DEFINITION,
        **_counts(rows),
        **{key: {name: _counts(part) for name, part in _by(rows, key).items()} for key in shown},
        "reason": {
            name: _counts(part)["pairs"]
            for name, part in _by([row for row in rows if row["check"] != "verified"], "reason").items()
        },
    }


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    totals = Counter[bool]()
    for row in rows:
        totals[row["check"] == "verified"] += row["count_all"]
    return {"pairs": totals.total(), "verified": totals[True]}


def _by(rows: list[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    """Rows by name, largest count first, then by name."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(row[key] or "none", []).append(row)
    return dict(sorted(parts.items(), key=lambda item: (-_counts(item[1])["pairs"], item[0])))


# ---------------------------------------------------------------- as text


class RateTable(NamedTuple):
    """A table: its headings, and rows whose first cell comes from the data and whose others are figures."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    others: str
    """How many rows were left out; empty if none."""


def tables(counts: Mapping[str, Any]) -> list[RateTable]:
    """What ``count`` returns, by source, by strategy, by error if there are several, and by reason."""
    made = []
    for by in [key for key in _SHOWN if key in counts]:
        rows: list[tuple[str, ...]] = [
            (name, f"{part['pairs']:,}", f"{part['verified']:,}", percentage(part["verified"], part["pairs"]))
            for name, part in counts[by].items()
        ]
        made.append(_shortened((by, "pairs", "verified", "% verified"), rows))
    rows = [(name, f"{pairs:,}", percentage(pairs, counts["pairs"])) for name, pairs in counts["reason"].items()]
    if rows:
        made.append(_shortened(("reason unchecked", "pairs", "% of pairs"), rows))
    return made


def _shortened(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> RateTable:
    others = f"and {len(rows) - MAX_ROWS:,} more" if len(rows) > MAX_ROWS else ""
    return RateTable(heads, rows[:MAX_ROWS], others)


def summary(counts: Mapping[str, Any]) -> str:
    """``3,912 verified (97.8%)``."""
    return f"{counts['verified']:,} verified ({percentage(counts['verified'], counts['pairs'])})"


def percentage(part: int, total: int) -> str:
    """``part`` of ``total`` in percent; 100% only for all of them and 0% only for none, however close it comes."""
    if not total:
        return "-"
    if 0 < part < total:
        text = f"{100 * part / total:.1f}%"
        return {"0.0%": "<0.1%", "100.0%": ">99.9%"}.get(text, text)
    return "100%" if part else "0%"
