"""The speed of training: pairs, tokens and model FLOPs per second, time by part, and memory."""

import os
import platform
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pairgen.train.distributed import World
from pairgen.train.layout.batch import Batch, Work
from pairgen.train.model.step_timer import PARTS
from pairgen.train.scores.flops import Amounts, Flops, attention_flops
from pairgen.train.scores.metrics import Sums, add


class ModelFlops:
    """Counts the FLOPs of training steps of a model, by the formula of ``pairgen.train.scores.flops``.

    Of experts, the share that a token is sent to is counted; recurrent layers count as their matrices.

    Args:
        model: a transformers model, before it is sharded.
    """

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        heads = getattr(config, "num_attention_heads", 0) or 0
        size = getattr(config, "head_dim", None) or (config.hidden_size // heads if heads else 0)
        head = model.get_output_embeddings().weight
        experts = next((getattr(config, name, None) for name in _EXPERTS if getattr(config, name, None)), 0)
        share = config.num_experts_per_tok / experts if experts and hasattr(config, "num_experts_per_tok") else 1.0
        tables = {id(head), id(model.get_input_embeddings().weight)}
        per_token = 0.0
        for name, weight in model.named_parameters():
            if weight.ndim >= 2 and id(weight) not in tables:
                used = share if ".experts." in name else 1.0
                per_token += (6.0 if weight.requires_grad else 4.0) * used * _elements(weight)
        per_key = attention_flops(heads, size, config.num_hidden_layers)
        self._formula = Flops(per_token, per_key, head.numel(), head.requires_grad)

    def of(self, work: Work) -> float:
        """FLOPs of a forward and a backward pass."""
        return self._formula.of(work)

    def of_each(self, work: Amounts) -> NDArray[np.float64]:
        """[N] FLOPs of a forward and a backward pass over each of N groups."""
        return self._formula.of_each(work)


def _elements(weight: torch.nn.Parameter) -> int:
    """The number of weights, of which bitsandbytes packs two into an element."""
    state = getattr(weight, "quant_state", None)
    return int(state.shape.numel()) if state is not None else weight.numel()


MAX_SECONDS = 0.5
"""Time after which no further product is measured."""
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


@cache
def product_rate(device: torch.device, dtype: torch.dtype, clock: Callable[[], float] = time.perf_counter) -> float:
    """FLOP/s of a product of two large matrices, the median of several: what the device reaches at best.

    A run waits for it, so there are fewer where one takes long, as in bfloat16 on a processor without such units.
    """
    size = 8192 if device.type == "cuda" else 2048
    generator = torch.Generator(device).manual_seed(0)  # the run's own random state stays as it is
    left, right = (torch.randn(size, size, device=device, generator=generator).to(dtype) for _ in range(2))
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < 6 and sum(seconds) < MAX_SECONDS):
        started = clock()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(clock() - started)
    return float(2 * size**3 / median(seconds[1:]))


def machine(device: torch.device) -> str:
    """A device of this machine in words, such as ``NVIDIA H200, torch 2.13.0`` or ``2 CPU cores (x86_64), ...``."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), torch {torch.__version__}"


def peak_memory(device: torch.device) -> int:
    """Bytes: on a GPU the most that was allocated so far, else the most that the process took."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@dataclass
class Interval:
    """The steps since the last logged line: pairs of all processes, sums, tokens and FLOPs of this one."""

    flops_of: ModelFlops
    peak: float
    """FLOP/s that the device reaches at best."""
    started: float = field(default_factory=time.monotonic)
    sums: Sums = field(default_factory=dict)
    pairs: int = 0
    padded_tokens: int = 0
    processed_tokens: int = 0
    flops: float = 0.0
    seconds: Counter[str] = field(default_factory=Counter)
    """Of each part of the timed steps."""

    def add(self, sums: Sums, batches: Sequence[Batch], pairs: int, seconds: Mapping[str, float]) -> None:
        """Add a step; ``seconds`` is empty if it was not timed."""
        self.sums = add(self.sums, sums)
        self.pairs += pairs
        self.padded_tokens += sum(batch.padded_tokens for batch in batches)
        self.processed_tokens += sum(batch.processed_tokens for batch in batches)
        self.flops += sum(self.flops_of.of(batch.work) for batch in batches)
        self.seconds.update(seconds)

    def restarted(self) -> "Interval":
        """An interval that begins now."""
        return Interval(self.flops_of, self.peak)

    def throughput(self, world: World, device: torch.device) -> dict[str, float]:
        """Pairs, processed tokens and model FLOPs (``tflops``) per second, the latter also as a share of the peak of
        the devices (``mfu``); tokens without and with sharing; each part's fraction of the time of timed steps; and the
        peak memory of this process.

        Attention of padded rows and of compiled layers counts as part of the rest.
        """
        counts = torch.tensor(
            [self.padded_tokens, self.processed_tokens, self.flops], device=device, dtype=torch.double
        )
        padded, processed, flops = world.sum(counts).tolist()
        timed = {part: self.seconds[part] for part in PARTS if self.seconds[part]}
        took = max(time.monotonic() - self.started, 1e-9)
        return {
            "pairs_per_second": self.pairs / took,
            "tokens_per_second": processed / took,
            "tflops": flops / took / 1e12,
            "mfu": flops / took / (self.peak * world.size),
            "memory/peak_gb": peak_memory(device) / 1e9,
            "tokens/padded": int(padded),
            "tokens/processed": int(processed),
            "tokens/ratio": padded / processed,
            **{f"time/{part}": seconds / sum(timed.values()) for part, seconds in timed.items()},
        }
