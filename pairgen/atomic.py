"""Atomic writes: a file or folder is complete or absent, and replacing one never leaves a moment without either.

Everything is first written to a hidden folder next to its destination, then moved there by a single rename. Hidden
folders that a killed process left behind are removed by the next write to the same parent folder, except those with a
``CHECKPOINT``: they wait to be resumed, until the same destination is written anew. POSIX only.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pairgen.errors import OutputError

SUFFIX = ".pairgen-tmp"
"""Ending of the hidden folders: ``.{name of the destination}.{8 random characters}.pairgen-tmp``."""

CHECKPOINT = "checkpoint.arrow"
"""A file with which a hidden folder is kept, so that ``staging(path, resume=True)`` goes on with it."""

LOCK_SECONDS = 10.0
"""How long to wait for a hidden folder to be unlocked: the workers of a killed process end a moment after it."""


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which replaces ``path`` when the block ends. An error leaves ``path`` as it was.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    with os_errors(path), staging(path) as folder:
        yield folder
        move(folder, path)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically. Raises OutputError."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically. Raises OutputError."""
    with os_errors(path), staging(path) as folder:
        (folder / path.name).write_bytes(content)
        (folder / path.name).replace(path)


@contextlib.contextmanager
def os_errors(path: Path, is_kept: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Raise an OutputError that names ``path`` in place of an OSError or an error of safetensors.

    Args:
        is_kept: whether what was written so far can be resumed.
    """
    try:
        yield
    except Exception as error:
        is_safetensors = type(error).__module__.partition(".")[0].startswith("safetensors")  # raises its own type
        if not isinstance(error, OSError) and not is_safetensors:
            raise
        kept = is_kept()
        left = "completed work is kept" if kept else "no incomplete output was left behind"
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            again = "continue with --resume" if kept else "try again (a training run: with --resume)"
            raise OutputError(f"{path}: the disk is full; {left}; free some space and {again}") from error
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path}: cannot be written ({reason}); {left}") from error


@contextlib.contextmanager
def staging(path: Path, resume: bool = False) -> Iterator[Path]:
    """A folder on the same file system as ``path``, removed with its content when the block ends.

    It is hidden, and so is the folder around it: no tool that looks for data in the parent folder finds it. If the
    folder around it contains a ``CHECKPOINT`` when the block ends, both are kept.

    Args:
        resume: go on with a folder that was kept for ``path``, if there is one.

    Raises:
        OSError: the parent folder cannot be created or written.
        OutputError: the folder to resume is in use by another process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent, None if resume else path.name)
    outer, lock = (_kept_folder(path) if resume else None) or _locked_folder(path)
    try:
        inner = outer / ".new"
        inner.mkdir(exist_ok=True)
        yield inner
    finally:
        if not (outer / CHECKPOINT).exists():
            shutil.rmtree(outer, ignore_errors=True)
        os.close(lock)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """A new hidden folder, locked for as long as this process lives."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=SUFFIX, dir=path.parent))
        lock = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a file system without locks: the folder is never removed as stale
            fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # else another process took it for stale before it was locked
            return folder, lock
        os.close(lock)


def _kept_folder(path: Path) -> tuple[Path, int] | None:
    """The hidden folder with the latest checkpoint for ``path``, locked; None if there is none."""
    kept = [folder for folder in hidden_folders(path.parent) if destination(folder) == path.name and _is_kept(folder)]
    if not kept:
        return None
    folder = max(kept, key=lambda one: (one / CHECKPOINT).stat().st_mtime_ns)
    lock = os.open(folder, os.O_RDONLY)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise OutputError(f"{path}: another process is writing it; wait for it, or stop it first") from None
            time.sleep(0.05)
            continue
        except OSError:  # a file system without locks
            pass
        if not _is_kept(folder):  # the process that wrote it ended well meanwhile
            os.close(lock)
            return None
        return folder, lock


def _is_kept(folder: Path) -> bool:
    return (folder / CHECKPOINT).is_file() and (folder / ".new").is_dir()


def hidden_folders(parent: Path) -> list[Path]:
    """The hidden folders in ``parent``, of living and of killed processes."""
    return list(parent.glob(f".*{SUFFIX}"))


def destination(folder: Path) -> str:
    """The name of what a hidden folder was made for."""
    return folder.name[1 : -len(SUFFIX) - 9]  # 9: a dot and the random characters


def remove_stale(parent: Path, name: str | None = None) -> None:
    """Remove the hidden folders that killed processes left in ``parent``; those of living processes are locked.

    One that can be resumed stays, unless it was made for ``name``.
    """
    for folder in hidden_folders(parent):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if destination(folder) == name or not _is_kept(folder):
                    _restore(folder)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def move(new: Path, path: Path, overwrite: bool = True) -> None:
    """Move a folder made by ``staging`` to ``path``. What was there ends up in the staging folder.

    Raises:
        OSError: ``path`` is not an empty folder and ``overwrite`` is False, or it cannot be written.
    """
    if not overwrite or not os.path.lexists(path) or not any(path.iterdir()):
        new.rename(path)  # POSIX lets a folder replace an empty one
    elif not _exchange(new, path):
        path.rename(new.with_name(".old"))
        try:
            new.rename(path)
        except BaseException:
            _restore(new.parent)
            raise


def _restore(folder: Path) -> None:
    """Undo the first of the two renames of ``move`` if the second never happened."""
    path = folder.with_name(destination(folder))
    if (folder / ".old").exists() and not path.exists():
        (folder / ".old").rename(path)


_EXCHANGE = {"linux": ("renameat2", -100, 2), "darwin": ("renameatx_np", -2, 2)}
"""Function of the C library, AT_FDCWD, and the flag that swaps two names."""


def _exchange(a: Path, b: Path) -> bool:
    """Swap two names atomically. Returns False where the platform or the file system cannot do that."""
    name, here, flag = _EXCHANGE.get(sys.platform, ("", 0, 0))
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if function is None:
        return False
    if function(here, os.fsencode(a), here, os.fsencode(b), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(b))
