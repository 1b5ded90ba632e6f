"""Checks that a loaded model is scored correctly, before a run starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pairgen.errors import UnsupportedModel
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.attention import restored_on_error
from pairgen.train.model.scorer import Scorer


@contextmanager
def _mode(model: Any, training: bool) -> Iterator[None]:
    """Run a model in training or evaluation mode, then restore its mode."""
    before = model.training
    model.train(training)
    try:
        yield
    finally:
        model.train(before)


@torch.no_grad()
def check_logits(scorer: Scorer, vocabulary: int) -> None:
    """Compare the scorer's log-probs of a few tokens with those of the model's own logits.

    Raises:
        UnsupportedModel: the model has no causal head, is not causal, or post-processes its logits in an unknown way.
    """
    causal = scorer.causal
    name = type(causal).__name__
    if causal.get_output_embeddings() is None or not hasattr(causal.get_output_embeddings(), "weight"):
        raise UnsupportedModel(f"{name}: has no causal language model head; choose a ...ForCausalLM model")
    batch = _one_row(scorer, vocabulary)
    tokens = batch.tokens
    last_changed = torch.cat([tokens[:, :-1], tokens[:, :1]], dim=1)
    with _mode(causal, training=False):
        scored = scorer(batch)
        expected, unaffected = (
            causal(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(-1)
            for ids in (tokens, last_changed)
        )
    if not torch.allclose(expected, unaffected, atol=0.01, rtol=0.01):
        raise UnsupportedModel(f"{name}: attends to later tokens; choose a causal language model")
    expected = expected.gather(1, tokens[0, 1:, None])[:, 0]
    if not torch.allclose(scored.float(), expected, atol=0.05, rtol=0.01):
        raise UnsupportedModel(
            f"{name}: post-processes its logits in an unsupported way "
            f"(log-probs off by {float((scored - expected).abs().max()):.2g} nats); choose another model"
        )


@torch.no_grad()
def check_deterministic(scorer: Scorer, vocabulary: int) -> None:
    """Compare a model's log-probs in training mode and in evaluation mode.

    Raises:
        UnsupportedModel: they differ, as with dropout that could not be disabled: policy and reference would not be
            comparable.
    """
    batch = _one_row(scorer, vocabulary)
    with _mode(scorer.causal, training=False):
        evaluation = scorer(batch)
    with _mode(scorer.causal, training=True):
        training = scorer(batch)
    if not torch.allclose(evaluation, training, atol=0.01, rtol=0.01):
        raise UnsupportedModel(
            f"{type(scorer.causal).__name__}: has different log-probs in training and evaluation mode (dropout that "
            "cannot be disabled?), so it cannot be compared with a reference; choose another model"
        )


@torch.no_grad()
def check_trees(scorer: Scorer, vocabulary: int) -> None:
    """Compare a model's log-probs on token trees with those on padded rows.

    Raises:
        UnsupportedModel: they differ, or the model fails on trees; its attention is as it was before.
    """
    with restored_on_error(scorer.causal):
        _compare_with_trees(scorer, vocabulary)


def _compare_with_trees(scorer: Scorer, vocabulary: int) -> None:
    name = type(scorer.causal).__name__
    device = scorer.causal.get_output_embeddings().weight.device
    groups = _branching_groups(vocabulary)
    padded, tree = padded_batch(groups).to(device), tree_batch(groups, 64).to(device)
    try:
        with _mode(scorer.causal, training=False):
            expected, found = padded.completions(scorer(padded)), tree.completions(scorer(tree))
    except (UnsupportedModel, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the model's own, or a compiler's
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(f"{name}: does not support token trees ({reason}); use --share none") from error
    difference = float((found - expected)[expected != 0].abs().mean())
    # NaN must fail: it means that the model used ``nan_mask``.
    if not difference < (0.02 if scorer.causal.dtype == torch.float32 else 0.15):
        raise UnsupportedModel(
            f"{name}: log-probs on token trees differ from padded rows by {difference:.2g} nats per token; "
            "use --share none"
        )


def _branching_groups(vocabulary: int) -> list[TokenGroup]:
    """Two groups whose completions branch at several places, some ending where others continue."""
    rng = np.random.default_rng(0)
    groups = []
    for _ in range(2):
        prompt, chosen, other = (rng.integers(0, vocabulary, 12, dtype=np.int32) for _ in range(3))
        rejected = np.append(chosen[:5], other), chosen[:8], other, np.append(other[:4], chosen)
        edit, num_chars = np.zeros((4, 2), np.int32), np.ones(5, np.int32)
        groups.append(TokenGroup(prompt, (chosen, *rejected), ("0", "1", "2", "3"), edit, num_chars))
    return groups


def _one_row(scorer: Scorer, vocabulary: int) -> Batch:
    """A sequence of the first 8 token ids, in which every token but the first is a label."""
    tokens = np.arange(8, dtype=np.int32) % vocabulary
    edit, num_chars = np.zeros((1, 2), np.int32), np.ones(1, np.int32)
    batch = padded_batch([TokenGroup(tokens[:1], (tokens[1:],), ("0",), edit, num_chars)])
    return batch.to(scorer.causal.get_output_embeddings().weight.device)
