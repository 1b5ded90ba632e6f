"""The tiny model and its tokenizer."""

import torch
from helpers.small_tokenizers import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.sources import sample
from pairgen.train.model.tiny import POSITIONS, tiny_model, train_tokenizer

TOKENIZER = train_tokenizer(TEXTS)
ROWS = [sample.row("metamath", "train", at)["response"] for at in range(600)]


def test_train_tokenizer_is_deterministic() -> None:
    first, second = (train_tokenizer(iter(ROWS)) for _ in range(2))
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()
    assert len(first) == 512
    assert len(train_tokenizer(ROWS, 300)) == 300


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40).filter(lambda text: not {"<pad>", "<s>", "</s>"} & {text}))
def test_train_tokenizer_round_trip(text: str) -> None:
    ids = TOKENIZER(text, split_special_tokens=True)["input_ids"]
    assert ids[0] == TOKENIZER.bos_token_id
    assert TOKENIZER.decode(ids[1:]) == text


def test_train_tokenizer_special_token_ids() -> None:
    assert TOKENIZER.convert_tokens_to_ids(["<pad>", "<s>", "</s>"]) == [0, 1, 2]
    assert (TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id) == (0, 1, 2)


def test_tiny_model_weights_depend_on_seed_only() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = tiny_model(TOKENIZER, 1).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    second, other = tiny_model(TOKENIZER, 1).state_dict(), tiny_model(TOKENIZER, 2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_tiny_model_size_and_tied_embeddings() -> None:
    model = tiny_model(train_tokenizer(ROWS), 0)
    assert 450_000 < sum(weights.numel() for weights in model.parameters()) < 750_000
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.config.max_position_embeddings == POSITIONS
    assert model.config.vocab_size == 512
    logits = model(input_ids=torch.tensor([[1, 5, 6]])).logits
    assert logits.shape == (1, 3, 512)
    assert torch.isfinite(logits).all()
