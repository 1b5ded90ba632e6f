"""A split of pairs as token groups, cached on disk under a hash of all that they depend on."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from pairgen.atomic import os_errors, staging
from pairgen.errors import InvalidDataset, NoPairsLeft, OutputError
from pairgen.pairs.dataset import Split, file_hash
from pairgen.progress import ignore
from pairgen.train.data.groups import SCHEMA, GroupTable, TokenGroup
from pairgen.train.data.tokenization import LONG_CHOSEN, LONG_REJECTED, Counts, PairGroup, PairTokenizer

FORMAT = 2
CHUNK = 2_000_000
"""Characters tokenized in one call: their encodings take about 60 MB."""

_STRING, _INT = pa.string(), pa.int32()
READ = {"prompt": _STRING, "chosen": _STRING, "rejected": _STRING, "pair_id": _STRING, "group_id": _STRING} | {
    "edit_start": _INT,
    "chosen_edit_stop": _INT,
}

OnPairs = Callable[[int, int], None]
"""Called with the pairs read so far and the pairs in all."""


@dataclass(frozen=True)
class CachedTokens:
    """A split as tokens; each of its pairs is either in ``groups`` or counted in ``drops``."""

    groups: GroupTable
    hash: str
    """Depends on the dataset, the tokenizer and the options: equal hashes mean equal tokens."""
    drops: dict[str, int]
    merged_boundaries: int
    """Completions whose first characters the tokenizer merges with the prompt's last ones into one token."""
    truncated_prompts: int
    """Groups whose prompt was truncated on the left."""


@dataclass(frozen=True)
class TokenCache:
    """Tokenizes splits, or reads the tokens of an earlier call from ``folder/<hash>.arrow``."""

    folder: Path
    tokenizer: PairTokenizer

    def tokenize(self, split: Split, split_hash: str, limit: int = 0, progress: OnPairs = ignore) -> CachedTokens:
        """Tokenize a split. Groups keep its order; pairs of a group that are not consecutive make several groups.

        Args:
            split_hash: identifies the content of the split.
            limit: take complete groups from the start until there are this many pairs; 0 takes all.

        Raises:
            UnsupportedModel: the chat template of the tokenizer does not work for pairs.
            InvalidDataset: the split lacks a column, or is damaged.
            NoPairsLeft: every pair was dropped.
            OutputError: the folder cannot be written.
        """
        options = [FORMAT, split_hash, split.name, limit, *self.tokenizer.identity]
        file = self.folder / f"{xxhash.xxh3_128_hexdigest(json.dumps(options).encode())}.arrow"
        tokens = _cached(file)
        if tokens is None:
            with os_errors(self.folder), staging(file) as folder:
                self._write(folder / file.name, split, limit or split.pairs, progress)
                for suffix in (".arrow", ".json"):  # killed in between, the tokens are left unused
                    (folder / file.name).with_suffix(suffix).replace(file.with_suffix(suffix))
            tokens = _cached(file)
        if tokens is None:
            raise OutputError(f"{file}: damaged right after it was written; check the disk")
        return tokens

    def _write(self, file: Path, split: Split, limit: int, progress: OnPairs) -> None:
        """Write the tokens to ``file`` and their counts next to it."""
        counts = Counts()
        stream_file = file.with_suffix(".stream")
        with pa.OSFile(str(stream_file), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as stream:
            for groups, read in _chunks(split, counts, limit):
                if token_groups := self.tokenizer.tokenize(groups, counts):
                    stream.write_batch(_record_batch(token_groups))
                progress(read, min(limit, split.pairs))
        if not counts.pairs:
            raise NoPairsLeft(_nothing_left(split, counts.drops))
        # One record batch, so that ``GroupTable`` can use the memory-mapped file without a copy.
        table = pa.ipc.open_stream(pa.memory_map(str(stream_file))).read_all().combine_chunks()
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            writer.write_table(table)
        about = {
            "drops": dict(counts.drops),
            "merged_boundaries": counts.merged_boundaries,
            "truncated_prompts": counts.truncated_prompts,
            "xxh3": file_hash(file),
        }
        file.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")


def _cached(file: Path) -> CachedTokens | None:
    """What an earlier call wrote; None if there is nothing, or it is damaged."""
    try:
        about = json.loads(file.with_suffix(".json").read_text("utf-8"))
        if file_hash(file) != about.pop("xxh3"):
            return None
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        return CachedTokens(GroupTable([table]), hash=file.stem, **about)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _nothing_left(split: Split, drops: Counter[str]) -> str:
    where = split.shards[0].parent if split.shards else split.name
    if not drops:
        return f"{where}: the split is empty; build the dataset again from more rows"
    counted = [f"{reason} ({count:,})" for reason, count in drops.most_common()]
    reasons = ", ".join(counted if len(drops) > 1 else drops)
    remedy = (
        "raise it" if {LONG_CHOSEN, LONG_REJECTED} & drops.keys() else "try another tokenizer, or build other pairs"
    )
    pairs = f"all {drops.total():,} pairs were" if drops.total() > 1 else "its only pair was"
    return f"{where}: {pairs} dropped: {reasons}; {remedy}"


# ---------------------------------------------------------------- reading pairs, writing groups


def _pair_groups(split: Split) -> Iterator[PairGroup]:
    group = None
    for batch in split.batches(tuple(READ)):
        if [field.type for field in batch.schema] != list(READ.values()) or any(c.null_count for c in batch.columns):
            raise InvalidDataset(
                f"{split.shards[0].parent}: a column has nulls or an unexpected type; build the dataset again"
            )
        for prompt, chosen, rejected, pair_id, group_id, start, stop in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            if group is None or (group_id, prompt, chosen) != group[:3]:
                if group is not None:
                    yield group
                group = PairGroup(group_id, prompt, chosen, [], [], [])
            group.rejected.append(rejected)
            group.pair_ids.append(pair_id)
            group.edits.append((start, stop))
    if group is not None:
        yield group


def _chunks(split: Split, counts: Counts, limit: int) -> Iterator[tuple[list[PairGroup], int]]:
    """Groups of ``CHUNK`` characters or a little more, and the pairs read so far, until ``limit`` pairs are kept."""
    groups = _pair_groups(split)
    read, more = 0, True
    while more and counts.pairs < limit:
        chunk, characters, pairs = [], 0, 0
        for group in groups:
            chunk.append(group)
            pairs += len(group.pair_ids)
            characters += len(group.prompt) * (2 + len(group.pair_ids)) + len(group.chosen)
            characters += sum(map(len, group.rejected))
            if characters >= CHUNK or counts.pairs + pairs >= limit:
                break
        else:
            more = False
        read += pairs
        yield chunk, read


def _record_batch(groups: Sequence[TokenGroup]) -> pa.RecordBatch:
    def lists(parts: Sequence[Sequence[Any]], values: Any) -> pa.ListArray:
        return pa.ListArray.from_arrays(pa.array([0, *accumulate(map(len, parts))], _INT), values)

    def numbers(parts: Sequence[Any]) -> pa.ListArray:
        return lists(parts, pa.array(np.concatenate(parts)))

    completions = [group.completions for group in groups]
    pair_ids = [group.pair_ids for group in groups]
    columns = [
        numbers([group.prompt for group in groups]),
        lists(completions, numbers(list(chain.from_iterable(completions)))),
        lists(pair_ids, pa.array(list(chain.from_iterable(pair_ids)), _STRING)),
        numbers([group.edit.ravel() for group in groups]),
        numbers([group.num_chars for group in groups]),
    ]
    return pa.record_batch(columns, schema=SCHEMA)
