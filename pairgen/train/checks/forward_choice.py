"""Choose how the passes of a run are computed, as far as the model computes them exactly."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from pairgen.errors import UnsupportedModel
from pairgen.progress import Warn
from pairgen.train.checks.exactness import Plain, check_model, check_trees, compile_layers
from pairgen.train.checks.plain import device_of
from pairgen.train.config import Config
from pairgen.train.data.groups import TokenGroup
from pairgen.train.devices.sharding import is_sharded
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model import loading as models
from pairgen.train.model.kernels.torch_internals import missing_for_trees
from pairgen.train.model.scorer import Scorer
from pairgen.train.scores.forward import Forward


def choose_forward(config: Config, scorer: Scorer, tokenizer: Any, groups: Sequence[TokenGroup], warn: Warn) -> Forward:
    """Passes with the layout of --share, compiled if --compile says so; for ``auto``, trees if they are exact.

    Args:
        groups: the pairs that the model is checked on.

    Raises:
        UnsupportedModel: the model cannot be trained, or does not support the requested level of sharing.
    """
    plain, forward = choose_layout(config, scorer, tokenizer, groups, warn)
    return compiled(config, scorer, plain, forward, warn)


def choose_layout(
    config: Config, scorer: Scorer, tokenizer: Any, groups: Sequence[TokenGroup], warn: Warn
) -> tuple[Plain, Forward]:
    """The same without compiling anything, and the log-probs of plain passes."""
    plain = check_model(scorer, groups)
    device = device_of(scorer.causal)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    share = "shots" if config.share == "auto" else config.share
    layout = partial(tree_batch, row_tokens=config.max_packed_length, share=share, pad=pad)
    if share != "none":
        try:
            check_trees(scorer, plain, layout)
        except UnsupportedModel as error:
            if config.share != "auto":
                raise
            warn(f"prefix sharing is disabled: {error}")
            share = "none"
    if share != "none" and (missing := missing_for_trees(device)):
        warn(f"attention over token trees is slower than it could be: torch {torch.__version__} lacks {missing}")
    precision = models.precision(config, device)
    mixed = precision == "bf16" and is_sharded(scorer)  # FSDP then casts the weights of a layer, not autocast
    name, layout = f"{precision}{'-fsdp' if mixed else ''}-{share}", partial(layout, share=share)
    return plain, Forward(name, layout, device, autocast=precision == "bf16" and not mixed, share=share)


def compiled(config: Config, scorer: Scorer, plain: Plain, forward: Forward, warn: Warn) -> Forward:
    """Compile the layers of a model if --compile says so, or by default if they stay exact.

    Raises:
        UnsupportedModel: they do not, with --compile.
    """
    if models.compiles(config, forward.device):
        try:
            compile_layers(scorer, plain, forward)
            return replace(forward, name=f"{forward.name}-compiled")
        except UnsupportedModel as error:
            if config.compile:
                raise
            warn(f"the model is not compiled, which makes it slower: {error}")
    return forward
