"""Pair datasets on disk: written whole or not at all, opened only when whole.

A dataset is a folder in the layout of ``DatasetDict.save_to_disk`` with two files more::

    out/
      README.md            the card; its YAML tells `load_dataset` which files are which split
      dataset_dict.json    tells `load_from_disk` which splits there are
      pairgen.json         the manifest: written when every byte of data is in place
      train/               data-00000-of-00003.arrow ..., state.json, dataset_info.json
      eval/

``newfolder.NewFolder`` writes one.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash

from pairgen.errors import InvalidDataset
from pairgen.pairs.record import SCHEMA, conform

MANIFEST = "pairgen.json"
FORMAT = 2


# ---------------------------------------------------------------- reading


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
                    raise InvalidDataset(f"{shard}: {error.args[0]}; build the dataset again") from None
                yield found

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows as one memory-mapped table."""
        schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
        try:
            return pa.Table.from_batches(self.batches(columns), schema=schema)
        except pa.ArrowInvalid as error:
            folder = self.shards[0].parent
            raise InvalidDataset(
                f"{folder}: cannot be read as pairs (other columns); build the dataset again"
            ) from error


@dataclass(frozen=True)
class PairDataset:
    """A whole dataset: its manifest and its splits by name."""

    path: Path
    manifest: dict[str, Any]
    splits: dict[str, Split]


def open_pairs(path: str | os.PathLike[str]) -> PairDataset:
    """Open a folder that pairgen wrote.

    Raises:
        InvalidDataset: no such folder, no manifest, a manifest of a newer format, or a shard it names is missing.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InvalidDataset(f"{folder}: no such folder; make one with `pairgen build NAME --out {folder}`")
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        splits = as_splits(folder, manifest["splits"])
    except FileNotFoundError:
        raise InvalidDataset(
            f"{folder}: no {MANIFEST} in it, so it is not a whole pairgen dataset; build it again"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidDataset(f"{folder / MANIFEST}: not a pairgen manifest ({error!r}); build it again") from None
    if manifest.get("format") != FORMAT:
        raise InvalidDataset(
            f"{folder}: written in format {manifest.get('format')!r}, this release reads {FORMAT}; build it again"
        )
    for shard in (shard for split in splits.values() for shard in split.shards):
        if not shard.is_file():
            raise InvalidDataset(f"{shard}: named in the manifest but not there; build the dataset again")
    return PairDataset(folder, manifest, splits)


def as_splits(folder: Path, described: Mapping[str, Any]) -> dict[str, Split]:
    """The splits as the manifest describes them."""
    return {
        name: Split(name, tuple(folder / name / shard["file"] for shard in split["shards"]), int(split["pairs"]))
        for name, split in described.items()
    }


# ---------------------------------------------------------------- writing


def part_path(folder: Path, split: str, number: int) -> Path:
    return folder / split / f"{number:08}.part"


class PartWriter:
    """One shard, written batch by batch under a name that nothing opens; ``NewFolder.commit`` gives it its own."""

    def __init__(self, folder: Path, split: str, number: int, suffix: str = "") -> None:
        self.part = part_path(folder, split, number)
        self.path = self.part.with_name(self.part.name + suffix)
        self.pairs = 0

    def __enter__(self) -> "PartWriter":
        self.path.parent.mkdir(exist_ok=True)
        self._sink = pa.OSFile(str(self.path), "wb")
        self._stream = pa.ipc.new_stream(self._sink, SCHEMA)
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of ``SCHEMA``. Raises OSError if the disk is full."""
        self._stream.write_batch(batch)
        self.pairs += batch.num_rows

    def __exit__(self, *_: object) -> None:
        try:
            self._stream.close()
        finally:
            self._sink.close()

    def replace_part(self) -> None:
        """Put a part written under a suffix in the place of the part without it."""
        self.path.replace(self.part)
        self.path = self.part

    def about(self) -> dict[str, Any]:
        """What the manifest says of the shard, once it is closed."""
        return {"pairs": self.pairs, "bytes": self.path.stat().st_size, "xxh3": file_hash(self.path)}


def write_part(folder: Path, split: str, number: int, batches: Iterable[pa.RecordBatch]) -> dict[str, Any]:
    """Write one shard in one call; returns what the manifest says of it."""
    with PartWriter(folder, split, number) as writer:
        for batch in batches:
            writer.write(batch)
    return writer.about()


def read_part(folder: Path, split: str, number: int) -> Iterator[pa.RecordBatch]:
    """The batches of a part that has no name yet."""
    with pa.OSFile(str(part_path(folder, split, number))) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


def file_hash(path: Path) -> str:
    """xxh3-128 of a file: against damage, not against malice."""
    with pa.memory_map(str(path)) as source:
        return xxhash.xxh3_128_hexdigest(source.read_buffer())
