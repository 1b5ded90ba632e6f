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

from pairgen.errors import PairgenError, SourceNotFound, UsageError, in_short

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
BUFFER_BYTES = 1 << 20


def is_url(text: str) -> bool:
    """Whether a text is a URL rather than a path."""
    return bool(_URL.match(text))


def without_secrets(url: str) -> str:
    """A URL without what may be secret: the login and the query, in each link of a chain (``zip://a::https://b``).

    A question mark is that of a query in web addresses, and elsewhere where ``=`` follows: ``s3://bucket/part-?.jsonl``
    is a pattern. Where a login cannot be told from the rest, nothing but the protocol remains. Other texts stay.
    """
    return "::".join(_link_without_secrets(link) for link in _CHAIN.split(url))


def secrets_removed(text: str) -> str:
    """A text, such as the message of an error, with each URL in it ``without_secrets``."""
    return _IN_TEXT.sub(lambda found: without_secrets(found[0]), text)


def reason_of(error: BaseException) -> str:
    """What an error of fsspec or the packages behind it says, in short and without secrets."""
    return in_short(secrets_removed(getattr(error, "strerror", None) or str(error)) or type(error).__name__, 200)


_CHAIN = re.compile(r"::(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_WEB = ("http", "https")
_HIDDEN = "***"
_REFERENCE = re.compile(r"(github|git)\Z|(hf|abfss?|az|adl|wasbs?)\Z", re.IGNORECASE)
"""Protocols in whose addresses no login precedes an @, but a repository or a container."""


def _link_without_secrets(url: str) -> str:
    protocol, separator, rest = url.partition("://")
    if not separator:
        return url
    protocol_name = protocol.rpartition("=")[2]  # of ``train=s3://...``
    end = min((found for mark in "/?#" if (found := rest.find(mark)) >= 0), default=len(rest))
    host, path = rest[:end], rest[end:]
    if protocol_name.lower() in _WEB:
        path = re.split("[?#]", path, maxsplit=1)[0]
    else:
        path = re.sub(r"\?[^?]*=.*", "", path, flags=re.DOTALL)
    reference = _REFERENCE.match(protocol_name)
    if reference and (reference[1] or ":" not in host):
        return f"{protocol}://{host}{path}"
    port = re.search(r":([^:\]]*)\Z", host)
    is_port = port is None or port[1].isdigit()
    is_cut = re.match(r"[^/]*[?#][^/]*@", rest) or (not is_port and "@" not in host and "@" in path)
    if is_cut:  # a password with one of /?#
        return f"{protocol}://{_HIDDEN}"
    return f"{protocol}://{host.rpartition('@')[2]}{path}"


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
            file = files.open(path, "rb")
            if isinstance(file, io.BytesIO):  # that of memory://, with one position for all who have it open
                file = io.BytesIO(file.getvalue())
            return io.BufferedReader(_Raw(file), buffering)


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


def filesystem(url: str, failure: type[PairgenError] = SourceNotFound) -> tuple[Any, str]:
    """The file system of fsspec that a URL belongs to, and the path in it.

    Args:
        failure: what is raised if it cannot be opened: some protocols connect to their server at once.

    Raises:
        UsageError: an unknown protocol, one whose package is not installed, or an invalid URL.
    """
    from fsspec.core import url_to_fs

    protocol = f"{url.partition('://')[0]}://"
    if f"://{_HIDDEN}" in without_secrets(url):  # the errors of fsspec would quote a part of it
        raise UsageError(f"{without_secrets(url)}: invalid URL; in a login, write / ? # as %2F %3F %23")
    try:
        files, path = url_to_fs(url)
        return files, str(path)
    except ImportError as error:
        raise UsageError(f"{protocol} needs a package that is not installed ({reason_of(error)})") from error
    except ValueError as error:
        raise UsageError(f"{without_secrets(url)}: cannot be used ({reason_of(error)})") from error
    except Exception as error:
        raise failure(f"{without_secrets(url)}: cannot be opened ({reason_of(error)})") from error


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
        raise SourceNotFound(f"{without_secrets(url)}: cannot be read ({reason_of(error)})") from error
    if not found:
        raise SourceNotFound(f"{without_secrets(url)}: no file matches this pattern")
    return [UrlFile(found_url) for found_url in _urls_of(found, url, pattern, files)]


def _urls_of(found: list[str], url: str, pattern: str, files: Any) -> list[str]:
    """The URLs of paths that match a pattern: with the host and the login of the pattern's URL, which paths lack."""
    start = re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")
    folder = start[0] + start[1]
    wild = pattern[len(folder) :]
    first, *others = _CHAIN.split(url)
    if not first.endswith(wild) or not all(path.startswith(folder) for path in found):
        return [str(files.unstrip_protocol(path)) for path in found]
    return ["::".join([first.removesuffix(wild) + path[len(folder) :], *others]) for path in found]


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """Raise an OSError without secrets in place of the errors of fsspec and the packages behind it."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(reason_of(error)) from error
    except OSError as error:
        raise OSError(reason_of(error)) from error
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {reason_of(error)}") from error
