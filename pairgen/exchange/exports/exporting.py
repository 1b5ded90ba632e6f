"""``export``: the pairs of a dataset as files for other trainers, whole or not at all."""

import gzip
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pairgen.atomic import move, os_errors, staging
from pairgen.errors import OutputExists, UsageError
from pairgen.exchange.exports.export_options import COMPRESSIONS, Exported, ExportOptions
from pairgen.exchange.exports.targets import COLUMNS, STEP_COLUMNS, Pair, Row, Target
from pairgen.pairs.dataset import PairDataset, Split
from pairgen.progress import Progress, ignore

MARK = "pairgen-export.json"
"""The file that says what was exported; it is written last."""


def export(
    dataset: PairDataset,
    out: str | os.PathLike[str],
    options: ExportOptions = ExportOptions(),
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> dict[str, Exported]:
    """Write a dataset in the layout ``options.to``: files ``train-00000-of-00001.jsonl`` ... in the folder ``out``.

    Returns:
        The counts of each split.

    Raises:
        UsageError: the dataset has no corrupted step and the target needs them, or has no rejected completions.
        OutputExists: ``out`` contains anything, and it is not an export or ``overwrite`` is False.
        OutputError: ``out`` cannot be written; nothing incomplete is left behind.
    """
    if dataset.manifest.get("sft"):
        raise UsageError(f"{dataset.path}: has no rejected completions to export; read its Arrow files directly")
    folder = Path(out).absolute()
    with os_errors(folder):
        _check_replaceable(folder, overwrite)
        with staging(folder) as hidden:
            found = {name: _export_split(split, hidden, options, progress) for name, split in dataset.splits.items()}
            if not any(split.rows for split in found.values()):
                raise UsageError(
                    f"{dataset.path}: has no pair with a corrupted step, which --to {options.to} needs; "
                    "build one with `pairgen build metamath`"
                )
            if options.to == "llama-factory":
                _write_json(hidden / "dataset_info.json", _dataset_info(dataset.path.name, found))
            about = {"to": options.to, "splits": {name: split._asdict() for name, split in found.items()}}
            _write_json(hidden / MARK, about)
            move(hidden, folder, overwrite)
    return found


def _check_replaceable(folder: Path, overwrite: bool) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if os.path.lexists(folder):
        if not (folder / MARK).is_file():
            raise OutputExists(f"{folder}: contains files that are not an export; choose another --out")
        if not overwrite:
            raise OutputExists(f"{folder}: already exists; replace it with --overwrite, or choose another --out")


def _export_split(split: Split, folder: Path, options: ExportOptions, progress: Progress) -> Exported:
    limit = min(split.pairs, options.limit or split.pairs)
    skipped = read = 0
    with _Shards(folder, split.name, options) as shards:
        for pairs in _batches(split, options.target, limit):
            used = [pair for pair in pairs if not options.target.needs_steps or pair["corrupted"] is not None]
            read, skipped = read + len(pairs), skipped + len(pairs) - len(used)
            groups = itertools.groupby(used, key=lambda pair: pair["group_id"])
            shards.write([row for _, group in groups for row in options.target.rows(list(group))])
            progress(f"exporting {split.name}", read, limit)
    return Exported(read, skipped, shards.rows, shards.names)


def _batches(split: Split, target: Target, limit: int) -> Iterator[list[Pair]]:
    """The pairs in batches that end where a group ends."""
    columns = STEP_COLUMNS if target.needs_steps else COLUMNS
    rest: list[Pair] = []
    left = limit
    for batch in split.batches(columns):
        pairs = rest + batch.slice(0, left).to_pylist()
        left -= min(left, batch.num_rows)
        last = pairs[-1]["group_id"] if pairs else None
        end = next((at for at in range(len(pairs), 0, -1) if pairs[at - 1]["group_id"] != last), 0)
        if end:
            yield pairs[:end]
        rest = pairs[end:]
        if not left:
            break
    if rest:
        yield rest


# ---------------------------------------------------------------- files


class _Shards(AbstractContextManager["_Shards"]):
    """Writes the rows of one split into files of at most ``shard_rows`` rows."""

    def __init__(self, folder: Path, split: str, options: ExportOptions) -> None:
        self.rows = 0
        self.names: list[str] = []
        self._folder, self._split, self._options = folder, split, options
        self._compression = options.compression or COMPRESSIONS[options.format][0]
        self._schema = pa.schema(list(options.target.schema.items()))
        self._files: list[Path] = []
        self._file: Any = None
        self._room = 0

    def write(self, rows: Sequence[Row]) -> None:
        while rows:
            if not self._room:
                self._close()
                self._open()
            self._append(rows[: self._room])
            count = min(len(rows), self._room)
            self.rows, self._room, rows = self.rows + count, self._room - count, rows[count:]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()
        for number, file in enumerate(self._files if kind is None else []):
            self.names.append(f"{self._split}-{number:05}-of-{len(self._files):05}{self._suffix}")
            file.rename(self._folder / self.names[-1])

    @property
    def _suffix(self) -> str:
        return f".{self._options.format}{'.gz' if self._compression == 'gzip' else ''}"

    def _open(self) -> None:
        path = self._folder / f"{self._split}-{len(self._files):05}.incomplete"
        self._files.append(path)
        self._room = self._options.shard_rows
        if self._options.format == "parquet":
            self._file = pq.ParquetWriter(path, self._schema, compression=self._compression)
        elif self._options.format == "arrow":
            self._file = pa.ipc.new_stream(str(path), self._schema)
        elif self._compression == "gzip":
            self._file = gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)
        else:
            self._file = path.open("wb")

    def _append(self, rows: Sequence[Row]) -> None:
        if self._options.format == "jsonl":
            self._file.write(b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]))
        else:
            self._file.write_table(pa.Table.from_pylist(rows, self._schema))

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _dataset_info(name: str, splits: dict[str, Exported]) -> dict[str, Any]:
    """LLaMA-Factory's description of the files: a dataset for each file of each split."""
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    about = {"formatting": "sharegpt", "ranking": True, "columns": columns}
    files = [file for split in splits.values() for file in split.files]
    return {f"{name}-{file.partition('-of-')[0]}": {"file_name": file, **about} for file in files}
