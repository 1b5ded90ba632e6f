"""Peak memory of a training step on one GPU, by part.

Memory is counted at four moments of a step, and the one that takes most is reported: the end of the forward pass, the
backward pass of the LM head, that of the last layer, and that of the first one. Optimizer states are there at all of
them, gradients of what the backward pass has reached; if micro-batches accumulate, all gradients.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pairgen.train.planning import activations
from pairgen.train.planning.setting import Setting
from pairgen.train.planning.shape import Shape

GATHERED = 2
"""Layers that FSDP has whole at a time: the one that is computed, and the next one."""
CUDA_CONTEXT = 1.0e9
"""Bytes allowed for the CUDA context, libraries and their workspaces; not measured."""
FOUR_BIT = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Bytes of a weight in 4 bits: with a scale in 8 bits for 64 of them, and one in float32 for 256 scales."""
LIBRARIES = 0.45e9
"""Bytes of Python, torch and transformers in a process on a CPU, as tests/bench/bench_plan.py measures them."""
HEAD_BLOCKS = {"cpu": (4096, 2048), "cuda": (512, 1 << 30)}
"""``BLOCKS`` of ``pairgen.train.model.logprobs``: positions and tokens of the vocabulary in a block of logits."""
MAX_KEPT = 1 << 26
"""``MAX_KEPT`` of the same module: so many logits are kept for the backward pass."""


@dataclass(frozen=True)
class Peak:
    """The moment of a step that takes the most memory on a GPU."""

    moment: str
    parts: Mapping[str, float]
    """Bytes by part, those that are not 0."""

    @property
    def total(self) -> float:
        """Bytes."""
        return sum(self.parts.values())


def peak(shape: Shape, setting: Setting, tokens: float, labels: float) -> Peak:
    """The peak of a training step.

    Args:
        tokens: of a micro-batch on one GPU, padding included.
        labels: log-probs of the micro-batch.
    """
    count = _Count(shape, setting, tokens, labels)
    moments = [Peak(name, {part: size for part, size in parts.items() if size}) for name, parts in count.moments()]
    return max(moments, key=lambda moment: moment.total)


@dataclass(frozen=True)
class _Count:
    """Bytes on one GPU."""

    shape: Shape
    setting: Setting
    tokens: float
    labels: float

    @property
    def trainable(self) -> int:
        """Bytes of all trained weights."""
        if self.setting.lora:  # peft keeps adapters in float32
            return 4 * self.shape.adapter(self.setting.lora)
        return self.setting.weight_bytes * self.shape.weights

    @property
    def table(self) -> int:
        """Bytes of the embedding, and of the LM head."""
        return self.setting.weight_bytes * self.shape.embedding

    @property
    def head_gradient(self) -> int:
        return 0 if self.setting.lora else self.table

    @property
    def gathered(self) -> float:
        """Bytes of the weights that FSDP has whole at a time, and of their gradients; bfloat16 in mixed precision."""
        size = 2 if self.setting.autocast else self.setting.weight_bytes
        return size * (self.shape.tables + GATHERED * self.shape.layer_weights)

    def constant(self) -> dict[str, float]:
        """What is there at every moment."""
        shape, setting = self.shape, self.setting
        linear = [inputs * outputs for inputs, outputs in shape.linear] if setting.quantize != "none" else []
        weights: float = setting.weight_bytes * shape.weights
        weights -= (setting.weight_bytes - FOUR_BIT) * shape.layers * sum(linear)
        adapter = self.trainable if setting.lora else 0
        needs_copy = setting.reference == "online" and not setting.lora
        return {
            "weights": (weights + adapter) / setting.shards,
            "optimizer states": 2 * self.trainable / setting.shards,
            "reference model": weights / setting.shards if needs_copy else 0.0,
            "decoded matrix": setting.bytes * max(linear, default=0),
            "gathered layers": self.gathered if setting.shards > 1 else 0.0,
            "CUDA context": CUDA_CONTEXT if setting.on_gpu else 0.0,
            "Python and libraries": 0.0 if setting.on_gpu else LIBRARIES,
        }

    def moments(self) -> list[tuple[str, dict[str, float]]]:
        """The parts at each moment."""
        setting, constant = self.setting, self.constant()
        logits, block, states = self.head()
        layers = self.tokens * activations.per_token(self.shape, setting) * self.shape.layers
        kept_of_layer = self.tokens * activations.kept(self.shape, setting)
        one_layer = layers / self.shape.layers
        stored = kept_of_layer * self.shape.layers
        stored += self.tokens * activations.final_norm(self.shape, setting)
        recomputed = 0.0 if setting.checkpointing == "none" else one_layer
        if setting.checkpointing == "selective":  # the results of products are kept once, not twice
            recomputed = max(0.0, one_layer - self.tokens * activations.products(self.shape, setting))
        backward = self.tokens * (2 * setting.weight_bytes * self.shape.hidden + 2 * self.widest * setting.bytes)
        first, last = self.gradients(self.head_gradient), self.gradients(self.trainable)
        casts = self.casts()
        at_head = casts if setting.checkpointing == "none" else self.head_cast
        tied = self.head_gradient if self.shape.tied else 0  # the gradient of the embedding, before it is added
        forward = {"activations": stored, "LM head": logits + states, "bfloat16 copies": casts}
        moments = {
            "end of the forward pass": {"gradients": self.gradients(0), **forward},
            "backward pass of the LM head": {
                "gradients": first,
                "activations": stored,
                "LM head": logits + block + 2 * states,
                "bfloat16 copies": at_head,
            },
            "backward pass of the last layer": {
                "gradients": first,
                "activations": stored + recomputed + backward,
                "bfloat16 copies": at_head,
            },
            "backward pass of the first layer": {"gradients": last + tied, "activations": one_layer + backward},
        }
        return [(name, {**constant, **parts}) for name, parts in moments.items()]

    @property
    def widest(self) -> int:
        """Width of the widest activation of a layer."""
        return max(self.shape.active_experts * self.shape.intermediate, self.shape.query_width)

    @property
    def head_cast(self) -> float:
        """The copy of the LM head in bfloat16."""
        return 2.0 * self.shape.embedding if self.setting.autocast and self.setting.shards == 1 else 0.0

    def casts(self) -> float:
        """Copies of weights in bfloat16, which autocast makes, and the graph or its cache keeps."""
        if not self.setting.autocast or self.setting.shards > 1:  # FSDP gathers them in bfloat16
            return 0.0
        layers = 2.0 * self.shape.layers * self.shape.layer_matrices
        if self.setting.quantize != "none":  # decoded for each product, and not kept
            layers -= 2.0 * self.shape.layers * sum(inputs * outputs for inputs, outputs in self.shape.linear)
        if self.setting.checkpointing != "none" and self.setting.lora:  # frozen weights are not cached
            layers /= self.shape.layers
        return layers + self.head_cast

    def gradients(self, so_far: float) -> float:
        """Gradients after the backward pass has computed ``so_far`` bytes of them, on this GPU."""
        setting = self.setting
        if setting.shards == 1:
            return self.trainable + (so_far and self.head_gradient) if setting.accumulates else so_far
        whole = 0.0 if setting.lora else self.gathered  # until they are scattered
        if setting.autocast and not setting.lora:  # they are summed in float32
            whole += 4.0 * max(self.shape.tables, self.shape.layer_weights)
        kept = self.trainable if setting.accumulates else so_far
        return kept / setting.shards + (whole if so_far else 0.0)

    def head(self) -> tuple[float, float, float]:
        """Bytes of logits that are kept, of a block of logits, and of the hidden states at labels."""
        logits = self.labels * self.shape.vocabulary
        positions, tokens = HEAD_BLOCKS["cuda" if self.setting.on_gpu else "cpu"]
        block = min(self.labels, positions) * min(self.shape.vocabulary, tokens)
        sizes = 4 + 4 + (2 if self.setting.bytes == 2 else 0)  # logits, their gradients, and those cast
        states = self.labels * self.shape.hidden * self.setting.bytes
        return (4 * logits if logits <= MAX_KEPT else 0.0), block * sizes, states
