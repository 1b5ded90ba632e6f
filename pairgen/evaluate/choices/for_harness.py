"""Token trees for the requests of lm-evaluation-harness, whose tasks, prompts and metrics stay as they are."""

import logging
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pairgen.errors import UnsupportedModel
from pairgen.evaluate.choices.encoding import encode_pairs, truncated
from pairgen.evaluate.choices.likelihoods import Likelihoods, Report
from pairgen.evaluate.choices.scoring import settled

log = logging.getLogger("lm_eval.models.huggingface")
"""Where the harness's own warnings about a model come from."""


def loglikelihoods(lm: Any, requests: Sequence[Any], report: Report = lambda *_: None) -> list[tuple[float, bool]]:
    """What ``lm.loglikelihood(requests)`` returns up to rounding, for an ``HFLM`` of a causal model.

    In float32, the choice with the largest log-prob, or with the largest one per character, is that of the harness with
    batches of one sequence; see ``score_choices``.

    Args:
        requests: ``Instance`` objects whose ``args`` are context and continuation; those of a task with the same
            ``doc_id`` are the choices of a question.
        report: called with the number of distinct continuations that are scored, and of all.

    Returns:
        The log-prob of each continuation in nats, and whether it is what the model generates greedily.

    Raises:
        UnsupportedModel: the model does not support token trees exactly.
        UsageError: a continuation cannot be scored.
    """
    pairs = encode_pairs(lm.tokenizer, [request.args for request in requests])
    likelihoods = Likelihoods(lm.model, lm.max_length, lm.tokenizer.pad_token_id or 0)
    if reason := likelihoods.check(pairs):
        raise UnsupportedModel(reason.partition("; use --share")[0])  # the remedy in training
    if any(truncated(pair, lm.max_length) != pair for pair in pairs):
        log.warning("Truncating contexts that are longer than the model's from the left")  # as the harness does
    questions: dict[Any, list[int]] = {}
    for at, request in enumerate(requests):
        questions.setdefault((request.task_name, request.doc_id), []).append(at)
    members = list(questions.values())
    texts = [[requests[at].args[1] for at in question] for question in members]
    # the delimiter of a task, which does not count, is not known here: most have a space
    lengths = [[_lengths(question, delimiter) for delimiter in (0, 1)] for question in texts]
    alternatives = [[pairs[at] for at in question] for question in members]
    dtype = lm.mixed_precision_dtype
    with torch.autocast(lm.device.type, dtype, enabled=dtype is not None):
        scores = settled(likelihoods, alternatives, lengths, report)
    scored = dict(zip(chain(*members), chain(*scores), strict=True))
    return [(scored[at].logp, scored[at].greedy) for at in range(len(requests))]


def _lengths(continuations: list[str], delimiter: int) -> NDArray[np.float64]:
    """Characters of continuations, less those of the delimiter, at least 1."""
    return np.array([max(1.0, len(text) - delimiter) for text in continuations])
