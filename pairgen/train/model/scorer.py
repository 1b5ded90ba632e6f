"""A causal language model as a function from a batch to the log-probs of its labelled positions."""

from typing import Any

from torch import Tensor, nn

from pairgen.train.layout.batch import Batch
from pairgen.train.model.attention import TreeMask, install, nan_mask
from pairgen.train.model.logprobs import logprobs
from pairgen.train.model.timing import HEAD, Clock


class Scorer(nn.Module):
    """Scores batches with a transformers model. Training and evaluation call only ``forward``.

    Raises:
        UnsupportedModel: the model has no head that maps hidden states to tokens.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.clock = Clock()
        """Step timer; off until it is started."""

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
        hidden = causal.base_model(
            input_ids=batch.tokens, use_cache=False, **self._tree_inputs(batch)
        ).last_hidden_state
        head = causal.get_output_embeddings()
        flat = hidden.reshape(-1, hidden.shape[-1])[batch.label_positions]
        cap = softcap(causal.config)
        return self.clock.timed(HEAD, lambda flat: logprobs(flat, head.weight, batch.targets, head.bias, cap), flat)

    def _tree_inputs(self, batch: Batch) -> dict[str, Any]:
        """The keyword arguments of the model for a batch of trees; none for padded rows."""
        if batch.subtree_end is None or batch.positions is None:
            return {}
        install(self.causal)
        mask = TreeMask(batch.subtree_end, batch.positions, self.clock)
        return {"position_ids": batch.positions, "attention_mask": nan_mask(batch.tokens), "tree": mask}


def softcap(config: Any) -> float:
    """Soft cap on a model's logits, 0 if it has none."""
    return float(getattr(config.get_text_config(), "final_logit_softcapping", None) or 0.0)
