"""The files of one split: rows are cut into record batches and shards, in such a way that a killed writer can go on.

A shard is an Arrow stream, which is the messages of its schema and its record batches one after another. So a shard
that was cut off anywhere goes on from the end of any record batch: the file is shortened to there and appended to.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from pairgen.errors import OutputError
from pairgen.pairs.dataset import ShardInfo
from pairgen.pairs.record import SCHEMA, features

BATCH_ROWS = 2048
"""Least number of rows of a record batch, which ends where ``group_id`` changes."""

BATCH_BYTES = 64 << 20
"""Bytes of text at which a record batch ends earlier, also where ``group_id`` changes."""

SHARD_BYTES = 64 << 20
"""Size at which a shard is closed."""

_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class SplitState(TypedDict):
    """Where the writer of a split stands: its closed shards, and the open one so far. Names of files are left out."""

    closed: list[ShardInfo]
    open: ShardInfo | None


class SplitWriter:
    """Cuts the rows of one split into record batches and shards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: list[ShardInfo] = []
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0
        self._sink: Any = None
        self._hash = xxhash.xxh3_128()
        folder.mkdir(exist_ok=True)

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
        write_json(self._folder / "state.json", _state(split, self._shards))
        write_json(self._folder / "dataset_info.json", _INFO)
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
        self._append(batch.serialize())
        self._shards[-1]["pairs"] += batch.num_rows
        if self._sink.tell() >= SHARD_BYTES:
            self._close_shard()

    def _open_shard(self) -> None:
        name = _unfinished_name(len(self._shards))
        self._sink = pa.OSFile(str(self._folder / name), "wb")
        self._hash = xxhash.xxh3_128()
        self._append(SCHEMA.serialize())
        self._shards.append({"file": name, "pairs": 0, "bytes": 0, "xxh3": ""})

    def _append(self, message: pa.Buffer | bytes) -> None:
        self._sink.write(message)
        self._hash.update(message)

    def _close_shard(self) -> None:
        self._append(_END_OF_STREAM)
        self._shards[-1] |= {"bytes": self._sink.tell(), "xxh3": self._hash.hexdigest()}
        self._sink.close()
        self._sink = None

    # ------------------------------------------------------------ going on after a kill

    @property
    def closed(self) -> int:
        """The number of closed shards."""
        return len(self._shards) - (self._sink is not None)

    def files(self) -> list[str]:
        """The names of all shards so far; the last one may be open."""
        return [shard["file"] for shard in self._shards]

    def state(self) -> SplitState:
        """What is on disk."""
        if self._sink is None:
            return {"closed": self._shards, "open": None}
        so_far: ShardInfo = {**self._shards[-1], "bytes": self._sink.tell(), "xxh3": self._hash.hexdigest()}
        return {"closed": self._shards[:-1], "open": so_far}

    def pending(self) -> pa.Table:
        """The rows that are not on disk yet."""
        return pa.Table.from_batches(self._pending, SCHEMA)

    @classmethod
    def restored(cls, folder: Path, state: SplitState, pending: pa.Table) -> "SplitWriter":
        """A writer that goes on from ``state()`` and ``pending()`` of a killed one, which may have written more.

        Raises:
            OutputError: a file is missing or is not as it was.
        """
        writer = cls(folder)
        writer._pending = pending.to_batches()
        writer._pending_rows, writer._pending_bytes = pending.num_rows, pending.nbytes
        for number, shard in enumerate([*state["closed"], *([state["open"]] if state["open"] else [])]):
            path = _reclaimed(folder, number)
            writer._hash = _shortened(path, shard["bytes"])
            if writer._hash.hexdigest() != shard["xxh3"]:
                raise OutputError(f"{path}: is damaged, so the build cannot be resumed; start over without --resume")
            writer._shards.append({**shard, "file": path.name})
        if state["open"]:
            writer._sink = pa.OSFile(str(path), "ab")
        known = {shard["file"] for shard in writer._shards}
        for file in folder.iterdir():
            if file.name not in known:
                file.unlink()
        return writer


def _unfinished_name(number: int) -> str:
    return f"{number:05}.incomplete"


def _reclaimed(folder: Path, number: int) -> Path:
    """The file of a shard under its name in an unfinished dataset; ``finish`` may have given it another."""
    path = folder / _unfinished_name(number)
    for named in folder.glob(f"data-{number:05}-of-*.arrow"):
        named.rename(path)
    return path


def _shortened(path: Path, size: int) -> xxhash.xxh3_128:
    """Shorten a file to ``size`` bytes, and hash them. A file that is shorter, or missing, has another hash."""
    found = xxhash.xxh3_128()
    with contextlib.suppress(FileNotFoundError), path.open("r+b") as file:
        if path.stat().st_size > size:
            file.truncate(size)
        while part := file.read(1 << 20):
            found.update(part)
    return found


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


def write_json(path: Path, value: Any) -> None:
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
