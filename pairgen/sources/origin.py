"""``Source``: where the rows of one split come from, read as a whole or part by part."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from pairgen.errors import SourceError
from pairgen.sources import formats, sample
from pairgen.sources.columns import Names, renamed
from pairgen.sources.formats import Block, Columns, Part, Records
from pairgen.sources.urls import AnyFile

_SAMPLE_ROW_BYTES = 1000
"""Assumed size of a sample row, for progress."""

SourcePart = Callable[[int], Iterator[tuple[str, Block]]]
"""Reads some consecutive rows of a source as ``Source.blocks`` does. It is small, and can be sent to another process
that sees the same files.
"""


class Sample(NamedTuple):
    """Generated rows of one split of a dataset."""

    dataset: str
    split: str
    rows: int
    seed: int


@dataclass(frozen=True)
class Source:
    """Where the rows of one split come from.

    ``provenance`` is recorded in the manifest (``hashed_provenance`` adds hashes). ``files`` are read in order.
    """

    columns: Columns
    provenance: dict[str, Any]
    files: tuple[AnyFile, ...] = ()
    sample: Sample | None = None
    limit: int | None = None
    """Only the first rows, as many as this."""
    names: Names = field(default_factory=dict)
    """What columns are called in the files, by the names that rows have them under."""
    size: int = field(init=False)
    """Bytes to read, for progress."""

    def __post_init__(self) -> None:
        rows = self.sample.rows if self.sample else 0
        size = sum(file.stat().st_size for file in self.files) + rows * _SAMPLE_ROW_BYTES
        object.__setattr__(self, "size", size)

    def blocks(self, block_bytes: int = formats.BLOCK_BYTES) -> Iterator[tuple[str, Block]]:
        """The path of each file, with its rows in blocks; their positions count the bytes of all files.

        Nothing is read after the last of ``limit`` rows.

        Raises:
            SourceError: a file is damaged or cannot be read.
        """
        left = self.limit
        for part in self._all_parts(lambda file: [partial(formats.read, file, self.columns)], block_bytes):
            for file, block in part(block_bytes):
                if left is not None:
                    block, count = formats.cut(block, left)
                    left -= count
                yield file, block
                if left == 0:
                    return

    def parts(self, part_bytes: int) -> Iterator[SourcePart]:
        """The source in parts of about as many bytes, or larger ones where rows are found only by reading.

        With a ``limit``, it is one part: which rows are the first is known only by reading them.

        Raises:
            SourceError: a file is damaged or cannot be read.
        """
        if self.limit is not None:
            yield self.blocks
            return
        yield from self._all_parts(lambda file: formats.parts(file, self.columns, part_bytes), part_bytes)

    def _all_parts(self, cut: Callable[[AnyFile], Iterable[Part]], sample_bytes: int) -> Iterator[SourcePart]:
        if self.sample:
            size = max(1, sample_bytes // _SAMPLE_ROW_BYTES)
            for start in range(0, self.sample.rows, size):
                stop = min(start + size, self.sample.rows)
                yield partial(_sample_blocks, self.sample, start, stop, self.names)
        before = 0
        for file in self.files:
            with _reading(file):
                for part in cut(file):
                    yield partial(_file_blocks, file, before, part, self.names)
                before += file.stat().st_size


def _file_blocks(file: AnyFile, before: int, part: Part, names: Names, block_bytes: int) -> Iterator[tuple[str, Block]]:
    with _reading(file):
        for block in part(block_bytes):
            yield str(file), renamed(block._replace(position=before + block.position), names)


@contextlib.contextmanager
def _reading(file: AnyFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror or error})") from error


def _sample_blocks(
    origin: Sample, start: int, stop: int, names: Names, block_bytes: int
) -> Iterator[tuple[str, Block]]:
    size = max(1, block_bytes // _SAMPLE_ROW_BYTES)
    for first in range(start, stop, size):
        last = min(first + size, stop)
        yield "sample", renamed(Block(last * _SAMPLE_ROW_BYTES, first + 1, (origin, last), _sample_rows), names)


def _sample_rows(data: tuple[Sample, int], first: int) -> Records:
    (dataset, split, _, seed), stop = data
    return ((index + 1, sample.row(dataset, split, index, seed)) for index in range(first - 1, stop))


def hashed_provenance(source: Source) -> dict[str, Any]:
    """``provenance``, with the SHA-256 of every local file (in order) added."""
    if "files" not in source.provenance:
        return source.provenance
    return {**source.provenance, "sha256": [_sha256(file) for file in source.files]}


def _sha256(path: AnyFile) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
