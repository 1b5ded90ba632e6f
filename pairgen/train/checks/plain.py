"""Log-probs as a model itself computes them: one sequence at a time, from its own logits. Slow, for checks only."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pairgen.train.data.groups import Ids, TokenGroup
from pairgen.train.memory_savers.quantization import computing_in_float32

MAX_LOGITS = 1 << 28
"""Most logits of a sequence that are computed at once, 1 GB in float32, if the model can compute only some."""


@torch.no_grad()
def plain_logps(causal: Any, groups: Sequence[TokenGroup]) -> Tensor:
    """[2P] float64 log-prob of chosen of each pair, then of rejected, in nats, each sequence in a pass of its own.

    Where groups have no rejected completions, chosen is repeated, as in ``Batch``.
    """
    chosen: list[Tensor] = []
    rejected: list[Tensor] = []
    for group in groups:
        first, *others = (_completion_logp(causal, group.prompt, ids) for ids in group.completions)
        chosen += [first] * group.pairs
        rejected += others or [first] * group.pairs
    return torch.stack(chosen + rejected).cpu()


def _completion_logp(causal: Any, prompt: Ids, completion: Ids) -> Tensor:
    tokens = torch.from_numpy(np.concatenate([prompt, completion]).astype(np.int64)).to(device_of(causal))
    rows = max(1, MAX_LOGITS // causal.get_output_embeddings().weight.shape[0])
    total = torch.zeros((), dtype=torch.float64, device=tokens.device)
    for start in range(len(prompt) - 1, len(tokens) - 1, rows):
        stop = min(start + rows, len(tokens) - 1)
        logits = plain_logits(causal, tokens, start, stop).double()
        total += (logits.gather(1, tokens[start + 1 : stop + 1, None])[:, 0] - logits.logsumexp(1)).sum()
    return total


@torch.no_grad()
def plain_logits(causal: Any, tokens: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
    """[stop - start, V] the model's own logits at positions ``start`` to ``stop`` (exclusive) of a sequence."""
    stop = len(tokens) if stop is None else stop
    kept: dict[str, Any] = {}
    if len(tokens) * causal.get_output_embeddings().weight.shape[0] > MAX_LOGITS and stop - start < len(tokens):
        kept = {"logits_to_keep": torch.arange(start, stop, device=tokens.device)}
    try:
        logits: Tensor = causal(input_ids=tokens[None], use_cache=False, **kept).logits[0]
    except TypeError:  # it does not know the option
        logits = causal(input_ids=tokens[None], use_cache=False).logits[0]
    return logits if len(logits) == stop - start else logits[start:stop]


def device_of(causal: Any) -> torch.device:
    """The device of a model's inputs."""
    device: torch.device = causal.get_input_embeddings().weight.device
    return device


@contextmanager
def mode(model: nn.Module, training: bool) -> Iterator[None]:
    """Run a model in training or evaluation mode, then restore the mode of each of its parts."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was


@contextmanager
def in_float32(model: nn.Module) -> Iterator[None]:
    """Compute with weights and buffers of lower precision in float32, so that errors are not mistaken for rounding.

    So are products with 4-bit weights. They are restored exactly. Those of a sharded model must be in float32 already.
    If there is not enough memory, the precision stays as it is.
    """
    tensors = chain(model.parameters(), model.buffers())
    low = [(value, value.dtype) for value in tensors if value.dtype in (torch.bfloat16, torch.float16)]
    try:
        for value, _ in low:
            value.data = value.data.float()
    except torch.OutOfMemoryError:
        _restore(low)
    try:
        with computing_in_float32(model):
            yield
    finally:
        _restore(low)


def _restore(low: list[tuple[Tensor, torch.dtype]]) -> None:
    for value, dtype in low:
        value.data = value.data.to(dtype)


@contextmanager
def rounded_embeddings(causal: Any) -> Iterator[None]:
    """Change every element of the input embeddings by its last digit, up or down: by about one rounding error.

    How far that moves log-probs is the measure for rounding errors of this model on these tokens.
    """

    def rounded(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:  # noqa: ARG001 - a forward hook
        draw = torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, output.shape, generator=draw).to(output.device) * 2 - 1
        return output * (1 + signs * torch.finfo(output.dtype).eps).to(output.dtype)

    hook = causal.get_input_embeddings().register_forward_hook(rounded)
    try:
        yield
    finally:
        hook.remove()
