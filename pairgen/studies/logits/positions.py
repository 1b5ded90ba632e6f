"""Gradients and steps of some pairs as a table, one row per token of chosen and loss."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset
from pairgen.run_folder.measured import edit_offsets
from pairgen.studies.logits import equations
from pairgen.studies.logits.equations import LaidOut, PairLogits
from pairgen.studies.logits.places import LOSSES
from pairgen.studies.logits.steps import Changes, step_changes
from pairgen.train.config import Config
from pairgen.train.from_texts import exact_layout, groups_of_texts
from pairgen.train.layout.batch import Batch
from pairgen.train.model.loading import load_model, load_tokenizer
from pairgen.train.model.scorer import Scorer

SCHEMA = pa.schema(
    {
        "model": pa.string(),  # "start", where policy and reference are equal, or "trained"
        "loss": pa.string(),  # of ``LOSSES``
        "pair": pa.int32(),
        "own": pa.bool_(),  # whether loss and step are those of this pair, or those of the pair before it
        "offset": pa.int32(),  # of t_k from the edit: 0 in it, -1 just before it, 1 just after it
        "down": pa.float64(),  # change of log pi(t_k|..), chosen, by a step down the gradient of the loss, in nats
        "up": pa.float64(),  # the same by a step up
        "rejected_down": pa.float64(),  # change of log pi(t'_k|..), rejected
        "rejected_up": pa.float64(),
        "active": pa.bool_(),  # a_k, of ``equations``; like what follows, null unless own
        "push": pa.float64(),  # -dL/dtheta / c of the logit of t_k, by autograd: what a step down the gradient adds
        "own_push": pa.float64(),  # the same in chosen's own context alone
        "error": pa.float64(),  # largest difference of autograd and the equations over the vocabulary, / c
        "probability": pa.float64(),  # s^w of t_k
        "other_probability": pa.float64(),  # s^l of t_k
    }
)
"""Without an active penalty, DPOP's steps are those of DPO: where policy and reference are equal, they are null."""


def measure(models: Mapping[str, str], data: PairDataset, pairs: int, beta: float, learning_rate: float) -> pa.Table:
    """Measure the first training pairs whose completions have the same number of tokens.

    All is in float64, for which models, their gradient and a copy take some 32 bytes per parameter.

    Args:
        models: the folder of each model; ``start`` is the reference of all.
        pairs: how many, at most.
        beta: of all losses; lambda is that of the config.
        learning_rate: of the steps.

    Returns:
        A table of ``SCHEMA``.

    Raises:
        UsageError: fewer than two pairs can be measured.
    """
    tokenizer = load_tokenizer(models["start"])
    start = _scorer(models["start"])
    rows = ((pair["prompt"], pair["chosen"], pair["rejected"]) for pair in data.splits["train"])
    groups = groups_of_texts(tokenizer, (row for row, _ in zip(rows, range(4 * pairs), strict=False)))
    aligned = equations.aligned_pairs(groups)[:pairs]
    if len(aligned) < 2:
        raise UsageError(
            f"{data.path}: fewer than two training pairs have completions of the same number of tokens, as the "
            "equations for gradients of logits require"
        )
    found = equations.lay_out(start, aligned, exact_layout(start, aligned[:3]))
    parts = []
    for model, folder in models.items():
        policy = start if model == "start" else _scorer(folder)
        for at, pair in enumerate(found):
            after, logits = (at + 1) % len(found), pair.logits(policy)
            for name, options in LOSSES.items():
                config = Config(beta=beta, **options)
                about = {"model": model, "loss": name}
                columns = _gradients(pair, logits, config)
                if name == "dpo" or policy is not start:
                    own, others = step_changes(policy, pair, config, learning_rate, [found[after].batch])
                    columns |= _steps(own)
                    of_others = {"offset": _offsets(found[after].batch), **_steps(others)}
                    parts.append(_table({**about, "pair": after, "own": False}, of_others))
                parts.append(_table({**about, "pair": at, "own": True}, columns))
    return pa.concat_tables(parts)


def _scorer(folder: str) -> Scorer:
    return Scorer(load_model(folder, torch.float64))


def _table(about: Mapping[str, Any], columns: Mapping[str, Any]) -> pa.Table:
    """Rows of ``SCHEMA`` from values that they share and columns; null where there are neither."""
    size = len(columns["offset"])
    shared = {name: [about.get(name)] * size for name in SCHEMA.names}
    return pa.table({**shared, **columns}, SCHEMA)


def _gradients(pair: LaidOut, logits: PairLogits, config: Config) -> dict[str, Any]:
    at, tokens = torch.arange(logits.tokens.shape[1]), logits.tokens[0]
    of_chosen, of_rejected = logits.logits.softmax(-1)[logits.context, tokens]
    factor, active = equations.weights(logits, config)
    gradient = equations.by_autograd(logits, config)
    return {
        "offset": _offsets(pair.batch),
        "active": active.numpy(),
        "push": (-gradient[at, tokens] / factor).numpy(),
        "own_push": (-equations.in_chosen_context(logits, config) / factor).numpy(),
        "error": ((gradient - equations.by_equations(logits, config)).abs().amax(1) / factor).numpy(),
        "probability": of_chosen.numpy(),
        "other_probability": of_rejected.numpy(),
    }


def _steps(changes: Changes) -> dict[str, Any]:
    (down, rejected_down), (up, rejected_up) = changes.down.numpy(), changes.up.numpy()
    return {"down": down, "up": up, "rejected_down": rejected_down, "rejected_up": rejected_up}


def _offsets(batch: Batch) -> NDArray[np.int64]:
    """[K] the offset from the edit of each token of the one pair of a batch."""
    start, stop = batch.edit[0].tolist()
    return edit_offsets(int(batch.lengths[0]), start, stop)
