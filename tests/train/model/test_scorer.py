"""The scorer's log-probs against the logits of models of several architectures, and models it refuses."""

from typing import Any

import pytest
import torch
import transformers
from helpers.families import small_config, spread_model
from helpers.token_groups import random_groups, tiny_llama
from torch import nn

from pairgen.errors import TrainingError, UnsupportedModel
from pairgen.train.checks.exactness import check_model
from pairgen.train.layout.padded import padded_batch
from pairgen.train.model.loading import disable_dropout
from pairgen.train.model.scorer import Scorer, layers_of, logit_softcap

VOCABULARY = 23
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "initializer_range": 0.6,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 64, "initializer_range": 0.6}
MODELS: dict[str, dict[str, Any]] = {
    "Llama": SMALL,
    "Mistral": {**SMALL, "sliding_window": 4},
    "Qwen3": SMALL,
    "Gemma2": {**SMALL, "final_logit_softcapping": 1.5, "query_pre_attn_scalar": 8},
    "GPT2": {**GPT2, "bos_token_id": 1, "eos_token_id": 2},
    "Phi": {**{name: value for name, value in SMALL.items() if name != "head_dim"}, "num_key_value_heads": 2},
    "Granite": {**SMALL, "logits_scaling": 1.0},
}
ALTERED: dict[str, dict[str, Any]] = {
    "Cohere": {**SMALL, "logit_scale": 0.25},
    "Granite": {**SMALL, "logits_scaling": 4.0},
}


def random_model(
    name: str, settings: dict[str, Any], head: str = "ModelForCausalLM", dtype: torch.dtype = torch.float32
) -> Any:
    """A randomly initialized model; a bias of its head is random too, which transformers initializes to 0."""
    config = getattr(transformers, f"{name}Config")(**settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"Auto{head}").from_config(config)
        output = model.get_output_embeddings()
        if output is not None and output.bias is not None:
            nn.init.normal_(output.bias)
    disable_dropout(model)
    return model.to(dtype).eval()


@pytest.mark.parametrize("name", MODELS)
def test_scorer_log_probs_equal_logits(name: str) -> None:
    model = random_model(name, MODELS[name], dtype=torch.float64)
    scorer = Scorer(model)
    check_model(scorer, random_groups(0, 3))
    batch = padded_batch(random_groups(0, 3))
    with torch.no_grad():
        logits = model(input_ids=batch.tokens).logits.flatten(0, 1)[batch.label_positions]
        expected = logits.log_softmax(-1).gather(1, batch.targets[:, None])[:, 0]
        assert scorer(batch).sub(expected).abs().max() < 1e-6
    assert float(expected.std()) > 0.3


@pytest.mark.parametrize("name", MODELS)
def test_scorer_gradients_equal_logits(name: str) -> None:
    """Some heads share their weight with the embedding."""
    model = random_model(name, MODELS[name], dtype=torch.float64)
    batch = padded_batch(random_groups(1, 2))
    Scorer(model)(batch).sum().backward()
    ours = {at: value.grad.clone() for at, value in model.named_parameters()}
    model.zero_grad()
    logits = model(input_ids=batch.tokens).logits.flatten(0, 1)[batch.label_positions]
    logits.log_softmax(-1).gather(1, batch.targets[:, None]).sum().backward()
    for at, value in model.named_parameters():
        assert ours[at].sub(value.grad).abs().max() <= 1e-5 * max(1.0, float(value.grad.abs().max())), at


@pytest.mark.parametrize("name", MODELS)
def test_check_model_in_bfloat16(name: str) -> None:
    check_model(Scorer(random_model(name, MODELS[name], dtype=torch.bfloat16)), random_groups(0, 3))


@pytest.mark.parametrize("name", ALTERED)
def test_check_model_refuses_scaled_logits(name: str) -> None:
    with pytest.raises(
        UnsupportedModel,
        match=rf"{name}ForCausalLM: post-processes its logits .* \(log-probs off by \d.* nats per completion\)",
    ):
        check_model(Scorer(random_model(name, ALTERED[name])), random_groups(0, 3))


def test_check_model_refuses_unknown_softcap() -> None:
    model = random_model("Gemma2", MODELS["Gemma2"])
    forward = model.forward

    def uncapped(**given: Any) -> Any:
        out = forward(**given)
        out.logits = 1.5 * torch.atanh(out.logits / 1.5)
        return out

    model.forward = uncapped
    with pytest.raises(UnsupportedModel, match="post-processes its logits"):
        check_model(Scorer(model), random_groups(0, 3))


@pytest.mark.parametrize("name", ["Llama", "GPT2"])
def test_check_model_refuses_headless_models(name: str) -> None:
    headless = random_model(name, MODELS[name], head="Model")
    with pytest.raises(UnsupportedModel, match=rf"{name}Model: has no causal language model head"):
        check_model(Scorer(headless), random_groups(0, 3))
    assert issubclass(UnsupportedModel, TrainingError)


@pytest.mark.parametrize("training", [True, False])
def test_check_model_restores_model(training: bool) -> None:
    """Dropout would look like altered logits: the check runs in evaluation mode and restores the mode."""
    model = random_model("GPT2", {**MODELS["GPT2"], "resid_pdrop": 0.5, "embd_pdrop": 0.5}).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check_model(Scorer(model), random_groups(0, 3))
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_check_model_restores_refused_model(training: bool) -> None:
    model = random_model("Cohere", ALTERED["Cohere"]).train(training)
    with pytest.raises(UnsupportedModel):
        check_model(Scorer(model), random_groups(0, 3))
    assert model.training is training


@pytest.mark.parametrize("vocabulary", [1, 3])
def test_check_model_with_tiny_vocabulary(vocabulary: int) -> None:
    small = {"vocab_size": vocabulary, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0}
    check_model(Scorer(random_model("Llama", {**SMALL, **small})), random_groups(0, 3, vocabulary=vocabulary))


def test_scorer_trains_adapter_only() -> None:
    peft = pytest.importorskip("peft")
    model = tiny_llama(dtype=torch.float32)
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    scorer = Scorer(adapted)
    assert scorer.causal is model
    check_model(scorer, random_groups(0, 3))
    batch = padded_batch(random_groups(2, 2))
    scorer(batch).sum().backward()
    grown = {name for name, value in adapted.named_parameters() if value.grad is not None and value.grad.any()}
    assert grown
    assert all("lora_" in name for name in grown)
    with torch.no_grad(), adapted.disable_adapter():
        without = scorer(batch)
    assert without.sub(scorer(batch)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("name", "settings", "cap"),
    [
        ("Llama", SMALL, 0.0),
        ("Gemma2", {**SMALL, "final_logit_softcapping": 30.0}, 30.0),
        ("Gemma2", {**SMALL, "final_logit_softcapping": None}, 0.0),
    ],
    ids=str,
)
def test_logit_softcap(name: str, settings: dict[str, Any], cap: float) -> None:
    assert logit_softcap(getattr(transformers, f"{name}Config")(**settings)) == cap


@pytest.mark.parametrize("family", ["mamba", "falcon_mamba", "zamba", "mbart", "llama"])
def test_layers_are_not_nested(family: str) -> None:
    """transformers lists classes of layers and of parts of them; FSDP2 refuses to shard a part after its layer."""
    changes = {"zamba": {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2}}
    model = spread_model(small_config(family, vocab_size=64, **changes.get(family, {})), spread=0.0)
    layers = layers_of(model)
    assert len(layers) > 1
    inside = [part for layer in layers for part in layer.modules() if part is not layer]
    assert not set(layers) & set(inside)
    names = set(model._no_split_modules)
    assert all(type(part).__name__ not in names or part in {*layers, *inside} for part in model.modules())
