"""The datasets of a run as tokens, split by split."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from pairgen.errors import NoPairsLeft, UsageError
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.progress import Progress, Warn, ignore
from pairgen.train.context import Phase
from pairgen.train.data.groups import GroupTable, concatenate, pair_id_prefixes
from pairgen.train.data.token_cache import CachedTokens, TokenCache


@dataclass(frozen=True)
class TokenizedDataset:
    """One split of one dataset, as tokens."""

    path: Path
    tokens: CachedTokens


@dataclass(frozen=True)
class TokenizedSplit:
    """One split of all datasets that have it."""

    datasets: tuple[TokenizedDataset, ...]
    groups: GroupTable
    """Of all datasets; where there are several, ``prefixes`` are prepended to their pair ids."""

    @property
    def drops(self) -> Counter[str]:
        """Pairs that were dropped, by reason."""
        return sum((Counter(dataset.tokens.drops) for dataset in self.datasets), Counter())

    @property
    def truncated_prompts(self) -> int:
        """Groups whose prompt was truncated on the left to fit the maximum length."""
        return sum(dataset.tokens.truncated_prompts for dataset in self.datasets)

    @property
    def prefixes(self) -> list[str]:
        """What is prepended to the pair ids of each dataset in ``groups``."""
        return pair_id_prefixes(len(self.datasets))

    def ranges(self) -> Iterator[tuple[str, int, int]]:
        """The name of each dataset (numbered if several have it), and where its groups start and stop in ``groups``."""
        names = [dataset.path.name for dataset in self.datasets]
        start = 0
        for number, (name, dataset) in enumerate(zip(names, self.datasets, strict=True), 1):
            stop = start + len(dataset.tokens.groups)
            yield f"{number}-{name}" if names.count(name) > 1 else name, start, stop
            start = stop

    def by_dataset(self, indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Divide indices into ``groups`` into indices into the groups of each dataset, sorted."""
        stops = np.cumsum([len(dataset.tokens.groups) for dataset in self.datasets])
        parts = np.split(np.sort(indices), np.searchsorted(np.sort(indices), stops[:-1]))
        return [part - start for part, start in zip(parts, [0, *stops[:-1]], strict=True)]


def open_datasets(folders: Sequence[str]) -> list[PairDataset]:
    """Open the datasets of a run.

    Raises:
        UsageError: there are none, or one has no training split.
        InvalidDataset: a folder is not a complete pair dataset.
    """
    if not folders:
        raise UsageError("no dataset given; name a folder that `pairgen build` wrote")
    datasets = [open_pairs(folder) for folder in folders]
    for dataset in datasets:
        if "train" not in dataset.splits or not dataset.splits["train"].pairs:
            raise UsageError(f"{dataset.path}: has no training pairs; build it from a training source")
    return datasets


def training_texts(datasets: Sequence[PairDataset]) -> Iterator[str]:
    """Prompts with their chosen completions, to train a tokenizer on."""
    for dataset in datasets:
        for batch in dataset.splits["train"].batches(["prompt", "chosen"]):
            columns = (batch["prompt"].to_pylist(), batch["chosen"].to_pylist())
            yield from (prompt + chosen for prompt, chosen in zip(*columns, strict=True))


def tokenize_split(
    datasets: Sequence[PairDataset],
    split: str,
    cache: TokenCache,
    limit: int = 0,
    progress: Progress = ignore,
    warn: Warn | None = None,
) -> TokenizedSplit | None:
    """Tokenize one split of every dataset that has it; None if there are no pairs.

    Args:
        limit: most pairs of each dataset, up to a complete group; 0 takes all.
        warn: called if all pairs of a dataset were dropped; without it that is an error.

    Raises:
        NoPairsLeft: all pairs of a dataset were dropped, and there is no ``warn``.
    """
    tokenized = []
    for dataset in datasets:
        pairs = dataset.splits.get(split)
        if pairs is None or not pairs.pairs:
            continue
        try:
            on_pairs = partial(progress, f"{Phase.TOKENIZATION} {dataset.path.name}")
            tokens = cache.tokenize(pairs, split_hash(dataset, split), limit, on_pairs)
        except NoPairsLeft as error:
            if warn is None:
                raise
            warn(str(error))
            continue
        tokenized.append(TokenizedDataset(dataset.path, tokens))
    if not tokenized:
        return None
    return TokenizedSplit(tuple(tokenized), concatenate([dataset.tokens.groups for dataset in tokenized]))


def split_hash(dataset: PairDataset, split: str) -> str:
    """A hash of a split's content: of the hashes of its shards in the manifest."""
    shards = dataset.manifest["splits"][split]["shards"]
    return xxhash.xxh3_128_hexdigest("".join(str(shard["xxh3"]) for shard in shards).encode())
