"""Chunked log-probs against a plain reference: one ``log_softmax`` over all logits."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from pairgen.train.model import logprobs as module
from pairgen.train.model.logprobs import BLOCKS, greedy_logprobs, logprobs

WIDTH, VOCABULARY = 6, 11


def plain(hidden: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None = None, cap: float = 0.0) -> Tensor:
    """The plain reference, with all logits at once."""
    logits = linear(hidden, weight, bias)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if cap:
        logits = cap * torch.tanh(logits / cap)
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]


Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def inputs(count: int, dtype: torch.dtype = torch.float64, vocabulary: int = VOCABULARY, scale: float = 1.0) -> Inputs:
    """Random hidden states, head, targets and bias; logits have a standard deviation of ``scale * sqrt(WIDTH)``."""
    generator = torch.Generator().manual_seed(count)
    hidden = torch.randn(count, WIDTH, generator=generator, dtype=torch.float64)
    weight = torch.randn(vocabulary, WIDTH, generator=generator, dtype=torch.float64) * scale
    bias = torch.randn(vocabulary, generator=generator, dtype=torch.float64)
    targets = torch.randint(vocabulary, (count,), generator=generator)
    return hidden.to(dtype), weight.to(dtype), targets, bias.to(dtype)


def values_and_grads(
    function: Callable[..., Tensor], made: Inputs, with_bias: bool = True, cap: float = 0.0, frozen: str = ""
) -> dict[str, Tensor | None]:
    """Log-probs, and the gradients of their sum with a different weight per position."""
    hidden, weight, targets, bias = made
    leaves = {"hidden": hidden.clone(), "weight": weight.clone(), "bias": bias.clone()}
    for name, leaf in leaves.items():
        leaf.requires_grad_(name not in frozen.split())
    out = function(leaves["hidden"], leaves["weight"], targets, bias=leaves["bias"] if with_bias else None, cap=cap)
    if out.requires_grad:
        out.backward(torch.linspace(-1.0, 2.0, len(out), dtype=out.dtype))
    return {"out": out.detach(), **{name: leaf.grad for name, leaf in leaves.items()}}


def close(ours: dict[str, Tensor | None], theirs: dict[str, Tensor | None], tolerance: float) -> None:
    """Assert equality up to ``tolerance`` times the largest value of each tensor."""
    for name, expected in theirs.items():
        found = ours[name]
        if expected is None:
            assert found is None, name
            continue
        assert found is not None, name
        assert found.dtype == expected.dtype, name
        assert found.shape == expected.shape, name
        off = float((found - expected).abs().max()) if expected.numel() else 0.0
        size = float(expected.abs().max()) if expected.numel() else 0.0
        assert off <= tolerance * max(size, 1e-3), f"{name} is off by {off} of {size}"


@pytest.fixture(autouse=True, params=["kept", "computed again"])
def _kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with logits kept for the backward pass and with logits recomputed."""
    if request.param != "kept":
        monkeypatch.setattr(module, "MAX_KEPT", 0)


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.BLOCKS, "cpu", (4, 1 << 30))


@pytest.fixture(params=[(4, 1 << 30), (4, 7), (64, 1), (3, 5)], ids=str)
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.BLOCKS, "cpu", request.param)


over_heads = pytest.mark.parametrize(
    ("with_bias", "cap"), [(False, 0.0), (True, 0.0), (False, 1.5), (True, 1.5)], ids=str
)


@over_heads
@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 10])
@pytest.mark.usefixtures("small_blocks")
def test_logprobs_equal_log_softmax(count: int, with_bias: bool, cap: float) -> None:
    made = inputs(count)
    ours, theirs = (values_and_grads(function, made, with_bias, cap) for function in (logprobs, plain))
    assert ours["out"].dtype == torch.float64
    close(ours, theirs, 1e-12)


@over_heads
@pytest.mark.usefixtures("small_blocks")
def test_logprobs_gradients_equal_finite_differences(with_bias: bool, cap: float) -> None:
    hidden, weight, targets, bias = inputs(6)
    leaves = [hidden.requires_grad_(), weight.requires_grad_(), *([bias.requires_grad_()] if with_bias else [])]

    def of_leaves(hidden: Tensor, weight: Tensor, *bias: Tensor) -> Tensor:
        return logprobs(hidden, weight, targets, *bias, cap=cap)

    assert torch.autograd.gradcheck(of_leaves, leaves, nondet_tol=1e-12)  # a second pass recomputes logits


@pytest.mark.parametrize("vocabulary", [BLOCKS["cpu"][1] + extra for extra in (-1, 0, 1, 2055)])
@pytest.mark.parametrize("count", [BLOCKS["cpu"][0] + 1, 7])
def test_logprobs_with_full_and_partial_blocks(count: int, vocabulary: int) -> None:
    made = inputs(count, torch.float32, vocabulary=vocabulary)
    close(values_and_grads(logprobs, made), values_and_grads(plain, made), 1e-5)


@over_heads
def test_logprobs_with_large_logits_in_float32(with_bias: bool, cap: float) -> None:
    """Logits of several hundred: nothing overflows, and differences of large numbers stay precise."""
    made = inputs(20, torch.float32, scale=100.0)
    ours, theirs = (values_and_grads(function, made, with_bias, cap) for function in (logprobs, plain))
    assert float(theirs["out"].min()) < (-100 if not cap else -2)
    close(ours, theirs, 1e-5)


@over_heads
@pytest.mark.usefixtures("small_blocks")
def test_logprobs_in_bfloat16_under_autocast(with_bias: bool, cap: float) -> None:
    """The matrix product is in bfloat16, the softmax in float32, and gradients are float32.

    bfloat16 has 8 bits: the head's gradient, summed over chunks in bfloat16, may be off by some of the last ones.
    """
    made = inputs(10, torch.float32)
    exact = values_and_grads(logprobs, made, with_bias, cap)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = (values_and_grads(function, made, with_bias, cap) for function in (logprobs, plain))
    assert ours["out"].dtype == torch.float32
    close({"out": ours["out"]}, {"out": theirs["out"]}, 1e-6)
    close(ours, theirs, 0.02)
    assert not torch.equal(ours["out"], exact["out"])


@pytest.mark.usefixtures("small_blocks")
def test_logprobs_of_bfloat16_weights_are_float32() -> None:
    made = inputs(10, torch.bfloat16)
    ours, theirs = values_and_grads(logprobs, made), values_and_grads(plain, made)
    assert ours["out"].dtype == torch.float32
    close({"out": ours["out"]}, {"out": theirs["out"]}, 1e-6)
    close(ours, theirs, 0.02)


def test_logprobs_use_the_dtype_of_the_hidden_states() -> None:
    hidden, weight, targets, bias = inputs(5, torch.float32)
    mixed = logprobs(hidden.bfloat16(), weight, targets, bias)
    assert torch.equal(mixed, logprobs(hidden.bfloat16(), weight.bfloat16(), targets, bias.bfloat16()))


@over_heads
def test_logprobs_without_positions(with_bias: bool, cap: float) -> None:
    ours, theirs = (values_and_grads(function, inputs(0), with_bias, cap) for function in (logprobs, plain))
    assert ours["out"].shape == (0,)
    close(ours, theirs, 0.0)
    assert ours["weight"] is not None
    assert not ours["weight"].any()


@pytest.mark.parametrize(
    "frozen", ["hidden", "weight", "bias", "weight bias", "hidden bias", "hidden weight", "hidden weight bias"]
)
@pytest.mark.usefixtures("small_blocks")
def test_logprobs_without_gradient_of_frozen_inputs(frozen: str) -> None:
    made = inputs(10)
    ours, theirs = (values_and_grads(function, made, frozen=frozen, cap=1.5) for function in (logprobs, plain))
    assert {name for name, value in ours.items() if value is None} == set(frozen.split())
    close(ours, theirs, 1e-12)


def test_logprobs_does_not_modify_inputs() -> None:
    made = inputs(9)
    before = [value.clone() for value in made]
    values_and_grads(logprobs, made, cap=1.5)
    hidden, weight, targets, bias = made
    logprobs(hidden, weight, targets, bias, cap=1.5)
    assert all(torch.equal(was, now) for was, now in zip(before, made, strict=True))


def test_logprobs_of_all_targets_sum_to_1() -> None:
    """The log-probs of all targets at one hidden state sum, as probabilities, to 1."""
    hidden, weight, _, bias = inputs(1)
    every = logprobs(hidden.expand(VOCABULARY, -1), weight, torch.arange(VOCABULARY), bias, cap=2.0)
    assert float(every.exp().sum()) == pytest.approx(1.0, abs=1e-12)


def test_logprobs_soft_cap_includes_bias() -> None:
    """A hand-made head: logits 3 and 0, capped at 2 to 2 tanh(1.5) = 1.8103 and 0, so -ln(1 + e^-1.8103)."""
    hidden, weight = torch.tensor([[1.0]]), torch.tensor([[3.0], [0.0]])
    assert logprobs(hidden, weight, torch.tensor([0])).item() == pytest.approx(-0.0485874, abs=1e-6)
    assert logprobs(hidden, weight, torch.tensor([0]), cap=2.0).item() == pytest.approx(-0.1515235, abs=1e-6)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of positions whose logits are computed, per call."""
    counts: list[int] = []
    made_by = module._logits

    def watched(hidden: Tensor, *rest: Any) -> Tensor:
        counts.append(len(hidden))
        return made_by(hidden, *rest)

    monkeypatch.setattr(module, "_logits", watched)
    return counts


@pytest.mark.usefixtures("short_chunks")
def test_logprobs_computes_logits_in_chunks(seen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 50 * 40 - 1)
    kept: list[int] = []

    def keep(value: Tensor) -> Tensor:
        kept.append(value.numel())
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        values_and_grads(logprobs, inputs(50, vocabulary=40), cap=1.5)
    assert seen == [*[4] * 12, 2] * 2  # forward, and again backward
    assert max(kept) == 50 * WIDTH  # the hidden states, and no logits


@pytest.mark.usefixtures("short_chunks")
def test_logprobs_keeps_few_logits(seen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 50 * 40)
    values_and_grads(logprobs, inputs(50, vocabulary=40), cap=1.5)
    assert seen == [*[4] * 12, 2]


@over_heads
@pytest.mark.usefixtures("short_chunks")
def test_logprobs_skips_positions_without_gradient(seen: list[int], with_bias: bool, cap: float) -> None:
    """Gradients are unchanged, and the logits of skipped positions are not recomputed."""
    hidden, weight, targets, bias = inputs(21)
    down = torch.linspace(-1.0, 2.0, 21, dtype=torch.float64) * (torch.arange(21) % 3 != 1)
    found = []
    for function in (logprobs, plain):
        leaves = [value.clone().requires_grad_() for value in (hidden, weight, bias)]
        function(leaves[0], leaves[1], targets, leaves[2] if with_bias else None, cap).backward(down)
        found.append({name: leaf.grad for name, leaf in zip(("hidden", "weight", "bias"), leaves, strict=True)})
    close(*found, 1e-12)
    again = [4, 4, 4, 2] if module.MAX_KEPT == 0 else []
    assert seen == [4, 4, 4, 4, 4, 1, *again]  # 7 of 21 have none


def test_logprobs_skips_cancelled_gradients_but_not_nan(seen: list[int]) -> None:
    """As for the pairs of a group, whose gradients for a shared token cancel."""
    hidden, weight, targets, _ = inputs(6, torch.float32)
    weight.requires_grad_()
    shares = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    left = float(shares[0] + shares[1] + shares[2] - shares[0] - shares[1] - shares[2])
    assert left != 0
    out = logprobs(hidden, weight, targets)
    (found,) = torch.autograd.grad(out, weight, torch.tensor([1.0, left, -0.5, left, 0.0, 1e-6]), retain_graph=True)
    (expected,) = torch.autograd.grad(
        plain(hidden, weight, targets), weight, torch.tensor([1.0, 0.0, -0.5, 0.0, 0.0, 1e-6])
    )
    torch.testing.assert_close(found, expected)
    assert seen == ([6, 3] if module.MAX_KEPT == 0 else [6])
    (found,) = torch.autograd.grad(out, weight, torch.tensor([1.0, left, torch.nan, left, 0.0, 0.0]))
    assert found.isnan().any()


def test_logprobs_second_backward_pass() -> None:
    hidden, weight, targets, _ = inputs(9)
    weight.requires_grad_()
    out = logprobs(hidden, weight, targets).sum()
    (first,) = torch.autograd.grad(out, weight, retain_graph=True)
    (second,) = torch.autograd.grad(out, weight)
    torch.testing.assert_close(first, second, rtol=1e-12, atol=0)


@pytest.mark.usefixtures("small_blocks")
def test_logprobs_of_a_head_that_excludes_tokens() -> None:
    """A bias of minus infinity, as for the tokens that pad a vocabulary: their block adds nothing."""
    hidden, weight, targets, bias = inputs(9)
    bias[:8] = -torch.inf
    made = (hidden, weight, targets.clamp(min=8), bias)
    close(values_and_grads(logprobs, made, True), values_and_grads(plain, made, True), 1e-12)


@pytest.mark.parametrize("cap", [0.0, 2.0])
@pytest.mark.parametrize("block", [(1 << 20, 1 << 20), (3, 4)])
def test_greedy_targets(monkeypatch: pytest.MonkeyPatch, block: tuple[int, int], cap: float) -> None:
    """Whether a target has the largest logit, and the same log-probs."""
    monkeypatch.setitem(BLOCKS, "cpu", block)
    hidden, weight, targets, bias = inputs(40)
    best = linear(hidden, weight, bias).argmax(1)
    targets[::3] = best[::3]
    logps, greedy = greedy_logprobs(hidden, weight, targets, bias, cap)
    assert torch.equal(greedy, targets == best)
    assert 13 < int(greedy.sum()) < 40
    assert torch.equal(logps, logprobs(hidden, weight, targets, bias, cap))
    with torch.autocast("cpu", torch.bfloat16):
        logps, _ = greedy_logprobs(hidden, weight, targets, bias, cap)
        assert torch.equal(logps, logprobs(hidden, weight, targets, bias, cap))
