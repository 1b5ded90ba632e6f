"""The datasets of a run as tokens, split by split."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from pairgen.errors import NoPairsLeft, UsageError
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.progress import Progress, Warn, ignore
from pairgen.train.context import Phase
from pairgen.train.data.groups import GroupTable
from pairgen.train.data.token_cache import CachedTokens, TokenCache
from pairgen.train.losses import Loss


@dataclass(frozen=True)
class TokenizedSplit:
    """One split of all datasets that have it."""

    datasets: tuple[CachedTokens, ...]
    groups: GroupTable
    """The groups of all datasets."""

    @property
    def drops(self) -> Counter[str]:
        """Dropped pairs, by reason."""
        return sum((Counter(dataset.drops) for dataset in self.datasets), Counter())

    def ranges(self) -> Iterator[tuple[str, int, int]]:
        """The name of each dataset (numbered if several have it), and where its groups start and stop in ``groups``."""
        names = [dataset.dataset.name for dataset in self.datasets]
        start = 0
        for number, (name, dataset) in enumerate(zip(names, self.datasets, strict=True), 1):
            stop = start + len(dataset.groups)
            yield f"{number}-{name}" if names.count(name) > 1 else name, start, stop
            start = stop


def open_datasets(folders: Sequence[str], loss: Loss) -> list[PairDataset]:
    """Open the datasets of a run.

    Raises:
        UsageError: there are none, one has no training split, or the loss needs rejected completions and one has none.
        InvalidDataset: a folder is not a complete pair dataset.
    """
    if not folders:
        raise UsageError("no dataset given; name a folder that `pairgen build` wrote")
    datasets = [open_pairs(folder) for folder in folders]
    for dataset in datasets:
        if "train" not in dataset.splits or not dataset.splits["train"].pairs:
            raise UsageError(f"{dataset.path}: has no training pairs; build it from a training source")
        if dataset.manifest.get("sft") and loss.uses_rejected:
            raise UsageError(f"{dataset.path}: has no rejected completions; train on it with --loss sft")
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
        if split not in dataset.splits or not dataset.splits[split].pairs:
            continue
        try:
            on_pairs = partial(progress, f"{Phase.TOKENIZATION} {dataset.path.name}")
            tokenized.append(cache.tokenize(dataset, split, limit, on_pairs))
        except NoPairsLeft as error:
            if warn is None:
                raise
            warn(str(error))
    if not tokenized:
        return None
    groups = GroupTable([table for dataset in tokenized for table in dataset.groups.tables])
    return TokenizedSplit(tuple(tokenized), groups)
