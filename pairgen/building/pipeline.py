"""``build``: rows of a source to a whole pair dataset on disk."""

import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import rapidfuzz

import pairgen
from pairgen import stats
from pairgen.atomic import staging
from pairgen.builders import BUILDERS, Builder, prompts
from pairgen.builders.interface import CorruptionOptions
from pairgen.building import convert as parts
from pairgen.building import selection
from pairgen.building.convert import Job, Part, Task
from pairgen.building.options import BuildOptions
from pairgen.building.workers import Workers
from pairgen.errors import SourceError, UsageError
from pairgen.pairs import dataset as store
from pairgen.pairs.dataset import Manifest, SplitInfo
from pairgen.pairs.writing import DatasetWriter
from pairgen.progress import Progress, ignore
from pairgen.sources import locate as sources

SHOT_POOL = 1024
"""Worked examples that ``shots_per_row`` draws from."""
BYTES_PER_WORKER = 8 << 20
"""A source smaller than this is not worth a second process."""


@dataclass
class Counted:
    """What came out of one split."""

    rows: int = 0
    fewer: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    parts: list[Part] = field(default_factory=list)

    def said(self) -> SplitInfo:
        said: SplitInfo = {"rows": self.rows}
        if self.fewer:
            said["rows_with_fewer_pairs"] = self.fewer
        return {**said, "drops": dict(sorted(self.drops.items()))}


def build(
    name: str,
    out: str | os.PathLike[str],
    given: Iterable[str] = (),
    options: BuildOptions = BuildOptions(),
    *,
    workers: int = 1,
    overwrite: bool = False,
    command: str | None = None,
    progress: Progress = ignore,
    warn: Callable[[str], None] = ignore,
) -> store.PairDataset:
    """Build the pair dataset ``name`` into the folder ``out`` and open it.

    Args:
        name: a key of ``BUILDERS``.
        given: sources as ``--source`` takes them; none means the dataset's home on the hub.
        workers: processes; 0 takes every core, if the source is large enough. No byte of the data depends on it.
        overwrite: replace a dataset that is there; until the new one is whole, the old one stays.
        command: what rebuilds the dataset, for its card.
        progress: told of progress.
        warn: takes sentences about rows that were skipped.

    Raises:
        UsageError: an unknown name, or options that cannot go together.
        SourceError: rows could not be had or read, or no pair came out of a split.
        OutputError: ``out`` is there already, or cannot be written; nothing half-written is left.
    """
    if name not in BUILDERS:
        raise UsageError(f"{name}: no such dataset; pairgen builds {', '.join(BUILDERS)}")
    builder = BUILDERS[name]
    if not builder.corrupts and (options.corruption, options.pairs_per_row) != CorruptionOptions():
        raise UsageError(
            f"--corruption and --pairs-per-row do not apply to {name}: its rejected completions come from the source"
        )
    given = list(given)
    writer = DatasetWriter(out, overwrite)
    style = prompts.find(options.prompt_style or builder.style, builder.styles)
    found = sources.resolve(given, name, builder.hub, builder.columns)
    eval_size = _eval_size(builder, options, found, from_hub=not given)
    count = workers or _fitting_workers(found)
    with writer, staging(writer.out) as folder, Workers(count) as pool, ThreadPoolExecutor(1) as hashing:
        hashes = {split: hashing.submit(sources.file_hashes, source) for split, source in found.items()}
        corruption = CorruptionOptions(options.corruption, options.pairs_per_row)
        job = Job(name, folder, options.seed, style, options.on_error == "skip", corruption=corruption)
        job = _with_choices(job, options, eval_size, found, pool, progress)
        counted = _make(job, found, pool, progress)
        for sentence in [sentence for count in counted.values() for part in count.parts for sentence in part.broken]:
            warn(f"skipped: {sentence}")
        for split, of_split in counted.items():
            for part in of_split.parts:
                for batch in parts.read_part(folder, split, part.number):
                    writer.write(split, batch)
        manifest: Manifest = {
            "dataset": name,
            "title": builder.title,
            "description": builder.description,
            **_license(builder, found),
            "command": command or f"pairgen build {name} --out {writer.out.name}",
            "options": _said(options, builder, eval_size),
            "sources": {split: future.result() for split, future in hashes.items()},
            "versions": _versions(),
            "splits": {split: of_split.said() for split, of_split in counted.items()},
        }
        names = ("edit_distance", stats.CORRUPTIONS) if builder.corrupts else ("edit_distance",)
        return writer.commit(manifest, lambda dataset: stats.describe(dataset, names=names))


def _license(builder: Builder, found: dict[str, sources.Source]) -> Manifest:
    """The license of the rows: the project's own for the built-in sample, and none for a mixture."""
    synthetic = {"sample" in source.about for source in found.values()}
    if synthetic == {True}:
        return {"license": "apache-2.0"}
    return {"license": builder.license} if builder.license and synthetic == {False} else {}


def _eval_size(builder: Builder, options: BuildOptions, found: dict[str, sources.Source], from_hub: bool) -> int:
    if options.eval_size is None:
        return builder.eval_size if from_hub else 0
    if options.eval_size and "train" not in found:
        raise UsageError("--eval-size takes rows off the training source, and there is none; give --source train=FILE")
    if options.eval_size and "eval" in found:
        raise UsageError(
            "--eval-size takes rows off the training source, but there is an eval source; give one of both"
        )
    return options.eval_size


def _fitting_workers(found: dict[str, sources.Source]) -> int:
    chunks = [chunk for source in found.values() for chunk in source.chunks]
    size = sum(chunk.size for chunk in chunks)
    return max(1, min(os.cpu_count() or 1, len(chunks), size // BYTES_PER_WORKER))


def _with_choices(
    job: Job,
    options: BuildOptions,
    eval_size: int,
    found: dict[str, sources.Source],
    pool: Workers,
    progress: Progress,
) -> Job:
    """The job with its evaluation topics and shots, for which every training row must be seen first."""
    if not eval_size and not options.shots:
        return job
    if "train" not in found:
        raise UsageError("--shots are drawn from the training source, and there is none; give --source train=FILE")
    tasks = _tasks(job, {"train": found["train"]})
    keys = list(_told(progress, "reading questions", tasks, pool.map(parts.scan, tasks)))
    if eval_size:
        job = replace(job, eval_topics=selection.eval_topics(keys, eval_size, job.seed))
    if not options.shots:
        return job
    wanted = SHOT_POOL if options.shots_per_row else 0
    topics = selection.shot_topics(keys, job.eval_topics, max(wanted, options.shots + 1), job.seed)
    if len(topics) <= options.shots:
        raise UsageError(f"--shots {options.shots}: the training source has only {len(topics)} questions to draw from")
    topic_set = frozenset(topics)
    searches = [
        parts.Search(task, topic_set)
        for task, rows in zip(tasks, keys, strict=True)
        if np.isin(rows, np.array(topics, np.uint64)).any()
    ]
    shots: dict[int, prompts.Shot] = {}
    for chunk_shots in pool.map(parts.find_shots, searches):
        for shot in chunk_shots:
            shots.setdefault(shot.question, shot)
    ordered = tuple(shots[topic] for topic in topics)
    return replace(job, shots=ordered, shot_count=options.shots, shots_per_row=options.shots_per_row)


def _tasks(job: Job, found: dict[str, sources.Source]) -> list[Task]:
    chunks = [(split, chunk) for split, source in found.items() for chunk in source.chunks]
    return [Task(job, number, split, chunk) for number, (split, chunk) in enumerate(chunks)]


def _told(progress: Progress, phase: str, tasks: Sequence[Task], results: Iterable[Any]) -> Iterable[Any]:
    """The results, with progress told as they come."""
    total = sum(task.chunk.size for task in tasks)
    done = 0
    progress(phase, 0, total)
    for task, result in zip(tasks, results, strict=True):
        done += task.chunk.size
        progress(phase, done, total)
        yield result


def _make(job: Job, found: dict[str, sources.Source], pool: Workers, progress: Progress) -> dict[str, Counted]:
    """Every chunk made into shards, ids unique over all of them."""
    tasks = _tasks(job, found)
    counted: dict[str, Counted] = {split: Counted() for split in found}
    if job.eval_topics:
        counted["eval"] = Counted()
    for made in _told(progress, "making pairs", tasks, pool.map(parts.make, tasks)):
        for part in made:
            count = counted[part.split]
            count.rows += part.rows
            count.fewer += part.fewer
            count.drops += part.drops
            if part.about is not None:
                count.parts.append(part)
    for split, count in counted.items():
        if not count.parts:
            reasons = ", ".join(f"{reason}: {times}" for reason, times in count.drops.most_common(3))
            raise SourceError(f"no pair came out of the {split} split ({count.rows} rows; {reasons or 'it is empty'})")
    ordered = [part for count in counted.values() for part in count.parts]
    ids = [parts.ids_file(job.folder, part) for part in ordered]
    before = selection.copies([np.memmap(file, np.uint64, "r") for file in ids])
    for file in ids:
        file.unlink()
    orders = [
        parts.Renumber(job.folder, part, copies)
        for part, copies in zip(ordered, before, strict=True)
        if copies is not None
    ]
    again = {(part.split, part.number): part for part in pool.map(parts.renumber, orders)}
    for count in counted.values():
        count.parts = [again.get((part.split, part.number), part) for part in count.parts]
    return counted


def _said(options: BuildOptions, builder: Builder, eval_size: int) -> dict[str, Any]:
    corruption = {"corruption": options.corruption, "pairs_per_row": options.pairs_per_row} if builder.corrupts else {}
    return {
        "seed": options.seed,
        "prompt_style": options.prompt_style or builder.style,
        "shots": options.shots,
        "shots_per_row": options.shots_per_row,
        "eval_size": eval_size,
        **corruption,
    }


def _versions() -> dict[str, str]:
    return {
        "pairgen": pairgen.__version__,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "rapidfuzz": rapidfuzz.__version__,
    }
