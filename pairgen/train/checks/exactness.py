"""Compare a model's log-probs as training computes them with those of its own logits, on real pairs.

Training scores many sequences at once, in training mode, from hidden states. Some models compute something else then:
they alter their logits, route tokens by chance, or change with the length of the batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pairgen.errors import UnsupportedModel, in_short
from pairgen.train.checks.plain import (
    device_of,
    in_float32,
    mode,
    plain_logits,
    plain_logps,
    rounded_embeddings,
)
from pairgen.train.checks.randomness import draws_random_numbers
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.padded import padded_batch
from pairgen.train.model.attention import restored_on_error
from pairgen.train.model.scorer import Scorer
from pairgen.train.scores.forward import Forward, Layout

TOLERANCE = 1e-4
"""How far the log-prob of a completion may be off, in nats, if rounding errors are smaller than that."""
ROUNDING = 4
"""Largest rounding error, relative to what one rounding of the input embeddings changes. The ratio is below 2 for tiny
models of all families of transformers, and below 1 for a Llama of 32 layers."""

COMPILED = 5
"""Largest error of compiled code, relative to that of the same code without compilation."""


@dataclass(frozen=True)
class Plain:
    """Pairs and their log-probs in plain passes."""

    groups: Sequence[TokenGroup]
    logps: Tensor
    """[2P] log-prob of each completion, in nats."""
    tolerance: float
    """How far other log-probs may be off, in nats."""

    def difference(self, logps: Tensor) -> float | None:
        """The largest difference in nats if it exceeds the tolerance or is NaN, else None."""
        difference = float((logps.cpu() - self.logps).abs().max())
        return None if difference <= self.tolerance else difference


@torch.no_grad()
def check_model(scorer: Scorer, groups: Sequence[TokenGroup]) -> Plain:
    """Compare the scorer's log-probs of padded rows in training mode with plain passes, which are returned.

    Args:
        groups: real pairs, among them the longest and the shortest.

    Raises:
        UnsupportedModel: they differ, or a pass fails; the message says why.
    """
    causal = scorer.causal
    name = type(causal).__name__
    head = causal.get_output_embeddings()
    if head is None or not hasattr(head, "weight"):
        raise UnsupportedModel(f"{name}: has no causal language model head; choose a ...ForCausalLM model")
    with in_float32(causal):
        with mode(causal, training=False), _failures(name, lambda: _failed_text(scorer, groups)):
            scorer(lambda: _check_causality(causal, groups[0]))
            logps = scorer(lambda: plain_logps(causal, groups))
            with rounded_embeddings(causal):
                rounding = float((scorer(lambda: plain_logps(causal, groups)) - logps).abs().max())
        plain = Plain(groups, logps, max(TOLERANCE, ROUNDING * rounding))
        with _failures(name, lambda: "cannot be scored in batches; choose another model"):
            difference = plain.difference(_scored(scorer, groups, training=True))
            if difference is not None:
                off = f"log-probs off by {difference:.2g} nats per completion"
                raise UnsupportedModel(f"{name}: {_reason(scorer, plain)} ({off})")
            if operation := draws_random_numbers(lambda: _scored(scorer, groups, training=True)):
                raise UnsupportedModel(f"{name}: {_RANDOM.format(operation)}")
    return plain


_RANDOM = (
    "draws random numbers in training mode ({}) that cannot be disabled, so it cannot be compared with a reference; "
    "choose another model"
)


@torch.no_grad()
def check_trees(scorer: Scorer, plain: Plain, layout: Layout, training: bool = True) -> None:
    """Compare log-probs of token trees in training or evaluation mode with those of plain passes.

    Raises:
        UnsupportedModel: they differ, or the model fails on trees; its attention is as it was before.
    """
    name = type(scorer.causal).__name__
    with restored_on_error(scorer.causal), in_float32(scorer.causal), mode(scorer.causal, training):
        try:
            batch = layout(plain.groups).to(device_of(scorer.causal))
            difference = plain.difference(batch.completions(scorer(batch)).sum(1))
        except (UnsupportedModel, torch.OutOfMemoryError):
            raise
        except Exception as error:  # the model's own, or a compiler's
            raise UnsupportedModel(
                f"{name}: does not support token trees ({in_short(error, 200)}); use --share none"
            ) from error
        if difference is not None:  # NaN, too: it means that the model used ``nan_mask``
            raise UnsupportedModel(
                f"{name}: log-probs on token trees are off by {difference:.2g} nats per completion; use --share none"
            )


def compile_layers(scorer: Scorer, plain: Plain, forward: Forward) -> None:
    """Compile the layers of a model, and compare its log-probs in training with those of plain passes.

    They may be off by ``COMPILED`` times as much as without compilation: in bfloat16, compiled code rounds at other
    places.

    Raises:
        UnsupportedModel: they differ, or the model cannot be compiled; its layers are as they were before.
    """
    name = type(scorer.causal).__name__
    allowed = COMPILED * _largest_error(scorer, plain, forward) + plain.tolerance
    scorer.compile_layers()
    try:
        error = _largest_error(scorer, plain, forward)
    except Exception as failure:  # a compiler's
        scorer.undo_compilation()
        if isinstance(failure, torch.OutOfMemoryError):
            raise
        raise UnsupportedModel(f"{name}: cannot be compiled ({in_short(failure, 200)}); use --no-compile") from failure
    if not error <= allowed:
        scorer.undo_compilation()
        raise UnsupportedModel(
            f"{name}: compiled, its log-probs are off by {error:.2g} nats per completion, where {allowed:.2g} were "
            "expected; use --no-compile"
        )


def _largest_error(scorer: Scorer, plain: Plain, forward: Forward) -> float:
    """The largest difference of a completion's log-prob in a training pass from a plain pass, in nats."""
    batch = forward.layout(plain.groups).to(forward.device)
    with mode(scorer.causal, training=True), torch.enable_grad():  # compiled code differs without gradients
        logps = forward.token_logps(scorer, batch).sum(1)
    return float((logps.detach().cpu() - plain.logps).abs().max())


def _scored(scorer: Scorer, groups: Sequence[TokenGroup], training: bool) -> Tensor:
    """[2P] log-probs of completions in padded rows."""
    batch = padded_batch(groups).to(device_of(scorer.causal))
    with mode(scorer.causal, training):
        return batch.completions(scorer(batch)).sum(1)


def _check_causality(causal: Any, group: TokenGroup) -> None:
    """Raise UnsupportedModel if logits depend on later tokens."""
    tokens = torch.from_numpy(np.concatenate([group.prompt, group.completions[0]]).astype(np.int64))
    tokens = tokens.to(device_of(causal))
    others = tokens[tokens != tokens[-1]]
    changed = torch.cat([tokens[:-1], others[:1] if len(others) else tokens[-1:]])
    start = max(0, len(tokens) - 64)
    first, second = (plain_logits(causal, ids, start)[:-1].float().log_softmax(-1) for ids in (tokens, changed))
    if not torch.allclose(first, second, atol=1e-3, rtol=1e-4):
        raise UnsupportedModel(f"{type(causal).__name__}: attends to later tokens; choose a causal language model")


def _reason(scorer: Scorer, plain: Plain) -> str:
    """Why log-probs of padded rows in training mode differ from those of plain passes, and what to do."""
    for group in plain.groups:
        single = group.select([0]).chosen_only()
        with mode(scorer.causal, training=False):
            logps = scorer(lambda single=single: plain_logps(scorer.causal, [single]))
            alone = Plain([single], logps, plain.tolerance)
        if alone.difference(_scored(scorer, [single], training=False)) is not None:
            return "post-processes its logits in an unsupported way; choose another model"
    if plain.difference(_scored(scorer, plain.groups, training=False)) is not None:
        return f"log-probs depend on the other sequences of a batch; {_remedy(scorer.causal.config)}"
    if operation := draws_random_numbers(lambda: _scored(scorer, plain.groups, training=True)):
        return _RANDOM.format(operation)
    return "has different log-probs in training and evaluation mode; choose another model"


def _remedy(config: Any) -> str:
    """What to do about log-probs that depend on the batch: stay below the length at which rotary embeddings change."""
    config = config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    for entry in (rope, *rope.values()):
        kind = entry.get("rope_type") if isinstance(entry, dict) else None
        if kind in ("longrope", "dynamic"):
            length = entry.get("original_max_position_embeddings") or config.max_position_embeddings
            return f"its rotary embeddings ({kind}) change beyond {length} tokens, so use --max-length {length}"
    return "choose another model"


@contextmanager
def _failures(name: str, what: Callable[[], str]) -> Iterator[None]:
    """Convert the errors of a model to UnsupportedModel; ``what`` returns what failed and what to do."""
    try:
        yield
    except (UnsupportedModel, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise UnsupportedModel(f"{name}: {what()} ({in_short(error, 200)})") from error


def _failed_text(scorer: Scorer, groups: Sequence[TokenGroup]) -> str:
    """What failed if plain logits cannot be computed: the longest text, or any."""
    longest = max(len(group.prompt) + max(map(len, group.completions)) for group in groups)
    try:
        start = torch.from_numpy(groups[0].prompt[:8]).long().to(device_of(scorer.causal))
        scorer(lambda: plain_logits(scorer.causal, start))
    except Exception:  # whatever the model raises
        return "cannot compute the logits of a plain text; choose another model"
    return f"cannot compute the logits of a text of {longest} tokens; use a lower --max-length"
