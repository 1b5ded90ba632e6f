"""Writing a pair dataset whole or not at all: built in a hidden sibling folder, then put in place in one step.

The two files through which other tools open a folder take their names after the manifest, so not even the hidden folder
opens before it is whole.
"""

import contextlib
import ctypes
import errno
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xxhash

from pairgen.errors import OutputError, OutputExists
from pairgen.pairs.dataset import FORMAT, MANIFEST, part_path
from pairgen.pairs.record import features

_NOT_YET = "---\nconfigs:\n- config_name: default\n  data_files: still-being-written/*.arrow\n---\n"


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
            part_path(self.path, name, number).rename(self.path / name / file)
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


_INFO = {
    "citation": "",
    "description": "",
    "features": features(),
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
