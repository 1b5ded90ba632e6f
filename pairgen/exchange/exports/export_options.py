"""How pairs are exported, and what came of it; a leaf, so that the command line starts quickly."""

from dataclasses import dataclass
from typing import NamedTuple

from pairgen.errors import UsageError
from pairgen.exchange.exports.targets import TARGETS, Target
from pairgen.options import check, option

FORMATS = ("jsonl", "parquet", "arrow")
COMPRESSIONS = {"jsonl": ("none", "gzip"), "parquet": ("zstd", "snappy", "none"), "arrow": ("none",)}
"""By format, the default first."""


@dataclass(frozen=True)
class ExportOptions:
    """How pairs are exported.

    Raises:
        UsageError: a value that is not available, or a compression that the format does not have.
    """

    to: str = option("trl", "The layout to write.", choices=TARGETS, metavar="<name>")
    format: str = option("jsonl", "File format.", choices=FORMATS)
    compression: str | None = option(
        None, "none or gzip for jsonl; zstd, snappy or none for parquet. Default: none for jsonl, zstd for parquet."
    )
    shard_rows: int = option(500_000, "Maximum rows per file.", at_least=1)
    limit: int | None = option(None, "Only the first N pairs of each split. Default: all.", at_least=1, metavar="N")

    def __post_init__(self) -> None:
        check(self)
        available = COMPRESSIONS[self.format]
        if self.compression is not None and self.compression not in available:
            raise UsageError(
                f"--compression {self.compression}: {self.format} files have {' or '.join(available)} compression"
            )

    @property
    def target(self) -> Target:
        return TARGETS[self.to]


class Exported(NamedTuple):
    """What one split gave: pairs read, those without a corrupted step, rows and files written."""

    pairs: int
    without_steps: int
    rows: int
    files: list[str]
