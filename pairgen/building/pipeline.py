"""``build``: from the rows of a source to a pair dataset.

This process reads rows and writes pairs, both in order; workers convert batches of rows in between.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from pairgen import stats
from pairgen.atomic import remove_stale
from pairgen.builders import Builder
from pairgen.building.convert import Recipe, convert
from pairgen.building.manifest import describe_build
from pairgen.building.options import BuildOptions
from pairgen.building.parts.conditions import conditions_of, digest_of
from pairgen.building.parts.part_number import parse_shard
from pairgen.building.parts.resuming import Work, begin, check_resumable, kept_if_unfinished, note_of
from pairgen.building.parts.tally import SplitTally, Tally
from pairgen.building.planning import Plan
from pairgen.building.reading import Engine, Reader
from pairgen.building.upload import is_remote, written_to
from pairgen.errors import UsageError
from pairgen.pairs.dataset import MANIFEST, PairDataset, open_pairs
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import BuildPhase, Progress, Warn, ignore
from pairgen.sources.origin import hashed_provenance


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
        out: the folder, or a URL that a temporary folder is uploaded to (see ``upload.written_to``).
        overwrite: replace an existing dataset, which stays in place until the new one is complete.
        progress: called with bytes of the source.
        warn: called with a message for rows that were skipped, and if fewer rows than requested are held out.

    Raises:
        UsageError: an unknown name, or options that conflict.
        SourceError: rows are unavailable or unreadable, or a split has no pairs.
        OutputError: ``out`` already exists or cannot be written; nothing incomplete is left behind, except what
            ``resume`` goes on with: hidden beside ``out``, until it is written anew.
    """
    if is_remote(out):
        if options.resume:
            raise UsageError("--resume needs an output folder on this machine, not a URL")

        def write(folder: Path) -> PairDataset:
            return _build(builder, DatasetWriter(folder), folder, options, (progress, warn), keeps=False)

        return written_to(os.fspath(out), write, overwrite, progress)
    if options.resume and not overwrite and (complete := _complete(builder, out, options)) is not None:
        remove_stale(complete.path.absolute().parent)  # of a build that was killed after its last step
        warn(f"{complete.path} is complete")
        return complete
    writer = DatasetWriter(out, overwrite, options.resume)
    return _build(builder, writer, out, options, (progress, warn), keeps=options.engine == "local")


def _build(
    builder: str | Builder,
    writer: DatasetWriter,
    out: str | os.PathLike[str],
    options: BuildOptions,
    callbacks: tuple[Progress, Warn],
    keeps: bool,
) -> PairDataset:
    """Build with a writer to ``out``. ``keeps``: whether there are checkpoints, from which a build can be resumed. They
    count blocks of the local engine.
    """
    progress, warn = callbacks
    plan = Plan.of(builder, options)
    shard = parse_shard(options.shard)
    with writer, kept_if_unfinished(writer, warn), ThreadPoolExecutor(1) as hashing, plan.engine:
        hashes = {split: hashing.submit(hashed_provenance, source) for split, source in plan.sources.items()}

        @cache
        def note() -> dict[str, Any]:
            """Waits for the hashes of all sources."""
            return note_of(options, conditions_of(plan, {split: future.result() for split, future in hashes.items()}))

        if writer.note is not None:
            check_resumable(writer, note(), options)
        recipe = plan.recipe(progress, warn)
        work = begin(writer, _new_tally(plan, recipe), options, note if keeps else None)
        if writer.note is not None:
            warn(f"resuming after {work.tally.rows:,} rows")
        reader = replace(plan.reader(warn), first=shard.number + work.tally.blocks * shard.of, every=shard.of)
        with work.drops:
            _write_pairs(work, recipe, reader, plan.engine, progress)
        provenance = {split: future.result() for split, future in hashes.items()}
        manifest = describe_build(plan.builder, os.fspath(out), options, plan.eval_size, provenance, plan.template)
        manifest["splits"] = {split: of_split.info() for split, of_split in work.tally.splits.items()}
        if work.tally.pairs_by_block is not None:
            manifest["shard"] = {
                "index": shard.number,
                "of": shard.of,
                "conditions": digest_of(note()["conditions"]),
                "pairs": work.tally.pairs_by_block,
            }
        return writer.commit(manifest, lambda dataset: stats.describe(dataset, names=stats.RECORDED))


def _complete(builder: str | Builder, out: str | os.PathLike[str], options: BuildOptions) -> PairDataset | None:
    """The dataset at ``out``, if it is what this build would give: it was not killed, or only after its last step."""
    if not (Path(out) / MANIFEST).is_file() or (options.drops is not None and not Path(options.drops).is_file()):
        return None
    dataset, plan = open_pairs(out), Plan.of(builder, options)
    provenance = {split: hashed_provenance(source) for split, source in plan.sources.items()}
    described = describe_build(plan.builder, os.fspath(out), options, plan.eval_size, provenance, plan.template)
    expected = {**json.loads(json.dumps(described)), "history": None}
    return dataset if all(dataset.manifest.get(key) == value for key, value in expected.items()) else None


def _new_tally(plan: Plan, recipe: Recipe) -> Tally:
    splits = [*plan.sources, *(["eval"] if recipe.held_out else [])]
    blocks: dict[str, list[int]] = {split: [] for split in splits}
    return Tally({split: SplitTally() for split in splits}, pairs_by_block=blocks if plan.options.shard else None)


def _write_pairs(work: Work, recipe: Recipe, reader: Reader, engine: Engine, progress: Progress) -> None:
    """Convert all rows that are left, and write their pairs and the list of drops."""
    for made in reader.map(BuildPhase.MAKING, partial(convert, recipe), engine, progress):
        work.add(made, reader.invalid)
    work.finish()
