"""Pairs as tokens: properties of every group, the boundary, chat templates, truncation, drops, the cache."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.rows import make_folder, pair
from helpers.small_tokenizers import KINDS, SPECIALS, WITHOUT_EOS, byte_level, chat_without_eos, chatml, sentence_piece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models

from pairgen.errors import InvalidDataset, OutputError, TrainingError, UnsupportedModel, UsageError
from pairgen.pairs import dataset as store
from pairgen.pairs import edits
from pairgen.pairs.messages import Message, plain_prompt
from pairgen.pairs.record import Pair
from pairgen.train.data import token_cache
from pairgen.train.data.groups import GroupTable, TokenGroup
from pairgen.train.data.token_cache import CachedTokens, TokenCache
from pairgen.train.data.tokenization import (
    CHANGED,
    LONG_CHOSEN,
    LONG_REJECTED,
    NO_PROMPT,
    SAME,
    SPECIAL,
    Counts,
    PairGroup,
    PairTokenizer,
)

TOKENIZERS = {name: make() for name, make in KINDS.items()}
CHATS = {"ChatML": chatml(), "no EOS": chat_without_eos()}


def pair_group(prompt: str, chosen: str, *rejected: str) -> PairGroup:
    spans = [edits.span(chosen, other) for other in rejected]
    pair_ids = [f"k-{at}" for at in range(len(rejected))]
    return PairGroup("g", prompt, chosen, list(rejected), pair_ids, [(span.start, span.chosen_stop) for span in spans])


def tokenize(
    tokenizer: Any, group: PairGroup, chat: str = "off", max_length: int = 2048
) -> tuple[TokenGroup | None, Counts]:
    counts = Counts()
    groups = PairTokenizer(tokenizer, chat, max_length).tokenize([group], counts)
    return (groups[0] if groups else None), counts


def tokens_of(tokenizer: Any, prompt: str, chosen: str, *rejected: str, **options: Any) -> TokenGroup:
    tokens, _ = tokenize(tokenizer, pair_group(prompt, chosen, *rejected), **options)
    assert tokens is not None
    return tokens


def flat_edit(tokens: TokenGroup) -> list[int]:
    """Start and stop of each pair's edit, flattened."""
    return [int(number) for number in tokens.edit.ravel()]


def cached(path: Path, pairs: list[Pair], tokenizer: Any, **options: Any) -> CachedTokens:
    """A dataset of these pairs, written once per folder, through the token cache."""
    if not (path / "pairs").exists():
        make_folder(path / "pairs", {"train": pairs})
    settings = {name: options.pop(name) for name in ("chat", "max_length") if name in options}
    cache = TokenCache(path / "tokens", PairTokenizer(tokenizer, **settings))
    return cache.tokenize(store.open_pairs(path / "pairs"), "train", **options)


def plain(group: TokenGroup) -> tuple[Any, ...]:
    """A group as lists, which can be compared."""
    ids = [completion.tolist() for completion in group.completions]
    return group.prompt.tolist(), ids, group.pair_ids, group.edit.tolist(), group.num_chars.tolist()


def encoded(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a text, with special-token strings encoded as plain text."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def decoded(tokenizer: Any, ids: Any) -> str:
    return str(tokenizer.backend_tokenizer.decode(list(map(int, ids)), skip_special_tokens=False))


def byte_count(tokenizer: Any, ids: Any) -> int:
    """Number of bytes of byte-level tokens, one character each."""
    return sum(map(len, tokenizer.convert_ids_to_tokens(list(map(int, ids)))))


# ---------------------------------------------------------------- properties

SNIPPETS = [
    "the",
    " the",
    " sun",
    "So",
    "Why",
    "?",
    "\n",
    "\n\n",
    " ",
    "!",
    "24",
    "2",
    "é",
    "e\u0301",
    "🦊🏽",
    "ß",
    ".",
    "«",
]
TEXT = st.lists(st.sampled_from(SNIPPETS), max_size=8).map("".join)
HOSTILE = st.lists(st.sampled_from([*SNIPPETS, "</s>", "<s>", "<unk>", "<|im_end|>"]), max_size=8).map("".join)


def pair_groups(text: st.SearchStrategy[str]) -> st.SearchStrategy[PairGroup]:
    """A strategy for groups of one to three pairs, whose first rejected completion resembles chosen."""

    def made(prompt: str, chosen: str, others: list[str], cut: int, part: str) -> PairGroup:
        near = chosen[:cut] + part + chosen[cut + 1 :]
        rejected = [other for other in dict.fromkeys([near, *others]) if other != chosen]
        return pair_group(prompt.rstrip(), chosen, *(rejected or [chosen + "."]))

    return st.builds(made, text, text, st.lists(text, max_size=2), st.integers(0, 12), st.sampled_from(SNIPPETS))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=80, deadline=None)
@given(group=pair_groups(HOSTILE))
def test_tokenize_round_trip(name: str, group: PairGroup) -> None:
    tokenizer = TOKENIZERS[name]
    tokens, counts = tokenize(tokenizer, group)
    assert counts.pairs + sum(counts.drops.values()) == len(group.pair_ids)
    assert counts.pairs == (len(tokens.pair_ids) if tokens else 0)
    if tokens is None:
        return
    prefix = tokenizer("")["input_ids"]
    texts = [group.chosen, *(group.rejected[int(key[2:])] for key in tokens.pair_ids)]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    assert len(tokens.completions) == len(tokens.num_chars) == len(texts) == 1 + len(tokens.edit)
    assert tokens.prompt.tolist()[: len(prefix)] == prefix
    assert len(tokens.prompt) >= 1
    alone = encoded(tokenizer, group.prompt)
    for text, ids, characters in zip(texts, tokens.completions, tokens.num_chars, strict=True):
        full = encoded(tokenizer, group.prompt + text)
        ids_of_text = [*tokens.prompt.tolist()[len(prefix) :], *ids.tolist()]
        assert ids_of_text[-1] == tokenizer.eos_token_id
        assert special.isdisjoint(ids_of_text[:-1]), "BOS and EOS once, and no other special token"
        assert decoded(tokenizer, ids_of_text[:-1]) == decoded(tokenizer, full)
        assert characters == max(1, len(text.strip()))
        if full[: len(alone)] == alone and tokens.prompt.tolist() == [*prefix, *alone]:
            assert ids_of_text[:-1] == full, "the same tokens as those of the complete text"
        if name.startswith("byte-level"):
            assert tokens.prompt.tolist() == [*prefix, *alone], "the prompt has the same tokens as alone"
            assert decoded(tokenizer, ids[:-1]) == text


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=80, deadline=None)
@given(group=pair_groups(TEXT))
def test_edit_covers_all_differing_tokens(name: str, group: PairGroup) -> None:
    tokenizer = TOKENIZERS[name]
    tokens, _ = tokenize(tokenizer, group)
    if tokens is None:
        return
    chosen = tokens.completions[0].tolist()
    for at, (key, ids) in enumerate(zip(tokens.pair_ids, tokens.completions[1:], strict=True)):
        rejected = ids.tolist()
        start, stop = flat_edit(tokens)[2 * at : 2 * at + 2]
        after = len(chosen) - stop
        assert 0 <= start <= stop <= len(chosen)
        assert start + after <= len(rejected)
        assert chosen[:start] == rejected[:start]
        assert chosen[stop:] == rejected[len(rejected) - after :]
        if name.startswith("byte-level"):
            first, last = (len(group.chosen[:at].encode()) for at in group.edits[int(key[2:])])
            assert byte_count(tokenizer, chosen[:start]) <= first
            assert byte_count(tokenizer, chosen[:stop]) >= last or start == stop
            text = group.rejected[int(key[2:])]
            after_edit = len(text[edits.span(group.chosen, text).rejected_stop :].encode())
            assert byte_count(tokenizer, rejected[len(rejected) - after : -1]) <= after_edit or start == stop


@pytest.mark.parametrize("name", CHATS)
@settings(max_examples=60, deadline=None)
@given(group=pair_groups(TEXT))
def test_tokenize_chat_round_trip(name: str, group: PairGroup) -> None:
    tokenizer = CHATS[name]
    tokens, counts = tokenize(tokenizer, group, chat="on")
    assert counts.pairs + sum(counts.drops.values()) == len(group.pair_ids)
    if tokens is None:
        assert set(counts.drops) == {SAME}  # without surrounding white space, texts can be equal
        return
    question = {"role": "user", "content": group.prompt}
    for text, ids in zip(
        [group.chosen, *(group.rejected[int(key[2:])] for key in tokens.pair_ids)], tokens.completions, strict=True
    ):
        answer = {"role": "assistant", "content": text.strip()}
        written = tokenizer.apply_chat_template([question, answer], tokenize=False)
        ended = written.removesuffix("\n") if name == "ChatML" else written + "</s>"
        assert decoded(tokenizer, [*tokens.prompt, *ids]) == ended
        assert ids.tolist().count(tokenizer.eos_token_id) == 1
        assert [*tokens.prompt, *ids].count(tokenizer.convert_tokens_to_ids("<s>")) == (name == "no EOS")
    asked = tokenizer.apply_chat_template([question], tokenize=False, add_generation_prompt=True)
    assert decoded(tokenizer, tokens.prompt) == asked


# ---------------------------------------------------------------- the boundary


def test_split_completion_contains_first_answer_token() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    tokens = tokens_of(tokenizer, "What shines?", " the sun", " the moon")
    assert tokenizer.convert_ids_to_tokens(tokens.completions[0]) == ["Ġthe", "Ġsun", "</s>"]
    assert tokens.prompt.tolist() == tokenizer("What shines?")["input_ids"]
    assert flat_edit(tokens) == [1, 2]
    assert tokens.num_chars.tolist() == [7, 8]


def test_split_token_across_boundary() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    assert "?Ċ" in tokenizer.tokenize("Why?\nSo")
    tokens, counts = tokenize(tokenizer, pair_group("Why?", "\nSo the sun", "\nSo the moon", "the lamp"))
    assert tokens is not None
    assert tokens.prompt.tolist() == tokenizer("Why?")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(tokens.completions[0]) == ["Ċ", "So", "Ġthe", "Ġsun", "</s>"]
    assert flat_edit(tokens)[:2] == [3, 4]
    assert counts.merged_boundaries == 2


def test_edit_at_boundary_covers_split_token() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    tokens = tokens_of(tokenizer, "Why?", "\n\nSo the sun", " So the sun")
    assert flat_edit(tokens)[0] == 0
    assert decoded(tokenizer, tokens.completions[0][: flat_edit(tokens)[1]]).startswith("\n\n")


def test_split_falls_back_to_shorter_prompt() -> None:
    tokenizer = TOKENIZERS["unigram"]
    assert tokenizer.tokenize("the sun")[-1] == "▁sun"
    tokens, counts = tokenize(tokenizer, pair_group("the su", "n", " 2", "n."))
    assert tokens is not None
    assert counts.merged_boundaries >= 1
    assert tokenizer.convert_ids_to_tokens(tokens.prompt) == ["<s>", "▁the"]
    assert tokenizer.convert_ids_to_tokens(tokens.completions[0]) == ["▁sun", "</s>"]
    assert decoded(tokenizer, [*tokens.prompt[1:], *tokens.completions[1][:-1]]) == "the su 2"


def test_split_prompt_ends_at_first_difference() -> None:
    tokenizer = sentence_piece()
    scores = {"▁": -3.0, "▁a": -2.0, "▁ab": -2.0, "bc": -1.0, "b": -9.0, "c": -9.0, "d": -1.0}
    specials = [("<unk>", 0.0), *((name, -99.0) for name in SPECIALS)]
    tokenizer.backend_tokenizer.model = models.Unigram([*specials, *scores.items()], 0)
    assert [tokenizer.tokenize(text) for text in ("abc", "abd")] == [["▁a", "bc"], ["▁ab", "d"]]
    tokens = tokens_of(tokenizer, "ab", "c", "d")
    assert len(tokens.prompt) == 1
    assert [decoded(tokenizer, ids[:-1]) for ids in tokens.completions] == ["abc", "abd"]


@pytest.mark.parametrize("name", KINDS)
def test_tokenize_few_shot_prompt(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    shots = "\n\n".join(f"Question: How many apples are there?\nAnswer: {at} apples." for at in range(25))
    tokens = tokens_of(tokenizer, f"{shots}\n\nQuestion: Why?\nAnswer:", " the sun", " the moon")
    assert tokens.prompt.tolist() == [
        *tokenizer("")["input_ids"],
        *encoded(tokenizer, f"{shots}\n\nQuestion: Why?\nAnswer:"),
    ]
    assert len(tokens.prompt) > 250


def test_edit_of_insertion_is_empty() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    tokens = tokens_of(tokenizer, "Why?", " the sun", " the moon sun")
    assert flat_edit(tokens) == [1, 1]


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected", "span", "edit"),
    [
        ("Why?", " the sun.", " 24 sun.", (0, 4), [0, 1]),
        ("Why?", " the sun.", " the moon.", (0, 8), [0, 2]),
        ("Why?", " the sun.", " 24 sun.", (0, 6), [0, 2]),
        ("Why?", " 🦊🏽 sun.", " the sun.", (1, 2), [0, 1]),
        ("in all.", "\n\nSo the sun", "\n\nSo the moon", (0, 1), [0, 5]),
        ("in all.", "\n\nSo the sun", "\n\nSo the moon", (3, 11), [2, 5]),
    ],
    ids=["as is", "earlier", "inside a token", "part of a token", "across the boundary", "after the boundary"],
)
def test_edit_covers_dataset_span(
    prompt: str, chosen: str, rejected: str, span: tuple[int, int], edit: list[int]
) -> None:
    tokens, _ = tokenize(TOKENIZERS["byte-level"], pair_group(prompt, chosen, rejected)._replace(edits=[span]))
    assert tokens is not None
    assert flat_edit(tokens) == edit


def test_edit_in_rendered_chat() -> None:
    tokenizer = CHATS["ChatML"]
    tokens, _ = tokenize(tokenizer, pair_group("Why?", " So sun.", " the sun.")._replace(edits=[(0, 3)]), chat="on")
    assert tokens is not None
    assert tokenizer.convert_ids_to_tokens(tokens.completions[0])[:2] == ["So", "Ġsun"]
    assert flat_edit(tokens) == [0, 1]


# ---------------------------------------------------------------- special tokens


def test_tokenize_special_token_strings_as_text() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    before = tokenizer("</s>")["input_ids"]
    tokens = tokens_of(tokenizer, "What is </s>?", " an end</s>", " a <|im_end|>")
    assert tokenizer.convert_ids_to_tokens(tokens.completions[0])[-1] == "</s>"
    assert tokens.completions[0].tolist().count(tokenizer.eos_token_id) == 1
    assert decoded(tokenizer, tokens.completions[1][:-1]) == " a <|im_end|>"
    assert tokenizer("</s>")["input_ids"] == before, "the tokenizer is left as it was"


def test_unigram_drops_special_token_strings() -> None:
    _, counts = tokenize(TOKENIZERS["unigram"], pair_group("What?", " the sun", " the</s>", " the moon"))
    assert counts.drops == {SPECIAL: 1}
    assert counts.pairs == 1
    tokens, counts = tokenize(TOKENIZERS["unigram"], pair_group("What</s>?", " the sun", " the", " the moon"))
    assert tokens is None
    assert counts.drops == {SPECIAL: 2}


def test_tokenize_unknown_character() -> None:
    tokenizer = TOKENIZERS["unigram"]
    tokens = tokens_of(tokenizer, "What?", " the Ω", " the sun")
    assert tokenizer.unk_token_id in tokens.completions[0]


def test_chat_drops_special_token_strings() -> None:
    for chosen, rejected, prompt, dropped in [
        (" sun", (" moon<|im_end|>", " lamp"), "Why?", 1),
        (" <|im_start|>sun", (" moon", " lamp"), "Why?", 2),
        (" sun", (" moon", " lamp"), "</s>?", 2),
    ]:
        _, counts = tokenize(CHATS["ChatML"], pair_group(prompt, chosen, *rejected), chat="on")
        assert counts.drops == {SPECIAL: dropped}
        assert counts.pairs == 2 - dropped


# ---------------------------------------------------------------- chat templates


def test_chat_completion_ends_with_eos() -> None:
    tokenizer = CHATS["ChatML"]
    tokens = tokens_of(tokenizer, "What shines?", " the sun\n", " the moon", chat="auto")
    prompt = "<|im_start|>user\nWhat shines?<|im_end|>\n<|im_start|>assistant\n"
    assert decoded(tokenizer, tokens.prompt) == prompt
    assert decoded(tokenizer, tokens.completions[0]) == "the sun<|im_end|>"
    assert decoded(tokenizer, tokens.completions[0][flat_edit(tokens)[0] : flat_edit(tokens)[1]]) == " sun"
    assert tokens.num_chars.tolist() == [7, 8]


def test_chat_renders_the_messages_of_a_prompt() -> None:
    tokenizer = CHATS["ChatML"]
    turns = [
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Yes?"),
        Message("user", "Why?"),
    ]
    messages = [message._asdict() for message in turns]
    group = pair_group(plain_prompt(turns), " So.", " No.")._replace(messages=messages)
    tokens, _ = tokenize(tokenizer, group, chat="on")
    assert tokens is not None
    template = tokenizer.apply_chat_template
    assert decoded(tokenizer, tokens.prompt) == template(messages, tokenize=False, add_generation_prompt=True)
    answer = {"role": "assistant", "content": "So."}
    written = template([*messages, answer], tokenize=False).removesuffix("\n")
    assert decoded(tokenizer, [*tokens.prompt, *tokens.completions[0]]) == written
    plain, _ = tokenize(tokenizer, group, chat="off")
    assert plain is not None
    assert decoded(tokenizer, plain.prompt) == group.prompt


@pytest.mark.parametrize("tokenizer", [TOKENIZERS["byte-level"], *CHATS.values()])
def test_an_empty_rejected_completion_ends_at_once(tokenizer: Any) -> None:
    tokens = tokens_of(tokenizer, "What shines?", " the sun", "", chat="auto")
    assert tokens.completions[1].tolist()[-1] == tokenizer.eos_token_id
    assert not decoded(tokenizer, tokens.completions[1][:-1]).strip()


def test_chat_off_ignores_template() -> None:
    tokens = tokens_of(CHATS["ChatML"], "What shines?", " the sun", " the moon", chat="off")
    assert decoded(CHATS["ChatML"], tokens.prompt) == "What shines?"


def with_template(template: str) -> Any:
    tokenizer = chatml()
    tokenizer.chat_template = template
    return tokenizer


def test_chat_drops_text_altered_by_template() -> None:
    shortened = "{% for message in messages %}{{ message.content[:8] }}\n{% endfor %}"
    _, counts = tokenize(with_template(shortened), pair_group("Why?", " sun", " a moon, a lamp", " moon"), chat="on")
    assert counts.drops == {CHANGED: 1}
    assert counts.pairs == 1
    for prompt, chosen in (("Why so long?", " sun"), ("Why?", " a moon, a lamp")):
        group = pair_group(prompt, chosen, " moon", " lamp")
        assert tokenize(with_template(shortened), group, chat="on")[1].drops == {CHANGED: 2}


def test_chat_unsupported_templates_raise() -> None:
    by_position = "{{ messages | length }}{% for message in messages %}{{ message.content }}{% endfor %}"
    with pytest.raises(UnsupportedModel, match="renders the prompt differently"):
        tokenize(with_template(by_position), pair_group("Why?", " sun", " moon"), chat="on")
    failing = with_template("{{ raise_exception('two turns only') }}")
    with pytest.raises(UnsupportedModel, match="two turns only"):
        tokenize(failing, pair_group("Why?", " sun", " moon"), chat="on")
    with pytest.raises(UsageError, match=r"^--chat on: the tokenizer of --model tiny has no chat template; use --chat"):
        PairTokenizer(byte_level(), "on", 64, model="tiny")


# ---------------------------------------------------------------- truncation and drops


def test_truncation_of_prompt_from_left() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    prompt, answers = "the sun shines " * 10 + "Why?", (" sun", " the moon", " lamp")
    full = tokens_of(tokenizer, prompt, *answers)
    longest = max(map(len, full.completions))
    for max_length in range(longest + 2, longest + len(full.prompt) + 2):
        tokens, counts = tokenize(tokenizer, pair_group(prompt, *answers), max_length=max_length)
        assert tokens is not None
        kept = min(len(full.prompt), max_length - longest)
        end = full.prompt[len(full.prompt) - kept + 1 :].tolist()
        assert tokens.prompt.tolist() == [tokenizer.bos_token_id, *end]
        assert [ids.tolist() for ids in tokens.completions] == [ids.tolist() for ids in full.completions]
        assert counts.truncated_prompts == (kept < len(full.prompt))


def test_truncation_never_shortens_completions() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    group = pair_group("Why so?", " the sun", " sun" * 9, " moon")
    longest = len(tokens_of(tokenizer, "Why so?", " the sun", " sun" * 9).completions[1])
    tokens, counts = tokenize(tokenizer, group, max_length=longest + 2)
    assert tokens is not None
    assert (counts.pairs, counts.drops) == (2, {})
    assert len(tokens.prompt) == 2
    tokens, counts = tokenize(tokenizer, group, max_length=longest + 1)
    assert tokens is not None
    assert tokens.pair_ids == ("k-1",)
    assert counts.drops == {LONG_REJECTED: 1}
    assert tokens.prompt.tolist() == tokenizer("Why so?")["input_ids"], "what is dropped cuts no prompt"
    assert tokens.edit.shape == (1, 2)
    tokens, counts = tokenize(tokenizer, pair_group("Why so?", " sun" * 9, " moon", " the"), max_length=longest + 1)
    assert tokens is None
    assert counts.drops == {LONG_CHOSEN: 2}


def test_truncation_keeps_bos_of_chat() -> None:
    tokenizer = CHATS["no EOS"]
    tokens = tokens_of(tokenizer, "the sun shines " * 10, " the sun", " moon", chat="on", max_length=20)
    assert tokens.prompt[0] == tokenizer.bos_token_id
    assert len(tokens.prompt) + max(map(len, tokens.completions)) == 20
    assert decoded(tokenizer, tokens.prompt).endswith("\nBOT:")


def test_empty_prompt_requires_bos() -> None:
    _, counts = tokenize(TOKENIZERS["byte-level without BOS"], pair_group("", " the sun", " moon"))
    assert counts.drops == {NO_PROMPT: 1}
    assert tokens_of(TOKENIZERS["byte-level"], "", " the sun", " moon").prompt.tolist() == [1]


def test_pairs_with_equal_tokens_dropped() -> None:
    _, counts = tokenize(TOKENIZERS["unigram"], pair_group("Why?", " the Ω", " the Ψ", " sun"))
    assert counts.drops == {SAME: 1}
    assert counts.pairs == 1


# ---------------------------------------------------------------- splits

PAIRS = [
    pair("\nSo 4 * 6 = 24.", "\nSo 4 * 6 = 22.", "c-1", "How many?"),
    pair(" the sun", " the moon", "a-1", "What shines?"),
    pair(" the sun", " a lamp", "a-2", "What shines?"),
    pair(" the sun", " 🦊🏽", "a-3", "What shines?"),
    pair(" ça", " là-bas", "b-1", "Où?"),
]


def test_cache_groups_across_batches_and_shards(tmp_path: Path) -> None:
    tokens = cached(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    assert [group.pair_ids for group in tokens.groups] == [("c-1",), ("a-1", "a-2", "a-3"), ("b-1",)]
    assert tokens.groups.pairs.tolist() == [1, 3, 1]
    assert tokens.drops == {}
    assert tokens.merged_boundaries == 2
    split = store.open_pairs(tmp_path / "pairs").splits["train"]
    for group, pairs in zip(tokens.groups, token_cache._pair_groups(split), strict=True):
        expected, _ = tokenize(TOKENIZERS["byte-level"], pairs)
        assert expected is not None
        assert plain(group) == plain(expected)


def test_group_table_unique_pair_ids(tmp_path: Path) -> None:
    (table,) = cached(tmp_path, PAIRS[1:], TOKENIZERS["byte-level"]).groups.tables
    both = GroupTable([table, table])
    assert [group.pair_ids for group in both][1:3] == [("0:b-1",), ("1:a-1", "1:a-2", "1:a-3")]
    assert both.pairs.tolist() == [3, 1, 3, 1]
    assert both.table_of(np.array([3, 0, 2])).tolist() == [1, 0, 1]
    assert [both.pair_ids(index) for index in range(4)] == [group.pair_ids for group in both]


def test_cache_groups_only_consecutive_pairs(tmp_path: Path) -> None:
    tokens = cached(tmp_path, [PAIRS[1], PAIRS[0], PAIRS[2]], TOKENIZERS["byte-level"])
    assert [group.pair_ids for group in tokens.groups] == [("a-1",), ("c-1",), ("a-2",)]


def test_cache_chunk_size_does_not_change_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = cached(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    monkeypatch.setattr(token_cache, "CHUNK", 1)
    for file in (tmp_path / "tokens").iterdir():
        file.unlink()
    reported: list[tuple[int, int]] = []
    apart = cached(tmp_path, PAIRS, TOKENIZERS["byte-level"], progress=lambda *counts: reported.append(counts))
    assert list(map(plain, apart.groups)) == list(map(plain, full.groups))
    assert reported[-1] == (5, 5)
    assert all(a[0] <= b[0] for a, b in pairwise(reported))


@pytest.mark.parametrize(("limit", "kept"), [(1, 1), (2, 4), (4, 4), (5, 5), (99, 5), (0, 5)])
def test_limit_takes_complete_groups(tmp_path: Path, limit: int, kept: int) -> None:
    tokens = cached(tmp_path, PAIRS, TOKENIZERS["byte-level"], limit=limit)
    assert tokens.groups.pairs.sum() == kept


def test_limit_counts_kept_pairs(tmp_path: Path) -> None:
    pairs = [pair(" the Ω", " the Ψ", f"s-{at}", "Why?") for at in range(4)] + PAIRS[1:]
    tokens = cached(tmp_path, pairs, TOKENIZERS["unigram"], limit=2)
    assert tokens.drops == {SAME: 4}
    assert tokens.groups.pairs.tolist() == [3]


def test_cache_raises_if_all_pairs_dropped(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"train: all 5 pairs were dropped: {LONG_CHOSEN}; raise it"):
        cached(tmp_path, PAIRS, TOKENIZERS["byte-level"], max_length=2)
    assert not list((tmp_path / "tokens").iterdir())
    with pytest.raises(TrainingError, match="train: the split is empty"):
        cached(tmp_path / "none", [], TOKENIZERS["byte-level"])


def test_pair_tokenizer_unsupported_tokenizers_raise(tmp_path: Path) -> None:
    class Slow:
        is_fast = False
        name_or_path = "some/model"

    with pytest.raises(UnsupportedModel, match="--model some/model: has no fast tokenizer"):
        cached(tmp_path, PAIRS, Slow())
    with pytest.raises(UnsupportedModel, match="no EOS token"):
        cached(tmp_path, PAIRS, byte_level(eos_token=None))


def as_other_columns(split: store.Split, change: Callable[[pa.Table], pa.Table]) -> None:
    for shard in split.shards:
        table = change(pa.ipc.open_stream(shard.read_bytes()).read_all())
        with pa.ipc.new_stream(str(shard), table.schema) as stream:
            stream.write_table(table)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["edit_start"]),
        lambda table: table.set_column(0, "prompt", pa.array([1] * len(table), pa.int32())),
        lambda table: table.set_column(0, "prompt", pa.array([None] * len(table), pa.string())),
    ],
    ids=["missing", "another type", "nulls"],
)
def test_cache_damaged_columns_raise(tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    split = make_folder(tmp_path / "pairs", {"train": PAIRS}).splits["train"]
    as_other_columns(split, change)
    with pytest.raises(InvalidDataset, match="build the dataset again"):
        cached(tmp_path, PAIRS, TOKENIZERS["byte-level"])


# ---------------------------------------------------------------- the cache


@pytest.fixture
def tokens(tmp_path: Path) -> CachedTokens:
    return cached(tmp_path, PAIRS, TOKENIZERS["byte-level"])


def fail(*_: object) -> list[TokenGroup]:
    raise AssertionError("tokenized again")


def test_cache_is_reused(tmp_path: Path, tokens: CachedTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairTokenizer, "tokenize", fail)
    again = cached(tmp_path, PAIRS, byte_level())
    assert list(map(plain, again.groups)) == list(map(plain, tokens.groups))
    assert (again.drops, again.hash, again.merged_boundaries) == (tokens.drops, tokens.hash, tokens.merged_boundaries)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("suffix", ["arrow", "json"])
@pytest.mark.parametrize(
    "damage",
    [truncate, flip_a_bit, Path.unlink, lambda file: file.write_bytes(b""), lambda file: file.write_text("[]")],
    ids=["short", "bit", "gone", "empty", "list"],
)
def test_cache_rewrites_damaged_files(
    tmp_path: Path, tokens: CachedTokens, suffix: str, damage: Callable[[Path], Any]
) -> None:
    (file,) = (tmp_path / "tokens").glob(f"*.{suffix}")
    before, expected = file.read_bytes(), list(map(plain, tokens.groups))
    copy = tmp_path / "copy"
    copy.write_bytes(before)
    damage(copy)
    if copy.exists():
        copy.replace(file)  # what is mapped stays as it was
    else:
        file.unlink()
    again = cached(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    assert list(map(plain, again.groups)) == expected
    assert file.read_bytes() == before


def test_cache_interrupted_write_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()
    tokenize_chunk = PairTokenizer.tokenize

    def interrupt(self: PairTokenizer, groups: list[PairGroup], counts: Counts) -> list[TokenGroup]:
        calls["chunks"] += 1
        if calls["chunks"] == 2:
            raise KeyboardInterrupt
        return tokenize_chunk(self, groups, counts)

    monkeypatch.setattr(token_cache, "CHUNK", 1)
    monkeypatch.setattr(PairTokenizer, "tokenize", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    assert not list((tmp_path / "tokens").iterdir())
    assert cached(tmp_path, PAIRS, TOKENIZERS["byte-level"]).groups.pairs.sum() == 5


def test_cache_file_depends_on_dataset_tokenizer_and_options(tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["byte-level"]
    kinds: list[tuple[Any, dict[str, Any]]] = [
        (tokenizer, {}),
        (tokenizer, {"max_length": 64}),
        (tokenizer, {"limit": 2}),
        (TOKENIZERS["byte-level without BOS"], {}),
        (byte_level(eos_token="<|im_end|>"), {}),
        (CHATS["no EOS"], {}),
        (sentence_piece(), {}),
    ]
    found = [cached(tmp_path, PAIRS, tokenizer, **options) for tokenizer, options in kinds]
    files = set((tmp_path / "tokens").glob("*.arrow"))
    assert len(files) == len(kinds)
    assert len({one.hash for one in found}) == len(kinds) - 1, "max_length=64 truncates nothing"
    cached(tmp_path, PAIRS, CHATS["no EOS"], chat="off")
    assert set((tmp_path / "tokens").glob("*.arrow")) == files, "a template that is not used changes nothing"
    assert cached(tmp_path / "other", PAIRS[1:], tokenizer).hash not in {one.hash for one in found}


def test_cache_hash_is_that_of_the_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template that renders the date gives other tokens tomorrow, under the same options."""
    tokenizer = byte_level()
    tokenizer.chat_template = "{{ strftime_now('%d %B %Y') }}\n" + WITHOUT_EOS

    def on(day: int, folder: str) -> CachedTokens:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> "Clock":
                return cls(2026, 11, day, tzinfo=tz)

        monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Clock)
        return cached(tmp_path / folder, PAIRS, tokenizer)

    today, tomorrow, again = on(3, "today"), on(4, "tomorrow"), on(3, "again")
    assert "03 November" in decoded(tokenizer, today.groups[0].prompt)
    assert today.hash == again.hash
    assert tomorrow.hash != today.hash
    resumed = on(4, "today")
    assert resumed.hash == today.hash, "the tokens of a run do not change at midnight"


def test_cache_keeps_messages(tmp_path: Path) -> None:
    messages = (Message("system", "Be brief."), Message("user", "Why?"))
    made = [
        pair(" a", " b", "m-1", plain_prompt(messages), messages=messages),
        pair(" c", " d", "m-2", "What?"),
    ]
    with_system, without = (
        decoded(CHATS["ChatML"], one.prompt) for one in cached(tmp_path, made, CHATS["ChatML"]).groups
    )
    assert "<|im_start|>system\nBe brief." in with_system
    assert "system" not in without


def test_cache_records_drops(tmp_path: Path) -> None:
    tokens = cached(tmp_path, [*PAIRS, pair(" a", " b" * 40, "l-1")], TOKENIZERS["byte-level"], max_length=30)
    (file,) = (tmp_path / "tokens").glob("*.json")
    about = json.loads(file.read_text())
    assert about["drops"] == tokens.drops == {LONG_REJECTED: 1}
    assert sorted(file.suffix for file in (tmp_path / "tokens").iterdir()) == [".arrow", ".json"]


def test_cache_unwritable_folder_raises(tmp_path: Path) -> None:
    pairs = make_folder(tmp_path / "pairs", {"train": PAIRS})
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        TokenCache(tmp_path / "file" / "tokens", PairTokenizer(TOKENIZERS["byte-level"])).tokenize(pairs, "train")
