"""``DatasetWriter``: the one way to write a pair dataset. The folder appears once it is complete.

It is built in a hidden folder. The files through which ``datasets`` opens a folder (``dataset_dict.json`` and the card)
are written after the manifest, so that even the hidden folder cannot be opened before it is complete.
"""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pairgen.atomic import move, os_errors, staging
from pairgen.errors import OutputExists
from pairgen.pairs import card
from pairgen.pairs.dataset import (
    FORMAT,
    MANIFEST,
    Manifest,
    PairDataset,
    ShardInfo,
    SplitInfo,
    file_hash,
    open_pairs,
    splits_of,
)
from pairgen.pairs.record import SCHEMA, features

BATCH_ROWS = 2048
"""Least number of rows of a record batch, which ends where ``group_id`` changes."""

BATCH_BYTES = 64 << 20
"""Bytes of text at which a record batch ends earlier, also where ``group_id`` changes."""

SHARD_BYTES = 64 << 20
"""Size at which a shard is closed."""

_INCOMPLETE = "---\nconfigs:\n- config_name: default\n  data_files: incomplete/*.arrow\n---\n"
"""A card that names files which do not exist, so that ``load_dataset`` refuses the folder."""


class DatasetWriter:
    """Writes a dataset atomically::

        with DatasetWriter(out) as writer:
            writer.write("train", batch)
            dataset = writer.commit({"dataset": "metamath"})

    Leaving the block without ``commit`` leaves nothing behind. The bytes written depend only on the rows of each split
    and their order, not on the batches in which they arrive.

    Args:
        overwrite: replace a pairgen dataset at ``out``, which stays in place until the new one is complete.

    Raises:
        OutputExists: ``out`` is not empty and ``overwrite`` is False, or it is not a pairgen dataset.
        OutputError: the disk is full, or ``out`` cannot be written.
    """

    def __init__(self, out: str | os.PathLike[str], overwrite: bool = False) -> None:
        self.out = Path(out).absolute()
        self._overwrite = overwrite
        self._splits: dict[str, _SplitWriter] = {}
        with os_errors(self.out):
            check_replaceable(self.out, overwrite)

    def __enter__(self) -> "DatasetWriter":
        with contextlib.ExitStack() as stack:
            stack.enter_context(os_errors(self.out))
            self._folder = stack.enter_context(staging(self.out))
            (self._folder / "README.md").write_text(_INCOMPLETE)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for split in self._splits.values():
            split.abort()
        self._stack.__exit__(kind, error, traceback)

    def write(self, split: str, batch: pa.RecordBatch) -> None:
        """Append rows of ``SCHEMA`` to a split.

        Raises:
            OSError: the disk is full; the ``with`` block turns it into an OutputError.
            pyarrow.ArrowInvalid: the batch has another schema.
        """
        self._split(split).write(batch)

    def commit(
        self, manifest: Manifest, statistics: Callable[[PairDataset], dict[str, Any]] | None = None
    ) -> PairDataset:
        """Complete the dataset, move it to ``out`` and open it.

        Args:
            manifest: everything to record about the dataset. Its ``splits`` may hold ``rows`` and ``drops`` of each
                split; ``pairs`` and ``shards`` are added. Splits are listed in its order, then in the order of writing.
            statistics: computes the manifest's ``statistics`` from the complete rows.
        """
        listed = manifest.get("splits", {})
        splits: dict[str, SplitInfo] = {}
        for name in dict.fromkeys([*listed, *self._splits]):
            shards = self._split(name).finish(name)
            splits[name] = {**listed.get(name, {}), "pairs": sum(shard["pairs"] for shard in shards), "shards": shards}
        complete: Manifest = {"format": FORMAT, **manifest, "splits": splits}
        if statistics is not None:
            complete["statistics"] = statistics(PairDataset(self._folder, complete, splits_of(self._folder, splits)))
        _write_json(self._folder / MANIFEST, complete)
        _write_json(self._folder / "dataset_dict.json", {"splits": list(splits)})
        (self._folder / "README.tmp").write_text(card.render(complete), "utf-8")
        (self._folder / "README.tmp").replace(self._folder / "README.md")
        check_replaceable(self.out, self._overwrite)
        move(self._folder, self.out, self._overwrite)
        return open_pairs(self.out)

    def _split(self, name: str) -> "_SplitWriter":
        if name not in self._splits:
            self._splits[name] = _SplitWriter(self._folder / name)
        return self._splits[name]


def check_replaceable(out: Path, overwrite: bool) -> None:
    """Raise OutputExists unless ``out`` is absent, empty, or a pairgen dataset that ``overwrite`` allows to replace."""
    if not os.path.lexists(out):
        return
    if not out.is_dir() or out.is_symlink():
        raise OutputExists(f"{out}: is a file or a symbolic link; choose another --out")
    if not any(out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise OutputExists(f"{out}: contains files that pairgen did not write; choose another --out")
    if not overwrite:
        raise OutputExists(f"{out}: already exists; replace it with --overwrite, or choose another --out")


class _SplitWriter:
    """Cuts the rows of one split into record batches and shards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: list[ShardInfo] = []
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self._sink: Any = None
        folder.mkdir()

    def write(self, batch: pa.RecordBatch) -> None:
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        self._pending_bytes += batch.nbytes
        if self._pending_rows > BATCH_ROWS or self._pending_bytes > BATCH_BYTES:
            self._write_batches(is_last=False)

    def finish(self, split: str) -> list[ShardInfo]:
        """Write what is pending, name the shards, and write the files that ``load_from_disk`` expects."""
        self._write_batches(is_last=True)
        if self._sink is None and not self._shards:
            self._open_shard()  # a split without rows is one empty shard
        if self._sink is not None:
            self._close_shard()
        for number, shard in enumerate(self._shards):
            name = f"data-{number:05}-of-{len(self._shards):05}.arrow"
            (self._folder / shard["file"]).rename(self._folder / name)
            shard["file"] = name
        _write_json(self._folder / "state.json", _state(split, self._shards))
        _write_json(self._folder / "dataset_info.json", _INFO)
        return self._shards

    def abort(self) -> None:
        if self._sink is not None:
            self._sink.close()

    def _write_batches(self, is_last: bool) -> None:
        table = pa.Table.from_batches(self._pending, SCHEMA).combine_chunks()
        start = 0
        for stop in [*batch_ends(table), *([table.num_rows] if is_last else [])]:
            # Unlike a slice, ``take`` copies: the bytes written do not depend on the buffers that rows arrived in.
            for batch in table.take(np.arange(start, stop)).combine_chunks().to_batches():
                self._write_batch(batch)
            start = stop
        rest = table.slice(start)
        self._pending, self._pending_rows, self._pending_bytes = rest.to_batches(), rest.num_rows, rest.nbytes

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        if self._sink is None:
            self._open_shard()
        self._stream.write_batch(batch)
        self._shards[-1]["pairs"] += batch.num_rows
        if self._sink.tell() >= SHARD_BYTES:
            self._close_shard()

    def _open_shard(self) -> None:
        name = f"{len(self._shards):05}.incomplete"
        self._sink = pa.OSFile(str(self._folder / name), "wb")
        self._stream = pa.ipc.new_stream(self._sink, SCHEMA)
        self._shards.append({"file": name, "pairs": 0, "bytes": 0, "xxh3": ""})

    def _close_shard(self) -> None:
        self._stream.close()
        self._sink.close()
        self._sink = None
        shard = self._shards[-1]
        path = self._folder / shard["file"]
        shard |= {"bytes": path.stat().st_size, "xxh3": file_hash(path)}


def batch_ends(table: pa.Table) -> list[int]:
    """Where record batches end: where the group first changes after ``BATCH_ROWS`` rows or ``BATCH_BYTES`` of text.

    The last rows, after which no change is known yet, are left over.
    """
    group_ids = table["group_id"]
    changes = pc.not_equal(group_ids.slice(1), group_ids.slice(0, max(len(group_ids) - 1, 0))).fill_null(True)
    starts = np.flatnonzero(changes.to_numpy()) + 1
    lengths = [pc.binary_length(table[name]).fill_null(0).to_numpy() for name in ("prompt", "chosen", "rejected")]
    bytes_before = np.concatenate([[0], np.cumsum(sum(lengths))])
    ends: list[int] = []
    last = 0
    while True:
        full = min(last + BATCH_ROWS, int(np.searchsorted(bytes_before, bytes_before[last] + BATCH_BYTES)))
        at = np.searchsorted(starts, max(full, last + 1))
        if at == len(starts):
            return ends
        last = int(starts[at])
        ends.append(last)


def json_text(value: Any) -> str:
    """The text of the JSON files in a dataset's folder."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json_text(value), "utf-8")


_INFO = {
    "citation": "",
    "description": "",
    "features": features(),
    "homepage": "",
    "license": "",
}


def _state(split: str, shards: list[ShardInfo]) -> dict[str, Any]:
    """The ``state.json`` of a split. Its fingerprint is derived from the data, so that equal data gives equal files."""
    return {
        "_data_files": [{"filename": shard["file"]} for shard in shards],
        "_fingerprint": xxhash.xxh3_64_hexdigest("".join(shard["xxh3"] for shard in shards).encode()),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
