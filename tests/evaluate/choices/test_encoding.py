"""Contexts and continuations have the tokens that lm-evaluation-harness gives them."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.harness_choices import harness_lm
from helpers.small_tokenizers import KINDS, chatml
from hypothesis import example, given
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.evaluate.choices.encoding import UNLIMITED, TokenPair, context_length, encode_pairs, truncated
from pairgen.train.model.tiny import tiny_model

TOKENIZERS = {**KINDS, "without a BOS token": chatml}

pieces = st.sampled_from(
    [
        "Question:",
        " How many",
        "apples?",
        "\n",
        "\n\n",
        " ",
        "  ",
        "Answer:",
        "?",
        "12",
        "<s>",
        "</s>",
        "é",
        "🦊",
        "\t",
        "a",
    ]
)
texts = st.lists(pieces, max_size=5).map("".join)


@cache
def _harness(kind: str) -> Any:
    """An ``HFLM`` that returns the tokens of its requests instead of scoring them."""
    tokenizer = TOKENIZERS[kind]()
    lm = harness_lm(tiny_model(tokenizer), tokenizer)
    lm._loglikelihood_tokens = lambda requests, **_: [(tuple(context), tuple(rest)) for _, context, rest in requests]
    return lm


def _theirs(lm: Any, pair: tuple[str, str]) -> TokenPair | None:
    """None if the harness cannot score it: it asserts that neither part is empty."""
    from lm_eval.api.instance import Instance

    request = Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=0)
    try:
        found = TokenPair(*lm.loglikelihood([request], disable_tqdm=True)[0])
    except IndexError:  # an empty continuation of an empty context
        return None
    return found if all(found) else None


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(pairs=st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
@example(pairs=[("", " a"), ("", "<s> a"), ("  ", "a"), ("a \n", "a"), ("<s>a", " a")])
def test_equal_to_the_harness(kind: str, pairs: list[tuple[str, str]]) -> None:
    lm = _harness(kind)
    wanted = [_theirs(lm, pair) for pair in pairs]
    scorable = [pair for pair, tokens in zip(pairs, wanted, strict=True) if tokens]
    assert encode_pairs(lm.tokenizer, scorable) == [tokens for tokens in wanted if tokens]
    for pair, tokens in zip(pairs, wanted, strict=True):
        if tokens is None:
            with pytest.raises(UsageError, match="has no tokens of its own"):
                encode_pairs(lm.tokenizer, [pair])


def test_without_bos_and_eos() -> None:
    """The harness needs one of them; without, only an empty context cannot be scored."""
    tokenizer = KINDS["byte-level without BOS"]()
    wanted = encode_pairs(tokenizer, [("Why?", " So")])
    tokenizer.bos_token = tokenizer.eos_token = None
    assert encode_pairs(tokenizer, [("Why?", " So")]) == wanted
    with pytest.raises(UsageError, match="the context '' has no tokens"):
        encode_pairs(tokenizer, [("", " So")])


@pytest.mark.parametrize(
    ("config", "of_tokenizer", "length"),
    [
        ({"max_position_embeddings": 77, "n_ctx": 5}, 33, 77),
        ({"n_positions": 9, "max_position_embeddings": 77}, 33, 9),
        ({"max_position_embeddings": None, "n_ctx": 5}, 33, 5),
        ({"text_config": SimpleNamespace(n_ctx=6), "n_ctx": 5}, 33, 6),
        ({}, 33, 33),
        ({}, None, 2048),
        ({}, UNLIMITED, 2048),
    ],
)
def test_the_context_length_is_that_of_the_harness(config: Any, of_tokenizer: int | None, length: int) -> None:
    lm = harness_lm(tiny_model(tokenizer := KINDS["unigram"]()), tokenizer)
    lm.model.config, tokenizer.model_max_length = SimpleNamespace(**config), of_tokenizer
    assert context_length(lm.model, tokenizer) == lm.max_length == length


def test_truncation_by_hand() -> None:
    """The last token is only predicted, so that seven tokens fit a context of six."""
    pair = TokenPair((1, 2, 3, 4, 5), (6, 7))
    assert truncated(pair, 6) == pair
    assert truncated(pair, 4) == TokenPair((3, 4, 5), (6, 7))
    assert truncated(pair, 2) == TokenPair((5,), (6, 7))
    with pytest.raises(UsageError, match="a choice has 2 tokens"):
        truncated(pair, 1)
