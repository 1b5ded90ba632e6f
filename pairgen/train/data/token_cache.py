"""A split of pairs as token groups, cached on disk under a hash of all that they depend on."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash

from pairgen.atomic import os_errors, staging
from pairgen.errors import InvalidDataset, NoPairsLeft, OutputError
from pairgen.pairs.dataset import PairDataset, Split, file_hash
from pairgen.pairs.record import COLUMNS
from pairgen.progress import ignore
from pairgen.train.data.groups import SCHEMA, GroupTable
from pairgen.train.data.tokenization import LONG_CHOSEN, LONG_REJECTED, Counts, PairGroup, PairTokenizer

FORMAT = 4
CHUNK = 2_000_000
"""Characters tokenized in one call: their encodings take about 60 MB."""

READ = ("group_id", "prompt", "chosen", "messages", "rejected", "pair_id", "edit_start", "chosen_edit_stop")
"""The columns of a dataset that tokens are computed from."""

OnPairs = Callable[[int, int], None]
"""Called with the number of pairs read so far and in total."""


@dataclass(frozen=True)
class CachedTokens:
    """One split of a dataset as tokens, with the fields of ``Counts``; every pair is in ``groups`` or ``drops``."""

    dataset: Path
    groups: GroupTable
    hash: str
    """Of the pair ids and tokens themselves: a chat template may render the same texts differently tomorrow."""
    drops: dict[str, int]
    merged_boundaries: int
    truncated_prompts: int
    longest: int
    turn_ends: dict[str, int]


@dataclass(frozen=True)
class TokenCache:
    """Tokenizes splits, or reads the tokens of an earlier call from ``folder/<hash>.arrow``."""

    folder: Path
    tokenizer: PairTokenizer

    def tokenize(self, dataset: PairDataset, name: str, limit: int = 0, progress: OnPairs = ignore) -> CachedTokens:
        """Tokenize a split. Groups keep its order; pairs of a group that are not consecutive become several groups.

        Args:
            limit: take complete groups from the start until there are this many pairs; 0 takes all.

        Raises:
            UnsupportedModel: the chat template of the tokenizer does not work for pairs.
            InvalidDataset: the split lacks a column, or is damaged.
            NoPairsLeft: every pair was dropped.
            OutputError: the folder cannot be written.
        """
        split = dataset.splits[name]
        options = [FORMAT, _split_hash(dataset, name), name, limit, *self.tokenizer.identity]
        file = self.folder / f"{xxhash.xxh3_128_hexdigest(json.dumps(options).encode())}.arrow"
        if not (tokens := _cached(file, dataset.path)):
            with os_errors(self.folder), staging(file) as folder:
                self._write(folder / file.name, split, limit or split.pairs, progress)
                for suffix in (".arrow", ".json"):  # if interrupted in between, the tokens are not used
                    (folder / file.name).with_suffix(suffix).replace(file.with_suffix(suffix))
            tokens = _cached(file, dataset.path)
        if not tokens:
            raise OutputError(f"{file}: damaged right after it was written; check the disk")
        return tokens

    def _write(self, file: Path, split: Split, limit: int, progress: OnPairs) -> None:
        """Write the tokens to ``file``, and their counts to a JSON file of the same name."""
        counts = Counts()
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            for groups, read in _chunks(split, counts, limit):
                if tokens := self.tokenizer.tokenize(groups, counts):
                    rows = [
                        (one.prompt, one.completions, one.pair_ids, one.edit.ravel(), one.num_chars) for one in tokens
                    ]
                    writer.write_batch(pa.record_batch(list(zip(*rows, strict=True)), schema=SCHEMA))
                progress(read, min(limit, split.pairs))
        if not counts.pairs:
            raise NoPairsLeft(_nothing_left(split, counts.drops))
        about = {
            "drops": dict(counts.drops),
            "merged_boundaries": counts.merged_boundaries,
            "truncated_prompts": counts.truncated_prompts,
            "longest": counts.longest,
            "turn_ends": dict(counts.turn_ends),
            "xxh3": file_hash(file),
        }
        file.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")


def _split_hash(dataset: PairDataset, split: str) -> str:
    """A hash of the hashes of a split's shards in the manifest."""
    shards = dataset.manifest["splits"][split]["shards"]
    return xxhash.xxh3_128_hexdigest("".join(str(shard["xxh3"]) for shard in shards).encode())


def _cached(file: Path, dataset: Path) -> CachedTokens | None:
    """The tokens that an earlier call wrote; None if there are none, or they are damaged."""
    try:
        about = json.loads(file.with_suffix(".json").read_text("utf-8"))
        if (content := file_hash(file)) != about.pop("xxh3"):
            return None
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        return CachedTokens(dataset, GroupTable([table]), content, **about)
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


def _pair_groups(split: Split) -> Iterator[PairGroup]:
    for (group_id, prompt, chosen, messages), rows in groupby(_rows(split), key=lambda row: row[:4]):
        rejected, pair_ids, starts, stops = (list(values) for values in zip(*(row[4:] for row in rows), strict=True))
        yield PairGroup(group_id, prompt, chosen, rejected, pair_ids, list(zip(starts, stops, strict=True)), messages)


def _rows(split: Split) -> Iterator[tuple[Any, ...]]:
    """The columns of ``READ``, row by row."""
    types = [COLUMNS[name].type for name in READ]
    for batch in split.batches(READ):
        nulls = any(batch[name].null_count for name in READ if not COLUMNS[name].nullable)
        if nulls or batch.schema.types != types:
            raise InvalidDataset(
                f"{split.shards[0].parent}: a column has nulls or an unexpected type; build the dataset again"
            )
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _chunks(split: Split, counts: Counts, limit: int) -> Iterator[tuple[list[PairGroup], int]]:
    """Groups of ``CHUNK`` characters or a little more, and the pairs read so far, until ``limit`` pairs are kept."""
    chunk: list[PairGroup] = []
    read = characters = pairs = 0
    for group in _pair_groups(split):
        chunk.append(group)
        pairs += len(group.pair_ids)
        characters += len(group.prompt) * (2 + len(group.pair_ids)) + len(group.chosen)
        characters += sum(map(len, group.rejected))
        if characters >= CHUNK or counts.pairs + pairs >= limit:
            read += pairs
            yield chunk, read
            if counts.pairs >= limit:
                return
            chunk, characters, pairs = [], 0, 0
    if chunk:
        yield chunk, read + pairs
