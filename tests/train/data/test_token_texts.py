"""The texts of tokens: joined they are the completion, whatever the tokenizer, and each stands where its token does."""

from typing import Any

import pytest
from helpers.small_tokenizers import KINDS, byte_level
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pairgen.train.data.token_texts import TokenTexts, decoder, texts_by_prefixes
from pairgen.train.from_texts import groups_of_texts


def byte_fallback() -> PreTrainedTokenizerFast:
    """Like Gemma's: characters that are not in the vocabulary are bytes, each a token; spaces are ``▁``."""
    known = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁abcdefghijklmnopqrstuvwxyz0123"]
    backend = Tokenizer(
        models.BPE({token: at for at, token in enumerate(known)}, [], unk_token="<unk>", byte_fallback=True)
    )
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )


EXACT: dict[str, Any] = {"byte-level": byte_level(), "byte fallback": byte_fallback()}
"""Tokenizers that lose nothing of a text."""

ALL: dict[str, Any] = {name: make() for name, make in KINDS.items()} | {"byte fallback": byte_fallback()}

plain = st.text(st.sampled_from("abc 12.?\né漢字🦊🏽\u200d\u0301"), min_size=1, max_size=12)


def texts_of(tokenizer: Any, prompt: str, *completions: str) -> tuple[list[list[str]], Any]:
    (group,) = groups_of_texts(tokenizer, [(prompt, *completions)], chat="off")
    return TokenTexts(decoder(tokenizer)).of(group.prompt, group.completions), group


@pytest.mark.parametrize("name", EXACT)
@given(prompt=plain, chosen=plain, rejected=plain)
@example(prompt="a🦊", chosen="🦊漢", rejected="漢漢🦊")
@settings(max_examples=60, deadline=None)
def test_joined_texts_are_the_completion(name: str, prompt: str, chosen: str, rejected: str) -> None:
    tokenizer = EXACT[name]
    assume(chosen != rejected + "x")
    found, group = texts_of(tokenizer, prompt.rstrip() or "a", " " + chosen, " " + rejected + "x")
    assert ["".join(texts) for texts in found] == [f" {chosen}</s>", f" {rejected}x</s>"]
    assert [len(texts) for texts in found] == [len(ids) for ids in group.completions]
    assert all(texts[-1] == "</s>" for texts in found)


@pytest.mark.parametrize("name", ALL)
@given(data=st.data(), prompt=plain)
@settings(max_examples=60, deadline=None)
def test_texts_are_those_of_all_prefixes(name: str, data: st.DataObject, prompt: str) -> None:
    """Also for token ids that no text has, which decode to the replacement character here and there."""
    tokenizer = ALL[name]
    start = tokenizer(prompt)["input_ids"] or [1]
    text = data.draw(plain)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    decode = decoder(tokenizer)
    (found,) = TokenTexts(decode).of(start, [ids])
    whole, before = decode([*start, *ids]), decode(start)
    assert whole.startswith(before)
    assert "".join(found) == whole[len(before) :]
    assert found == texts_by_prefixes(decode, start, ids)


@pytest.mark.parametrize("name", ALL)
@given(ids=st.lists(st.integers(3, 150), min_size=1, max_size=12), start=st.lists(st.integers(3, 150), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_tokens_keep_the_text(name: str, ids: list[int], start: list[int]) -> None:
    decode = decoder(ALL[name])
    (found,) = TokenTexts(decode).of([1, *start], [ids])
    whole, before = decode([1, *start, *ids]), decode([1, *start])
    if whole.startswith(before):  # else the last tokens of the prompt are half of a character
        assert "".join(found) == whole[len(before) :]
    assert len(found) == len(ids)


def test_a_character_of_several_tokens_is_at_the_last() -> None:
    tokenizer = byte_fallback()
    (found, _), _ = texts_of(tokenizer, "a", " b漢c", " c")
    assert found == [" ", "b", "", "", "漢", "c", "</s>"]
