"""Rows of all sources in batches, and progress in bytes read."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pairgen.building.convert import RowBatch
from pairgen.errors import InvalidRow
from pairgen.progress import Warn, ignore
from pairgen.sources.formats import Row
from pairgen.sources.locate import Source

BATCH_ROWS = 2048
BATCH_CHARACTERS = 8 << 20
"""Characters of text at which a batch ends early, so that huge rows do not fill the memory."""

MAX_WARNINGS = 5
"""Invalid rows of a split that are reported one by one."""


@dataclass
class Reader:
    """Reads the sources of all splits in order.

    ``invalid`` counts rows that could not be read by split, if they are skipped.
    """

    sources: Mapping[str, Source]
    skip_invalid: bool = False
    warn: Warn = ignore
    invalid: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """Bytes of all sources."""
        return sum(source.size for source in self.sources.values())

    def batches(self) -> Iterator[RowBatch]:
        """Batches of rows; they do not depend on who reads them, or how fast."""
        start = 0
        for split, source in self.sources.items():
            rows: list[Row] = []
            characters = 0
            for position, row in source.rows(self.skip_invalid):
                if isinstance(row, InvalidRow):
                    self._count(split, row)
                    continue
                rows.append(row)
                characters += sum(len(value) for value in row.values() if type(value) is str)
                if len(rows) >= BATCH_ROWS or characters >= BATCH_CHARACTERS:
                    yield RowBatch(split, rows, start + position)
                    rows, characters = [], 0
            start += source.size
            if rows:
                yield RowBatch(split, rows, start)
            if self.invalid[split] > MAX_WARNINGS:
                self.warn(f"skipped {self.invalid[split] - MAX_WARNINGS:,} more rows of {split} that cannot be read")

    def _count(self, split: str, row: InvalidRow) -> None:
        self.invalid[split] += 1
        if self.invalid[split] <= MAX_WARNINGS:
            self.warn(f"skipped: {row.where}: {row.problem}")
