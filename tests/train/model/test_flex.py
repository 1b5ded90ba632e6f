"""The attention kernel of GPUs, as far as it runs without one: traced but not compiled, against a dense mask."""

from typing import Any

import pytest
import torch
from helpers.slow_trees import model_of, score_with_gradients
from helpers.token_groups import random_groups
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters

from pairgen.train.layout.tree import tree_batch
from pairgen.train.model import attention
from pairgen.train.model.kernels import tree_mask
from pairgen.train.model.kernels.cpu_attention import masked_attention
from pairgen.train.model.kernels.tree_mask import TreeMask
from pairgen.train.model.scorer import Scorer


@pytest.mark.parametrize("window", [0, 5])
@pytest.mark.parametrize("cap", [0.0, 2.0])
@pytest.mark.parametrize("size", [8, 16])
def test_flex_equals_dense_mask(window: int, cap: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, but not compiled, and forward only: FlexAttention has no backward pass on a CPU.

    Heads are padded to the smallest size that its compiled kernel takes.
    """
    sizes = []

    def flex(*inputs: torch.Tensor, **options: Any) -> torch.Tensor:
        sizes.extend(values.shape[-1] for values in inputs)
        return attention.flex_over_tokens(*inputs, **options)

    monkeypatch.setitem(attention._COMPILED, "flex", flex)
    batch = tree_batch(random_groups(6, 9), 150, "group")
    assert batch.subtree_end is not None
    assert batch.positions is not None
    rows, width = batch.tokens.shape
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(rows, heads, width, size, generator=generator) for heads in (4, 2, 2))
    tree = TreeMask(batch.subtree_end, batch.positions)
    found = attention.flex(query, key, value, 0.3, tree.block_mask(window), cap)
    wide = [values.repeat_interleave(2, 1) for values in (key, value)]
    expected = masked_attention(query, *wide, tree.dense(window), 0.3, cap).transpose(1, 2)
    assert torch.allclose(found, expected, atol=1e-5)
    assert set(sizes) == {16}


@pytest.mark.parametrize(("window", "caps"), [(0, (0.0,)), (5, (2.0, 3.0))])
@pytest.mark.slow
def test_flex_compiles_once(window: int, caps: tuple[float, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """For any number of rows and tokens, forward and backward; traced in full, and run without a compiler.

    torch refuses gradients on a CPU before it traces, since it cannot compile them there: that check is disabled.
    """
    torch._dynamo.reset()
    monkeypatch.setattr(torch.nn.attention.flex_attention, "_validate_device", lambda *_: None)
    traced = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(attention.flex_over_tokens, dynamic=True, fullgraph=True, backend=traced)
    monkeypatch.setitem(attention._COMPILED, "flex", compiled)
    shapes, once = set(), 0
    for seed, count, row_tokens in ((0, 20, 600), (1, 30, 400), (2, 40, 512), (3, 9, 900)):
        batch = tree_batch(random_groups(seed, count, length=30), row_tokens, "group")
        assert batch.subtree_end is not None
        assert batch.positions is not None
        rows, width = batch.tokens.shape
        inputs = [torch.randn(rows, heads, width, 8, requires_grad=True) for heads in (4, 2, 2)]
        tree = TreeMask(batch.subtree_end, batch.positions)
        wide = [inputs[0], *(values.repeat_interleave(2, 1) for values in inputs[1:])]
        down = torch.randn(rows, width, 4, 8)
        for cap in caps:
            found = attention.flex(*inputs, 0.3, tree.block_mask(window), cap)
            once = once or traced.frame_count
            expected = masked_attention(*wide, tree.dense(window), 0.3, cap).transpose(1, 2)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            grads = torch.autograd.grad(expected, inputs, down, retain_graph=True)
            for ours, dense in zip(torch.autograd.grad(found, inputs, down), grads, strict=True):
                torch.testing.assert_close(ours, dense, atol=1e-5, rtol=1e-5)
        shapes.add((rows, width))
    assert len({rows for rows, _ in shapes}) > 1
    assert len({width for _, width in shapes}) > 2
    assert traced.frame_count == once


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variants"), [("Llama", 1), ("Gemma2", 2)], ids=["one kind of layer", "windows and soft caps"]
)
def test_layers_are_compiled_once_with_their_attention(
    name: str, variants: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One graph for all layers of a kind and all shapes, but for batches of one row and of several; as on a GPU."""
    torch._dynamo.reset()
    model = model_of(name, torch.float32, head_dim=16, num_hidden_layers=4, layer_types=None)
    batches = [
        tree_batch(random_groups(seed, 12, length=30), tokens, "shots") for seed, tokens in enumerate((400, 150))
    ]
    batches += [tree_batch(random_groups(seed, 9, length=25), tokens, "shots") for seed, tokens in ((3, 500), (4, 99))]
    assert sorted({min(2, len(batch.tokens)) for batch in batches}) == [1, 2]
    expected = [score_with_gradients(model, batch) for batch in batches]
    monkeypatch.setattr(torch.nn.attention.flex_attention, "_validate_device", lambda *_: None)
    monkeypatch.setattr(tree_mask, "BLOCKS", tree_mask.FLEX)
    compiles = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self, **how: compiles(self, backend="aot_eager", **how))
    counters.clear()
    scorer = Scorer(model)
    scorer.compile_layers()
    for batch, (sums, gradients) in zip(batches, expected, strict=True):
        found, our_gradients = score_with_gradients(model, batch, scorer)
        torch.testing.assert_close(found, sums, atol=2e-4, rtol=1e-5)
        for parameter, gradient in gradients.items():
            scale = max(1e-3, float(gradient.abs().max()))
            assert float((our_gradients[parameter] - gradient).abs().max()) <= 1e-4 * scale, parameter
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 2 * variants
