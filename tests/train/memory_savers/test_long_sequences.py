"""Memory of long sequences: linear in the number of tokens, whatever the kind of attention."""

import pytest
import torch
from helpers.slow_trees import model_of
from helpers.token_groups import group
from helpers.torch_memory import allocated_peak

from pairgen.train.layout.tree import tree_batch
from pairgen.train.memory_savers.recomputation import checkpoint_activations
from pairgen.train.model.kernels import block_plan
from pairgen.train.model.scorer import Scorer


@pytest.mark.parametrize("family", ["Llama", "Gemma2", "Gemma3Text", "Mistral"])
def test_twice_the_tokens_take_twice_the_memory(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks of at most 128 x 128 elements stand for the real limit, 2,048 x 2,048."""
    monkeypatch.setattr(block_plan, "MAX_MASK", 1 << 14)
    model = model_of(family, torch.float32).train()
    checkpoint_activations(model, "full")
    scorer = Scorer(model)

    def step(tokens: int) -> None:
        ids = torch.randint(3, 20, (tokens,), generator=torch.Generator().manual_seed(0)).tolist()
        prompt, start, chosen, rejected = (ids[at * tokens // 4 : (at + 1) * tokens // 4] for at in range(4))
        batch = tree_batch([group(prompt, start + chosen, start + rejected)], 1 << 15, "group")
        scorer(batch).sum().backward()

    step(64)
    few, many = (allocated_peak(lambda tokens=tokens: step(tokens)) for tokens in (512, 1024))
    assert many < 2.3 * few
