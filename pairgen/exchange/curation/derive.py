"""Datasets derived from others: selected rows, the manifest that they inherit, and the history of what was done."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from pairgen import stats
from pairgen.building.manifest import published
from pairgen.errors import UsageError
from pairgen.pairs.dataset import HistoryEntry, Manifest, PairDataset
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import Progress, ignore

Keys = NDArray[np.uint64]
"""64-bit hashes of texts, one per row."""

Rows = Iterable[tuple[str, pa.RecordBatch]]
"""Batches of ``SCHEMA``, each with the name of its split."""

TRAIN = "train"

_WRITTEN = ("format", "splits", "shard", "statistics", "history")
"""Keys of a manifest that are written anew."""

_OWN = ("title", "description", "command", "sources")
"""Keys that describe one dataset, and so not a mix of several."""


@dataclass
class Change:
    """What a command does: its words, the pairs that it removes from each split by reason, and further details."""

    command: Sequence[str]
    removed: dict[str, Counter[str]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def remove(self, split: str, reason: str, pairs: int) -> None:
        """Count pairs that are left out."""
        if pairs:
            self.removed.setdefault(split, Counter())[reason] += int(pairs)


def command_line(name: str, datasets: Sequence[PairDataset], out: str | os.PathLike[str], *flags: object) -> list[str]:
    """The words of a command that derives a dataset, for its history. Absolute paths lose their folder."""
    paths = [published(os.fspath(dataset.path)) for dataset in datasets]
    return ["pairgen", name, *paths, "--out", published(os.fspath(out)), *map(str, flags)]


def write_derived(
    out: str | os.PathLike[str],
    datasets: Sequence[PairDataset],
    rows: Rows,
    change: Change,
    overwrite: bool = False,
) -> PairDataset:
    """Write rows of one or several datasets as a new dataset, with statistics as in a build, and open it.

    One dataset passes on all that its manifest says of its build, several only what they agree on. A split that is left
    without rows is left out.

    Args:
        rows: the rows to keep. ``change`` is read once they are consumed, so they may count what they leave out.
        overwrite: replace a dataset at ``out``, which may be one of ``datasets``.

    Raises:
        UsageError: no row would be left to train on.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind.
    """
    pairs: Counter[str] = Counter()
    with DatasetWriter(out, overwrite) as writer:
        for split, batch in rows:
            if batch.num_rows:
                writer.write(split, batch)
                pairs[split] += batch.num_rows
        if not pairs or any(TRAIN in dataset.splits for dataset in datasets) > (TRAIN in pairs):
            raise UsageError(f"{out}: no pairs would be left to train on; nothing was written")
        manifest = inherited(datasets, list(pairs))
        manifest["history"] = [*manifest.get("history", []), _entry(datasets, pairs, change)]
        return writer.commit(manifest, lambda dataset: stats.describe(dataset, names=stats.RECORDED))


def inherited(datasets: Sequence[PairDataset], splits: Sequence[str]) -> Manifest:
    """All of a manifest but statistics and the counts of ``splits``, in the order of the datasets."""
    manifests: list[dict[str, Any]] = [dict(dataset.manifest) for dataset in datasets]
    known = [name for dataset in datasets for name in dataset.splits]
    order = [name for name in dict.fromkeys([*known, *splits]) if name in splits]
    if len(datasets) == 1:
        infos: dict[str, dict[str, Any]] = {name: dict(manifests[0]["splits"].get(name, {})) for name in order}
        counts = {
            name: {key: info[key] for key in info if key not in ("pairs", "shards")} for name, info in infos.items()
        }
        alone = {key: value for key, value in manifests[0].items() if key not in _WRITTEN or key == "history"}
        return {**alone, "splits": counts}  # type: ignore[typeddict-item]
    common = {
        key: value
        for key, value in manifests[0].items()
        if key not in (*_WRITTEN, *_OWN) and all(other.get(key) == value for other in manifests[1:])
    }
    names = [dataset.path.resolve().name for dataset in datasets]
    sources = {
        f"{name}/{split}": about
        for name, manifest in zip(names, manifests, strict=True)
        for split, about in manifest.get("sources", {}).items()
    }
    mixed = {"title": f"Mix of {', '.join(names[:-1])} and {names[-1]}", **common, "sources": sources}
    return {**mixed, "splits": {name: {} for name in order}}  # type: ignore[typeddict-item]


def _entry(datasets: Sequence[PairDataset], pairs: Counter[str], change: Change) -> HistoryEntry:
    before: Counter[str] = Counter()
    for dataset in datasets:
        before.update({name: split.pairs for name, split in dataset.splits.items()})
    entry: HistoryEntry = {
        "command": shlex.join(change.command),
        "inputs": [dataset.path.resolve().name for dataset in datasets],
        "splits": {
            name: {
                "pairs_before": before[name],
                "pairs": pairs[name],
                "removed": dict(sorted(change.removed.get(name, {}).items())),
            }
            for name in dict.fromkeys([*before, *pairs])
        },
    }
    return {**entry, **change.details}  # type: ignore[typeddict-item]


# ---------------------------------------------------------------- reading


def read(
    dataset: PairDataset,
    phase: str,
    progress: Progress = ignore,
    columns: Sequence[str] | None = None,
    train_last: bool = False,
) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows of all splits, with progress in pairs. ``train_last`` reads held-out splits before the training split.

    Raises:
        InvalidDataset: a damaged file.
    """
    done, total = 0, len(dataset)
    for name in sorted(dataset.splits, key=lambda name: train_last and name == TRAIN):
        for batch in dataset.splits[name].batches(columns):
            yield name, batch
            done += batch.num_rows
            progress(phase, done, total)


def keys_of(texts: pa.Array) -> Keys:
    """64-bit hashes of texts. Two of four million texts collide with a probability of 4e-7."""
    hash_of = xxhash.xxh3_64_intdigest
    return np.fromiter(map(hash_of, texts.cast(pa.binary()).to_pylist()), np.uint64, len(texts))
