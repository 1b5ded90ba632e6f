"""Names of folders by what their content depends on, so that whatever is found under its name can be used."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pairgen.errors import SourceError

FORMAT = 1
"""Part of every hash: to be raised when the same options give something else."""


def digest(*parts: Any) -> str:
    """A short hash of plain values."""
    text = json.dumps([FORMAT, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def identity(source: str) -> str:
    """A source by name and, if it is a file, by a hash of its content, wherever it is.

    Raises:
        SourceError: the file cannot be read.
    """
    path = Path(source)
    if not source or not path.is_file():
        return source
    try:
        with path.open("rb") as file:
            return f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error


def folder_identity(name: str) -> str:
    """A model or a source: a file by ``identity``, a folder by its path and by names, sizes and times of its files.

    The files of a folder are not read, which would take minutes; one that is written again is another one.
    """
    folder = Path(name)
    if not name or not folder.is_dir():
        return identity(name)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    stats = [(str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return f"{folder.absolute()} {digest(stats)}"
