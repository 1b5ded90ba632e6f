"""Pair datasets on disk: the layout of the folder, its manifest, and reading.

A dataset is a folder in the layout of ``DatasetDict.save_to_disk`` with two more files::

    out/
      README.md            the card; its YAML tells `load_dataset` which files belong to which split
      dataset_dict.json    tells `load_from_disk` which splits there are
      pairgen.json         the manifest; it exists only if the dataset is complete
      train/               data-00000-of-00003.arrow ..., state.json, dataset_info.json
      eval/

``pairgen.pairs.writing.DatasetWriter`` writes one.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pyarrow as pa
import xxhash

from pairgen.errors import InvalidDataset, count
from pairgen.pairs.record import SCHEMA, conform

if TYPE_CHECKING:
    import datasets
    import pandas as pd

MANIFEST = "pairgen.json"
FORMAT = 5
OLDEST_FORMAT = 2
"""Format 3 added the columns ``row`` and ``row_id``, format 4 ``messages``; they may be missing."""


class ShardInfo(TypedDict):
    """A file of a split: its name, rows, size, and ``file_hash``."""

    file: str
    pairs: int
    bytes: int
    xxh3: str


class SplitInfo(TypedDict, total=False):
    """A split: source rows read, those that yielded no pair by reason, pairs, and shards in order.

    ``repeated_pairs`` were left out because their row has them twice, such as two equal wrong choices.
    """

    rows: int
    rows_with_fewer_pairs: int
    repeated_pairs: int
    drops: dict[str, int]
    pairs: int
    shards: list[ShardInfo]


class PartInfo(TypedDict):
    """Which part of a build a dataset is: part ``index`` (from 0) of ``of``, with every ``of``-th block of the source.

    ``pairs`` has, for each split, the pairs of each of these blocks. ``conditions`` is a digest that all parts share.
    """

    index: int
    of: int
    conditions: str
    pairs: dict[str, list[int]]


class SplitHistory(TypedDict):
    """What a command did to a split: pairs before and after, and the pairs that it removed, by reason."""

    pairs_before: int
    pairs: int
    removed: dict[str, int]


class HistoryEntry(TypedDict, total=False):
    """A command that made the dataset of others: the command line, the folders that it read, and counts by split.

    A mix adds title, license, sources and history of each of its ``datasets``, decontamination the evaluation set that
    it compared with and its number of ``questions``, and the search for near-duplicates the version of ``rensa``.
    """

    command: str
    inputs: list[str]
    splits: dict[str, SplitHistory]
    datasets: list[dict[str, Any]]
    against: str
    questions: int
    rensa: str


class Manifest(TypedDict, total=False):
    """What ``pairgen.json`` records. ``format`` and ``splits`` are in every manifest; builds write all other keys but
    ``history``, which lists what was done since the build, and ``shard``, which a part of a build has.
    """

    format: int
    dataset: str
    title: str
    description: str
    license: str
    multiple_choice: bool
    sft: bool
    command: str
    options: dict[str, Any]
    sources: dict[str, Any]
    versions: dict[str, str]
    splits: dict[str, SplitInfo]
    shard: PartInfo
    statistics: dict[str, Any]
    history: list[HistoryEntry]


def read_shard(shard: Path) -> Iterator[pa.RecordBatch]:
    """The batches of one file as they are, memory-mapped. Raises InvalidDataset for a damaged file."""
    try:
        with pa.memory_map(str(shard)) as source, pa.ipc.open_stream(source) as reader:
            yield from reader
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidDataset(f"{shard}: cannot be read as pairs ({error}); build the dataset again") from error


@dataclass(frozen=True)
class Split:
    """The shards of one split, in order."""

    name: str
    shards: tuple[Path, ...]
    pairs: int

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, memory-mapped; see ``conform``. Raises InvalidDataset for a damaged shard."""
        for shard in self.shards:
            for batch in read_shard(shard):
                try:
                    found = conform(batch) if columns is None else conform(batch, columns)
                except KeyError as error:
                    problem = f"cannot be read as pairs ({error.args[0]})"
                    raise InvalidDataset(f"{shard}: {problem}; build the dataset again") from None
                yield found

    def __len__(self) -> int:
        return self.pairs

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The pairs in order, each as a dictionary of its columns."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One pair, counted from 0, or from the end if negative. Raises IndexError."""
        row = range(self.pairs)[index]
        for batch in self.batches():
            if row < batch.num_rows:
                pair: dict[str, Any] = batch.slice(row, 1).to_pylist()[0]
                return pair
            row -= batch.num_rows
        raise IndexError(index)

    def to_pandas(self) -> "pd.DataFrame":
        """All pairs as a data frame."""
        frame: pd.DataFrame = self.table().to_pandas()
        return frame

    def to_datasets(self) -> "datasets.Dataset":
        """All pairs as a dataset of the ``datasets`` library, memory-mapped."""
        import datasets

        return datasets.load_from_disk(str(self.shards[0].parent))

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows as one memory-mapped table."""
        schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
        try:
            return pa.Table.from_batches(self.batches(columns), schema=schema)
        except pa.ArrowInvalid as error:
            folder = self.shards[0].parent
            raise InvalidDataset(
                f"{folder}: cannot be read as pairs (it has other columns); build the dataset again"
            ) from error


@dataclass(frozen=True, repr=False)
class PairDataset:
    """A complete dataset: its manifest and its splits by name. Iteration yields the pairs of all splits."""

    path: Path
    manifest: Manifest
    splits: dict[str, Split]

    def __repr__(self) -> str:
        splits = ", ".join(f"{name} {count(split.pairs, 'pair')}" for name, split in self.splits.items())
        return f"PairDataset({self.path.name!r}: {splits})"

    def __len__(self) -> int:
        return sum(map(len, self.splits.values()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for split in self.splits.values():
            yield from split

    def __getitem__(self, split: str) -> Split:
        """A split by name. Raises KeyError."""
        return self.splits[split]

    def to_pandas(self) -> "pd.DataFrame":
        """The pairs of all splits as a data frame, with the column ``split`` in front."""
        import pandas as pd

        frames = [split.to_pandas() for split in self.splits.values()]
        for frame, name in zip(frames, self.splits, strict=True):
            frame.insert(0, "split", name)
        return pd.concat(frames, ignore_index=True)

    def to_datasets(self) -> "datasets.DatasetDict":
        """The splits as a ``DatasetDict`` of the ``datasets`` library, memory-mapped."""
        import datasets

        return datasets.load_from_disk(str(self.path))


def open_pairs(path: str | os.PathLike[str]) -> PairDataset:
    """Open a folder that pairgen wrote.

    >>> pairs = pairgen.open_pairs("arc-pairs")
    >>> len(pairs), len(pairs["eval"]), pairs["train"][0]["rejected"]
    (2979, 1489, " the Earth's shadow falling on the Moon")

    Raises:
        InvalidDataset: no such folder, no manifest, a manifest of a newer format, or a shard it names is missing.
    """
    folder = Path(path)
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "no such folder"
        raise InvalidDataset(f"{folder}: {problem}; create a dataset with `pairgen build NAME --out DIR`")
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        if not OLDEST_FORMAT <= manifest["format"] <= FORMAT:
            raise InvalidDataset(
                f"{folder}: has format {manifest['format']!r}, but this release reads formats {OLDEST_FORMAT} to "
                f"{FORMAT}; {'upgrade pairgen' if manifest['format'] > FORMAT else 'build it again'}"
            )
        splits = splits_of(folder, manifest["splits"])
    except FileNotFoundError:
        raise InvalidDataset(
            f"{folder}: contains no {MANIFEST}, so it is not a complete pairgen dataset; build it again"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidDataset(
            f"{folder / MANIFEST}: invalid manifest ({type(error).__name__}: {error}); build the dataset again"
        ) from None
    for shard in (shard for split in splits.values() for shard in split.shards):
        if not shard.is_file():
            raise InvalidDataset(f"{shard}: listed in the manifest but missing; build the dataset again")
    return PairDataset(folder, manifest, splits)


def opened(dataset: PairDataset | str | os.PathLike[str]) -> PairDataset:
    """A dataset, opened if it is a path. Raises InvalidDataset."""
    return dataset if isinstance(dataset, PairDataset) else open_pairs(dataset)


def splits_of(folder: Path, described: Mapping[str, Any]) -> dict[str, Split]:
    """The splits that a manifest in ``folder`` lists."""
    return {
        name: Split(name, tuple(folder / name / shard["file"] for shard in split["shards"]), int(split["pairs"]))
        for name, split in described.items()
    }


def file_hash(path: Path) -> str:
    """xxh3-128 of a file. It detects damage, not manipulation."""
    with pa.memory_map(str(path)) as source:
        return xxhash.xxh3_128_hexdigest(source.read_buffer())
