"""Figures of numbers that every pair has: edit distances, lengths, where the edit is."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.errors import count
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.edits import METRICS
from pairgen.report.documents.content import Histogram, Line, Lines
from pairgen.report.documents.statements import share_text
from pairgen.report.figures import counts
from pairgen.stats import distance, lengths
from pairgen.stats.summary import EDGES

PAIRS = "share of pairs"
UNITS = {"char": "code points", "word": "words"}
"""Units that need no tokenizer, as they are called here."""

MEASURED = 20_000
"""Pairs on which definitions of the edit distance are compared."""

GRID = [0.0, *(10 ** (power / 20 - 4) for power in range(60)), *(percent / 100 for percent in range(10, 101))]
"""Distances at which shares are counted: from 0.01% in equal ratios, and from 10% on every percent."""

SMALL = 0.1
"""If half of the pairs have less than this distance, its axis is logarithmic."""

PARTS = 20
"""Bins of the position of the edit."""


def edit_distance(dataset: PairDataset) -> Histogram | None:
    """The stored edit distance, in each split."""
    if dataset.manifest.get("sft"):
        return None
    series = {
        name: counts.shares(counts.batches([split], ["edit_distance"], distance.stored), EDGES)
        for name, split in counts.filled(dataset).items()
    }
    if not series:
        return None
    used = np.flatnonzero(sum(series.values()))
    first, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, len(EDGES) - 1)
    return Histogram(
        "edit-distance",
        "Edit distance between chosen and rejected",
        "edit distance (% of the length; bins widen to the right)",
        PAIRS,
        EDGES[first : stop + 1],
        {name: shares[first:stop].tolist() for name, shares in series.items()},
        x_percent=True,
        even=True,
        note=f"{distance.definition()}.",
    )


def edit_distance_definitions(dataset: PairDataset) -> Lines | None:
    """How many pairs have at most an edit distance, under each definition of it that needs no tokenizer."""
    splits = [*counts.filled(dataset).values()]
    if dataset.manifest.get("sft") or not splits:
        return None
    measures = {
        f"{metric.capitalize()}, {name}": distance.measure(metric, unit, None)
        for unit, name in UNITS.items()
        for metric in METRICS
    }
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in measures}
    for batch in counts.sampled(splits, ["chosen", "rejected", "edit_distance"], MEASURED):
        for name, measure in measures.items():
            found[name].append(measure(batch))
    sums = {name: np.cumsum(counts.shares(values, GRID)) for name, values in found.items()}
    lowest, highest = np.min([*sums.values()], axis=0), np.max([*sums.values()], axis=0)
    first = max(int(np.searchsorted(highest, 1e-9)) - 1, 0)
    stop = int(np.searchsorted(lowest, 1 - 1e-9)) + 1
    pairs, measured = sum(split.pairs for split in splits), sum(map(len, found[next(iter(found))]))
    sampling = f" Measured on {measured:,} of {count(pairs, 'pair')}, spread evenly." if measured < pairs else ""
    return Lines(
        "edit-distance-definitions",
        "Edit distance under several definitions",
        "edit distance (% of the length)",
        "share of pairs with at most this distance",
        {name: Line(GRID[1:][first:stop], total[first:stop].tolist()) for name, total in sums.items()},
        x_log=float(np.median(np.concatenate(found[next(iter(found))]))) < SMALL,
        x_percent=True,
        y_percent=True,
        note=f"{'; '.join(metric.definition for metric in METRICS.values())}.{sampling}",
    )


def prompt_length(dataset: PairDataset) -> Histogram | None:
    """Lengths of prompts, in each split."""
    found = {
        name: counts.batches([split], ["prompt"], lengths.prompt_length)
        for name, split in counts.filled(dataset).items()
    }
    return _lengths("prompt-length", "Length of the prompt", "share of prompts", "prompt", found)


def completion_length(dataset: PairDataset) -> Histogram | None:
    """Lengths of chosen and rejected."""
    splits = counts.filled(dataset).values()
    sides: dict[str, Callable[[pa.RecordBatch], Any]] = {"chosen": lengths.chosen_length}
    if not dataset.manifest.get("sft"):
        sides["rejected"] = lengths.rejected_length
    found = {name: counts.batches(splits, [name], of) for name, of in sides.items()}
    return _lengths("completion-length", "Length of the completions", "share of completions", "completion", found)


def _lengths(
    name: str, title: str, y_label: str, noun: str, found: Mapping[str, Iterable[NDArray[Any]]]
) -> Histogram | None:
    counted = {series: counts.whole_counts(values) for series, values in found.items()}
    counted = {series: values for series, values in counted.items() if values.sum()}
    if not counted:
        return None
    edges = counts.whole_bins(counted.values())
    texts = sum(int(values.sum()) for values in counted.values())
    outside = texts - sum(int(values[edges[0] : edges[-1]].sum()) for values in counted.values())
    longest = max(len(values) for values in counted.values()) - 1
    reach = f"{longest:,} code points" + (" or more" if longest == counts.MOST else "")
    return Histogram(
        name,
        title,
        "length (code points)",
        y_label,
        edges,
        {series: counts.whole_shares(values, edges) for series, values in counted.items()},
        note=f"Not in view: {share_text(outside, texts, noun)}; the longest has {reach}." if outside else "",
    )


def edit_position(dataset: PairDataset) -> Histogram | None:
    """Where in chosen the edit begins, in each split."""
    if dataset.manifest.get("sft"):
        return None
    series = {
        name: counts.whole_counts(counts.batches([split], ["chosen", "edit_start"], _part))
        for name, split in counts.filled(dataset).items()
    }
    if not series:
        return None
    edges = [*range(PARTS + 1)]
    return Histogram(
        "edit-position",
        "Where the edit begins",
        "start of the edit (% of the length of chosen)",
        PAIRS,
        [edge / PARTS for edge in edges],
        {name: counts.whole_shares(found, edges) for name, found in series.items()},
        x_percent=True,
    )


def _part(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """In which of ``PARTS`` equal parts of chosen the edit begins, from 0; its end belongs to the last one."""
    start = batch["edit_start"].to_numpy().astype(np.int64)
    parts: NDArray[np.int64] = np.minimum(PARTS * start // np.maximum(lengths.chosen_length(batch), 1), PARTS - 1)
    return parts
