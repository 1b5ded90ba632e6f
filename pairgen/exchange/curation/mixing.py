"""``mix``: pairs of several datasets as one, in given proportions and in an order that a seed determines."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.errors import UsageError
from pairgen.exchange.curation.curation_options import MixOptions
from pairgen.exchange.curation.derive import TRAIN, Change, Keys, Rows, command_line, keys_of, read, write_derived
from pairgen.exchange.curation.subsets import NOT_CHOSEN, READING, WRITING, chosen_keys
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import SCHEMA
from pairgen.progress import Progress, ignore

RUNS = 4096
"""Groups that are put in order at once."""


def mix(
    datasets: Sequence[PairDataset],
    out: str | os.PathLike[str],
    options: MixOptions = MixOptions(),
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> PairDataset:
    """Write pairs of several datasets as one, in proportion to weights; without weights, all of them.

    Proportions are those of pairs in train; groups are taken whole, in shuffled order. Groups of the datasets alternate
    in random order, and those of each dataset keep theirs. Other splits are appended, whole. Training pairs whose
    prompt is in another split are left out, and counted. Columns are kept, so ``source`` says where a pair comes from;
    the history lists title, license and sources of each dataset. If two datasets share pair ids, each ``pair_id`` gets
    the name of its folder in front.

    Args:
        progress: called with pairs of one dataset after another.

    Raises:
        UsageError: fewer than two datasets, weights that do not fit, datasets of the same name that share ids, or
            datasets of which only some are for fine-tuning.
        InvalidDataset: a damaged file.
        OutputError: ``out`` already exists or cannot be written.
    """
    if len(datasets) < 2:
        raise UsageError("mix needs at least two datasets")
    if len({bool(dataset.manifest.get("sft")) for dataset in datasets}) > 1:
        raise UsageError("mix: some datasets hold preference pairs and others only completions to imitate")
    plan = _Plan.of(datasets, options, progress)
    flags: list[object] = ["--weights", options] if options.weights else []
    flags += ["--pairs", options.pairs] if options.pairs else []
    change = Change(command_line("mix", datasets, out, *flags, "--seed", options.seed))
    change.details["datasets"] = [
        _about(dataset, len(keys)) for dataset, keys in zip(datasets, plan.groups, strict=True)
    ]
    change.remove(TRAIN, "prompt is in another split", plan.leaked)
    change.remove(TRAIN, NOT_CHOSEN, plan.not_chosen)
    return write_derived(out, datasets, plan.rows(options.seed, progress), change, overwrite)


@dataclass(frozen=True)
class _Plan:
    """Which training groups to take: ``groups`` has the group key of each row taken from each dataset."""

    datasets: Sequence[PairDataset]
    groups: Sequence[Keys]
    prefixes: Sequence[str]
    leaked: int
    not_chosen: int

    @classmethod
    def of(cls, datasets: Sequence[PairDataset], options: MixOptions, progress: Progress) -> "_Plan":
        scans = [_scan(dataset, progress) for dataset in datasets]
        held_out = np.unique(np.concatenate([scan.held_out for scan in scans]))
        clean = [scan.groups[~np.isin(scan.prompts, held_out)] for scan in scans]
        sizes = options.sizes(list(map(len, clean)))
        groups = []
        for index, (keys, size) in enumerate(zip(clean, sizes, strict=True)):
            groups.append(keys[np.isin(keys, chosen_keys(keys, size, options.seed, f"mix {index}"))])
        leaked = sum(len(scan.groups) for scan in scans) - sum(map(len, clean))
        not_chosen = sum(map(len, clean)) - sum(map(len, groups))
        return cls(datasets, groups, _prefixes(datasets, [scan.ids for scan in scans]), leaked, not_chosen)

    def rows(self, seed: int, progress: Progress) -> Rows:
        done, total = 0, sum(map(len, self.groups))
        streams = [self._training_rows(index) for index in range(len(self.datasets))]
        for table in interleaved(streams, self.groups, seed):
            yield from ((TRAIN, batch) for batch in table.combine_chunks().to_batches())
            done += table.num_rows
            progress(WRITING, done, total)
        for dataset, prefix in zip(self.datasets, self.prefixes, strict=True):
            for name, split in dataset.splits.items():
                yield from ((name, _prefixed(batch, prefix)) for batch in split.batches() if name != TRAIN)

    def _training_rows(self, index: int) -> Iterator[pa.RecordBatch]:
        splits, chosen = self.datasets[index].splits, np.unique(self.groups[index])
        for batch in splits[TRAIN].batches() if TRAIN in splits else ():
            kept = batch.filter(pa.array(np.isin(keys_of(batch["group_id"]), chosen)))
            yield _prefixed(kept, self.prefixes[index])


class _Scan(NamedTuple):
    """Keys of the training rows of a dataset, of its held-out prompts, and of all its pair ids."""

    groups: Keys
    prompts: Keys
    held_out: Keys
    ids: Keys


def _scan(dataset: PairDataset, progress: Progress) -> _Scan:
    parts: list[list[Keys]] = [[np.empty(0, np.uint64)] for _ in _Scan._fields]
    groups, prompts, held_out, ids = parts
    for name, batch in read(dataset, READING, progress, ["group_id", "prompt", "pair_id"]):
        ids.append(keys_of(batch["pair_id"]))
        if name == TRAIN:
            groups.append(keys_of(batch["group_id"]))
            prompts.append(keys_of(batch["prompt"]))
        else:
            held_out.append(keys_of(batch["prompt"]))
    return _Scan(*map(np.concatenate, parts))


def _about(dataset: PairDataset, pairs: int) -> dict[str, Any]:
    """What the history of a mix says of one of its datasets."""
    manifest: dict[str, Any] = dict(dataset.manifest)
    kept: dict[str, Any] = {key: manifest[key] for key in ("title", "license", "sources", "history") if key in manifest}
    return {"folder": dataset.path.resolve().name, "pairs": pairs, **kept}


def _prefixes(datasets: Sequence[PairDataset], ids: Sequence[Keys]) -> list[str]:
    """What to put in front of the pair ids of each dataset, so that they stay unique. Raises UsageError."""
    if len(np.unique(np.concatenate(ids))) == sum(map(len, ids)):
        return [""] * len(datasets)
    names = [dataset.path.resolve().name for dataset in datasets]
    again = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if again is not None:
        raise UsageError(
            f"mix: two datasets named {again!r} share pair ids, which must be unique; rename one of the folders"
        )
    return [f"{name}/" for name in names]


def _prefixed(batch: pa.RecordBatch, prefix: str) -> pa.RecordBatch:
    if not prefix:
        return batch
    ids = pa.array([prefix + pair_id for pair_id in batch["pair_id"].to_pylist()], pa.string())
    return batch.set_column(batch.schema.get_field_index("pair_id"), batch.schema.field("pair_id"), ids)


# ---------------------------------------------------------------- order


def interleaved(streams: Sequence[Iterator[pa.RecordBatch]], groups: Sequence[Keys], seed: int) -> Iterator[pa.Table]:
    """The rows of several streams, whose runs of equal group keys take turns in random order.

    Args:
        groups: the group key of each row of each stream.
    """
    lengths = [_run_lengths(keys) for keys in groups]
    turns = np.repeat(np.arange(len(streams)), list(map(len, lengths)))
    np.random.default_rng(seed).shuffle(turns)
    readers = [_RowReader(stream) for stream in streams]
    done = [0] * len(streams)
    for start in range(0, len(turns), RUNS):
        parts, order = [], []
        for index, reader in enumerate(readers):
            places = np.flatnonzero(turns[start : start + RUNS] == index)
            rows = lengths[index][done[index] : done[index] + len(places)]
            done[index] += len(places)
            parts.append(reader.take(int(rows.sum())))
            order.append(np.repeat(places, rows))
        yield pa.concat_tables(parts).take(np.argsort(np.concatenate(order), kind="stable"))


def _run_lengths(keys: Keys) -> NDArray[np.int64]:
    """Lengths of the runs of equal keys: ``[7, 7, 3, 7]`` gives ``[2, 1, 1]``."""
    ends = np.flatnonzero(np.append(keys[1:] != keys[:-1], np.ones(min(len(keys), 1), bool))) + 1
    return np.diff(ends, prepend=0)


class _RowReader:
    """Takes rows from a stream of batches, a given number at a time."""

    def __init__(self, stream: Iterator[pa.RecordBatch]) -> None:
        self._stream = stream
        self._rest: pa.Table = SCHEMA.empty_table()

    def take(self, rows: int) -> pa.Table:
        while self._rest.num_rows < rows:
            batch = next(self._stream)
            self._rest = pa.concat_tables([self._rest, pa.Table.from_batches([batch])])
        taken, self._rest = self._rest.slice(0, rows), self._rest.slice(rows)
        return taken
