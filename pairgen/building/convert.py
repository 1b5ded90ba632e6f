"""One chunk of a source made into shards: what a worker process does. Depends on the chunk and the job alone."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import xxhash

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders import BUILDERS, Builder
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.builders.prompts import PromptStyle, Shot, with_shots
from pairgen.building.selection import Keys, text_key
from pairgen.pairs.dataset import file_hash
from pairgen.pairs.record import SCHEMA, DropRow, Pair, to_batch
from pairgen.sources import locate as sources


def part_path(folder: Path, split: str, number: int) -> Path:
    return folder / split / f"{number:08}.part"


class PartWriter:
    """One shard, written batch by batch under a name that nothing opens; ``NewFolder.commit`` gives it its own."""

    def __init__(self, folder: Path, split: str, number: int, suffix: str = "") -> None:
        self.part = part_path(folder, split, number)
        self.path = self.part.with_name(self.part.name + suffix)
        self.pairs = 0

    def __enter__(self) -> "PartWriter":
        self.path.parent.mkdir(exist_ok=True)
        self._sink = pa.OSFile(str(self.path), "wb")
        self._stream = pa.ipc.new_stream(self._sink, SCHEMA)
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows of ``SCHEMA``. Raises OSError if the disk is full."""
        self._stream.write_batch(batch)
        self.pairs += batch.num_rows

    def __exit__(self, *_: object) -> None:
        try:
            self._stream.close()
        finally:
            self._sink.close()

    def replace_part(self) -> None:
        """Put a part written under a suffix in the place of the part without it."""
        self.path.replace(self.part)
        self.path = self.part

    def about(self) -> dict[str, Any]:
        """What the manifest says of the shard, once it is closed."""
        return {"pairs": self.pairs, "bytes": self.path.stat().st_size, "xxh3": file_hash(self.path)}


def write_part(folder: Path, split: str, number: int, batches: Iterable[pa.RecordBatch]) -> dict[str, Any]:
    """Write one shard in one call; returns what the manifest says of it."""
    with PartWriter(folder, split, number) as writer:
        for batch in batches:
            writer.write(batch)
    return writer.about()


def read_part(folder: Path, split: str, number: int) -> Iterator[pa.RecordBatch]:
    """The batches of a part that has no name yet."""
    with pa.OSFile(str(part_path(folder, split, number))) as source, pa.ipc.open_stream(source) as reader:
        yield from reader


BATCH_PAIRS = 2048
ID_DIGITS = 20
"""Hexadecimal digits of an id: 80 bits, so that among ten million rows two meet with a chance of 4e-11."""


@dataclass(frozen=True)
class Job:
    """What every chunk of a build has in common. It crosses process borders, so it holds plain data."""

    builder: str
    folder: Path
    seed: int
    style: PromptStyle
    skip_broken: bool = False
    eval_topics: frozenset[int] = frozenset()
    shots: tuple[Shot, ...] = ()
    shot_count: int = 0
    shots_per_row: bool = False
    corruption: CorruptionOptions = field(default_factory=CorruptionOptions)


class Task(NamedTuple):
    """One chunk of the source of one split, and the number its shards carry until they get their names."""

    job: Job
    number: int
    split: str
    chunk: sources.Chunk


@dataclass
class Part:
    """The shard of one split that came out of one chunk, and what was counted on the way."""

    split: str
    number: int
    about: dict[str, Any] | None = None
    rows: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    fewer: int = 0
    """Rows that made fewer pairs than were wanted."""


def ids_file(folder: Path, part: Part) -> Path:
    """Where the keys of a part's pair ids wait until those of all parts are there: on disk, since there may be many."""
    return part_path(folder, part.split, part.number).with_suffix(".ids")


BROKEN = "row could not be read"
MAX_TOLD = 5
"""Sentences about broken rows kept from one chunk; all of them are counted."""


def make(task: Task) -> list[Part]:
    """Write the shards of one chunk: one of its own split, and one of eval if rows of it were taken off.

    Python's search for reference cycles is off meanwhile: rows make none, and searching takes a tenth of the time.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        return _make(task)
    finally:
        if searching:
            gc.enable()


def _make(task: Task) -> list[Part]:
    job = task.job
    builder = BUILDERS[job.builder]
    parts = {task.split: Part(task.split, task.number)}
    home = parts[task.split]
    with ExitStack() as stack:
        shards: dict[str, _Shard] = {}
        for example in _examples(task, builder, home):
            split = task.split
            if isinstance(example, DropRow):
                home.rows += 1
                home.drops[example.reason] += 1
                continue
            topic = text_key(example.question_group) if job.eval_topics or job.shots else 0
            if topic in job.eval_topics:
                split = "eval"
            if split not in parts:
                parts[split] = Part(split, task.number)
            part = parts[split]
            part.rows += 1
            try:
                pairs = pairs_of(example, topic, builder, job)
            except DropRow as drop:
                part.drops[drop.reason] += 1
                continue
            part.fewer += builder.corrupts and len(pairs) < job.corruption.pairs_per_row
            if split not in shards:
                writer = stack.enter_context(PartWriter(job.folder, split, task.number))
                shards[split] = _Shard(writer, [], [])
            shards[split].add(pairs)
        for shard in shards.values():
            shard.flush()
    for split, shard in shards.items():
        parts[split].about = shard.writer.about()
        np.concatenate(shard.ids).tofile(ids_file(job.folder, parts[split]))
    return list(parts.values())


class _Shard(NamedTuple):
    """A shard being written: pairs wait until there are enough for a batch."""

    writer: PartWriter
    waiting: list[Pair]
    ids: list[Keys]

    def add(self, pairs: list[Pair]) -> None:
        self.waiting.extend(pairs)
        if len(self.waiting) >= BATCH_PAIRS:
            self.flush()

    def flush(self) -> None:
        if not self.waiting:
            return
        self.writer.write(to_batch(self.waiting))
        digest = xxhash.xxh3_64_intdigest
        ids = np.fromiter((digest(pair.pair_id.encode()) for pair in self.waiting), np.uint64, len(self.waiting))
        self.ids.append(ids)
        self.waiting.clear()


def _examples(task: Task, builder: Builder, home: Part) -> Iterator[Example | DropRow]:
    """Usable rows and dropped ones, in order; broken rows are counted in ``home`` if the job skips them."""
    skipped: list[str] | None = [] if task.job.skip_broken else None
    read = builder.read
    for row in sources.rows(task.chunk, builder.columns, builder.optional, skipped):
        try:
            example: Example | DropRow = read(row)
        except DropRow as drop:
            example = drop
        yield example
    if skipped:
        home.rows += len(skipped)
        home.drops[BROKEN] += len(skipped)
        home.broken = skipped[:MAX_TOLD]


def pairs_of(example: Example, topic: int, builder: Builder, job: Job) -> list[Pair]:
    """All pairs of one example, at least one. Raises DropRow where there is none.

    Ids follow from the row's own text: the row's digest, and the number of the pair among those of its row.
    ``group_id`` is a digest of prompt and chosen, so equal texts have it in common wherever they come from.
    """
    try:
        row_id = xxhash.xxh3_128_hexdigest(example.key.encode())[:ID_DIGITS]
    except UnicodeEncodeError:
        raise DropRow("invalid Unicode") from None
    rejections = builder.reject(example, RowRng(row_id, job.seed), job.corruption)
    prompt, separator = job.style.render(example.question, example.row)
    if not prompt:
        raise DropRow("prompt is empty")
    if job.shot_count:
        shots: Sequence[Shot] = job.shots
        if job.shots_per_row:
            shots = _own_shots(job.shots, topic, job.shot_count, RowRng(row_id, job.seed + 1))
        prompt = with_shots(prompt, topic, shots, job.shot_count)
    chosen = separator + example.answer
    group_id = xxhash.xxh3_128_hexdigest(f"{prompt}\0{chosen}".encode())[:ID_DIGITS]
    shift = len(separator)
    pairs = []
    for index, rejection in enumerate(rejections):
        edit = rejection.edit
        pairs.append(
            Pair(
                prompt,
                chosen,
                separator + rejection.completion,
                f"{row_id}-{index}",
                group_id,
                example.source,
                edit.start + shift,
                edit.chosen_stop + shift,
                edit.rejected_stop + shift,
                provenance=rejection.provenance,
            )
        )
    return pairs


def _own_shots(pool: tuple[Shot, ...], topic: int, count: int, draws: RowRng) -> list[Shot]:
    """``count`` different shots for one row, drawn from the pool, none of them asking the row's own question."""
    left = [shot for shot in pool if shot.question != topic]
    return [left.pop(draws.below(len(left))) for _ in range(min(count, len(left)))]


def scan(task: Task) -> Keys:
    """Topic keys of the usable rows of one chunk, in order."""
    builder = BUILDERS[task.job.builder]
    found = _examples(task, builder, Part(task.split, 0))
    keys = [text_key(example.question_group) for example in found if not isinstance(example, DropRow)]
    return np.array(keys, np.uint64)


class Search(NamedTuple):
    """A task, and the topics whose first example in its chunk is wanted as a shot."""

    task: Task
    topics: frozenset[int]


def find_shots(search: Search) -> list[Shot]:
    """A shot for each wanted topic that the chunk has, from its first row."""
    job = search.task.job
    builder = BUILDERS[job.builder]
    found: dict[int, Shot] = {}
    for example in _examples(search.task, builder, Part(search.task.split, 0)):
        if not isinstance(example, DropRow):
            topic = text_key(example.question_group)
            if topic in search.topics and topic not in found:
                prompt, separator = job.style.render(example.question, example.row)
                found[topic] = Shot(topic, f"{prompt}{separator}{example.answer}")
    return list(found.values())


class Renumber(NamedTuple):
    """A shard in which some ids stand already elsewhere, and how many equal ones came before each of its pairs."""

    folder: Path
    part: Part
    before: Any


def renumber(order: Renumber) -> Part:
    """Write a shard anew with ``~2`` behind the id of the second of two equal rows, ``~3`` behind the third's."""
    folder, part, before = order
    at = 0
    with PartWriter(folder, part.split, part.number, ".renumbered") as writer:
        for batch in read_part(folder, part.split, part.number):
            ids = [
                f"{pair_id}~{ordinal + 1}" if ordinal else pair_id
                for pair_id, ordinal in zip(
                    batch.column("pair_id").to_pylist(), before[at : at + batch.num_rows].tolist(), strict=True
                )
            ]
            at += batch.num_rows
            index = batch.schema.get_field_index("pair_id")
            columns = [*batch.columns[:index], pa.array(ids, pa.string()), *batch.columns[index + 1 :]]
            writer.write(pa.record_batch(columns, schema=batch.schema))
    writer.replace_part()
    return replace(part, about=writer.about())
