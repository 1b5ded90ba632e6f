"""Helpers for tests of trees: models exact in float64, varied groups, and slow implementations to compare with."""

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from hypothesis import strategies as st
from torch import Tensor, nn

from helpers.token_groups import SMALL, group
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.model.attention import use_tree_attention
from pairgen.train.model.scorer import Scorer

TREE_SHARES = ("prompt", "prefix", "group", "shots")
"""The levels of sharing that use trees; each shares at least the tokens of the previous one."""

PADDED = {**SMALL, "pad_token_id": 0}
MIXED = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 5}
GEMMA = {**PADDED, **MIXED, "head_dim": 8, "query_pre_attn_scalar": 11}
MODELS: dict[str, dict[str, Any]] = {
    "Llama": PADDED,
    "Qwen2": {**PADDED, **MIXED, "use_sliding_window": True},
    "Qwen3": {**PADDED, "head_dim": 8},
    "Mistral": {**PADDED, "head_dim": 8, "sliding_window": 5},
    "Gemma2": {**GEMMA, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0},
    "Gemma3Text": GEMMA,
}
"""Small models by architecture; their attention windows are shorter than the test sequences."""


class ExactNorm(nn.Module):
    """An RMSNorm that computes in the dtype of its input; those of transformers always use float32."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight = norm.weight
        self.offset = 1.0 if "Gemma" in type(norm).__name__ else 0.0
        self.eps = norm.eps if hasattr(norm, "eps") else norm.variance_epsilon

    def forward(self, values: Tensor) -> Tensor:
        return values * torch.rsqrt(values.square().mean(-1, keepdim=True) + self.eps) * (self.weight + self.offset)


def model_of(name: str, dtype: torch.dtype = torch.float64, seed: int = 0, **settings: Any) -> Any:
    """A random model of ``MODELS`` in evaluation mode, with tree attention."""
    config = getattr(transformers, f"{name}Config")(**{**MODELS[name], **settings})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config).to(dtype).eval()
    if dtype == torch.float64:
        use_exact_norms(model)
    use_tree_attention(model)
    return model


def use_exact_norms(model: nn.Module) -> None:
    """Replace the RMSNorms of a model by ``ExactNorm``."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child).__name__.endswith("RMSNorm"):
                setattr(module, name, ExactNorm(child))


def score_with_gradients(model: Any, batch: Batch, scorer: Scorer | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """[2P] sums of log-probs, and gradients of a sum in which each token of each completion has its own weight.

    Parameters that are not used have no gradient.
    """
    model.zero_grad()
    logps = batch.completions((scorer or Scorer(model))(batch))
    weights = torch.arange(len(logps))[:, None] * 0.7 + torch.arange(logps.shape[1]) * 0.3
    (logps * weights.cos()).sum().backward()
    gradients = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    return logps.detach().sum(1), {name: gradient.clone() for name, gradient in gradients.items()}


def assert_equal_passes(model: Any, found: Batch, expected: Batch, sums: float, gradients: float) -> None:
    """Sums of log-probs within ``sums`` (absolute), gradients within ``gradients`` of each parameter's largest."""
    ours, our_gradients = score_with_gradients(model, found)
    theirs, their_gradients = score_with_gradients(model, expected)
    assert float((ours - theirs).abs().max()) <= sums
    # the scale is at least 1e-3, for batches whose gradients are almost zero
    for name, gradient in their_gradients.items():
        scale = max(1e-3, float(gradient.abs().max()))
        assert float((our_gradients[name] - gradient).abs().max()) <= gradients * scale, name


def read_back(batch: Batch) -> list[tuple[list[int], list[int]]]:
    """Prompt and completion of each chosen, then of each rejected, reconstructed from the fields of a batch.

    The prompt is what the first label position attends to; every further label position must attend to all of that and
    one more token each, at positions that count up from 0.
    """
    assert batch.positions is not None
    assert batch.subtree_end is not None
    width = batch.tokens.shape[1]
    count, sequences = len(batch.label_positions), []
    for indices in batch.completion_index:
        scores = indices[indices < count]
        seen_by = []
        for position in batch.label_positions[scores].tolist():
            row, query = divmod(position, width)
            seen = [key for key in range(query + 1) if batch.subtree_end[row, key] >= query]
            assert batch.positions[row, seen].tolist() == list(range(len(seen)))
            seen_by.append(batch.tokens[row, seen].tolist())
        completion = batch.targets[scores].tolist()
        prompt = seen_by[0]
        assert seen_by == [prompt + completion[:length] for length in range(len(completion))]
        sequences.append((prompt, completion))
    return sequences


def expected_sequences(groups: Sequence[TokenGroup]) -> list[tuple[list[int], list[int]]]:
    """The expected result of ``read_back``."""
    pairs = [(group, index) for group in groups for index in range(1, len(group.completions))]
    chosen = [(group.prompt.tolist(), group.completions[0].tolist()) for group, _ in pairs]
    return chosen + [(group.prompt.tolist(), group.completions[index].tolist()) for group, index in pairs]


def count_tree_tokens(groups: Sequence[TokenGroup]) -> int:
    """The number of distinct prefixes of prompt and completions, over all groups."""
    prefixes = {
        (index, *one.prompt.tolist(), "|", *ids[:stop].tolist())
        for index, one in enumerate(groups)
        for ids in one.completions
        for stop in range(1, len(ids) + 1)
    }
    return sum(len(one.prompt) for one in groups) + len(prefixes)


@st.composite
def groups_sharing_prefixes(
    draw: st.DrawFn, max_groups: int = 3, branches: int = 8, length: int = 6
) -> list[TokenGroup]:
    """Groups of 1 to ``branches`` rejected completions over three tokens, so that all special cases are likely.

    Empty common prefixes, branches of one token, completions that are equal or prefixes of each other, and prompts that
    are equal or share a prefix.
    """
    texts = st.lists(st.integers(3, 5), min_size=1, max_size=length)
    start = draw(st.lists(st.integers(3, 4), max_size=length))
    groups = []
    for index in range(draw(st.integers(1, max_groups))):
        prompt = [*draw(st.just(start) | st.just([])), *draw(texts)]
        rejected = draw(st.lists(texts, min_size=1, max_size=branches))
        groups.append(group(prompt, draw(texts), *rejected, name=f"g{index}"))
    return groups
