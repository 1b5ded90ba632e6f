"""What a run does not do, or does to the data, that its options do not say: a sentence each, with number and remedy."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pairgen.errors import UsageError, count
from pairgen.pairs.dataset import PairDataset
from pairgen.train.config import OPTIONS, Config
from pairgen.train.data.splits import TokenizedSplit
from pairgen.train.model.loading import base_dtype

HALF = (torch.float16, torch.bfloat16)

_ROUTER = re.compile(r"\b(router|gate)\.")

SMALL = 0.02
"""Share of the weights of matrices that LoRA may leave out without a word: convolutions of a Mamba, for example."""


def of_split(name: str, split: TokenizedSplit, max_length: int, most: int) -> Iterator[str]:
    """What tokenization did to a split: dropped pairs, truncated prompts, merged tokens, other ends of turns.

    Args:
        most: the context length of the model, in tokens.
    """
    for reason, dropped in split.drops.items():
        yield f"dropped {count(dropped, 'pair')} of the {name} split: {reason}"
    if truncated := sum(dataset.truncated_prompts for dataset in split.datasets):
        longest = max(dataset.longest for dataset in split.datasets)
        remedy = f"--max-length {longest} keeps all of them"
        if longest > most:
            remedy = f"the longest has {longest} tokens, and the model's context is {most}: build with fewer --shots"
        yield (
            f"truncated {truncated:,} of {len(split.groups):,} prompts of the {name} split from the left "
            f"to fit {max_length} tokens, so that their beginnings are lost (instructions, the first examples, the "
            f"header of a chat template); {remedy}"
        )
    if merged := sum(dataset.merged_boundaries for dataset in split.datasets):
        yield (
            f"{count(merged, 'completion')} of the {name} split begin within a token that the tokenizer merges with "
            "the end of the prompt; such tokens were split at the boundary where that is possible"
        )
    for mark, ended in sum((Counter(dataset.turn_ends) for dataset in split.datasets), Counter[str]()).items():
        yield (
            f"{count(ended, 'completion')} of the {name} split end with {mark!r}, with which the chat template ends a "
            "turn, and not with the tokenizer's EOS token; --chat off trains on plain text with EOS"
        )


def of_model(config: Config, model: Any) -> Iterator[str]:
    """What training leaves out of a model: a loss of its own, weights without adapter, the precision of its files.

    Args:
        model: ready to train, with its adapter.
    """
    text = model.config.get_text_config()
    if (weight := getattr(text, "router_aux_loss_coef", None)) and _trains_router(model):
        yield (
            f"the model's auxiliary loss, which balances the load of its experts (router_aux_loss_coef {weight:g}), is "
            "not part of --loss; a lower --learning-rate moves the router less"
        )
    if config.lora:
        yield from _without_adapter(model)
    elif (stored := base_dtype(config.model, config.trust_remote_code)) in HALF:
        trained = next(model.parameters()).dtype
        if trained == torch.float32:
            size = sum(weight.numel() for weight in model.parameters()) * 2e-9
            dtype = str(stored).removeprefix("torch.")
            advice = f"load it with dtype=torch.{dtype} to halve it" + (
                ", or train with --precision bf16-pure" if stored == torch.bfloat16 else ""
            )
            yield (
                f"--model {config.model} is stored in {dtype} ({size:.2g} GB); final/ is saved as it is trained, in "
                f"float32 ({2 * size:.2g} GB): {advice}"
            )


def _trains_router(model: Any) -> bool:
    """Whether the router of a mixture of experts is trained: always without LoRA, with it if it has an adapter."""
    return any(weight.requires_grad and _ROUTER.search(name) for name, weight in model.named_parameters())


def _without_adapter(model: Any) -> Iterator[str]:
    """Weights of matrices, embeddings and LM head aside, that LoRA does not adapt."""
    base = model.get_base_model()
    adapted = {
        id(weight)
        for module in model.modules()
        if hasattr(module, "lora_A") and hasattr(module, "base_layer")
        for weight in ([module.get_param()] if hasattr(module, "get_param") else module.base_layer.parameters())
    }
    tables = [module for module in base.modules() if isinstance(module, torch.nn.Embedding)]
    outside = {id(part.weight) for part in (*tables, base.get_output_embeddings())}
    matrices = {
        name.replace(".base_layer", ""): weight
        for name, weight in base.named_parameters()
        if weight.ndim > 1 and id(weight) not in outside and ".lora_" not in name
    }
    left_out = {name: weight.numel() for name, weight in matrices.items() if id(weight) not in adapted}
    share = sum(left_out.values()) / max(1, sum(weight.numel() for weight in matrices.values()))
    if share > SMALL:
        example = max(left_out, key=lambda name: left_out[name])
        yield (
            f"--lora adapts linear layers only: {share:.0%} of the weights stay as they are ({example} and "
            f"{len(left_out) - 1:,} more); to train these too, train all weights with --lora 0"
        )


def check_best_is_measured(config: Config, datasets: Sequence[PairDataset]) -> None:
    """Raise UsageError if --best names a metric and there is no eval split to measure it on."""
    evaluated = any(name == "eval" and split.pairs for one in datasets for name, split in one.splits.items())
    if not evaluated and config.best not in (OPTIONS["best"].default, "none"):
        raise UsageError(
            f"--best {config.best}: the datasets have no eval split to measure it on; hold rows out with "
            "`pairgen build --eval-size` or `pairgen split`, or remove --best"
        )
