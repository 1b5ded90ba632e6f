"""A build as it goes on from block to block, so that a killed one can be resumed.

The source is cut into blocks, which are numbered in order. Whenever a shard file was closed, a checkpoint records,
after the block in work, how many blocks are done, what was counted, and where the writer stands. So at most the blocks
of one shard are converted again. The keys of ids that occurred are not in the checkpoint: they are read from the pairs.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pairgen.building.convert import SplitPairs
from pairgen.building.options import BuildOptions
from pairgen.building.parts.conditions import Conditions, differences
from pairgen.building.parts.tally import UNREADABLE, DropList, Tally
from pairgen.building.reading import Invalid
from pairgen.building.selection import SeenKeys, id_keys, number_duplicates
from pairgen.errors import InvalidRow, OutputError, SourceError, UsageError
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import Warn

CONTINUE = "completed work is kept; continue with --resume"


@dataclass
class Work:
    """What a build holds between two blocks."""

    writer: DatasetWriter
    tally: Tally
    drops: DropList
    note: Callable[[], Mapping[str, Any]] | None
    """What the checkpoint records of the build besides this; it is called once a shard is complete. Without it, there
    are no checkpoints.
    """
    seen: SeenKeys = field(default_factory=SeenKeys)

    def add(self, made: Mapping[str, SplitPairs], invalid: Mapping[str, list[Invalid]]) -> None:
        """Write and count what a block yielded, and its rows that cannot be read, both by split."""
        closed = self.writer.closed_shards
        self.tally.add(made, invalid)
        self.drops.add(made, invalid)
        for split in self.tally.splits:
            result = made.get(split)
            if result is not None and result.batch is not None and result.id_keys is not None:
                self.writer.write(split, number_duplicates(result.batch, self.seen.count_and_add(result.id_keys)))
        if self.note and self.writer.closed_shards > closed:
            drops = self.drops.size()
            self.writer.save({**self.note(), "tally": self.tally.to_json(), "drops": drops})

    def finish(self) -> None:
        """Write the list of drops, after the last block. Raises SourceError for a split without pairs."""
        if self.tally.pairs_by_block is None:  # else other parts may have some
            try:
                self.tally.check_pairs()
            except SourceError:
                self.writer.discard()  # to go on would end here again
                raise
        self.drops.finish()


def note_of(options: BuildOptions, conditions: Conditions) -> dict[str, Any]:
    """What a checkpoint records of a build, besides its work."""
    return {"conditions": conditions, "shard": options.shard, "lists_drops": options.drops is not None}


def check_resumable(writer: DatasetWriter, note: Mapping[str, Any], options: BuildOptions) -> None:
    """Raise UsageError unless the build that the writer goes on from was one with this note."""
    old = writer.note or note
    other = differences(old["conditions"], note["conditions"])
    other += [flag for flag, key in (("--shard", "shard"), ("--drops", "lists_drops")) if old[key] != note[key]]
    if not other and options.on_error == "stop" and writer.note:
        splits = Tally.from_json(writer.note["tally"]).splits
        other += ["--on-error"] if any(split.drops[UNREADABLE] for split in splits.values()) else []
    if other:
        raise UsageError(
            f"{writer.out}: cannot be resumed, because the unfinished build differs in {', '.join(other)}; "
            "use the same options and files, or start over without --resume"
        )


def begin(
    writer: DatasetWriter, tally: Tally, options: BuildOptions, note: Callable[[], Mapping[str, Any]] | None
) -> Work:
    """The work of a build that starts, or goes on from where the writer does.

    Args:
        tally: the empty one.
        note: what ``note_of`` gives; None for a build without checkpoints.
    """
    old = writer.note or {"drops": 0}
    if writer.note:
        tally = Tally.from_json(old["tally"])
    work = Work(writer, tally, DropList(options.drops, writer.beside, old["drops"]), note)
    for ids in writer.pair_ids():
        work.seen.count_and_add(id_keys(ids.to_pylist()))
    return work


@contextmanager
def kept_if_unfinished(writer: DatasetWriter, warn: Warn) -> Iterator[None]:
    """Say how to go on if a build ends early but can be resumed."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(*([CONTINUE] if writer.has_checkpoint else interrupt.args)) from None
    except Exception as error:
        if writer.has_checkpoint and not isinstance(error, (OSError, UsageError, OutputError)):
            how = " --on-error skip (other source files need a new build)" if isinstance(error, InvalidRow) else ""
            warn(f"{writer.out} is unfinished; {CONTINUE}{how}")
        raise
