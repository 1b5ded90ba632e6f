"""The pairs of a run as tokens: every dataset that was given, split by split."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from pairgen.errors import NoPairsLeft, UsageError
from pairgen.pairs import dataset as store
from pairgen.train.data.groups import GroupTable, joined
from pairgen.train.data.token_cache import Tokenised, tokenise


@dataclass(frozen=True)
class Part:
    """One split of one dataset, as tokens."""

    dataset: Path
    tokens: Tokenised


@dataclass(frozen=True)
class Data:
    """All splits of one name."""

    parts: tuple[Part, ...]
    groups: GroupTable
    """Of all parts; where there are several, keys have the part's number in front."""

    @property
    def drops(self) -> Counter[str]:
        """Pairs that were dropped, by reason."""
        return sum((Counter(part.tokens.drops) for part in self.parts), Counter())

    @property
    def prefixes(self) -> list[str]:
        """What stands in front of each part's keys in ``groups``."""
        return [f"{index}:" for index in range(len(self.parts))] if len(self.parts) > 1 else [""]

    def by_part(self, indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Groups of all parts as groups of each part, in order."""
        stops = np.cumsum([len(part.tokens.groups) for part in self.parts])
        parts = np.split(np.sort(indices), np.searchsorted(np.sort(indices), stops[:-1]))
        return [part - start for part, start in zip(parts, [0, *stops[:-1]], strict=True)]


def open_all(folders: Sequence[str]) -> list[store.PairDataset]:
    """The datasets of a run.

    Raises:
        UsageError: none was given, or one has no training split.
        InvalidDataset: a folder that is not a whole pair dataset.
    """
    if not folders:
        raise UsageError("nothing to train on: name a folder that `pairgen build` wrote")
    datasets = [store.open_pairs(folder) for folder in folders]
    for dataset in datasets:
        if "train" not in dataset.splits or not dataset.splits["train"].pairs:
            raise UsageError(f"{dataset.path}: has no training pairs; build it from a training source")
    return datasets


def texts(datasets: Sequence[store.PairDataset]) -> Iterator[str]:
    """Prompts with their chosen completions, for a tokenizer that is trained on the data."""
    for dataset in datasets:
        for batch in dataset.splits["train"].batches(["prompt", "chosen"]):
            columns = (batch["prompt"].to_pylist(), batch["chosen"].to_pylist())
            yield from (prompt + chosen for prompt, chosen in zip(*columns, strict=True))


def tokens_of(
    datasets: Sequence[store.PairDataset],
    split: str,
    tokenizer: Any,
    folder: Path,
    *,
    chat: str,
    max_length: int,
    limit: int = 0,
    warn: Callable[[str], None] | None = None,
    told: Callable[[str, int, int], None],
) -> Data | None:
    """One split of every dataset that has it; None if none has.

    Args:
        folder: where the tokens are cached.
        limit: pairs of each dataset that are enough; 0 takes all.
        warn: told of a split of which no pair is left; without it that is an error.
    """
    parts = []
    for dataset in datasets:
        found = dataset.splits.get(split)
        if found is None or not found.pairs:
            continue
        try:
            tokens = tokenise(
                found,
                tokenizer,
                folder,
                dataset_hash=split_hash(dataset, split),
                chat=chat,
                max_length=max_length,
                limit=limit or None,
                progress=partial(told, f"tokens of {dataset.path.name}"),
            )
        except NoPairsLeft as error:
            if warn is None:
                raise
            warn(str(error))
            continue
        parts.append(Part(dataset.path, tokens))
    if not parts:
        return None
    return Data(tuple(parts), joined([part.tokens.groups for part in parts]))


def split_hash(dataset: store.PairDataset, split: str) -> str:
    """What identifies the pairs of a split: the hashes of its shards, from the manifest."""
    shards = dataset.manifest["splits"][split]["shards"]
    return xxhash.xxh3_128_hexdigest("".join(str(shard["xxh3"]) for shard in shards).encode())
