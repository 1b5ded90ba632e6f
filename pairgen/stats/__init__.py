"""Statistics of a pair dataset: numbers per pair, one line of ``STATISTICS`` each, summed up per split.

To add one, write a function from a batch to one number per pair, and give it a line in the table.
"""

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.errors import UsageError
from pairgen.pairs import verification_rates
from pairgen.pairs.dataset import PairDataset, Split
from pairgen.stats import distance as edits
from pairgen.stats import lengths
from pairgen.stats.summary import Numbers, Summary, by_value, histogram


class Statistic(NamedTuple):
    """A number each pair has.

    ``definition`` says in one line what is counted and in what; ``scale`` is ``share`` (0 to 1, shown as percent and
    as a histogram) or the unit's name; ``columns`` are those that ``of`` reads.
    """

    definition: str
    scale: str
    columns: tuple[str, ...]
    of: Callable[[pa.RecordBatch], Numbers]


_SPAN = ("chosen", "edit_start", "chosen_edit_stop", "rejected_edit_stop")

STATISTICS: dict[str, Statistic] = {
    "edit_distance": Statistic(edits.definition(), "share", ("edit_distance",), edits.stored),
    "prompt_length": Statistic(
        "length of the prompt in code points", "code points", ("prompt",), lengths.prompt_length
    ),
    "chosen_length": Statistic("length of chosen in code points", "code points", ("chosen",), lengths.chosen_length),
    "rejected_length": Statistic(
        "length of rejected in code points", "code points", ("rejected",), lengths.rejected_length
    ),
    "shared_prefix": Statistic(
        "code points before the edit / code points of the longer completion", "share", _SPAN, lengths.shared_prefix
    ),
}

CORRUPTIONS = "corruptions"
"""The table of how corruptions were checked; datasets without any have none."""

PAIRS_PER_GROUP = "pairs that share prompt and chosen, one number per group"

BY = ("source", "strategy", "check", "reason")
"""Columns that ``describe`` can group by."""

_GROUP, _BY = "group id", "by what"  # beside the names of STATISTICS, which hold no space
_NOTHING = np.empty(0, dtype=np.int32)


def describe(
    dataset: PairDataset,
    *,
    metric: str = "levenshtein",
    unit: str = "char",
    tokenizer: str | None = None,
    by: str | None = None,
    names: Collection[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """The statistics of every split, ready for JSON.

    Per split: ``pairs``, ``rows`` and ``drops`` as the manifest has them, then per statistic its definition, its
    summary (see ``Summary``), a histogram if it is a share, and with ``by`` a summary for each value of that column;
    and ``corruptions`` (see ``verification_rates.count``) where there are any.

    Args:
        metric, unit, tokenizer: how ``edit_distance`` is measured; the default reads the stored column.
        by: a column of ``BY``.
        names: the statistics wanted, of ``STATISTICS``, ``pairs_per_group`` and ``corruptions``; all by default.

    Raises:
        UsageError: an unknown metric, unit, column or statistic, or a tokenizer that is missing or cannot be loaded.
        InvalidDataset: a damaged shard.
    """
    if by is not None and by not in BY:
        raise UsageError(f"--by {by}: unknown; choose one of {', '.join(BY)}")
    known = (*STATISTICS, "pairs_per_group", CORRUPTIONS)
    wanted = known if names is None else names
    for name in wanted:
        if name not in known:
            raise UsageError(f"{name}: no such statistic; there are {', '.join(known)}")
    table = {name: statistic for name, statistic in STATISTICS.items() if name in wanted}
    distance = edits.measure(metric, unit, tokenizer)
    if "edit_distance" in table and distance is not edits.stored:
        table["edit_distance"] = Statistic(
            edits.definition(metric, unit, tokenizer), "share", ("chosen", "rejected"), distance
        )
    return {
        name: {
            **_counts(dataset, split),
            **_describe_split(
                split, table, by, grouped="pairs_per_group" in wanted, computed=distance is not edits.stored
            ),
            **(_corruptions(split) if CORRUPTIONS in wanted else {}),
        }
        for name, split in dataset.splits.items()
    }


def _corruptions(split: Split) -> dict[str, Any]:
    counts = verification_rates.count(split)
    return {CORRUPTIONS: counts} if counts else {}


def _counts(dataset: PairDataset, split: Split) -> dict[str, Any]:
    said = dataset.manifest["splits"][split.name]
    return {"pairs": split.pairs, "rows": said.get("rows"), "drops": dict(said.get("drops") or {})}


def _describe_split(
    split: Split, table: dict[str, Statistic], by: str | None, grouped: bool, computed: bool
) -> dict[str, Any]:
    columns = dict.fromkeys(name for statistic in table.values() for name in statistic.columns)
    columns |= dict.fromkeys([*(["group_id"] if grouped else []), *([by] if by else [])])
    codes: dict[str, int] = {}
    collected: dict[str, list[Any]] = {name: [] for name in (*table, _GROUP, _BY)}

    def numbers(batch: pa.RecordBatch) -> dict[str, Any]:
        found: dict[str, Any] = {name: statistic.of(batch) for name, statistic in table.items()}
        found[_GROUP] = lengths.group_keys(batch) if grouped else _NOTHING
        found[_BY] = batch[by].fill_null("none").dictionary_encode() if by else None
        return found

    mapped = map if computed else _in_threads  # a computed distance brings threads of its own
    for found in mapped(numbers, split.batches(list(columns))):
        found[_BY] = _codes(found[_BY], codes) if by else _NOTHING
        for name, values in found.items():
            collected[name].append(values)

    joined: dict[str, Any] = {}
    for name in list(collected):  # one after the other, so that nothing is held twice for long
        parts = collected.pop(name)
        joined[name] = np.concatenate(parts) if parts else _NOTHING
    labels = {code: label for label, code in codes.items()}
    result: dict[str, Any] = {}
    for name, statistic in table.items():
        values = joined.pop(name)
        groups = by_value(values, joined[_BY], labels) if by else None
        values.sort()
        result[name] = _shown(statistic.definition, statistic.scale, values)
        if by:
            result[name]["by"] = {by: groups}
    if grouped:
        result["pairs_per_group"] = _shown(PAIRS_PER_GROUP, "pairs", np.sort(lengths.pairs_per_group(joined[_GROUP])))
    return result


def _shown(definition: str, scale: str, values: Numbers) -> dict[str, Any]:
    """What is told of sorted numbers."""
    shown = {"definition": definition, "scale": scale, **Summary.of(values, is_sorted=True).as_dict()}
    return {**shown, "histogram": histogram(values, is_sorted=True)} if scale == "share" else shown


def _codes(encoded: Any, known: dict[str, int]) -> NDArray[np.int32]:
    """Which value each pair has, as a number that ``known`` keeps for all batches."""
    table = [known.setdefault(value, len(known)) for value in encoded.dictionary.to_pylist()]
    codes: NDArray[np.int32] = np.array(table, dtype=np.int32)[encoded.indices.to_numpy()]
    return codes


def _in_threads(of: Callable[[pa.RecordBatch], dict[str, Any]], batches: Iterator[pa.RecordBatch]) -> Iterator[Any]:
    """``of`` over all batches, in order. Arrow lets go of the interpreter's lock, so threads do help it."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        yield from pool.map(of, batches)
