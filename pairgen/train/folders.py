"""Folders that are whole or not there: written beside their place and renamed into it."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from pairgen.errors import OutputError


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A hidden folder to write in, which takes the place of ``path`` at the end; on an error nothing of it is left.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    old = path.with_name(f".{path.name}.old")
    with plain_errors(path):
        try:
            for left in (temporary, old):
                if left.exists():
                    shutil.rmtree(left)
            temporary.mkdir()
            yield temporary
            if path.exists():
                path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Say in one sentence what the operating system refused."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise OutputError(
                f"{path}: the disk is full; what was saved before is whole: free some space and go on with --resume"
            ) from error
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    except Exception as error:  # safetensors reports a full disk as an error of its own
        if "No space left" in str(error):
            raise OutputError(
                f"{path}: the disk is full; what was saved before is whole: free some space and go on with --resume"
            ) from error
        raise
