"""A causal language model as a function from a batch to the log-probs of its labelled positions."""

from typing import Any

import torch
from torch import Tensor, nn

from pairgen.errors import BadModel
from pairgen.train.batch import Batch
from pairgen.train.logprobs import logprobs


class Scorer(nn.Module):
    """Scores batches with a transformers model; all that trains a model goes through ``forward``.

    Raises:
        BadModel: the model has no head that maps hidden states to tokens.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

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
        hidden = causal.base_model(input_ids=batch.tokens, use_cache=False).last_hidden_state
        head = causal.get_output_embeddings()
        flat = hidden.reshape(-1, hidden.shape[-1])[batch.score]
        return logprobs(flat, head.weight, batch.targets, head.bias, softcap(causal.config))


def softcap(config: Any) -> float:
    """Soft cap on a model's logits, 0 if it has none."""
    return float(getattr(config.get_text_config(), "final_logit_softcapping", None) or 0.0)


@torch.no_grad()
def check(scorer: Scorer, vocabulary: int) -> None:
    """Hold the scorer's logits against the model's own on a few tokens, so that no model is scored by a wrong head.

    Raises:
        BadModel: the model does something to its logits that is not known here, or has no causal head.
    """
    causal = scorer.causal
    if causal.get_output_embeddings() is None or not hasattr(causal.get_output_embeddings(), "weight"):
        raise BadModel(f"{type(causal).__name__}: has no causal language model head; choose a ...ForCausalLM model")
    device = causal.get_output_embeddings().weight.device
    tokens = torch.arange(8, device=device)[None] % vocabulary
    was_training = causal.training
    causal.eval()
    ours = scorer(_probe(tokens))
    theirs = causal(input_ids=tokens, use_cache=False).logits[0, :-1].float().log_softmax(-1)
    causal.train(was_training)
    expected = theirs.gather(1, tokens[0, 1:, None])[:, 0]
    if not torch.allclose(ours.float(), expected, atol=0.05, rtol=0.01):
        raise BadModel(
            f"{type(causal).__name__}: changes its logits in a way that pairgen does not know "
            f"(off by {float((ours - expected).abs().max()):.2g} nats); choose another model"
        )


def _probe(tokens: Tensor) -> Batch:
    """A row whose every next token is scored, for a model that is only looked at."""
    count = tokens.shape[1] - 1
    nothing = torch.zeros(0, dtype=torch.int64, device=tokens.device)
    return Batch(
        tokens=tokens,
        positions=None,
        ends=None,
        score=torch.arange(count, device=tokens.device),
        targets=tokens[0, 1:],
        owner=nothing,
        lengths=nothing,
        chars=nothing,
        edit=nothing,
        group=nothing,
        weight=nothing,
        keys=(),
        plain_tokens=count + 1,
        run_tokens=count + 1,
    )
