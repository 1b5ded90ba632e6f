"""How a text file is opened, compressed or not."""

import contextlib
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from pairgen.errors import SourceError
from pairgen.sources.urls import AnyFile

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BUFFER_BYTES = 1 << 20

NOT_TEXT = {
    b"version https://git-lfs.": "is a Git LFS pointer instead of the data; run `git lfs pull`",
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"PAR1": "is a Parquet file; name it .parquet",
    b"ARROW1": "is an Arrow file; name it .arrow",
    b"\x1f\x8b": "is compressed with gzip; add .gz to its name",
    b"PK\x03\x04": "is a zip archive; unpack it",
    b"BZh": "is compressed with bzip2; unpack it",
    b"\xfd7zXZ": "is compressed with xz; unpack it",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it",
}
"""What a file is that begins with these bytes, and what to do."""


class TextFile(NamedTuple):
    """A text file open for reading, decompressed."""

    read: Callable[[int], bytes]
    readline: Callable[[], bytes]
    peek: Callable[[int], bytes]
    """Some of the next bytes, which remain unread; empty only at the end."""
    position: Callable[[], int]
    """Bytes of the file on disk that have been read."""


@contextlib.contextmanager
def open_text(path: AnyFile, start: int = 0) -> Iterator[TextFile]:
    """Open a file of UTF-8 text, after its byte order mark, or one that is not compressed at the byte ``start``.

    Raises:
        SourceError: the file is damaged, ends too early, or is recognized as something else than UTF-8 text.
    """
    with cast(io.BufferedReader, path.open("rb", BUFFER_BYTES)) as raw:
        file = gzip.GzipFile(fileobj=raw) if is_compressed(path) else raw
        try:
            if start:
                raw.seek(start)
            else:
                check_content(path, file.peek(32))
                if file.peek(3).startswith(BYTE_ORDER_MARK):
                    file.read(3)
            yield TextFile(file.read, file.readline, file.peek, raw.tell)
        except (EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{path}: is damaged or ends too early ({error}); download or copy it again") from error


def is_compressed(path: AnyFile) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() == ".gz"


def check_content(path: AnyFile, start: bytes, expected: bytes = b"") -> None:
    """Raise SourceError if the first bytes of a file show that it is not what its name says."""
    for magic, problem in NOT_TEXT.items():
        if start.startswith(magic) and magic != expected:
            raise SourceError(f"{path}: {problem}")
