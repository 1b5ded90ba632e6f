"""Rows of all sources in batches, what to do about unreadable ones, and progress in bytes read."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pairgen.errors import InvalidRow
from pairgen.progress import Warn, ignore
from pairgen.sources.formats import Block, Row
from pairgen.sources.locate import Source

MAX_WARNINGS = 5
"""Unreadable rows of a split that are reported one by one."""


class Invalid(NamedTuple):
    """A row that cannot be read."""

    where: str
    problem: str


class RowBatch(NamedTuple):
    """Consecutive rows of the source of one split, to be parsed by a worker."""

    split: str
    file: str
    block: Block
    required: frozenset[str]
    position: int
    """Bytes of all sources read so far."""

    def rows(self) -> tuple[list[Row], list[Invalid]]:
        """The rows that have all required columns, and those that cannot be read."""
        rows: list[Row] = []
        invalid: list[Invalid] = []
        for number, row in self.block.rows():
            if type(row) is dict and self.required <= row.keys():
                rows.append(row)
                continue
            problem = f"has no {', '.join(sorted(self.required - row.keys()))}" if type(row) is dict else str(row)
            invalid.append(Invalid(f"{self.file}: {self.block.unit} {number}", problem))
        return rows, invalid


@dataclass
class Reader:
    """Reads the sources of all splits in order.

    ``block_bytes`` limits a batch. ``invalid`` counts unreadable rows by split, if they are skipped.
    """

    sources: Mapping[str, Source]
    block_bytes: int
    skip_invalid: bool = False
    warn: Warn = ignore
    invalid: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """Bytes of all sources."""
        return sum(source.size for source in self.sources.values())

    def batches(self) -> Iterator[RowBatch]:
        """Batches of rows."""
        start = 0
        for split, source in self.sources.items():
            for file, block in source.blocks(self.block_bytes):
                yield RowBatch(split, file, block, source.columns.required, start + block.position)
            start += source.size

    def report(self, split: str, invalid: Sequence[Invalid]) -> None:
        """Count unreadable rows and warn of the first ones. Raises InvalidRow unless they are skipped."""
        for row in invalid:
            if not self.skip_invalid:
                raise InvalidRow(row.where, row.problem)
            self.invalid[split] += 1
            if self.invalid[split] <= MAX_WARNINGS:
                self.warn(f"skipped: {row.where}: {row.problem}")

    def close(self) -> None:
        """Warn of how many more unreadable rows there were."""
        for split, count in self.invalid.items():
            if count > MAX_WARNINGS:
                self.warn(f"skipped {count - MAX_WARNINGS:,} more unreadable rows of {split}")
