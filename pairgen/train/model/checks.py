"""Checks of a loaded model, so that no run starts with a model that would be scored incorrectly."""

import numpy as np
import torch
from torch import Tensor

from pairgen.errors import UnsupportedModel
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.scorer import Scorer


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
    tokens = _tokens(scorer, vocabulary)
    last_changed = torch.cat([tokens[:, :-1], tokens[:, :1]], dim=1)
    was_training = causal.training
    causal.eval()
    scored = scorer(_one_row(tokens))
    expected, unaffected = (
        causal(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(-1) for ids in (tokens, last_changed)
    )
    causal.train(was_training)
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
    probe = _one_row(_tokens(scorer, vocabulary))
    was_training = scorer.causal.training
    evaluation, training = (scorer(probe) for _ in map(scorer.causal.train, (False, True)))
    scorer.causal.train(was_training)
    if not torch.allclose(evaluation, training, atol=0.01, rtol=0.01):
        raise UnsupportedModel(
            f"{type(scorer.causal).__name__}: gives different log-probs in training and evaluation mode (dropout that "
            "cannot be disabled?), so it cannot be compared with a reference; choose another model"
        )


@torch.no_grad()
def check_trees(scorer: Scorer, vocabulary: int) -> None:
    """Compare a model's log-probs on token trees with those on padded rows.

    Raises:
        UnsupportedModel: they differ, or the model fails on trees.
    """
    name = type(scorer.causal).__name__
    device = scorer.causal.get_output_embeddings().weight.device
    groups = _branching_groups(vocabulary)
    was_training = scorer.causal.training
    scorer.causal.eval()
    try:
        padded, tree = padded_batch(groups).to(device), tree_batch(groups, 64).to(device)
        expected, found = padded.completions(scorer(padded)), tree.completions(scorer(tree))
    except (UnsupportedModel, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the model's own, or a compiler's
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(f"{name}: does not support token trees ({reason}); use --share none") from error
    finally:
        scorer.causal.train(was_training)
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


def _tokens(scorer: Scorer, vocabulary: int) -> Tensor:
    """[1, 8] the first token ids."""
    return torch.arange(8, device=scorer.causal.get_output_embeddings().weight.device)[None] % vocabulary


def _one_row(tokens: Tensor) -> Batch:
    """One sequence in which every token but the first is a label."""
    prompt, chosen = tokens[0].cpu().numpy()[:1], tokens[0].cpu().numpy()[1:]
    edit, num_chars = np.zeros((1, 2), np.int32), np.ones(1, np.int32)
    return padded_batch([TokenGroup(prompt, (chosen,), ("0",), edit, num_chars)]).to(tokens.device)
