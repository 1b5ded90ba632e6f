"""Files by URL, read through fsspec: ``s3://``, ``gs://``, ``hf://``, ``https://`` and whatever else is installed.

fsspec takes keys and addresses of servers from where the tools of each service keep them, and from variables such as
``FSSPEC_S3_ENDPOINT_URL``.
"""

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pairgen.errors import SourceNotFound, UsageError, in_short

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
BUFFER_BYTES = 1 << 20


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return bool(_URL.match(text))


def without_secrets(url: str) -> str:
    """A URL without what may be secret: the user, and what follows the path of a web address."""
    if not url.lower().startswith(("http://", "https://")):
        return re.sub(r"(?<=://)[^/@]*:[^/@]*@", "", url)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _Stat(NamedTuple):
    st_size: int


@dataclass(frozen=True)
class UrlFile:
    """A file by URL: as much of ``pathlib.Path`` as the readers of formats use.

    Whatever goes wrong is an OSError, as with files on disk.
    """

    url: str

    def __str__(self) -> str:
        return without_secrets(self.url)

    @property
    def name(self) -> str:
        return PurePosixPath(str(self)).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def suffixes(self) -> list[str]:
        return PurePosixPath(self.name).suffixes

    @cached_property
    def _size(self) -> int:
        files, path = filesystem(self.url)
        with _os_errors():
            size = files.size(path)
        return 1 if size is None else int(size)

    def stat(self) -> _Stat:
        """The size in bytes, which a web server may not tell: then it is 1."""
        return _Stat(self._size)

    def open(self, mode: str = "rb", buffering: int = BUFFER_BYTES) -> io.BufferedReader:
        """The bytes of the file."""
        assert mode == "rb"
        files, path = filesystem(self.url)
        with _os_errors():
            return io.BufferedReader(_Raw(files.open(path, "rb")), buffering)


AnyFile = Path | UrlFile
"""A file on disk or by URL."""


class _Raw(io.RawIOBase):
    """A file of fsspec, whose errors become OSErrors."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def readinto(self, buffer: Any) -> int:
        with _os_errors():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _os_errors():
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of fsspec that a URL belongs to, and the path in it.

    Raises:
        UsageError: an unknown protocol, or one whose package is not installed.
    """
    from fsspec.core import url_to_fs

    protocol = f"{url.partition('://')[0]}://"
    try:
        files, path = url_to_fs(url)
        return files, str(path)
    except ImportError as error:
        raise UsageError(f"{protocol} needs a package that is not installed ({in_short(error, 200)})") from error
    except ValueError as error:
        raise UsageError(f"{without_secrets(url)}: cannot be used ({in_short(error, 200)})") from error


def find_files(url: str) -> list[UrlFile]:
    """The file at a URL, or those that match a pattern (``s3://bucket/part-*.jsonl``), in the order of their names.

    Raises:
        UsageError: see ``filesystem``.
        SourceNotFound: there is none, or it cannot be reached.
    """
    is_web = url.lower().startswith(("http://", "https://"))  # where ? begins a query
    if is_web or not any(character in url for character in "*?["):
        return [UrlFile(url)]
    files, pattern = filesystem(url)
    try:
        with _os_errors():
            found = sorted(files.glob(pattern))
    except OSError as error:
        raise SourceNotFound(f"{without_secrets(url)}: cannot be read ({error.strerror or error})") from error
    if not found:
        raise SourceNotFound(f"{without_secrets(url)}: no file matches this pattern")
    return [UrlFile(str(files.unstrip_protocol(path))) for path in found]


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """Raise an OSError in place of the errors of the packages behind fsspec."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {in_short(error, 200)}") from error
