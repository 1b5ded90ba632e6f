"""Pair datasets on disk: written whole or not at all, opened only when whole.

A dataset is a folder in the layout of ``DatasetDict.save_to_disk`` with two files more::

    out/
      README.md            the card; its YAML tells `load_dataset` which files are which split
      dataset_dict.json    tells `load_from_disk` which splits there are
      pairgen.json         the manifest: written when every byte of data is in place
      train/               data-00000-of-00003.arrow ..., state.json, dataset_info.json
      eval/

It is built in a hidden sibling folder and renamed. The two files through which other tools open a folder take their
names after the manifest, so not even the hidden folder opens before it is whole.
"""

import contextlib
import ctypes
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash

from pairgen.errors import NotPairs, OutputError, OutputExists
from pairgen.records import SCHEMA

MANIFEST = "pairgen.json"
FORMAT = 1
_NOT_YET = "---\nconfigs:\n- config_name: default\n  data_files: still-being-written/*.arrow\n---\n"


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class Split:
    """The shards of one split, in order."""

    name: str
    shards: tuple[Path, ...]
    pairs: int

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, memory-mapped. Raises NotPairs for a damaged shard."""
        for shard in self.shards:
            try:
                with pa.memory_map(str(shard)) as source, pa.ipc.open_stream(source) as reader:
                    for batch in reader:
                        yield batch if columns is None else batch.select(list(columns))
            except (pa.ArrowInvalid, OSError, KeyError) as error:
                raise NotPairs(f"{shard}: cannot be read as pairs ({error}); build the dataset again") from error

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows as one memory-mapped table."""
        schema = SCHEMA if columns is None else pa.schema([SCHEMA.field(name) for name in columns])
        try:
            return pa.Table.from_batches(self.batches(columns), schema=schema)
        except pa.ArrowInvalid as error:
            folder = self.shards[0].parent
            raise NotPairs(f"{folder}: cannot be read as pairs (other columns); build the dataset again") from error


@dataclass(frozen=True)
class PairDataset:
    """A whole dataset: its manifest and its splits by name."""

    path: Path
    manifest: dict[str, Any]
    splits: dict[str, Split]


def open_pairs(path: str | os.PathLike[str]) -> PairDataset:
    """Open a folder that pairgen wrote.

    Raises:
        NotPairs: no such folder, no manifest, a manifest of a newer format, or a shard it names is missing.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise NotPairs(f"{folder}: no such folder; make one with `pairgen build NAME --out {folder}`")
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        splits = as_splits(folder, manifest["splits"])
    except FileNotFoundError:
        raise NotPairs(f"{folder}: no {MANIFEST} in it, so it is not a whole pairgen dataset; build it again") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotPairs(f"{folder / MANIFEST}: not a pairgen manifest ({error!r}); build it again") from None
    if manifest.get("format") != FORMAT:
        raise NotPairs(
            f"{folder}: written in format {manifest.get('format')!r}, this release reads {FORMAT}; build it again"
        )
    for shard in (shard for split in splits.values() for shard in split.shards):
        if not shard.is_file():
            raise NotPairs(f"{shard}: named in the manifest but not there; build the dataset again")
    return PairDataset(folder, manifest, splits)


def as_splits(folder: Path, described: Mapping[str, Any]) -> dict[str, Split]:
    """The splits as the manifest describes them."""
    return {
        name: Split(name, tuple(folder / name / shard["file"] for shard in split["shards"]), int(split["pairs"]))
        for name, split in described.items()
    }


# ---------------------------------------------------------------- writing


def _part_path(folder: Path, split: str, number: int) -> Path:
    return folder / split / f"{number:08}.part"


class PartWriter:
    """One shard, written batch by batch under a name that nothing opens; ``NewFolder.commit`` gives it its own."""

    def __init__(self, folder: Path, split: str, number: int, suffix: str = "") -> None:
        self.part = _part_path(folder, split, number)
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
    with pa.OSFile(str(_part_path(folder, split, number))) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


def file_hash(path: Path) -> str:
    """xxh3-128 of a file: against damage, not against malice."""
    with pa.memory_map(str(path)) as source:
        return xxhash.xxh3_128_hexdigest(source.read_buffer())


class NewFolder:
    """The hidden folder a dataset is built in. Use as a context: left without ``commit``, nothing remains of it.

    Raises:
        OutputExists: ``out`` is there and is not empty, and ``overwrite`` is False, or it is no pairgen dataset.
        OutputError: the disk is full, or the place cannot be written.
    """

    def __init__(self, out: str | os.PathLike[str], overwrite: bool = False) -> None:
        self.out, self.overwrite = Path(out).absolute(), overwrite
        refuse_existing(self.out, overwrite)

    def __enter__(self) -> "NewFolder":
        with contextlib.ExitStack() as undo, _plain_errors(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            sweep(self.out)
            self.path = Path(tempfile.mkdtemp(prefix=f".{self.out.name}.", suffix=".building", dir=self.out.parent))
            undo.callback(_remove, self.path)
            self._lock = _hold(self.path)
            undo.callback(os.close, self._lock)
            self.path.chmod(0o777 & ~_umask())
            (self.path / "README.md").write_text(_NOT_YET)
            undo.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        _remove(self.path)
        os.close(self._lock)
        if isinstance(error, OSError):
            with _plain_errors(self.out):
                raise error

    def name_parts(self, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Give the parts their names, and write what ``datasets`` keeps beside them.

        Args:
            splits: per split, what the manifest says of it; its ``parts`` maps part numbers to what ``write_part``
                answered, and becomes ``pairs`` and ``shards``.
        """
        return {name: self._name_parts(name, split) for name, split in splits.items()}

    def commit(self, manifest: Mapping[str, Any], readme: str) -> None:
        """Write the manifest, then let other tools in, then take the place of ``out``.

        Args:
            manifest: what it says; its ``splits`` are those ``name_parts`` answered.
        """
        _write_json(self.path / MANIFEST, {"format": FORMAT, **manifest})
        _write_json(self.path / "dataset_dict.json", {"splits": list(manifest["splits"])})
        (self.path / "README.tmp").write_text(readme, "utf-8")
        (self.path / "README.tmp").replace(self.path / "README.md")
        refuse_existing(self.out, self.overwrite)
        _take_place(self.path, self.out)

    def _name_parts(self, name: str, split: Mapping[str, Any]) -> dict[str, Any]:
        (self.path / name).mkdir(exist_ok=True)
        parts = sorted(split["parts"].items())
        shards = []
        for index, (number, about) in enumerate(parts):
            file = f"data-{index:05}-of-{len(parts):05}.arrow"
            _part_path(self.path, name, number).rename(self.path / name / file)
            shards.append({"file": file, **about})
        _write_json(self.path / name / "state.json", _state(name, shards))
        _write_json(self.path / name / "dataset_info.json", _INFO)
        rest = {key: value for key, value in split.items() if key != "parts"}
        return {**rest, "pairs": sum(shard["pairs"] for shard in shards), "shards": shards}


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Raise OutputExists unless ``out`` may be written: absent, empty, or a pairgen dataset with ``overwrite``."""
    if not os.path.lexists(out):
        return
    if not out.is_dir() or out.is_symlink():
        raise OutputExists(f"{out}: is a file or a link; choose another --out")
    if not any(out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise OutputExists(f"{out}: holds files that pairgen did not write; choose another --out")
    if not overwrite:
        raise OutputExists(f"{out}: is there already; replace it with --overwrite, or choose another --out")


def sweep(out: Path) -> None:
    """Clear away what killed builds of ``out`` left; a folder that a living build holds stays."""
    for left in out.parent.glob(f".{_glob_safe(out.name)}.*.building"):
        with contextlib.suppress(OSError):
            lock = _hold(left)
            try:
                _remove(left)
            finally:
                os.close(lock)


def _glob_safe(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _hold(folder: Path) -> int:
    """Lock a folder for as long as this process lives. Raises OSError if another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _remove(folder: Path) -> None:
    """Delete a folder so that, wherever this stops, no tool opens what is left of it.

    The splits are hidden first; the card, which tells tools to look for them and nothing else, goes last.
    """
    with contextlib.suppress(OSError):
        for split in [entry for entry in folder.iterdir() if entry.is_dir()]:
            split.rename(split.with_name(f".{split.name}"))
        for file in [entry for entry in folder.iterdir() if entry.is_file() and entry.name != "README.md"]:
            file.unlink()
        for split in [entry for entry in folder.iterdir() if entry.is_dir()]:
            shutil.rmtree(split, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _take_place(new: Path, out: Path) -> None:
    """Put ``new`` where ``out`` is. What was there ends under the name of ``new``; at no moment is there nothing."""
    if not os.path.lexists(out):
        new.rename(out)
    elif not any(out.iterdir()):
        new.rename(out)  # POSIX lets a folder replace an empty one
    elif not _exchange(new, out):
        raise OutputError(f"{out}: this file system cannot swap two folders at once; remove the old one first")


_RENAME_SWAP = {"linux": ("renameat2", 2), "darwin": ("renameatx_np", 2)}


def _exchange(a: Path, b: Path) -> bool:
    """Swap two names in one step of the kernel. False where there is no such step."""
    name, flag = _RENAME_SWAP.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is None:
        return False
    here = -2 if sys.platform == "darwin" else -100  # AT_FDCWD
    if call(here, os.fsencode(a), here, os.fsencode(b), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(b))


@contextlib.contextmanager
def _plain_errors(out: Path) -> Iterator[None]:
    """Say in one sentence what the operating system refused."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"{out}: the disk is full; nothing was left behind, free some space or choose another --out"
            ) from error
        raise OutputError(f"{out}: cannot be written ({error.strerror or error}); nothing was left behind") from error


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


_DTYPES = {pa.string(): "string", pa.int32(): "int32", pa.float32(): "float32"}
_INFO = {
    "citation": "",
    "description": "",
    "features": {field.name: {"dtype": _DTYPES[field.type], "_type": "Value"} for field in SCHEMA},
    "homepage": "",
    "license": "",
}


def _state(split: str, shards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``datasets`` keeps beside the shards; the fingerprint follows from the data alone."""
    return {
        "_data_files": [{"filename": shard["file"]} for shard in shards],
        "_fingerprint": xxhash.xxh3_64_hexdigest("".join(shard["xxh3"] for shard in shards).encode()),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
