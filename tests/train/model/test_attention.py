"""Token trees against padded rows in models of several architectures, and each attention kernel against dense masks."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
import transformers
from helpers.slow_trees import (
    MODELS,
    PADDED,
    SMALL,
    TREE_SHARES,
    assert_equal_passes,
    groups_sharing_prefixes,
    model_of,
    score_with_gradients,
)
from helpers.token_groups import group, random_groups
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask

from pairgen.errors import UnsupportedModel
from pairgen.train.checks.exactness import check_model, check_trees
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout import sharing
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model import attention
from pairgen.train.model.attention import use_tree_attention
from pairgen.train.model.kernels import block_plan, cpu_attention, torch_internals
from pairgen.train.model.kernels.tree_mask import TreeMask, block_mask, mask_mod
from pairgen.train.model.loading import disable_dropout
from pairgen.train.model.scorer import Scorer

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing_:FutureWarning")


@pytest.fixture(autouse=True, params=["unsplit", "split", "tiled"])
def _split_cost(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test with unsplit trees, as small ones are, and with trees split wherever possible, as large ones are, or tiled,
    as large ones are with a window."""
    monkeypatch.setattr(sharing, "MIN_SHARED", 3)
    monkeypatch.setattr(block_plan, "CALL_COST", 0 if request.param == "split" else 30_000)
    if request.param == "tiled":
        monkeypatch.setattr(block_plan, "MAX_MASK", 100)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


def varied_groups(seed: int) -> list[TokenGroup]:
    """Groups of many shapes, some with a common start, longer than the sliding windows of the models."""
    start = [6, 7, 8, 9, 4, 5]
    return [
        *random_groups(seed, 4, pairs=8),
        group([*start, 3], [7, 7, *[3] * 14], [7, 8], [7, 7, 9], [9]),
        group([*start, 4, 4], [7, 7], [7], [7, 7, 9], [7, 7]),
        group(start, [5], [6], [7]),
    ]


@given(
    groups=groups_sharing_prefixes(branches=8),
    share=st.sampled_from(TREE_SHARES),
    row_tokens=st.sampled_from([1, 40, 10_000]),
)
@settings(max_examples=12, deadline=None)
def test_trees_equal_padded_rows(model: Any, groups: list[TokenGroup], share: str, row_tokens: int) -> None:
    assert_equal_passes(model, tree_batch(groups, row_tokens, share), padded_batch(groups), sums=1e-10, gradients=1e-9)


@pytest.mark.slow
@given(
    groups=groups_sharing_prefixes(max_groups=6, length=12),
    share=st.sampled_from(TREE_SHARES),
    row_tokens=st.integers(1, 400),
)
@settings(max_examples=300, deadline=None)
def test_trees_equal_padded_rows_many_examples(
    model: Any, groups: list[TokenGroup], share: str, row_tokens: int
) -> None:
    assert_equal_passes(model, tree_batch(groups, row_tokens, share), padded_batch(groups), sums=1e-10, gradients=1e-9)


@pytest.mark.parametrize("share", TREE_SHARES)
def test_share_levels_equal_padded_rows(model: Any, share: str) -> None:
    groups = varied_groups(0)
    for row_tokens in (30, 10_000):
        assert_equal_passes(
            model, tree_batch(groups, row_tokens, share), padded_batch(groups), sums=1e-10, gradients=1e-9
        )


@pytest.mark.parametrize("name", MODELS)
def test_trees_equal_padded_rows_in_float32(name: str) -> None:
    model = model_of(name, torch.float32)
    groups = varied_groups(1)
    expected, _ = score_with_gradients(model, padded_batch(groups))
    found, _ = score_with_gradients(model, tree_batch(groups, 60, "shots"))
    assert torch.allclose(found, expected, rtol=1e-5)
    assert_equal_passes(model, tree_batch(groups, 60, "shots"), padded_batch(groups), sums=1e-3, gradients=1e-4)


def test_trees_with_gradient_checkpointing(model: Any) -> None:
    batch = tree_batch(varied_groups(2), 50, "shots")
    expected, gradients = score_with_gradients(model, batch)
    model.train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    try:
        found, again = score_with_gradients(model, batch)
    finally:
        model.gradient_checkpointing_disable()
        model.eval()
    assert torch.equal(found, expected)
    assert all(torch.allclose(again[name], value, rtol=1e-12, atol=1e-12) for name, value in gradients.items())


@pytest.mark.parametrize("name", MODELS)
def test_tree_attention_on_padded_rows(name: str) -> None:
    """The first pass is before the attention is replaced; Gemma 2's own softmax is always in float32.

    Eager, since some releases of transformers choose an attention for Gemma 2 that does not cap its scores.
    """
    config = getattr(transformers, f"{name}Config")(**MODELS[name])
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").double().eval()
    groups = varied_groups(3)
    native, _ = score_with_gradients(model, padded_batch(groups))
    assert model.config._attn_implementation != attention.NAME
    of_trees, _ = score_with_gradients(model, tree_batch(groups, 70, "group"))
    assert model.config._attn_implementation == attention.NAME
    after, _ = score_with_gradients(model, padded_batch(groups))
    again, _ = score_with_gradients(model, tree_batch(groups, 70, "group"))
    assert torch.allclose(after, native, rtol=1e-6)
    assert torch.allclose(of_trees, native, rtol=1e-6)
    assert torch.equal(of_trees, again)


def test_trees_under_autocast() -> None:
    model = model_of("Llama", torch.float32)
    groups = varied_groups(4)
    exact, _ = score_with_gradients(model, padded_batch(groups))
    with torch.autocast("cpu", torch.bfloat16):
        rows, _ = score_with_gradients(model, padded_batch(groups))
        found, _ = score_with_gradients(model, tree_batch(groups, 70, "shots"))
    assert float((found - exact).abs().mean()) < 1.5 * float((rows - exact).abs().mean()) + 1e-3


@pytest.mark.parametrize("window", [0, 3, 6])
@pytest.mark.parametrize("heads", [2, 6])
def test_cpu_attention_equals_dense_mask(window: int, heads: int) -> None:
    batch = tree_batch(varied_groups(5), 70, "shots")
    assert batch.subtree_end is not None
    assert batch.positions is not None
    rows, width = batch.tokens.shape
    tree = TreeMask(batch.subtree_end, batch.positions)
    if block_plan.CALL_COST == 0:
        assert bool(tree.plan(window, True).cross_blocks) == (not window)  # a window prevents splitting
    draw = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(rows, count, width, 8, generator=draw, dtype=torch.float64, requires_grad=True)
        for count in (6, heads, heads)
    ]

    def gradients(out: Tensor) -> list[Tensor]:
        out = out.masked_fill(is_padding[:, None, :, None], 0.0)
        return [out, *torch.autograd.grad((out * out.detach().cos()).sum(), inputs)]

    single = batch.subtree_end == torch.arange(width)
    is_padding = single & (batch.tokens == 0) & (batch.positions == 0)
    query, key, value = (values.transpose(1, 2).flatten(0, 1) for values in inputs)
    expected_in = [inputs[0], *(values.repeat_interleave(6 // heads, 1) for values in inputs[1:])]
    mask = tree.dense(window)
    for cap in (0.0, 2.0):
        if cap:
            found = cpu_attention.softcapped_attention((query, key, value), tree.plan(window, False), 0.3, cap)
        else:
            found = cpu_attention.split_attention((query, key, value), tree.plan(window, True), 0.3)
        expected = cpu_attention.masked_attention(*expected_in, mask, 0.3, cap)
        pairs = zip(gradients(found.view(rows, width, 6, 8).transpose(1, 2)), gradients(expected), strict=True)
        assert all(torch.allclose(ours, theirs, atol=1e-12) for ours, theirs in pairs)


def test_cpu_attention_finite_at_padding() -> None:
    batch = tree_batch([group([1, 2, 3], [4] * size, [5]) for size in range(1, 8)], 100, "group")
    assert batch.subtree_end is not None
    assert batch.positions is not None
    width = batch.tokens.numel()
    draw = torch.Generator().manual_seed(0)
    inputs = [torch.randn(width, 2, 8, generator=draw).mul(300).requires_grad_() for _ in range(3)]
    plan = TreeMask(batch.subtree_end, batch.positions).plan(0, True)
    out = cpu_attention.split_attention((inputs[0], inputs[1], inputs[2]), plan, 1.0)
    out.sum().backward()
    assert all(bool(values.grad is not None and values.grad.isfinite().all()) for values in inputs)


@given(
    groups=groups_sharing_prefixes(),
    share=st.sampled_from(TREE_SHARES),
    window=st.sampled_from([0, 2, 5]),
    block=st.sampled_from([4, 16]),
)
@settings(max_examples=40, deadline=None)
def test_block_mask_equals_dense_mask(groups: list[TokenGroup], share: str, window: int, block: int) -> None:
    batch = tree_batch(groups, 90, share)
    assert batch.subtree_end is not None
    assert batch.positions is not None
    rows, width = batch.tokens.shape
    dense = TreeMask(batch.subtree_end, batch.positions).dense(window)
    found = block_mask(batch.subtree_end, batch.positions, window, block)
    count = -(-width // block)
    padded_mask = torch.zeros(rows, 1, count * block, count * block, dtype=torch.bool)
    padded_mask[:, :, :width, :width] = dense
    tiles = padded_mask.view(rows, 1, count, block, count, block).transpose(3, 4).flatten(4)
    partial, full = (listed(*pair) for pair in blocks_of(found))
    assert not (partial & full).any()
    assert not (full & ~tiles.all(-1)).any()
    assert not (tiles.any(-1) & ~(partial | full)).any()
    if not window:  # with a window, some blocks are listed although no token in them is visible
        plain = create_block_mask(
            mask_mod(batch.subtree_end, batch.positions, 0), rows, None, width, width, device="cpu", BLOCK_SIZE=block
        )
        assert all(
            torch.equal(ours, listed(*pair)) for ours, pair in zip((partial, full), blocks_of(plain), strict=True)
        )


def blocks_of(mask: Any) -> list[tuple[Tensor, Tensor]]:
    return [(mask.kv_num_blocks, mask.kv_indices), (mask.full_kv_num_blocks, mask.full_kv_indices)]


def listed(count: Tensor, indices: Tensor) -> Tensor:
    """[R, 1, Q] and [R, 1, Q, K] -> [R, 1, Q, K] whether a block is listed."""
    first = torch.arange(indices.shape[-1]) < count[..., None]
    return torch.zeros_like(indices, dtype=torch.bool).scatter(-1, indices.long(), first)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("Llama4Text", {"attention_chunk_size": 4, "num_local_experts": 2}, "layers of type chunked_attention"),
        ("Llama", {"attention_dropout": 0.1}, "attention dropout"),
        ("Phimoe", {"sliding_window": 50, "num_local_experts": 2}, "size of its sliding window"),
        (
            "GptOss",
            {"num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 8},
            "terms added to attention scores",
        ),
    ],
)
def test_use_tree_attention_refuses_unsupported_models(name: str, changes: dict[str, Any], reason: str) -> None:
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **changes})
    model = transformers.AutoModelForCausalLM.from_config(config).train()
    with pytest.raises(UnsupportedModel, match=f"{reason}.*--share none"):
        Scorer(model)(tree_batch(random_groups(0, 2), 100))


def check_on_groups(model: Any) -> None:
    """Check a model and its token trees on a few groups."""
    scorer, groups = Scorer(model), varied_groups(7)
    check_trees(scorer, check_model(scorer, groups), partial(tree_batch, row_tokens=60, share="shots"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_check_trees_restores_training_mode(name: str, dtype: torch.dtype) -> None:
    model = model_of(name, dtype).train()
    check_on_groups(model)
    assert model.training


@pytest.mark.parametrize("wrong", ["positions", "keyword", "compiler", "mask"])
def test_check_trees_refuses_incompatible_models(wrong: str) -> None:
    model = model_of("Llama", torch.float32)
    forward = model.base_model.forward

    def wrong_forward(**inputs: Any) -> Any:
        if "tree" in inputs and wrong == "positions":
            del inputs["position_ids"]
        if "tree" in inputs and wrong == "keyword":
            raise TypeError("forward() got an unexpected keyword argument 'tree'")
        if "tree" in inputs and wrong == "compiler":
            raise RuntimeError("no compiler found\nfollowed by many lines")
        if wrong == "mask":  # it ignores the keyword and uses the mask
            inputs.pop("tree", None)
        return forward(**inputs)

    model.base_model.forward = wrong_forward
    with pytest.raises(UnsupportedModel, match=r"LlamaForCausalLM: .* trees .*--share none"):
        check_on_groups(model)


def test_use_tree_attention_twice() -> None:
    model = model_of("Llama")
    use_tree_attention(model)
    assert model.config._attn_implementation == attention.NAME


@pytest.fixture
def without_internals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A torch whose CPU operators have other arguments than expected."""
    changed = {name: f"{arguments} new" for name, arguments in torch_internals._CPU_ARGUMENTS.items()}
    monkeypatch.setattr(torch_internals, "_CPU_ARGUMENTS", changed)
    torch_internals.cpu_kernels.cache_clear()
    yield
    torch_internals.cpu_kernels.cache_clear()


def test_missing_for_trees_is_none() -> None:
    for device in ("cpu", "cuda"):
        assert torch_internals.missing_for_trees(torch.device(device)) is None


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.usefixtures("without_internals")
def test_trees_without_private_operators(name: str) -> None:
    assert "_for_cpu" in str(torch_internals.missing_for_trees(torch.device("cpu")))
    model, groups = model_of(name), varied_groups(0)
    assert_equal_passes(model, tree_batch(groups, 40, "shots"), padded_batch(groups), sums=1e-10, gradients=1e-9)


def test_allow_recompilations_without_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch_internals.allow_recompilations(77):
        assert torch._dynamo.config.recompile_limit == 77
    monkeypatch.setattr(torch._dynamo, "config", object())
    with torch_internals.allow_recompilations(77):
        pass


SINKS = {**PADDED, "head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": 5}
PEGASUS = {"vocab_size": 23, "d_model": 16, "decoder_layers": 2, "encoder_layers": 2, "max_position_embeddings": 64}
REFUSING_TREES: dict[str, dict[str, Any]] = {
    "GptOss": SINKS,
    "MiMoV2Flash": {**SINKS, "v_head_dim": 8, "n_routed_experts": 2, "moe_intermediate_size": 16},
    "GraniteSWA": SINKS,
    "GraniteMoeSWA": SINKS,
    "BigBirdPegasus": {**PEGASUS, "decoder_ffn_dim": 24, "encoder_ffn_dim": 24, "decoder_attention_heads": 2},
    "Git": {**PADDED, "vision_config": {"hidden_size": 24, "num_hidden_layers": 1}},
}
"""Models whose attention adds terms that trees lack, or that are too old for it."""


@pytest.mark.parametrize("name", REFUSING_TREES)
def test_check_trees_leaves_refused_models_unchanged(name: str) -> None:
    """With tree attention left in them, gpt_oss and its kin would ignore their attention sinks, silently."""
    config = getattr(transformers, f"{name}Config")(**REFUSING_TREES[name])
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    disable_dropout(model)
    batch = padded_batch(varied_groups(6))
    before, gradients = score_with_gradients(model, batch)
    implementations = [part.config._attn_implementation for part in model.modules() if hasattr(part, "config")]
    with pytest.raises(UnsupportedModel, match="--share none"):
        check_on_groups(model)
    after, again = score_with_gradients(model, batch)
    assert torch.equal(after, before)
    assert gradients.keys() == again.keys()
    assert all(torch.equal(again[name], value) for name, value in gradients.items())
    assert [part.config._attn_implementation for part in model.modules() if hasattr(part, "config")] == implementations
