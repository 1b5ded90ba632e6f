"""``build``: from the rows of a source to a pair dataset.

This process reads rows and writes pairs, both in order; workers convert batches of rows in between.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa

from pairgen import stats
from pairgen.atomic import write_text
from pairgen.builders import Builder
from pairgen.building.convert import Recipe, SplitPairs, convert
from pairgen.building.manifest import describe_build
from pairgen.building.options import BuildOptions
from pairgen.building.planning import Plan
from pairgen.building.reading import Engine, Reader
from pairgen.building.selection import SeenKeys
from pairgen.errors import SourceError
from pairgen.pairs.dataset import PairDataset, SplitInfo
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import BuildPhase, Progress, Warn, ignore
from pairgen.sources.origin import hashed_provenance

UNREADABLE = "unreadable row"
"""Why a row that cannot be read yields no pair."""


def build(
    builder: str | Builder,
    out: str | os.PathLike[str],
    options: BuildOptions = BuildOptions(),
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
    warn: Warn = ignore,
) -> PairDataset:
    """Build a pair dataset in the folder ``out`` and open it.

    Args:
        builder: a name in ``BUILDERS``, or a builder of your own.
        overwrite: replace an existing dataset, which stays in place until the new one is complete.
        progress: called with bytes of the source.
        warn: called with a message for rows that were skipped, and if fewer rows than requested are held out.

    Raises:
        UsageError: an unknown name, or options that conflict.
        SourceError: rows are unavailable or unreadable, or a split has no pairs.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind.
    """
    writer = DatasetWriter(out, overwrite)
    plan = Plan.of(builder, options)
    with writer, ThreadPoolExecutor(1) as hashing, plan.engine:
        hashes = {split: hashing.submit(hashed_provenance, source) for split, source in plan.sources.items()}
        recipe = plan.recipe(progress, warn)
        counts = _write_pairs(writer, recipe, plan.reader(warn), plan.engine, progress)
        if options.drops is not None:
            _write_drops(Path(options.drops), counts)
        provenance = {split: future.result() for split, future in hashes.items()}
        manifest = describe_build(plan.builder, os.fspath(out), options, plan.eval_size, provenance)
        manifest["splits"] = {split: of_split.info() for split, of_split in counts.items()}
        return writer.commit(manifest, lambda dataset: stats.describe(dataset, names=stats.RECORDED))


# ---------------------------------------------------------------- pairs


@dataclass
class _Counts:
    """What one split yielded."""

    rows: int = 0
    pairs: int = 0
    rows_with_fewer_pairs: int = 0
    repeated_pairs: int = 0
    drops: list[tuple[str, str]] = field(default_factory=list)
    """Where each row is that yielded no pair, and the reason."""

    def add(self, result: SplitPairs) -> None:
        self.rows += result.rows
        self.pairs += result.batch.num_rows if result.batch else 0
        self.rows_with_fewer_pairs += result.rows_with_fewer_pairs
        self.repeated_pairs += result.repeated_pairs
        self.drops += result.drops

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for _, reason in self.drops)

    def info(self) -> SplitInfo:
        info: SplitInfo = {"rows": self.rows}
        if self.rows_with_fewer_pairs:
            info["rows_with_fewer_pairs"] = self.rows_with_fewer_pairs
        if self.repeated_pairs:
            info["repeated_pairs"] = self.repeated_pairs
        return {**info, "drops": dict(sorted(self.reasons.items()))}


def _write_pairs(
    writer: DatasetWriter, recipe: Recipe, reader: Reader, engine: Engine, progress: Progress
) -> dict[str, _Counts]:
    """Convert all rows and write their pairs. Returns counts by split, each of which has pairs."""
    counts = {split: _Counts() for split in [*reader.sources, *(["eval"] if recipe.held_out else [])]}
    seen = SeenKeys()
    for splits in reader.map(BuildPhase.MAKING, partial(convert, recipe), engine, progress):
        for split, result in splits.items():
            counts[split].add(result)
            if result.batch is not None and result.id_keys is not None:
                writer.write(split, number_duplicates(result.batch, seen.count_and_add(result.id_keys)))
    for split, invalid in reader.invalid.items():
        counts[split].rows += len(invalid)
        counts[split].drops += ((row.where, UNREADABLE) for row in invalid)
    for split, of_split in counts.items():
        if not of_split.pairs:
            reasons = ", ".join(f"{reason}: {times:,}" for reason, times in of_split.reasons.most_common(3))
            raise SourceError(
                f"the {split} split has no pairs ({reasons or 'its source has no rows'}); "
                "check that --source fits this dataset"
            )
    return counts


def _write_drops(path: Path, counts: dict[str, _Counts]) -> None:
    rows = [
        {"split": split, "row": where, "reason": reason}
        for split, of_split in counts.items()
        for where, reason in of_split.drops
    ]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def number_duplicates(batch: pa.RecordBatch, before: Iterable[int] | None) -> pa.RecordBatch:
    """Append ``~2`` to the id of a pair whose row occurred once before, ``~3`` to the next, and so on.

    Rows that are exact duplicates have the same id otherwise.
    """
    if before is None:
        return batch
    ids = batch["pair_id"].to_pylist()
    numbered = [f"{pair_id}~{times + 1}" if times else pair_id for pair_id, times in zip(ids, before, strict=True)]
    return batch.set_column(batch.schema.get_field_index("pair_id"), batch.schema.field("pair_id"), pa.array(numbered))
