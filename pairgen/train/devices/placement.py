"""Load the models of a run and put them onto its devices: whole, replicated by DDP, or sharded by FSDP."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from pairgen.errors import UnsupportedModel
from pairgen.train.config import Config
from pairgen.train.context import RunContext
from pairgen.train.devices.sharding import META, Parts, spread
from pairgen.train.distributed import replicated
from pairgen.train.memory_savers.quantization import is_quantized
from pairgen.train.model import loading as models
from pairgen.train.model.scorer import Scorer
from pairgen.train.reference.start import check_start


@dataclass(frozen=True)
class Placement:
    """Where the models of a run are. Every process must call the methods, in the same order."""

    config: Config
    context: RunContext
    device: torch.device

    @property
    def sharded(self) -> bool:
        """Whether no process has a whole model on its device."""
        return self.context.world.size > 1 and self.config.parallel == "fsdp"

    def load(self, texts: Iterable[str], resumed: Path | None = None) -> tuple[Scorer, Any]:
        """A model, not yet in its place, and its tokenizer; arguments and errors as of ``models.load``.

        If it is to be sharded, it is on the CPU of the main process, and the others have its structure only.
        """
        world, device = self.context.world, self.device
        if self.sharded:
            device = torch.device("cpu") if world.is_main else META
        model, tokenizer = world.agree(lambda: self._loaded(texts, device, resumed))
        return Scorer(model), tokenizer

    def _loaded(self, texts: Iterable[str], device: torch.device, resumed: Path | None) -> tuple[Any, Any]:
        model, tokenizer = models.load(self.config, texts, device, resumed)
        if self.sharded and is_quantized(model):
            raise UnsupportedModel(
                f"--model {self.config.model}: FSDP cannot shard quantized weights; use --parallel ddp"
            )
        return model, tokenizer

    def check_start(self, scorer: Scorer) -> None:
        """``check_start``, in the processes that have the model's weights."""
        world = self.context.world
        if world.is_main or not self.sharded:
            world.agree(lambda: check_start(scorer.model, self.config.model, self.context))
        else:
            world.agree(lambda: None)

    def place(self, scorer: Scorer) -> "Placed":
        """Put a model that was loaded into its place. Raises UnsupportedModel if it cannot be sharded."""
        if not self.sharded:
            return Placed(self, scorer, None)
        parts = spread(scorer, self.context.world, self.device)
        scorer.causal._weight_conversions = None  # that of the main process alone: names in files must be equal
        return Placed(self, scorer, parts)


@dataclass(frozen=True)
class Placed:
    """A model in its place."""

    placement: Placement
    scorer: Scorer
    """The whole model or, if it is sharded, its structure."""
    parts: Parts | None

    @property
    def blueprint(self) -> Any:
        """The transformers model that knows how its weights are saved, whatever training does to it."""
        return self.scorer.model

    @contextmanager
    def exact(self) -> Iterator[Scorer]:
        """The model for checks, as exact as there is memory for: in float32, if it is sharded."""
        if self.parts is None:
            yield self.scorer
            return
        own = {_storage(part).data_ptr() for part in self.parts.tensors.values()}
        found = self.parts.module(dtype=torch.float32)
        try:
            yield found
        finally:  # free what cycles of references would keep
            found.reshard()
            for weight in found.parameters():
                if _storage(weight).data_ptr() not in own:
                    _storage(weight).resize_(0)

    def frozen(self) -> Scorer:
        """The model for passes without gradients, if it is not trained. Call it once."""
        found: Scorer = self.scorer if self.parts is None else self.trained()
        return found

    def trained(self) -> nn.Module:
        """The module to train, which computes in the precision of --precision. Call it once."""
        config, device = self.placement.config, self.placement.device
        if self.parts is None:
            return replicated(self.scorer, self.placement.context.world, device)
        module: nn.Module = self.parts.module(mixed=models.precision(config, device) == "bf16")
        return module


def _storage(tensor: torch.Tensor) -> Any:
    """The memory of a tensor or, of one that is sharded, of this process's part."""
    return (tensor.to_local() if isinstance(tensor, DTensor) else tensor).untyped_storage()
