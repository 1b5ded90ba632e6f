"""How a model is trained, as far as memory depends on it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """The options of ``pairgen train`` that memory and time depend on."""

    precision: str = "bf16"
    """``float32``, ``bf16`` (float32 weights, bfloat16 arithmetic) or ``bf16-pure``."""
    lora: int = 0
    """Rank of the adapter; 0: all weights are trained."""
    quantize: str = "none"
    """``4bit``: frozen weights of linear layers are stored in 4 bits."""
    checkpointing: str = "none"
    """What the backward pass computes again: ``none``, ``selective`` or ``full``."""
    compiled: bool = True
    """Whether the layers are compiled with torch.compile."""
    on_gpu: bool = True
    trees: bool = True
    """Whether shared tokens are computed once: on a CPU, attention over trees keeps float32 copies."""
    gpus: int = 1
    sharded: bool = True
    """FSDP; else every GPU has all weights."""
    reference: str = "precomputed"
    """``precomputed``, ``online`` or ``none``."""
    accumulates: bool = False
    """Whether a step has several micro-batches, whose gradients are added up."""

    @property
    def autocast(self) -> bool:
        """Whether products are computed with copies of the weights in bfloat16."""
        return self.precision == "bf16"

    @property
    def weight_bytes(self) -> int:
        """Bytes of a weight of the model."""
        return 2 if self.precision == "bf16-pure" else 4

    @property
    def bytes(self) -> int:
        """Bytes of the result of a product."""
        return 4 if self.precision == "float32" else 2

    @property
    def layer_bytes(self) -> int:
        """The same inside a layer: with autocast, bitsandbytes returns the float32 of its input."""
        return 4 if self.quantize != "none" and self.autocast else self.bytes

    @property
    def shards(self) -> int:
        """Parts that weights, gradients and optimizer states are divided into."""
        return self.gpus if self.sharded else 1
