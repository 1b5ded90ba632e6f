"""CHES, the centered hidden embedding similarity of a pair (Razin et al., arXiv 2410.08847, Definition 2).

The higher the CHES of a pair, the more training on it with DPO is expected to lower the log-prob of its chosen
completion. Hidden states come from passes over token trees, so that what completions share is computed once.
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pairgen.errors import OutOfMemory, UsageError
from pairgen.options import from_mapping, with_signature
from pairgen.pairs.dataset import PairDataset, opened
from pairgen.progress import Progress, Warn, ignore
from pairgen.train.config import Config

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from pairgen.train.data.groups import GroupTable, TokenGroup
    from pairgen.train.data.splits import TokenizedSplit
    from pairgen.train.layout.batch import Batch
    from pairgen.train.model.scorer import Scorer
    from pairgen.train.scores.forward import Forward

SCALE = "inner product"
"""The unit of CHES: that of a product of two hidden states."""

DEFINITIONS = {
    "ches": "<S_w, S_l> - |S_w|^2 of chosen w and rejected l, S: sum of the last hidden states that predict the tokens "
    "of a completion (arXiv 2410.08847)",
    "ches_normalized": "<S_w, S_l> / (n_w n_l) - |S_w|^2 / n_w^2, n: tokens of a completion, EOS included",
}
"""The columns of the scores, and what they are."""

PHASE = "hidden states"

SCHEMA = pa.schema({"pair_id": pa.string(), "ches": pa.float64(), "ches_normalized": pa.float64()})


USED = ("device", "precision", "share", "chat", "max_length", "max_packed_length", "trust_remote_code")
"""The options of training that ``ches`` takes."""

_UNUSED = tuple(item.name for item in fields(Config) if item.name not in USED)


@with_signature(Config, without=_UNUSED)
def ches(
    dataset: PairDataset | str | os.PathLike[str],
    model: str,
    *,
    limit: int = 0,
    progress: Progress = ignore,
    **options: Any,
) -> "pd.DataFrame":
    """CHES of each pair, as a data frame with the index ``split``, ``pair_id``.

    >>> found = pairgen.ches("arc-pairs", "tiny", limit=4)
    >>> found.columns.tolist(), found.loc["train"].shape
    (['ches', 'ches_normalized'], (6, 2))

    Args:
        dataset: a dataset or its folder.
        model: a folder, a GGUF file or a Hub id; or ``"tiny"``, a small untrained Llama.
        limit: at most about so many pairs of each split, from the first, up to a complete group; 0: all.
        progress: called with pairs.
        options: ``device``, ``precision`` (default ``"float32"``), ``share``, ``chat``, ``max_length``,
            ``max_packed_length`` and ``trust_remote_code``, as in ``pairgen.train.config.Config``.

    Raises:
        UsageError: an unknown option, or a dataset without rejected completions.
        InvalidDataset: a folder that is not a pair dataset, or a damaged one.
        UnsupportedModel: the model cannot be loaded, or its log-probs cannot be computed in batches.
        NoPairsLeft: tokenization dropped every pair of a split.
        OutOfMemory: the device has too little memory.
    """
    import pandas as pd

    if unused := sorted(options.keys() - set(USED)):
        raise UsageError(f"ches: {unused[0]}: unknown option; available: {', '.join(USED)}")
    config = from_mapping(Config, {"precision": "float32", **options, "model": model}, "ches")
    found = scores(opened(dataset), config, limit, progress=progress, warn=warnings.warn)
    frames = {split: table.to_pandas().set_index("pair_id") for split, table in found.items()}
    table: pd.DataFrame = pd.concat(frames, names=["split"])
    return table


def of_batch(scorer: "Scorer", batch: "Batch") -> "tuple[Tensor, Tensor]":
    """CHES of the pairs of a batch.

    With S the sum of the hidden states that predict the n tokens of a completion (EOS included), w chosen, l rejected::

        CHES            = <S_w, S_l> - |S_w|^2                      (Definition 2 of the paper)
        normalized CHES = <S_w, S_l> / (n_w n_l) - |S_w|^2 / n_w^2  (its length-normalized variant)

    Sums and products are in float64: in both, large terms cancel. Gradients are not computed.

    Returns:
        [P] float64 CHES, and [P] float64 normalized CHES.
    """
    import torch

    with torch.no_grad():
        hidden = scorer.label_states(batch).double()
        index = batch.completion_index
        member = hidden.new_zeros(len(index), len(hidden) + 1).scatter_(1, index, 1.0)[:, :-1]  # the last is padding
        chosen, rejected = (member @ hidden).chunk(2)
        chosen_length, rejected_length = batch.lengths.double()[:, None].chunk(2)
        mean = chosen / chosen_length
        plain = (chosen * (rejected - chosen)).sum(1)
        return plain, (mean * (rejected / rejected_length - mean)).sum(1)


def scores(
    dataset: PairDataset, config: Config, limit: int = 0, *, progress: Progress = ignore, warn: Warn = ignore
) -> dict[str, pa.Table]:
    """CHES of the pairs of a dataset, by split.

    Args:
        config: ``model``, ``device``, ``precision``, ``share``, ``chat``, ``max_length``, ``max_packed_length`` and
            ``trust_remote_code`` are used. With ``share="auto"``, a model that does not support token trees computes
            padded rows, and ``warn`` is called.
        limit: at most about so many pairs of each split, from the first, up to a complete group; 0: all.
        progress: called with pairs.
        warn: called with a message if pairs are dropped, or if prefix sharing is disabled.

    Returns:
        For each split a table with the columns ``pair_id``, ``ches`` and ``ches_normalized`` (float64), a row for each
        pair that is not dropped in tokenization.

    Raises:
        UsageError: the dataset has no rejected completions.
        InvalidDataset: a damaged dataset.
        UnsupportedModel: the model cannot be loaded, or its log-probs cannot be computed in batches.
        NoPairsLeft: tokenization dropped every pair of a split.
        OutOfMemory: the device has too little memory.
    """
    if dataset.manifest.get("sft"):
        raise UsageError(f"{dataset.path}: has no rejected completions, so there is no CHES")
    import torch

    config = replace(config, compile=False)
    try:
        return _scores(dataset, config, limit, progress, warn)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{config.model}: out of memory on the {config.device} device; use a lower --max-length or --device cpu"
        ) from error


def _scores(dataset: PairDataset, config: Config, limit: int, progress: Progress, warn: Warn) -> dict[str, pa.Table]:
    from pairgen.train.checks.forward_choice import choose_forward
    from pairgen.train.data.splits import tokenize_split, training_texts
    from pairgen.train.data.token_cache import TokenCache
    from pairgen.train.data.tokenization import PairTokenizer
    from pairgen.train.model import loading
    from pairgen.train.model.scorer import Scorer

    model, tokenizer = loading.load(config, training_texts([dataset]), loading.pick_device(config.device))
    length = loading.usable_length(model, config.max_length)
    with tempfile.TemporaryDirectory(prefix="pairgen-") as folder:
        cache = TokenCache(Path(folder), PairTokenizer(tokenizer, config.chat, length, config.model))
        tokenized = {name: tokenize_split([dataset], name, cache, limit, progress) for name in dataset.splits}
        found = {name: split for name, split in tokenized.items() if split is not None}
        for name, split in found.items():
            _warn_of_drops(name, split, warn)
        scorer = Scorer(model)
        forward = choose_forward(config, scorer, tokenizer, _samples(found), warn) if found else None
        empty = SCHEMA.empty_table()
        return {
            name: _of_groups(found[name].groups, scorer, forward, config, partial(progress, f"{PHASE} {name}"))
            if forward and name in found
            else empty
            for name in dataset.splits
        }


def _warn_of_drops(name: str, split: "TokenizedSplit", warn: Warn) -> None:
    if split.drops:
        reasons = ", ".join(f"{reason} ({dropped:,})" for reason, dropped in split.drops.most_common())
        warn(f"{name}: no CHES of {split.drops.total():,} pairs: {reasons}")


def _samples(splits: "dict[str, TokenizedSplit]") -> "list[TokenGroup]":
    """The pairs that the model is checked on."""
    from pairgen.train.checks.sample import sample_groups

    return sample_groups([(split, np.arange(len(split.groups))) for split in splits.values()])


def _of_groups(groups: "GroupTable", scorer: "Scorer", forward: "Forward", config: Config, on_pairs: Any) -> pa.Table:
    """The scores of the pairs of a split, in its order."""
    import torch

    total, done, parts = int(groups.pairs.sum()), 0, []
    on_pairs(0, total)
    for indices in batches(groups, config.max_packed_length):
        batch = forward.layout([groups[index] for index in indices]).to(forward.device)
        with torch.autocast(forward.device.type, torch.bfloat16, enabled=forward.autocast):
            values = [column.cpu().numpy() for column in of_batch(scorer, batch)]
        parts.append(pa.record_batch([pa.array(batch.pair_ids, pa.string()), *map(pa.array, values)], schema=SCHEMA))
        done += batch.pairs
        on_pairs(done, total)
    return pa.Table.from_batches(parts, SCHEMA)


def batches(groups: "GroupTable", tokens: int) -> "Iterator[NDArray[np.int64]]":
    """Indices of consecutive groups of at most ``tokens`` tokens together; a larger group is alone."""
    first = filled = 0
    for index, size in enumerate(groups.tokens.tolist()):
        if filled and filled + size > tokens:
            yield np.arange(first, index)
            first, filled = index, 0
        filled += size
    if filled:
        yield np.arange(first, len(groups))
