"""A causal language model as a function from a batch to the log-probs of its labelled positions."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pairgen.errors import UnsupportedModel
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.tree import trees
from pairgen.train.model.attention import Visible, install, no_mask
from pairgen.train.model.logprobs import logprobs
from pairgen.train.model.timing import HEAD, Clock


class Scorer(nn.Module):
    """Scores batches with a transformers model; all that trains a model goes through ``forward``.

    Raises:
        UnsupportedModel: the model has no head that maps hidden states to tokens.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.clock = Clock()
        """Started by who wants to know where the time goes."""

    @property
    def causal(self) -> Any:
        """The ...ForCausalLM itself, without an adapter around it."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    def forward(self, batch: Batch) -> Tensor:
        """Score a batch.

        Returns:
            [N] log-prob of each target, in nats, float32 or better.
        """
        causal = self.causal
        hidden = causal.base_model(input_ids=batch.tokens, use_cache=False, **self._seen(batch)).last_hidden_state
        head = causal.get_output_embeddings()
        flat = hidden.reshape(-1, hidden.shape[-1])[batch.label_positions]
        cap = softcap(causal.config)
        return self.clock.timed(HEAD, lambda flat: logprobs(flat, head.weight, batch.targets, head.bias, cap), flat)

    def _seen(self, batch: Batch) -> dict[str, Any]:
        """What the model has to know of a batch of trees."""
        if batch.subtree_end is None or batch.positions is None:
            return {}
        install(self.causal)
        visible = Visible(batch.subtree_end, batch.positions, self.clock)
        return {"position_ids": batch.positions, "attention_mask": no_mask(batch.tokens), "tree": visible}


def softcap(config: Any) -> float:
    """Soft cap on a model's logits, 0 if it has none."""
    return float(getattr(config.get_text_config(), "final_logit_softcapping", None) or 0.0)


@torch.no_grad()
def check(scorer: Scorer, vocabulary: int) -> None:
    """Hold the scorer's logits against the model's own on a few tokens, so that no model is scored by a wrong head.

    Raises:
        UnsupportedModel: the model does something to its logits that is not known here, or has no causal head.
    """
    causal = scorer.causal
    if causal.get_output_embeddings() is None or not hasattr(causal.get_output_embeddings(), "weight"):
        raise UnsupportedModel(
            f"{type(causal).__name__}: has no causal language model head; choose a ...ForCausalLM model"
        )
    device = causal.get_output_embeddings().weight.device
    tokens = torch.arange(8, device=device)[None] % vocabulary
    was_training = causal.training
    causal.eval()
    ours = scorer(_probe(tokens))
    theirs = causal(input_ids=tokens, use_cache=False).logits[0, :-1].float().log_softmax(-1)
    other_end = torch.cat([tokens[:, :-1], tokens[:, :1]], dim=1)
    before_it = causal(input_ids=other_end, use_cache=False).logits[0, :-1].float().log_softmax(-1)
    causal.train(was_training)
    if not torch.allclose(theirs, before_it, atol=0.01, rtol=0.01):
        raise UnsupportedModel(f"{type(causal).__name__}: sees tokens that come later; choose a causal language model")
    expected = theirs.gather(1, tokens[0, 1:, None])[:, 0]
    if not torch.allclose(ours.float(), expected, atol=0.05, rtol=0.01):
        raise UnsupportedModel(
            f"{type(causal).__name__}: changes its logits in a way that pairgen does not know "
            f"(off by {float((ours - expected).abs().max()):.2g} nats); choose another model"
        )


@torch.no_grad()
def check_training(scorer: Scorer, vocabulary: int) -> None:
    """Hold a model's log-probs in training against those in evaluation: policy and reference have to be comparable.

    Raises:
        UnsupportedModel: they differ, as under a dropout that could not be switched off.
    """
    probe = _probe(torch.arange(8, device=scorer.causal.get_output_embeddings().weight.device)[None] % vocabulary)
    was_training = scorer.causal.training
    calm, training = (scorer(probe) for _ in map(scorer.causal.train, (False, True)))
    scorer.causal.train(was_training)
    if not torch.allclose(calm, training, atol=0.01, rtol=0.01):
        raise UnsupportedModel(
            f"{type(scorer.causal).__name__}: rolls dice in training, so it cannot be held to a reference"
        )


@torch.no_grad()
def check_trees(scorer: Scorer, vocabulary: int) -> None:
    """Hold a model's log-probs of trees against those of padded rows, so that none is trained that reads trees wrongly.

    Raises:
        UnsupportedModel: they differ, or the model does not run on trees at all.
    """
    name = type(scorer.causal).__name__
    device = scorer.causal.get_output_embeddings().weight.device
    groups = _families(vocabulary)
    was_training = scorer.causal.training
    scorer.causal.eval()
    try:
        plain, shared = (trees(groups, 64, share).to(device) for share in ("none", "group"))
        expected = plain.completions(scorer(plain))
        found = shared.completions(scorer(shared))
    except (UnsupportedModel, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a model's own, or a compiler's
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UnsupportedModel(f"{name}: does not run on trees ({reason}); use --share none") from error
    finally:
        scorer.causal.train(was_training)
    off = float((found - expected)[expected != 0].abs().mean())
    if not off < (0.02 if scorer.causal.dtype == torch.float32 else 0.15):  # NaN is no less: the mask was used
        raise UnsupportedModel(
            f"{name}: reads trees otherwise than rows (off by {off:.2g} nats a token); use --share none"
        )


def _families(vocabulary: int) -> list[TokenGroup]:
    """Two groups whose completions fork at several places, of which some end where others go on."""
    draw = np.random.default_rng(0)
    made = []
    for _ in range(2):
        prompt, chosen, other = (draw.integers(0, vocabulary, 12, dtype=np.int32) for _ in range(3))
        rejected = np.append(chosen[:5], other), chosen[:8], other, np.append(other[:4], chosen)
        zeros = np.zeros((4, 2), np.int32), np.ones(5, np.int32)
        made.append(TokenGroup(prompt, (chosen, *rejected), ("0", "1", "2", "3"), *zeros))
    return made


def _probe(tokens: Tensor) -> Batch:
    """A row whose every next token is scored, for a model that is only looked at."""
    count = tokens.shape[1] - 1
    nothing = torch.zeros(0, dtype=torch.int64, device=tokens.device)
    return Batch(
        tokens=tokens,
        positions=None,
        subtree_end=None,
        label_positions=torch.arange(count, device=tokens.device),
        targets=tokens[0, 1:],
        completion_index=nothing,
        lengths=nothing,
        num_chars=nothing,
        edit=nothing,
        group=nothing,
        weight=nothing,
        pair_ids=(),
        padded_tokens=count + 1,
        processed_tokens=count + 1,
    )
