"""Folders that are whole or not there: written beside their place and renamed into it."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from pairgen.errors import OutputError


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden folder to write in, which takes the place of ``path`` at the end; on an error nothing of it is left.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    old = path.with_name(f".{path.name}.old")
    with os_errors(path):
        try:
            if old.exists() and not path.exists():  # a kill came between the two renames below
                old.rename(path)
            for left in path.parent.glob(".*.tmp"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            shutil.rmtree(old, ignore_errors=True)
            temporary.mkdir()
            yield temporary
            if path.exists():
                path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if old.exists() and not path.exists():
                old.rename(path)
            raise


def write_text(path: Path, text: str) -> None:
    """Write a file that is as it was or as it shall be, whenever a kill comes. Raises OutputError."""
    temporary = path.with_name(f".{path.name}.new")
    with os_errors(path):
        temporary.write_text(text, "utf-8")
        temporary.replace(path)


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Say in one sentence what the operating system refused."""
    try:
        yield
    except (OSError, SafetensorError) as error:  # safetensors has an error of its own for a full disk
        number = getattr(error, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise OutputError(
                f"{path}: the disk is full; what was saved before is whole: free some space and go on with --resume"
            ) from error
        raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
