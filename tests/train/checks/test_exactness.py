"""Checks of a model on pairs of a run: every way in which training may compute something else than plain passes."""

from functools import partial
from typing import Any

import pytest
import torch
from helpers.families import small_config, spread_model
from helpers.token_groups import random_groups
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pairgen.errors import UnsupportedModel
from pairgen.train.checks import plain as plain_passes
from pairgen.train.checks.exactness import TOLERANCE, check_model, check_trees, compile_layers
from pairgen.train.checks.plain import in_float32, plain_logps
from pairgen.train.checks.randomness import draws_random_numbers
from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.padded import padded_batch
from pairgen.train.layout.tree import tree_batch
from pairgen.train.model.loading import disable_dropout
from pairgen.train.model.scorer import Scorer, logit_softcap
from pairgen.train.scores.forward import Forward

TREES = partial(tree_batch, row_tokens=200, share="shots")


def groups_of(seed: int = 0, length: int = 40) -> list[TokenGroup]:
    return random_groups(seed, 3, vocabulary=60, length=length)


def model_of(family: str, seed: int = 0, **changes: Any) -> Any:
    model = spread_model(small_config(family, vocab_size=64, **changes), seed)
    disable_dropout(model)
    return model


def test_a_plain_model_passes_and_is_unchanged() -> None:
    model = model_of("llama").train()
    state, attention = {name: value.clone() for name, value in model.state_dict().items()}, model.config.to_dict()
    plain = check_model(Scorer(model), groups_of())
    assert plain.tolerance < 0.005
    assert float(plain.logps.std()) > 10
    assert model.training
    assert model.config.to_dict() == attention
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    check_trees(Scorer(model), plain, TREES)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "mixtral", "falcon_mamba", "ctrl", "bloom"])
def test_plain_log_probs_of_long_completions_are_computed_in_parts(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the logits of a sequence would take too much memory, and whether or not the model can compute only some."""
    model, groups = model_of(family), groups_of()
    expected = plain_logps(model, groups)
    sizes = []
    head = model.get_output_embeddings()
    head.register_forward_hook(lambda module, inputs, output: sizes.append(output.numel() // 64))  # noqa: ARG005
    monkeypatch.setattr(plain_passes, "MAX_LOGITS", 64 * 7)
    assert torch.allclose(plain_logps(model, groups), expected, atol=1e-4)
    if family != "ctrl":
        assert max(sizes) == 7


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("recurrent_gemma", {"logits_soft_cap": 4.0}),
        ("xlstm", {"output_logit_soft_cap": 4.0}),
        ("gemma2", {"final_logit_softcapping": 4.0}),
    ],
)
def test_soft_caps_of_all_names(family: str, changes: dict[str, float]) -> None:
    model = model_of(family, **changes)
    assert logit_softcap(model.config) == 4.0
    plain = check_model(Scorer(model), groups_of())
    batch = padded_batch(plain.groups)
    with torch.no_grad():
        found = batch.completions(Scorer(model)(batch)).sum(1)
    assert float((found - plain.logps).abs().max()) < TOLERANCE


@given(cap=st.floats(5, 300))
@settings(max_examples=6, deadline=None)
def test_a_cap_of_an_unknown_name_is_found_however_weak(cap: float) -> None:
    """It is refused if it changes the log-prob of any completion by more than the tolerance, and passes if by less."""
    model, groups = model_of("llama"), groups_of()
    expected = plain_logps(model, groups)
    forward = model.forward

    def capped(**inputs: Any) -> Any:
        out = forward(**inputs)
        out.logits = cap * torch.tanh(out.logits / cap)
        return out

    model.forward = capped
    off = float((plain_logps(model, groups) - expected).abs().max())
    if off > 0.005:
        with pytest.raises(UnsupportedModel, match=r"post-processes its logits .*off by \d"):
            check_model(Scorer(model), groups)
    if off < TOLERANCE / 2:
        check_model(Scorer(model), groups)


@pytest.mark.parametrize("seed", range(20))
def test_routing_by_chance_is_found_with_every_seed(seed: int) -> None:
    """PhiMoE draws an expert among those that are about equally likely, in training only: rarely a different one."""
    model = model_of("phimoe", seed)
    with pytest.raises(UnsupportedModel, match="draws random numbers in training mode") as caught:
        check_model(Scorer(model), groups_of(length=8))
    assert "\n" not in str(caught.value)


def test_noise_of_routers_is_disabled() -> None:
    check_model(Scorer(model_of("mixtral", router_jitter_noise=0.5)), groups_of())


def phi3(seed: int = 0) -> Any:
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 30, "factor": 4.0}
    factors = {"short_factor": [1.0] * 4, "long_factor": [1.0, 3.0, 9.0, 27.0]}
    return model_of("phi3", seed, rope_parameters=rope | factors, original_max_position_embeddings=30)


@pytest.mark.parametrize(("shorter", "longer"), [(10, 60), (25, 31)])
def test_rotary_embeddings_that_change_with_the_batch_are_refused(shorter: int, longer: int) -> None:
    """A sequence beyond the original context changes the embeddings of all sequences of its batch."""
    model = phi3()
    groups = [sized(length) for length in (shorter, longer)]
    with pytest.raises(UnsupportedModel, match=r"depend on the other sequences of a batch.* use --max-length 30 "):
        check_model(Scorer(model), groups)


@pytest.mark.parametrize("lengths", [(10, 30), (31, 60)])
def test_rotary_embeddings_on_one_side_of_the_change_pass(lengths: tuple[int, int]) -> None:
    model = phi3()
    plain = check_model(Scorer(model), [sized(length) for length in lengths])
    check_trees(Scorer(model), plain, TREES)


def sized(length: int) -> TokenGroup:
    """A pair whose chosen and rejected sequences have this many tokens."""
    texts = torch.randint(3, 60, (2, length), generator=torch.Generator().manual_seed(length))
    return random_groups(0, 1)[0].__class__(
        prompt=texts[0, :5].int().numpy(),
        completions=tuple(text[5:].int().numpy() for text in texts),
        pair_ids=(f"p{length}",),
        edit=torch.tensor([[0, length - 5]]).int().numpy(),
        num_chars=torch.ones(2).int().numpy(),
    )


def test_bidirectional_models_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="attends to later tokens"):
        check_model(Scorer(model_of("bert")), groups_of())


@pytest.mark.parametrize("family", ["llama4", "llama4_text"])
def test_a_model_whose_backbone_has_another_name_passes(family: str) -> None:
    model = model_of(family)
    plain = check_model(Scorer(model), groups_of())
    with pytest.raises(UnsupportedModel, match="layers of type chunked_attention"):
        check_trees(Scorer(model), plain, TREES)


def test_a_model_that_fails_is_refused_in_one_sentence() -> None:
    """The head of RemBERT takes more dimensions than its hidden states have."""
    model = model_of("rembert", is_decoder=True)
    with pytest.raises(
        UnsupportedModel, match=r"^RemBertForCausalLM: cannot be scored in batches; choose another model \("
    ) as caught:
        check_model(Scorer(model), groups_of())
    assert "\n" not in str(caught.value)


def test_a_sequence_beyond_the_context_is_refused_with_its_length() -> None:
    model = model_of("gpt2", n_positions=50)
    with pytest.raises(UnsupportedModel, match="logits of a text of 60 tokens; use a lower --max-length"):
        check_model(Scorer(model), [sized(10), sized(60)])


def test_weights_in_bfloat16_are_checked_in_float32() -> None:
    model = model_of("llama").bfloat16()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with in_float32(model):
        assert {value.dtype for value in model.parameters()} == {torch.float32}
    plain = check_model(Scorer(model), groups_of())
    check_trees(Scorer(model), plain, TREES)
    assert plain.tolerance < 0.005
    after = model.state_dict()
    assert all(after[name].dtype == value.dtype and torch.equal(after[name], value) for name, value in before.items())


def test_draws_random_numbers() -> None:
    def without() -> Tensor:
        return torch.nn.functional.dropout(torch.ones(3), 0.0) + torch.rand([])  # a layer that is never skipped

    def dropout() -> Tensor:
        return torch.nn.functional.dropout(torch.ones(3), 0.5)

    before = torch.get_rng_state()
    assert draws_random_numbers(without) is None
    assert draws_random_numbers(lambda: torch.ones(3)) is None
    assert draws_random_numbers(dropout) == "dropout"
    assert draws_random_numbers(lambda: torch.multinomial(torch.ones(4), 2)) == "multinomial"
    assert torch.equal(torch.get_rng_state(), before)


def failing_backend(_graph: Any, _: Any) -> Any:
    raise RuntimeError("no compiler found\nfollowed by many lines")


def wrong_backend(graph: Any, _: Any) -> Any:
    """Compiles to code that is off by half."""
    return lambda *inputs: tuple(value * 1.5 if isinstance(value, Tensor) else value for value in graph(*inputs))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (failing_backend, r"^LlamaForCausalLM: cannot be compiled \(.*no compiler found.*\); use --no-compile$"),
        (wrong_backend, r"^LlamaForCausalLM: compiled, its log-probs are off by .* nats per completion, where .*"),
        ("eager", None),
    ],
    ids=["fails", "computes something else", "right"],
)
@pytest.mark.parametrize("bf16", [False, True])
def test_compiled_layers_are_checked(
    backend: Any, message: str | None, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that cannot be compiled, or computes something else then, is as it was before."""
    torch._dynamo.reset()
    compiles = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiles(self, backend=backend, **how))
    scorer = Scorer(model_of("llama").train())
    plain = check_model(scorer, groups_of(length=20))
    forward = Forward("test", TREES, torch.device("cpu"), autocast=bf16)
    batch = forward.layout(plain.groups)
    before = forward.token_logps(scorer, batch)
    if message is None:
        compile_layers(scorer, plain, forward)
    else:
        with pytest.raises(UnsupportedModel, match=message):
            compile_layers(scorer, plain, forward)
    assert scorer.compiled == (message is None)
    assert torch.equal(forward.token_logps(scorer, batch), before)
