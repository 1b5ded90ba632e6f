"""Statistics of a pair dataset: values per pair, summarized per split.

To add one, write a function from a record batch to one number per pair, and enter it in ``STATISTICS``:
``STATISTICS["name"] = Statistic(...)``. ``pairgen stats`` shows it.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pairgen.errors import UsageError
from pairgen.pairs import verification_rates
from pairgen.pairs.dataset import PairDataset, Split
from pairgen.pairs.masks import Mask
from pairgen.stats import distance as edits
from pairgen.stats import lengths, shortcuts
from pairgen.stats.summary import Numbers, histogram, summarize


class Statistic(NamedTuple):
    """A number that every pair has.

    ``definition`` is one line that names the unit. ``scale`` is ``share`` for numbers from 0 to 1 (shown in percent,
    with a histogram), or else the unit. ``of`` maps a batch with these ``columns`` to one finite number per row.
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
        "length of the common prefix / length of the longer completion, in code points",
        "share",
        _SPAN,
        lengths.shared_prefix,
    ),
}

_OF_REJECTED = {"rejected", "edit_distance", "edit_start", "chosen_edit_stop", "rejected_edit_stop"}
"""Columns that say nothing where there are no rejected completions."""

CORRUPTIONS = "corruptions"
"""Name of the verification rates in what ``describe`` returns."""

SHORTCUTS = "shortcuts"
"""Name of the rules of ``stats.shortcuts`` in what ``describe`` returns."""

SHORTCUT_PAIRS = 4000
"""Pairs of a split, from the first on, on which a build measures the rules."""

RECORDED = ("edit_distance", CORRUPTIONS, SHORTCUTS)
"""What the manifest of a dataset records."""

PAIRS_PER_GROUP = "pairs with the same prompt and chosen, one number per group"

BY = ("source", "strategy", "error", "check", "reason")
"""Columns that ``describe`` can group by."""


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

    Per split: ``pairs``, ``rows`` and ``drops`` of the manifest; each statistic with its definition, scale and summary
    (see ``summarize``), a histogram if it is a share, and with ``by`` a summary for each value of that column; and
    ``corruptions`` (see ``verification_rates.count``) if there are any. Only if named: ``shortcuts``, the rules of
    ``stats.shortcuts``, strongest first.

    Data for supervised fine-tuning has only those that need no rejected completions.

    Args:
        metric, unit, tokenizer: how ``edit_distance`` is measured; the default reads the stored column.
        by: a column of ``BY``.
        names: statistics to compute, of ``STATISTICS``, ``pairs_per_group``, ``corruptions`` and ``shortcuts``; all but
            the last by default. Shortcuts are measured on the first ``SHORTCUT_PAIRS`` pairs.

    Raises:
        UsageError: an unknown metric, unit, column or statistic, or a tokenizer that is missing or cannot be loaded.
        InvalidDataset: a damaged shard.
    """
    check_by(by)
    known = (*STATISTICS, "pairs_per_group", CORRUPTIONS)
    wanted = known if names is None else names
    for name in wanted:
        if name not in (*known, SHORTCUTS):
            raise UsageError(f"{name}: unknown statistic; available: {', '.join((*known, SHORTCUTS))}")
    if dataset.manifest.get("sft"):
        wanted = [name for name in wanted if name in STATISTICS and not _OF_REJECTED & {*STATISTICS[name].columns}]
    table = {name: statistic for name, statistic in STATISTICS.items() if name in wanted}
    distance = edits.measure(metric, unit, tokenizer)
    if "edit_distance" in table and distance is not edits.stored:
        definition = edits.definition(metric, unit, tokenizer)
        table["edit_distance"] = Statistic(definition, "share", ("chosen", "rejected"), distance)
    return {
        name: {
            **_counts(dataset, split),
            **_statistics(split, table, by),
            **({"pairs_per_group": _group_sizes(split)} if "pairs_per_group" in wanted else {}),
            **(_corruptions(split) if CORRUPTIONS in wanted else {}),
            **(_shortcuts(split) if SHORTCUTS in wanted else {}),
        }
        for name, split in dataset.splits.items()
    }


def _corruptions(split: Split) -> dict[str, Any]:
    counts = verification_rates.count(split)
    return {CORRUPTIONS: counts} if counts else {}


def _shortcuts(split: Split) -> dict[str, Any]:
    found = shortcuts.measure(split, SHORTCUT_PAIRS)
    return {SHORTCUTS: {name: strength.to_json() for name, strength in found.items()}} if found else {}


def _counts(dataset: PairDataset, split: Split) -> dict[str, Any]:
    info = dataset.manifest["splits"][split.name]
    return {"pairs": split.pairs, "rows": info.get("rows"), "drops": dict(info.get("drops") or {})}


def _statistics(split: Split, table: dict[str, Statistic], by: str | None) -> dict[str, Any]:
    """Each statistic of the table, for all pairs and, with ``by``, for each value of that column."""
    columns = dict.fromkeys(name for statistic in table.values() for name in statistic.columns)
    parts: dict[str, list[Numbers]] = {name: [np.empty(0, np.int32)] for name in table}
    for batch in split.batches([*columns]) if table else ():
        for name, statistic in table.items():
            parts[name].append(np.array(statistic.of(batch)))  # a copy: a view would keep the file mapped
    values = {name: np.concatenate(found[1:] or found) for name, found in parts.items()}
    parts.clear()
    groups = _groups(split.table([by])[by]) if by else {}
    return {
        name: _shown(statistic.definition, statistic.scale, values[name], by, groups)
        for name, statistic in table.items()
    }


def measured(
    split: Split, found: pa.Table, definitions: Mapping[str, str], scale: str, by: str | None = None
) -> dict[str, dict[str, Any]]:
    """Numbers of pairs that were measured elsewhere, such as by a model, as ``describe`` returns its own.

    Args:
        found: ``pair_id``, and one finite number in each column that ``definitions`` defines. It may lack pairs.
        scale: the unit.
        by: a column of ``BY``.

    Returns:
        By name: definition, scale, summary, and with ``by`` a summary for each value of that column.

    Raises:
        UsageError: an unknown column.
    """
    check_by(by)
    groups: dict[str, Mask] = {}
    if by:
        columns = split.table(["pair_id", by])
        at = pc.index_in(found["pair_id"], value_set=columns["pair_id"].combine_chunks())
        groups = _groups(columns[by].take(at))
    return {
        name: _shown(definition, scale, found[name].to_numpy(), by, groups) for name, definition in definitions.items()
    }


def check_by(by: str | None) -> None:
    """Raise UsageError for a column by which statistics are not grouped."""
    if by is not None and by not in BY:
        raise UsageError(f"--by must be one of {', '.join(BY)}, got {by!r}")


def _groups(column: pa.ChunkedArray) -> dict[str, Mask]:
    """Where a column has each of its values, in alphabetical order; a null is ``none``."""
    labels = column.combine_chunks().fill_null("none").dictionary_encode()
    codes = labels.indices.to_numpy()
    order = sorted(enumerate(labels.dictionary.to_pylist()), key=lambda item: str(item[1]))
    return {label: codes == code for code, label in order}


def _shown(definition: str, scale: str, values: Numbers, by: str | None, groups: Mapping[str, Mask]) -> dict[str, Any]:
    return {
        "definition": definition,
        "scale": scale,
        **summarize(values),
        **({"histogram": histogram(values)} if scale == "share" else {}),
        **({"by": {by: {label: summarize(values[where]) for label, where in groups.items()}}} if by else {}),
    }


def _group_sizes(split: Split) -> dict[str, Any]:
    sizes = split.table(["group_id"])["group_id"].value_counts().field("counts").to_numpy()
    return {"definition": PAIRS_PER_GROUP, "scale": "pairs", **summarize(sizes)}
