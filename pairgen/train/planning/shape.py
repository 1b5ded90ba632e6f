"""The dimensions of a causal language model, the numbers of its weights, and the FLOPs of training it."""

from collections.abc import Mapping
from dataclasses import dataclass

from pairgen.train.scores.flops import Flops, attention_flops


@dataclass(frozen=True)
class Shape:
    """The dimensions of a decoder-only transformer.

    Each layer has queries of ``heads`` and keys and values of ``kv_heads`` heads, and an MLP.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    intermediate: int
    """Width of an MLP; in a mixture of experts, of one expert."""
    vocabulary: int
    head_size: int
    tied: bool = False
    """Whether the LM head is the embedding."""
    gated: bool = True
    """Whether an MLP has three matrices (gate, up, down) instead of two."""
    qkv_bias: bool = False
    norms: int = 2
    """RMS norms of a layer, of the hidden size each; four in Gemma 2 and 3."""
    head_norms: bool = False
    """Whether queries and keys are normalized per head, as in Qwen 3 and Gemma 3."""
    experts: int = 1
    active_experts: int = 1
    """Experts that a token is sent to."""

    @property
    def query_width(self) -> int:
        """Heads times their size."""
        return self.heads * self.head_size

    @property
    def key_width(self) -> int:
        """The same for keys, and for values."""
        return self.kv_heads * self.head_size

    @property
    def matrices(self) -> Mapping[str, tuple[int, int]]:
        """Inputs and outputs of each weight matrix of a layer, of one expert, without the router."""
        up = (self.hidden, self.intermediate)
        return {
            "q": (self.hidden, self.query_width),
            "k": (self.hidden, self.key_width),
            "v": (self.hidden, self.key_width),
            "o": (self.query_width, self.hidden),
            **({"gate": up} if self.gated else {}),
            "up": up,
            "down": up[::-1],
        }

    def _in_layer(self, experts: int) -> int:
        """Weights of the matrices of a layer, with so many of its experts."""
        sizes = {name: inputs * outputs for name, (inputs, outputs) in self.matrices.items()}
        mlp = sum(sizes[name] for name in MLP if name in sizes)
        router = self.hidden * self.experts if self.experts > 1 else 0
        return sum(sizes.values()) - mlp + experts * mlp + router

    @property
    def layer_matrices(self) -> int:
        """Weights of the matrices of a layer."""
        return self._in_layer(self.experts)

    @property
    def layer_weights(self) -> int:
        """All weights of a layer."""
        biases = self.query_width + 2 * self.key_width if self.qkv_bias else 0
        return self.layer_matrices + biases + self.norms * self.hidden + 2 * self.head_size * self.head_norms

    @property
    def embedding(self) -> int:
        """Weights of the embedding, and of the LM head."""
        return self.vocabulary * self.hidden

    @property
    def tables(self) -> int:
        """Weights of embedding and LM head; once if they are the same."""
        return self.embedding * (1 if self.tied else 2)

    @property
    def weights(self) -> int:
        """All weights."""
        return self.layers * self.layer_weights + self.tables + self.hidden

    @property
    def linear(self) -> list[tuple[int, int]]:
        """Inputs and outputs of the matrices of a layer that get an adapter, or 4 bits: not of experts and routers."""
        return [size for name, size in self.matrices.items() if self.experts == 1 or name not in MLP]

    def adapter(self, rank: int) -> int:
        """Weights of a LoRA adapter on all linear layers."""
        return self.layers * rank * sum(inputs + outputs for inputs, outputs in self.linear)

    def flops(self, lora: int = 0) -> Flops:
        """The FLOPs of training, as ``pairgen.train.scores.speed.ModelFlops`` counts them for the model itself.

        Args:
            lora: rank of the adapter that is trained; 0: all weights are.
        """
        used = self.layers * self._in_layer(self.active_experts)
        per_token = 4.0 * used + 6.0 * self.adapter(lora) if lora else 6.0 * used
        per_key = attention_flops(self.heads, self.head_size, self.layers)
        return Flops(per_token, per_key, self.embedding, trains_head=not lora)

    def forward_flops(self) -> Flops:
        """FLOPs of the forward pass alone, of the layers: what full activation checkpointing computes again."""
        used = self.layers * self._in_layer(self.active_experts)
        return Flops(2.0 * used, attention_flops(self.heads, self.head_size, self.layers) / 3, 0, trains_head=False)


MLP = ("gate", "up", "down")
"""The matrices of an MLP."""
