"""A split of pairs as groups of tokens, made once and kept on disk under a hash of what they follow from."""

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from pairgen.errors import InvalidDataset, NoPairsLeft, OutputError
from pairgen.pairs import dataset as store
from pairgen.train.data.groups import SCHEMA, GroupTable
from pairgen.train.data.tokenization import LONG_CHOSEN, LONG_REJECTED, Reader, Row, Run

FORMAT = 2
CHUNK = 2_000_000
"""Characters that go through the tokenizer at once: about 60 MB of its bookkeeping."""

_STRING, _INT = pa.string(), pa.int32()
READ = {"prompt": _STRING, "chosen": _STRING, "rejected": _STRING, "pair_id": _STRING, "group_id": _STRING} | {
    "edit_start": _INT,
    "chosen_edit_stop": _INT,
}


@dataclass(frozen=True)
class Tokenised:
    """A split as tokens, and what became of its pairs: each is in ``groups`` or counted in ``drops``."""

    groups: GroupTable
    drops: dict[str, int]
    hash: str
    """Follows from the dataset, the tokenizer and the options: equal hashes are equal tokens."""
    merged_boundaries: int
    """Completions whose first characters the tokenizer joins with the prompt's last ones."""
    cut_prompts: int
    """Groups whose prompt was cut at its start."""


def tokenise(
    split: store.Split,
    tokenizer: Any,
    folder: Path,
    *,
    dataset_hash: str,
    prefix: str = "",
    chat: str = "auto",
    max_length: int = 2048,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tokenised:
    """Tokenise a split, or read the tokens of an earlier call from ``folder/<hash>.arrow``.

    Rows are groups in the order of the split; pairs of a group that do not stand together make several groups.

    Args:
        tokenizer: a fast tokenizer of transformers; it is not changed.
        dataset_hash: names the bytes of the split.
        prefix: put in front of each pair_id.
        chat: "on", "off", or "auto": on if the tokenizer has a chat template.
        max_length: tokens of prompt and completion together.
        limit: whole groups from the front until there are so many pairs; None or 0 takes all.
        progress: told pairs read and pairs in all.

    Raises:
        UnsupportedModel: the tokenizer has no EOS or gives no offsets, or its chat template does not go with pairs.
        UsageError: ``chat`` is "on" and there is no template.
        InvalidDataset: the split lacks a column, or is damaged.
        NoPairsLeft: every pair was dropped.
        OutputError: the folder cannot be written.
    """
    reader = Reader(tokenizer, chat, max_length)
    options = [FORMAT, dataset_hash, split.name, prefix, max_length, limit or 0]
    name = xxhash.xxh3_128_hexdigest(json.dumps([*options, *reader.identity]).encode())
    made = _cached(folder, name)
    if made is None:
        try:
            _write(folder, name, split, reader, prefix, limit or split.pairs, progress)
        except OSError as error:
            raise OutputError(f"{folder}: tokens cannot be written there ({error.strerror or error})") from error
        made = _cached(folder, name)
    if made is None:
        raise OutputError(f"{folder / name}.arrow: is not as it was written a moment ago; check the disk")
    return made


# ---------------------------------------------------------------- on disk


def _cached(folder: Path, name: str) -> Tokenised | None:
    """What an earlier call wrote; None if there is nothing, or it is damaged."""
    file = folder / f"{name}.arrow"
    try:
        about = json.loads(file.with_suffix(".json").read_text("utf-8"))
        if store.file_hash(file) != about.pop("xxh3"):
            return None
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        return Tokenised(GroupTable([table]), hash=name, **about)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write(
    folder: Path,
    name: str,
    split: store.Split,
    reader: Reader,
    prefix: str,
    limit: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write tokens, then what is said of them: a kill in between leaves tokens that nobody opens."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".tokens-*"):  # of a killed call; a living one is younger
        if time.time() - left.stat().st_mtime > 24 * 3600:
            shutil.rmtree(left, ignore_errors=True)
    hidden = Path(tempfile.mkdtemp(prefix=".tokens-", dir=folder))
    try:
        with pa.OSFile(str(hidden / "batches"), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
            for batch in _batches(split, reader, prefix, limit, progress):
                stream.write_batch(batch)
        if not reader.counts.pairs:
            raise NoPairsLeft(_nothing_left(split, reader.counts.drops))
        # One batch, so that ``GroupTable`` need not copy it together in every process.
        table = pa.ipc.open_stream(pa.memory_map(str(hidden / "batches"))).read_all().combine_chunks()
        file = hidden / f"{name}.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            writer.write_table(table)
        counts = reader.counts
        about = {
            "drops": dict(counts.drops),
            "merged_boundaries": counts.merged_boundaries,
            "cut_prompts": counts.cut_prompts,
            "xxh3": store.file_hash(file),
        }
        file.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        for suffix in (".arrow", ".json"):
            file.with_suffix(suffix).replace(folder / f"{name}{suffix}")
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _nothing_left(split: store.Split, drops: Counter[str]) -> str:
    where = split.shards[0].parent if split.shards else split.name
    if not drops:
        return f"{where}: has no pairs; build it again from more rows"
    reasons = "; ".join(f"{reason}: {count:,}" for reason, count in drops.most_common())
    long = {LONG_CHOSEN, LONG_REJECTED} & drops.keys()
    remedy = "raise --max-length" if long else "choose another tokenizer, or build other pairs"
    return f"{where}: no pair is left to train on ({reasons}); {remedy}"


# ---------------------------------------------------------------- rows


def _runs(split: store.Split) -> Iterator[Run]:
    run = None
    for batch in split.batches(tuple(READ)):
        if [field.type for field in batch.schema] != list(READ.values()) or any(c.null_count for c in batch.columns):
            raise InvalidDataset(
                f"{split.shards[0].parent}: a column holds nulls or another type; build the dataset again"
            )
        for prompt, chosen, rejected, pair_id, group_id, start, stop in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            if run is None or (group_id, prompt, chosen) != run[:3]:
                if run is not None:
                    yield run
                run = Run(group_id, prompt, chosen, [], [], [])
            run.rejected.append(rejected)
            run.pair_ids.append(pair_id)
            run.edits.append((start, stop))
    if run is not None:
        yield run


def _batches(
    split: store.Split,
    reader: Reader,
    prefix: str,
    limit: int,
    progress: Callable[[int, int], None] | None,
) -> Iterator[pa.RecordBatch]:
    chunk: list[Run] = []
    runs = _runs(split)
    read, more = 0, True
    while more and reader.counts.pairs < limit:
        chunk, characters, pairs = [], 0, 0
        for run in runs:
            chunk.append(run)
            pairs += len(run.pair_ids)
            characters += len(run.prompt) * (2 + len(run.pair_ids)) + len(run.chosen) + sum(map(len, run.rejected))
            if characters >= CHUNK or reader.counts.pairs + pairs >= limit:
                break
        else:
            more = False
        rows = reader.rows(chunk)
        if rows:
            yield _batch(rows, prefix)
        read += pairs
        if progress is not None:
            progress(read, min(limit, split.pairs))


def _batch(rows: Sequence[Row], prefix: str) -> pa.RecordBatch:
    def lists(parts: Sequence[Sequence[Any]], values: Any) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array([0, *accumulate(map(len, parts))], _INT), values)

    def tokens(parts: Sequence[Any]) -> pa.ListArray:
        return lists(parts, pa.array(np.concatenate(parts)))

    def numbers(parts: Sequence[list[int]]) -> pa.ListArray:
        return lists(parts, pa.array(list(chain.from_iterable(parts)), _INT))

    completions = [row.completions for row in rows]
    columns = [
        tokens([row.prompt for row in rows]),
        lists(completions, tokens(list(chain.from_iterable(completions)))),
        lists(
            [row.pair_ids for row in rows], pa.array([prefix + key for row in rows for key in row.pair_ids], _STRING)
        ),
        numbers([row.edit for row in rows]),
        numbers([row.num_chars for row in rows]),
    ]
    return pa.record_batch(columns, schema=SCHEMA)
