"""Token groups for tests, explicit or random, and a tiny Llama that scores them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from pairgen.train.data.groups import TokenGroup

VOCABULARY = 23


def group(prompt: Sequence[int], chosen: Sequence[int], *rejected: Sequence[int], name: str = "g") -> TokenGroup:
    """A group from plain lists; edits are derived from the tokens, and each token counts as 3 characters."""
    completions = (chosen, *rejected)
    return TokenGroup(
        prompt=np.array(prompt, np.int32),
        completions=tuple(np.array(ids, np.int32) for ids in completions),
        pair_ids=tuple(f"{name}-{index}" for index in range(len(rejected))),
        edit=np.array([_edit(chosen, other) for other in rejected], np.int32).reshape(-1, 2),
        num_chars=np.array([3 * len(ids) for ids in completions], np.int32),
    )


def _edit(chosen: Sequence[int], rejected: Sequence[int]) -> tuple[int, int]:
    """Start and stop, in chosen, of the part between the common prefix and the common suffix."""
    shorter = min(len(chosen), len(rejected))
    start = next((at for at in range(shorter) if chosen[at] != rejected[at]), shorter)
    tail = next((at for at in range(shorter - start) if chosen[-1 - at] != rejected[-1 - at]), shorter - start)
    return start, len(chosen) - tail


def random_groups(
    seed: int, count: int, pairs: int = 3, length: int = 12, vocabulary: int = VOCABULARY
) -> list[TokenGroup]:
    """Random groups of 1 to ``pairs`` pairs with completions of up to ``length`` tokens.

    A rejected completion is chosen with a few tokens replaced; one in four is an unrelated text.
    """
    rng = np.random.default_rng(seed)

    def text(low: int, high: int) -> list[int]:
        return [int(token) for token in rng.integers(0, vocabulary, rng.integers(low, high + 1))]

    groups = []
    for index in range(count):
        chosen = text(1, length)
        rejected = []
        for _ in range(rng.integers(1, pairs + 1)):
            start = int(rng.integers(0, len(chosen)))
            stop = int(rng.integers(start, min(len(chosen), start + 3) + 1))
            edited = [*chosen[:start], *text(1, 3), *chosen[stop:]]
            rejected.append(text(1, length) if rng.random() < 0.25 else edited[:length])
        groups.append(group(text(1, length), chosen, *rejected, name=f"g{index}"))
    return groups


@st.composite
def small_groups(draw: st.DrawFn, max_groups: int = 3, pairs: int = 3, length: int = 7) -> list[TokenGroup]:
    """A strategy for lists of groups of short texts over six tokens, which share long prefixes or none at all."""
    texts = st.lists(st.integers(0, 5), min_size=1, max_size=length)
    groups = []
    for index in range(draw(st.integers(1, max_groups))):
        chosen = draw(texts)

        def edited(cut: int, new: list[int], back: int, chosen: list[int] = chosen) -> list[int]:
            return [*chosen[: cut % len(chosen)], *new[:2], *chosen[cut % len(chosen) + back :]]

        edits = st.builds(edited, st.integers(0, length), texts, st.integers(0, 2))
        rejected = draw(st.lists(edits | texts, min_size=1, max_size=pairs))
        groups.append(group(draw(texts), chosen, *rejected, name=f"g{index}"))
    return groups


SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.5,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Settings of a small transformers model of any architecture."""


def tiny_llama(seed: int = 0, dtype: torch.dtype = torch.float64, **settings: Any) -> Any:
    """A random Llama of two layers whose logits spread over several nats, in evaluation mode."""
    config = LlamaConfig(**{**SMALL, "max_position_embeddings": 256, **settings})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).to(dtype).eval()
