"""What the splits of a build yielded so far, and the list of its dropped rows."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from pairgen.atomic import os_errors, staging
from pairgen.building.convert import SplitPairs
from pairgen.building.reading import Invalid
from pairgen.errors import SourceError
from pairgen.pairs.dataset import SplitInfo

UNREADABLE = "unreadable row"
"""Why a row that cannot be read yields no pair."""


@dataclass
class SplitTally:
    """What one split yielded."""

    rows: int = 0
    pairs: int = 0
    rows_with_fewer_pairs: int = 0
    repeated_pairs: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    """Rows that yielded no pair, by reason."""

    def add(self, other: SplitPairs, unreadable: int) -> None:
        """Add what a batch of rows yielded, and its rows that could not be read."""
        self.rows += other.rows + unreadable
        self.pairs += other.pairs
        self.rows_with_fewer_pairs += other.rows_with_fewer_pairs
        self.repeated_pairs += other.repeated_pairs
        self.drops.update(reason for _, reason in other.drops)
        if unreadable:
            self.drops[UNREADABLE] += unreadable

    def add_info(self, info: SplitInfo) -> None:
        """Add what the manifest of a part says."""
        self.rows += info.get("rows", 0)
        self.pairs += info["pairs"]
        self.rows_with_fewer_pairs += info.get("rows_with_fewer_pairs", 0)
        self.repeated_pairs += info.get("repeated_pairs", 0)
        self.drops.update(info.get("drops", {}))

    def info(self) -> SplitInfo:
        """The counts as a manifest has them, without the pairs."""
        info: SplitInfo = {"rows": self.rows}
        if self.rows_with_fewer_pairs:
            info["rows_with_fewer_pairs"] = self.rows_with_fewer_pairs
        if self.repeated_pairs:
            info["repeated_pairs"] = self.repeated_pairs
        return {**info, "drops": dict(sorted(self.drops.items()))}


@dataclass
class Tally:
    """What a build yielded so far."""

    splits: dict[str, SplitTally]
    """By name, in the order in which the manifest lists them; a block's pairs are written in this order, too."""
    blocks: int = 0
    """Batches of rows that were converted."""
    pairs_by_block: dict[str, list[int]] | None = None
    """For each split the pairs of each of these; None if it is not needed."""

    @property
    def rows(self) -> int:
        return sum(split.rows for split in self.splits.values())

    def add(self, made: Mapping[str, SplitPairs], invalid: Mapping[str, list[Invalid]]) -> None:
        """Add what a block yielded, and its rows that cannot be read, both by split."""
        self.blocks += 1
        for name, split in self.splits.items():
            of_block = made.get(name, SplitPairs())
            split.add(of_block, len(invalid.get(name, ())))
            if self.pairs_by_block is not None:
                self.pairs_by_block[name].append(of_block.pairs)

    def check_pairs(self) -> None:
        """Raise SourceError for a split without pairs."""
        for name, split in self.splits.items():
            if not split.pairs:
                reasons = ", ".join(f"{reason}: {times:,}" for reason, times in split.drops.most_common(3))
                raise SourceError(
                    f"the {name} split has no pairs ({reasons or 'its source has no rows'}); "
                    "check that --source fits this dataset"
                )

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "splits": {name: vars(split) for name, split in self.splits.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Tally":
        splits = {
            name: SplitTally(**{**split, "drops": Counter(split["drops"])}) for name, split in value["splits"].items()
        }
        return cls(splits, value["blocks"], value["pairs_by_block"])


class DropList:
    """The file of ``--drops``: a line of JSON for each row that yields no pair, in the order of the source.

    It grows in the hidden folder of the unfinished dataset, and is moved to its place as a whole.

    Args:
        out: the file; None to list nothing.
        beside: the hidden folder.
        size: bytes that are kept of what a killed build had written.
    """

    def __init__(self, out: str | None, beside: Path, size: int) -> None:
        self._out = Path(out) if out is not None else None
        self._file = beside / "drops.jsonl"
        if self._out is not None:
            self._stream = self._file.open("ab")
            self._stream.truncate(size)

    def __enter__(self) -> "DropList":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._stream.close()

    def add(self, made: Mapping[str, SplitPairs], invalid: Mapping[str, list[Invalid]]) -> None:
        """Append the rows of a block."""
        if self._out is None:
            return
        drops = [(split, where, reason) for split, pairs in made.items() for where, reason in pairs.drops]
        drops += [(split, row.where, UNREADABLE) for split, rows in invalid.items() for row in rows]
        self._stream.write(b"".join(_line(*drop) for drop in sorted(drops, key=_row_number)))

    def size(self) -> int:
        """Bytes on disk, once all that was added is there."""
        if self._out is None:
            return 0
        self._stream.flush()
        return os.fstat(self._stream.fileno()).st_size

    def finish(self) -> None:
        """Write the file. Raises OutputError."""
        if self._out is None:
            return
        self._stream.flush()
        with os_errors(self._out), staging(self._out) as folder:
            shutil.copyfile(self._file, folder / self._out.name)
            (folder / self._out.name).replace(self._out)


def _row_number(drop: tuple[str, str, str]) -> int:
    """The number of a row in its file, by which the rows of a block are in order: ``rows.jsonl:7`` has 7."""
    return int(drop[1].rpartition(":")[2])


def _line(split: str, where: str, reason: str) -> bytes:
    return json.dumps({"split": split, "row": where, "reason": reason}, ensure_ascii=False).encode() + b"\n"
