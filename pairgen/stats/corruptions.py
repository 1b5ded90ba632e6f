"""How corruptions were made and checked: pairs by source, by the rule that found the place, by why one is unchecked."""

from collections import Counter
from typing import Any

import pyarrow as pa

from pairgen.pairs.dataset import Split

DEFINITION = "corrupted pairs, and those whose right and wrong value exact arithmetic confirms (verified)"

_COLUMNS = ("source", "strategy", "check", "reason")


def shares(split: Split) -> dict[str, Any] | None:
    """Counts of one split, ready for JSON; None if no pair of it is a corruption.

    Keys are ``definition``, ``pairs``, ``verified``, then ``source`` and ``strategy`` with ``{name: {"pairs",
    "verified"}}`` each, and ``reason`` with ``{name: pairs}``; each table from the most frequent name to the least.
    """
    counts: Counter[tuple[str | None, ...]] = Counter()
    for batch in split.batches([*_COLUMNS]):
        grouped = pa.Table.from_batches([batch]).group_by([*_COLUMNS]).aggregate([([], "count_all")])
        columns = [grouped[name].to_pylist() for name in (*_COLUMNS, "count_all")]
        for *key, count in zip(*columns, strict=True):
            counts[tuple(key)] += count
    pairs, verified, reasons = Counter[str](), Counter[str](), Counter[str]()
    tables: dict[str, tuple[Counter[str], Counter[str]]] = {
        "source": (Counter(), Counter()),
        "strategy": (Counter(), Counter()),
    }
    for (source, strategy, check, reason), count in counts.items():
        if check is None:
            continue
        pairs["all"] += count
        verified["all"] += count * (check == "verified")
        for table, name in (("source", source), ("strategy", strategy)):
            tables[table][0][name or "none"] += count
            tables[table][1][name or "none"] += count * (check == "verified")
        if check != "verified":
            reasons[reason or "none"] += count
    if not pairs:
        return None
    return {
        "definition": DEFINITION,
        "pairs": pairs["all"],
        "verified": verified["all"],
        **{
            table: {name: {"pairs": count, "verified": right[name]} for name, count in _ordered(all_)}
            for table, (all_, right) in tables.items()
        },
        "reason": dict(_ordered(reasons)),
    }


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first, equally frequent ones by name."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
