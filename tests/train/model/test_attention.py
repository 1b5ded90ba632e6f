"""Trees against padded rows through models of several makes, and each form of the attention against dense masks."""

from typing import Any

import pytest
import torch
import transformers
from helpers.slow_trees import MODELS, SMALL, assert_equal_passes, family_groups, model_of, passed
from helpers.token_groups import VOCABULARY, group, random_groups
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask

from pairgen.errors import UnsupportedModel
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout import prompt_starts
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import SHARES, tree_batch
from pairgen.train.model import attention
from pairgen.train.model import cpu_attention as segments
from pairgen.train.model.attention import TreeMask, block_mask, install, mask_mod
from pairgen.train.model.checks import check_trees
from pairgen.train.model.scorer import Scorer

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing_:FutureWarning")

OF_TREES = [share for share in SHARES if share != "none"]


@pytest.fixture(autouse=True, params=["whole", "pieces"])
def _cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With trees in one piece, as small ones are, and taken apart wherever they can be, as large ones are."""
    monkeypatch.setattr(prompt_starts, "MIN_SHARED", 3)
    monkeypatch.setattr(segments, "CALL", 30_000 if request.param == "whole" else 0)
    monkeypatch.setattr(segments, "SHORT", 128 if request.param == "whole" else 4)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


def some_kinds(seed: int) -> list[TokenGroup]:
    """Groups of many kinds, some with a common start, longer than the windows of the models."""
    start = [6, 7, 8, 9, 4, 5]
    return [
        *random_groups(seed, 4, pairs=8),
        group([*start, 3], [7, 7, *[3] * 14], [7, 8], [7, 7, 9], [9]),
        group([*start, 4, 4], [7, 7], [7], [7, 7, 9], [7, 7]),
        group(start, [5], [6], [7]),
    ]


@given(groups=family_groups(branches=8), share=st.sampled_from(OF_TREES), row_tokens=st.sampled_from([1, 40, 10_000]))
@settings(max_examples=12, deadline=None)
def test_trees_equal_padded_rows(model: Any, groups: list[TokenGroup], share: str, row_tokens: int) -> None:
    assert_equal_passes(model, tree_batch(groups, row_tokens, share), padded_batch(groups), sums=1e-10, gradients=1e-9)


@pytest.mark.slow
@given(groups=family_groups(most=6, length=12), share=st.sampled_from(OF_TREES), row_tokens=st.integers(1, 400))
@settings(max_examples=300, deadline=None)
def test_many_more_trees_equal_padded_rows(model: Any, groups: list[TokenGroup], share: str, row_tokens: int) -> None:
    assert_equal_passes(model, tree_batch(groups, row_tokens, share), padded_batch(groups), sums=1e-10, gradients=1e-9)


@pytest.mark.parametrize("share", OF_TREES)
def test_every_level_of_sharing_is_exact(model: Any, share: str) -> None:
    groups = some_kinds(0)
    for row_tokens in (30, 10_000):
        assert_equal_passes(
            model, tree_batch(groups, row_tokens, share), padded_batch(groups), sums=1e-10, gradients=1e-9
        )


@pytest.mark.parametrize("name", MODELS)
def test_in_float32_trees_equal_padded_rows_to_float32(name: str) -> None:
    model = model_of(name, torch.float32)
    groups = some_kinds(1)
    expected, _ = passed(model, padded_batch(groups))
    found, _ = passed(model, tree_batch(groups, 60, "shots"))
    assert torch.allclose(found, expected, rtol=1e-5)
    assert_equal_passes(model, tree_batch(groups, 60, "shots"), padded_batch(groups), sums=1e-3, gradients=1e-4)


def test_activations_that_are_computed_again_are_the_same(model: Any) -> None:
    batch = tree_batch(some_kinds(2), 50, "shots")
    expected, gradients = passed(model, batch)
    model.train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    try:
        found, again = passed(model, batch)
    finally:
        model.gradient_checkpointing_disable()
        model.eval()
    assert torch.equal(found, expected)
    assert all(torch.allclose(again[name], value, rtol=1e-12, atol=1e-12) for name, value in gradients.items())


@pytest.mark.parametrize("name", MODELS)
def test_both_layouts_by_turns_leave_padded_rows_what_transformers_makes_of_them(name: str) -> None:
    """The first pass is before the attention is exchanged, and Gemma 2's own softmax is always in float32.

    Eager, because some releases of transformers take another attention for Gemma 2 that does not bend its scores.
    """
    config = getattr(transformers, f"{name}Config")(**MODELS[name])
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").double().eval()
    groups = some_kinds(3)
    native, _ = passed(model, padded_batch(groups))
    assert model.config._attn_implementation != attention.NAME
    of_trees, _ = passed(model, tree_batch(groups, 70, "group"))
    assert model.config._attn_implementation == attention.NAME
    after, _ = passed(model, padded_batch(groups))
    again, _ = passed(model, tree_batch(groups, 70, "group"))
    assert torch.allclose(after, native, rtol=1e-6)
    assert torch.allclose(of_trees, native, rtol=1e-6)
    assert torch.equal(of_trees, again)


def test_under_autocast_trees_are_as_exact_as_rows() -> None:
    model = model_of("Llama", torch.float32)
    groups = some_kinds(4)
    exact, _ = passed(model, padded_batch(groups))
    with torch.autocast("cpu", torch.bfloat16):
        rows, _ = passed(model, padded_batch(groups))
        found, _ = passed(model, tree_batch(groups, 70, "shots"))
    assert float((found - exact).abs().mean()) < 1.5 * float((rows - exact).abs().mean()) + 1e-3


@pytest.mark.parametrize("window", [0, 3, 6])
@pytest.mark.parametrize("heads", [2, 6])
def test_pieces_equal_one_dense_mask(window: int, heads: int) -> None:
    batch = tree_batch(some_kinds(5), 70, "shots")
    assert batch.subtree_end is not None
    assert batch.positions is not None
    rows, width = batch.tokens.shape
    visible = TreeMask(batch.subtree_end, batch.positions)
    if segments.CALL == 0:
        assert bool(visible.blocks(window, True).below) == (not window)  # a window keeps trees whole
    draw = torch.Generator().manual_seed(0)
    given = [
        torch.randn(rows, count, width, 8, generator=draw, dtype=torch.float64, requires_grad=True)
        for count in (6, heads, heads)
    ]

    def gradients(out: Tensor) -> list[Tensor]:
        out = out.masked_fill(is_padding[:, None, :, None], 0.0)
        return [out, *torch.autograd.grad((out * out.detach().cos()).sum(), given)]

    single = batch.subtree_end == torch.arange(width)
    is_padding = single & (batch.tokens == 0) & (batch.positions == 0)
    query, key, value = (values.transpose(1, 2).flatten(0, 1) for values in given)
    expected_in = [given[0], *(values.repeat_interleave(6 // heads, 1) for values in given[1:])]
    mask = visible.dense(window)
    for cap in (0.0, 2.0):
        if cap:
            found = segments.attend_softcapped((query, key, value), visible.blocks(window, False), 0.3, cap)
        else:
            found = segments.attend((query, key, value), visible.blocks(window, True), 0.3)
        expected = segments.dense_attention(*expected_in, mask, 0.3, cap)
        pairs = zip(gradients(found.view(rows, width, 6, 8).transpose(1, 2)), gradients(expected), strict=True)
        assert all(torch.allclose(ours, theirs, atol=1e-12) for ours, theirs in pairs)


def test_large_scores_do_not_overflow_at_padding() -> None:
    batch = tree_batch([group([1, 2, 3], [4] * size, [5]) for size in range(1, 8)], 100, "group")
    assert batch.subtree_end is not None
    assert batch.positions is not None
    width = batch.tokens.numel()
    draw = torch.Generator().manual_seed(0)
    given = [torch.randn(width, 2, 8, generator=draw).mul(300).requires_grad_() for _ in range(3)]
    out = segments.attend(
        (given[0], given[1], given[2]), TreeMask(batch.subtree_end, batch.positions).blocks(0, True), 1.0
    )
    out.sum().backward()
    assert all(bool(values.grad is not None and values.grad.isfinite().all()) for values in given)


@given(
    groups=family_groups(),
    share=st.sampled_from(OF_TREES),
    window=st.sampled_from([0, 2, 5]),
    block=st.sampled_from([4, 16]),
)
@settings(max_examples=40, deadline=None)
def test_block_masks_are_those_that_a_look_at_every_pair_finds(
    groups: list[TokenGroup], share: str, window: int, block: int
) -> None:
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
    if not window:  # without a window the blocks are exact, with one they may be more than need be
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
        ("Llama", {"attention_dropout": 0.1}, "has attention dropout"),
        ("Phimoe", {"sliding_window": 50, "num_local_experts": 2}, "does not specify its sliding-window size"),
        ("GptOss", {"num_local_experts": 2, "num_experts_per_tok": 1, "head_dim": 8}, "adds to its attention scores"),
    ],
)
def test_what_does_not_run_on_trees_is_refused(name: str, changes: dict[str, Any], reason: str) -> None:
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **changes})
    model = transformers.AutoModelForCausalLM.from_config(config).train()
    with pytest.raises(UnsupportedModel, match=f"{reason}.*--share none"):
        Scorer(model)(tree_batch(random_groups(0, 2), 100))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_models_pass_the_check_and_are_left_as_they_were(name: str, dtype: torch.dtype) -> None:
    model = model_of(name, dtype).train()
    check_trees(Scorer(model), VOCABULARY)
    assert model.training


@pytest.mark.parametrize("wrong", ["positions", "keyword", "compiler", "mask"])
def test_a_model_that_reads_trees_otherwise_is_refused(wrong: str) -> None:
    model = model_of("Llama", torch.float32)
    forward = model.base_model.forward

    def otherwise(**given: Any) -> Any:
        if "tree" in given and wrong == "positions":
            del given["position_ids"]
        if "tree" in given and wrong == "keyword":
            raise TypeError("forward() got an unexpected keyword argument 'tree'")
        if "tree" in given and wrong == "compiler":
            raise RuntimeError("no compiler here\nand many lines more")
        if wrong == "mask":  # it keeps the keyword to itself, and attends as the mask says
            given.pop("tree", None)
        return forward(**given)

    model.base_model.forward = otherwise
    with pytest.raises(UnsupportedModel, match=r"LlamaForCausalLM: .* trees .*--share none"):
        check_trees(Scorer(model), VOCABULARY)


def test_installing_twice_changes_nothing() -> None:
    model = model_of("Llama")
    install(model)
    assert model.config._attn_implementation == attention.NAME
