"""What a pair takes, on average: assumed, or counted on the pairs of a dataset."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pairgen.errors import UsageError
from pairgen.progress import Progress, ignore
from pairgen.train.planning.architectures import PRESETS
from pairgen.train.planning.request import PlanOptions

MAX_BATCHES = 50
"""Batches of an epoch that are laid out to count their tokens."""


@dataclass(frozen=True)
class PairLoad:
    """Averages per pair; the first four are those of ``pairgen.train.layout.batch.Work``."""

    tokens: float
    """Processed tokens, after sharing and without padding."""
    attended: float
    labels: float
    differing: float
    laid_out: float
    """Tokens in memory, padding included."""
    unshared: float
    """Tokens as two rows without padding."""
    pairs: int = 0
    """Pairs of the dataset; 0 without one."""


def assumed(options: PlanOptions) -> PairLoad:
    """A pair of ``--tokens-per-pair`` in two rows of equal length, of which ``--sharing`` leaves a part.

    A token of a row of n attends to (n + 1) / 2 tokens on average.
    """
    row = options.tokens_per_pair / 2
    tokens = options.tokens_per_pair / options.sharing
    labels = min(tokens, 2 * (options.completion_tokens or row / 2))
    return PairLoad(tokens, tokens * (row + 1) / 2, labels, labels, tokens, options.tokens_per_pair)


def counted(options: PlanOptions, progress: Progress = ignore) -> PairLoad:
    """The load of the pairs of ``--data``, laid out in the batches of the trainer.

    Raises:
        UsageError: the model is a mere config, which has no tokenizer.
        PairgenError: whatever prevents the trainer from tokenizing the pairs.
    """
    if options.model in PRESETS or options.model.endswith(".json"):
        raise UsageError(
            f"--data needs the tokenizer of the model, and --model {options.model} has none; name a folder or a Hub "
            "id, or use --tokens-per-pair"
        )
    from pairgen.train.config import Config
    from pairgen.train.data.order import BatchSampler
    from pairgen.train.data.splits import open_datasets, tokenize_split
    from pairgen.train.data.token_cache import TokenCache
    from pairgen.train.data.tokenization import PairTokenizer
    from pairgen.train.layout.tree import tree_batch
    from pairgen.train.losses import LOSSES
    from pairgen.train.model.loading import load_tokenizer

    config = Config()
    datasets = open_datasets((options.data,), LOSSES[config.loss])
    tokenizer = PairTokenizer(
        load_tokenizer(options.model, options.trust_remote_code), config.chat, options.max_length, options.model
    )
    with tempfile.TemporaryDirectory() as folder:
        split = tokenize_split(datasets, "train", TokenCache(Path(folder), tokenizer), progress=progress)
        assert split is not None  # checked by open_datasets
        groups = split.groups
        sampler = BatchSampler(groups.pairs, max(1, options.batch_size // options.gpus), seed=0)
        steps = min(MAX_BATCHES, sampler.steps(1))
        batches = [
            tree_batch([groups[index] for index in sampler.batch(step)], config.max_packed_length, options.share)
            for step in range(steps)
        ]
    pairs = sum(batch.pairs for batch in batches)
    tokens, attended, labels, differing = (sum(batch.work[field] for batch in batches) / pairs for field in range(4))
    return PairLoad(
        tokens,
        attended,
        labels,
        differing,
        laid_out=sum(batch.tokens.numel() for batch in batches) / pairs,
        unshared=sum(batch.padded_tokens for batch in batches) / pairs,
        pairs=int(groups.pairs.sum()),
    )
