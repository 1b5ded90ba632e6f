"""Activation checkpointing: the results of a plain pass, with less memory, and with no product computed twice."""

from collections import Counter
from typing import Any

import pytest
import torch
from helpers.families import FAMILIES, small_config
from helpers.slow_trees import MODELS, model_of, score_with_gradients
from helpers.token_groups import random_groups, tiny_llama
from helpers.torch_memory import allocated_at_end
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pairgen.errors import UnsupportedModel
from pairgen.train.layout.tree import tree_batch
from pairgen.train.memory_savers.recomputation import checkpoint_activations
from pairgen.train.model.loading import disable_dropout
from pairgen.train.model.scorer import Scorer

UNSUPPORTED = {"cpmant", "ctrl", "gpt_neox_japanese", "jetmoe", "openai-gpt", "xlm", "xlnet"}
"""Families that transformers cannot checkpoint."""
RANDOM = {"big_bird"}
"""Families whose attention draws random numbers; training refuses them."""
FEW = ("llama", "gemma3_text", "mixtral", "gpt_oss", "gpt2", "falcon_mamba")


def pass_of(model: Any, ids: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and gradients of all weights."""
    model.zero_grad()
    logits = model(input_ids=ids, use_cache=False).logits
    logits.log_softmax(-1)[..., 5].sum().backward()
    return logits.detach(), {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=[] if name in FEW else pytest.mark.slow) for name in FAMILIES]
)
def test_logits_and_gradients_are_those_of_a_plain_pass(family: str) -> None:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(small_config(family, vocab_size=64)).train()
    disable_dropout(model)
    ids = torch.randint(3, 60, (2, 20))
    expected, gradients = pass_of(model, ids)
    for kind in ("full", "selective"):
        if family in UNSUPPORTED:
            with pytest.raises(UnsupportedModel, match="use --activation-checkpointing none"):
                checkpoint_activations(model, kind)
            continue
        checkpoint_activations(model, kind)
        found, again = pass_of(model, ids)
        if family not in RANDOM:
            assert torch.equal(found, expected)
            assert again.keys() == gradients.keys()
            assert all(torch.allclose(again[name], gradients[name], rtol=1e-5, atol=1e-6) for name in gradients)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["full", "selective"])
def test_token_trees(name: str, kind: str) -> None:
    model = model_of(name)
    batch = tree_batch(random_groups(2, 8), 50, "shots")
    expected, gradients = score_with_gradients(model, batch)
    checkpoint_activations(model.train(), kind)
    found, again = score_with_gradients(model, batch)
    assert torch.equal(found, expected)
    assert all(torch.allclose(again[name], value, rtol=1e-12, atol=1e-12) for name, value in gradients.items())


class Products(TorchDispatchMode):
    """Counts matrix products and calls of attention kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        if name in ("aten.mm.default", "aten.addmm.default") or "flash_attention_for_cpu.default" in name:
            self.calls[name] += 1
        return func(*args, **(kwargs or {}))


def products(kind: str) -> Counter[str]:
    """Products of a forward and a backward pass over token trees."""
    model = tiny_llama(dtype=torch.float32).train()
    checkpoint_activations(model, kind)
    batch = tree_batch(random_groups(0, 4), 200, "group")
    scorer = Scorer(model)
    scorer(batch)
    with Products() as counted:
        scorer(batch).sum().backward()
    return counted.calls


def test_selective_computes_no_product_twice() -> None:
    plain, selective, full = map(products, ("none", "selective", "full"))
    assert selective == plain
    assert full["aten.mm.default"] > plain["aten.mm.default"]


def after_forward(kind: str, tokens: int = 120, **settings: Any) -> int:
    """Bytes that a forward pass leaves allocated."""
    model = tiny_llama(dtype=torch.float32, hidden_size=64, intermediate_size=256, num_hidden_layers=4, **settings)
    checkpoint_activations(model.train(), kind)
    scorer = Scorer(model)
    batch = tree_batch(random_groups(0, 8, length=tokens), 10_000, "group")
    results = []
    return allocated_at_end(lambda: results.append(scorer(batch)))


def test_each_kind_keeps_less() -> None:
    """Of a layer of width H: about 20 H values per token, 11 H and H, besides the logits."""
    none, selective, full = (after_forward(kind) for kind in ("none", "selective", "full"))
    assert selective < 0.8 * none
    assert full < 0.4 * selective


@pytest.mark.parametrize("kind", ["selective", "full"])
@pytest.mark.slow
def test_compiled_layers(kind: str) -> None:
    """Traced with the partition into forward and backward graphs that a compiler gets, and run without one."""
    torch._dynamo.reset()
    model = tiny_llama(dtype=torch.float32).train()
    batch = tree_batch(random_groups(0, 4), 200, "none")
    expected, gradients = score_with_gradients(model, batch)
    checkpoint_activations(model, kind)
    scorer = Scorer(model)
    for layer in model.model.layers:
        layer.compile(backend="aot_eager_decomp_partition", dynamic=True)
    found, again = score_with_gradients(model, batch, scorer)
    assert torch.allclose(found, expected, atol=1e-4)
    assert all(torch.allclose(again[name], value, rtol=1e-4, atol=1e-4) for name, value in gradients.items())
