"""``build``: from the rows of a source to a pair dataset.

This process reads rows and writes pairs, both in order; workers convert batches of rows in between.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from pairgen import stats
from pairgen.atomic import write_text
from pairgen.builders import BUILDERS, Builder, prompts
from pairgen.builders.interface import CorruptionOptions
from pairgen.building import selection
from pairgen.building.convert import Recipe, SplitPairs, convert, find_questions, find_shots
from pairgen.building.manifest import describe_build
from pairgen.building.options import BuildOptions
from pairgen.building.reading import Reader
from pairgen.building.selection import Keys, SeenKeys
from pairgen.errors import SourceError, UsageError
from pairgen.pairs.dataset import PairDataset, SplitInfo
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import Progress, Warn, ignore
from pairgen.sources import formats
from pairgen.sources.formats import Columns
from pairgen.sources.locate import Source, hashed_provenance, resolve

SHOT_POOL = 1024
"""Few-shot examples that ``shots_per_row`` samples from."""
LARGE_OUTPUT = 1_000_000_000
"""Bytes of few-shot prompts from which a build warns of its size."""
BYTES_PER_WORKER = 8 << 20
"""A smaller source is not worth another process."""

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
    builder = _find_builder(builder)
    if not builder.corrupts and (options.corruption, options.pairs_per_row) != CorruptionOptions():
        raise UsageError(
            f"--corruption and --pairs-per-row do not apply to {builder.name}: "
            "its rejected completions come from the source"
        )
    writer = DatasetWriter(out, overwrite)
    style = prompts.find(options.prompt_style or builder.style, builder.styles)
    optional = None if style.columns is None else builder.optional | style.columns | {options.id_column}
    sources = resolve(options.source, builder.name, builder.hub, Columns(builder.columns, optional))
    eval_size = _eval_size(builder, options, sources)
    corruption = CorruptionOptions(options.corruption, options.pairs_per_row)
    recipe = Recipe(builder, options.seed, style, corruption, id_column=options.id_column)
    count = options.workers or _fitting_workers(sources)
    with writer, ThreadPoolExecutor(1) as hashing:
        hashes = {split: hashing.submit(hashed_provenance, source) for split, source in sources.items()}
        skip_invalid = options.on_error == "skip"
        first_pass = _FirstPass(Reader(sources, formats.BLOCK_BYTES, skip_invalid), count, progress, warn)
        recipe = first_pass.choose(recipe, options, eval_size)
        reader = Reader(sources, formats.BLOCK_BYTES // (1 + options.shots), skip_invalid, warn)
        counts = _write_pairs(writer, recipe, reader, count, progress)
        if options.drops is not None:
            _write_drops(Path(options.drops), counts)
        provenance = {split: future.result() for split, future in hashes.items()}
        manifest = describe_build(builder, os.fspath(out), options, eval_size, provenance)
        manifest["splits"] = {split: of_split.info() for split, of_split in counts.items()}
        names = ("edit_distance", stats.CORRUPTIONS) if builder.corrupts else ("edit_distance",)
        return writer.commit(manifest, lambda dataset: stats.describe(dataset, names=names))


def _find_builder(builder: str | Builder) -> Builder:
    if isinstance(builder, Builder):
        return builder
    if builder not in BUILDERS:
        raise UsageError(f"unknown dataset {builder!r}; available: {', '.join(BUILDERS)}")
    return BUILDERS[builder]


def _eval_size(builder: Builder, options: BuildOptions, sources: dict[str, Source]) -> int:
    if options.eval_size is None:
        return 0 if options.source else builder.eval_size
    if options.eval_size and "train" not in sources:
        raise UsageError(
            "--eval-size holds out training rows, but there is no training source; add --source train=FILE"
        )
    if options.eval_size and "eval" in sources:
        raise UsageError("--eval-size holds out training rows, but there is an eval source; drop one of the two")
    return options.eval_size


def _fitting_workers(sources: dict[str, Source]) -> int:
    """As many workers as there are cores, or fewer for a small source."""
    size = sum(source.size for source in sources.values())
    return max(1, min(os.cpu_count() or 1, size // BYTES_PER_WORKER))


# ---------------------------------------------------------------- choices that depend on all rows


@dataclass(frozen=True)
class _FirstPass:
    """Reads all training rows to choose the questions to hold out and the few-shot examples."""

    reader: Reader
    workers: int
    progress: Progress
    warn: Warn

    def choose(self, recipe: Recipe, options: BuildOptions, eval_size: int) -> Recipe:
        """The recipe with these choices."""
        if not eval_size and not options.shots:
            return recipe
        if "train" not in self.reader.sources:
            raise UsageError("--shots are training rows, but there is no training source; add --source train=FILE")
        reader = replace(self.reader, sources={"train": self.reader.sources["train"]})
        keys = list(reader.map("reading questions", partial(find_questions, recipe), self.workers, self.progress))
        if eval_size:
            held_out, rows = selection.held_out_questions(keys, eval_size, options.seed)
            if rows < eval_size:
                self.warn(f"held out {rows:,} rows instead of {eval_size:,}: questions are not divided between splits")
            recipe = replace(recipe, held_out=held_out)
        if options.shots:
            shots = self._shots(recipe, options, reader, keys)
            self._warn_of_size(sum(map(len, keys)), options.shots, shots)
            recipe = replace(recipe, shots=shots, shot_count=options.shots, shots_per_row=options.shots_per_row)
        return recipe

    def _warn_of_size(self, rows: int, count: int, shots: Sequence[prompts.Shot]) -> None:
        length = sum(len(shot.text) for shot in shots) // len(shots)
        if (size := rows * count * length) > LARGE_OUTPUT:
            self.warn(
                f"the prompts of {rows:,} rows will take {size / 1e9:.1f} GB or more: {count:,} few-shot examples of "
                f"{length:,} characters each"
            )

    def _shots(
        self, recipe: Recipe, options: BuildOptions, reader: Reader, keys: Sequence[Keys]
    ) -> tuple[prompts.Shot, ...]:
        count = max(SHOT_POOL if options.shots_per_row else 0, options.shots + 1)
        questions = selection.few_shot_questions(keys, recipe.held_out, count, options.seed)
        if len(questions) <= options.shots:
            raise UsageError(f"--shots {options.shots}: the training source has only {len(questions)} questions")
        chosen = frozenset(questions)
        shots: dict[int, prompts.Shot] = {}
        for batch, batch_keys in zip(reader.batches(), keys, strict=True):
            if len(shots) == len(chosen):
                break
            if not chosen.isdisjoint(batch_keys.tolist()):
                for shot in find_shots(recipe, chosen, batch.rows()[0]):
                    shots.setdefault(shot.question, shot)
        return tuple(shots[question] for question in questions)


# ---------------------------------------------------------------- pairs


@dataclass
class _Counts:
    """What one split yielded."""

    rows: int = 0
    pairs: int = 0
    rows_with_fewer_pairs: int = 0
    drops: list[tuple[str, str]] = field(default_factory=list)
    """Where each row is that yielded no pair, and the reason."""

    def add(self, result: SplitPairs) -> None:
        self.rows += result.rows
        self.pairs += result.batch.num_rows if result.batch else 0
        self.rows_with_fewer_pairs += result.rows_with_fewer_pairs
        self.drops += result.drops

    @property
    def reasons(self) -> Counter[str]:
        return Counter(reason for _, reason in self.drops)

    def info(self) -> SplitInfo:
        info: SplitInfo = {"rows": self.rows}
        if self.rows_with_fewer_pairs:
            info["rows_with_fewer_pairs"] = self.rows_with_fewer_pairs
        return {**info, "drops": dict(sorted(self.reasons.items()))}


def _write_pairs(
    writer: DatasetWriter, recipe: Recipe, reader: Reader, workers: int, progress: Progress
) -> dict[str, _Counts]:
    """Convert all rows and write their pairs. Returns counts by split, each of which has pairs."""
    counts = {split: _Counts() for split in [*reader.sources, *(["eval"] if recipe.held_out else [])]}
    seen = SeenKeys()
    for splits in reader.map("making pairs", partial(convert, recipe), workers, progress):
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
