"""A causal language model as a function from a batch to the log-probs of its labeled positions."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from pairgen.train.layout.batch import Batch
from pairgen.train.model.attention import nan_mask, use_tree_attention
from pairgen.train.model.kernels import torch_internals
from pairgen.train.model.kernels.tree_mask import FLEX, TreeMask
from pairgen.train.model.logprobs import logprobs
from pairgen.train.model.step_timer import HEAD, StepTimer


class Scorer(nn.Module):
    """Scores batches with a transformers model; every forward pass of training goes through ``forward``.

    Raises:
        UnsupportedModel: the model does not support token trees.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.timer = StepTimer()
        self.compiled = False

    def compile_layers(self) -> None:
        """Compile the layers of the model with torch.compile: those of one class once, for all shapes of batches."""
        for layer in layers_of(self.causal) or [backbone(self.causal)]:
            layer.compile(dynamic=True)
        self.compiled = True

    def undo_compilation(self) -> None:
        """Run the layers as they are again."""
        for module in self.causal.modules():
            torch_internals.undo_compilation(module)
        self.compiled = False

    @property
    def causal(self) -> Any:
        """The ...ForCausalLM, without its adapter."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    def forward(self, batch: Batch | Callable[[], Any]) -> Any:
        """[N] log-prob of each target of a batch, in nats, float32 or better.

        Of a function, what it returns: it may run passes of the model itself, which a sharded one computes only inside
        of a pass of the module that FSDP shards.
        """
        if not isinstance(batch, Batch):
            return batch()
        head = self.causal.get_output_embeddings()
        cap = logit_softcap(self.causal.config)
        return self.timer.timed(
            HEAD,
            lambda hidden: logprobs(hidden, head.weight, batch.targets, head.bias, cap),
            self.label_states(batch),
        )

    def label_states(self, batch: Batch) -> Tensor:
        """[N, D] the hidden states that predict the targets, as the LM head sees them: after the final norm."""
        inputs = self._tree_inputs(batch)
        hidden: Tensor = backbone(self.causal)(input_ids=batch.tokens, use_cache=False, **inputs).last_hidden_state
        return hidden.reshape(-1, hidden.shape[-1])[batch.label_positions]

    def _tree_inputs(self, batch: Batch) -> dict[str, Any]:
        """Further inputs of the model for a batch of trees."""
        if batch.subtree_end is None or batch.positions is None:
            return {}
        use_tree_attention(self.causal)
        tree = TreeMask(batch.subtree_end, batch.positions, self.timer)
        if self.compiled and tree.kernel == FLEX:  # a compiled layer would be traced again if it had to do this
            tree.block_mask(0)
            tree.block_mask(getattr(self.causal.config.get_text_config(), "sliding_window", None) or 0)
        return {"position_ids": batch.positions, "attention_mask": nan_mask(batch.tokens), "tree": tree}


def backbone(causal: Any) -> Any:
    """The part of a causal language model that computes hidden states."""
    base = causal.base_model
    return causal.model if base is causal else base  # Llama 4 declares a name for it that it does not have


def layers_of(causal: nn.Module) -> list[nn.Module]:
    """The layers of a model, without those inside another one: for a Mamba, its blocks, and not the mixers in them."""
    names = set(getattr(causal, "_no_split_modules", None) or ())  # of classes
    found: list[nn.Module] = []
    inside: set[nn.Module] = set()
    for module in causal.modules():  # parents first
        if type(module).__name__ in names and module not in inside:
            found.append(module)
            inside.update(module.modules())
    return found


SOFT_CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
"""The names of a soft cap on logits in configs: of Gemma, RecurrentGemma and xLSTM."""


def logit_softcap(config: Any) -> float:
    """Soft cap on a model's logits, 0 if it has none."""
    text = config.get_text_config()
    return next((float(cap) for name in SOFT_CAPS if (cap := getattr(text, name, None))), 0.0)
