"""Pairs as tokens: the laws every row obeys, the boundary, chat templates, truncation, what is dropped, the cache."""

import json
import os
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.rows import make_folder, pair
from helpers.small_tokenizers import KINDS, SPECIALS, byte_level, chat_without_eos, chatml, sentence_piece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models

from pairgen.errors import InvalidDataset, OutputError, TrainingError, UnsupportedModel, UsageError
from pairgen.pairs import dataset as store
from pairgen.pairs import edits
from pairgen.pairs.record import Pair
from pairgen.train.data import token_cache as tokens
from pairgen.train.data import tokenization as reading
from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.tokenization import BARE, CHANGED, LONG_CHOSEN, LONG_REJECTED, SAME, SPECIAL, Reader, Row, Run

TOKENIZERS = {name: make() for name, make in KINDS.items()}
CHATS = {"ChatML": chatml(), "no EOS": chat_without_eos()}


def run_of(prompt: str, chosen: str, *rejected: str) -> Run:
    spans = [edits.span(chosen, other) for other in rejected]
    keys = [f"k-{at}" for at in range(len(rejected))]
    return Run("g", prompt, chosen, list(rejected), keys, [(span.start, span.chosen_stop) for span in spans])


def read(tokenizer: Any, run: Run, chat: str = "off", max_length: int = 2048) -> tuple[Row | None, reading.Counts]:
    reader = Reader(tokenizer, chat, max_length)
    rows = reader.rows([run])
    return (rows[0] if rows else None), reader.counts


def row_of(tokenizer: Any, prompt: str, chosen: str, *rejected: str, **options: Any) -> Row:
    row, _ = read(tokenizer, run_of(prompt, chosen, *rejected), **options)
    assert row is not None
    return row


def tokenised(path: Path, pairs: list[Pair], tokenizer: Any, **options: Any) -> tokens.Tokenised:
    """A dataset of these pairs, made once per folder, as tokens."""
    dataset = (
        store.open_pairs(path / "pairs") if (path / "pairs").exists() else make_folder(path / "pairs", {"train": pairs})
    )
    return tokens.tokenise(dataset.splits["train"], tokenizer, path / "tokens", **{"dataset_hash": "d", **options})


def plain(group: TokenGroup) -> tuple[Any, ...]:
    """A group as lists, which compare."""
    ids = [completion.tolist() for completion in group.completions]
    return group.prompt.tolist(), ids, group.pair_ids, group.edit.tolist(), group.num_chars.tolist()


def encoded(tokenizer: Any, text: str) -> list[int]:
    """The text's tokens, no string in it special."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def decoded(tokenizer: Any, ids: Any) -> str:
    return str(tokenizer.backend_tokenizer.decode(list(map(int, ids)), skip_special_tokens=False))


def byte_count(tokenizer: Any, ids: Any) -> int:
    """Bytes that byte-level tokens stand for: one letter each."""
    return sum(map(len, tokenizer.convert_ids_to_tokens(list(map(int, ids)))))


# ---------------------------------------------------------------- laws

PIECES = [
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
TEXT = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
HOSTILE = st.lists(st.sampled_from([*PIECES, "</s>", "<s>", "<unk>", "<|im_end|>"]), max_size=8).map("".join)


def runs(text: st.SearchStrategy[str]) -> st.SearchStrategy[Run]:
    """A prompt, chosen, and one to three others; some share much with chosen."""

    def made(prompt: str, chosen: str, others: list[str], cut: int, part: str) -> Run:
        near = chosen[:cut] + part + chosen[cut + 1 :]
        rejected = [other for other in dict.fromkeys([near, *others]) if other != chosen]
        return run_of(prompt.rstrip(), chosen, *(rejected or [chosen + "."]))

    return st.builds(made, text, text, st.lists(text, max_size=2), st.integers(0, 12), st.sampled_from(PIECES))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=80, deadline=None)
@given(run=runs(HOSTILE))
def test_a_row_is_its_texts(name: str, run: Run) -> None:
    tokenizer = TOKENIZERS[name]
    row, counts = read(tokenizer, run)
    assert counts.pairs + sum(counts.drops.values()) == len(run.pair_ids)
    assert counts.pairs == (len(row.pair_ids) if row else 0)
    if row is None:
        return
    front = tokenizer("")["input_ids"]
    texts = [run.chosen, *(run.rejected[int(key[2:])] for key in row.pair_ids)]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    assert len(row.completions) == len(row.num_chars) == len(texts) == 1 + len(row.edit) // 2
    assert row.prompt.tolist()[: len(front)] == front
    assert len(row.prompt) >= 1
    own = encoded(tokenizer, run.prompt)
    for text, ids, characters in zip(texts, row.completions, row.num_chars, strict=True):
        whole = encoded(tokenizer, run.prompt + text)
        made = [*row.prompt.tolist()[len(front) :], *ids.tolist()]
        assert made[-1] == tokenizer.eos_token_id
        assert special.isdisjoint(made[:-1]), "BOS and EOS once, and no other special token"
        assert decoded(tokenizer, made[:-1]) == decoded(tokenizer, whole)
        assert characters == max(1, len(text.strip()))
        if whole[: len(own)] == own and row.prompt.tolist() == [*front, *own]:
            assert made[:-1] == whole, "tokens are what the model would see"
        if name.startswith("byte-level"):
            assert row.prompt.tolist() == [*front, *own], "the prompt is as when one asks"
            assert decoded(tokenizer, ids[:-1]) == text


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=80, deadline=None)
@given(run=runs(TEXT))
def test_an_edit_holds_all_that_differs(name: str, run: Run) -> None:
    tokenizer = TOKENIZERS[name]
    row, _ = read(tokenizer, run)
    if row is None:
        return
    chosen = row.completions[0].tolist()
    for at, (key, ids) in enumerate(zip(row.pair_ids, row.completions[1:], strict=True)):
        rejected = ids.tolist()
        start, stop = row.edit[2 * at : 2 * at + 2]
        behind = len(chosen) - stop
        assert 0 <= start <= stop <= len(chosen)
        assert start + behind <= len(rejected)
        assert chosen[:start] == rejected[:start]
        assert chosen[stop:] == rejected[len(rejected) - behind :]
        if name.startswith("byte-level"):
            first, last = (len(run.chosen[:at].encode()) for at in run.edits[int(key[2:])])
            assert byte_count(tokenizer, chosen[:start]) <= first
            assert byte_count(tokenizer, chosen[:stop]) >= last or start == stop
            text = run.rejected[int(key[2:])]
            after_edit = len(text[edits.span(run.chosen, text).rejected_stop :].encode())
            assert byte_count(tokenizer, rejected[len(rejected) - behind : -1]) <= after_edit or start == stop


@pytest.mark.parametrize("name", CHATS)
@settings(max_examples=60, deadline=None)
@given(run=runs(TEXT))
def test_a_chat_row_is_what_the_template_writes(name: str, run: Run) -> None:
    tokenizer = CHATS[name]
    row, counts = read(tokenizer, run, chat="on")
    assert counts.pairs + sum(counts.drops.values()) == len(run.pair_ids)
    if row is None:
        assert set(counts.drops) == {SAME}  # stripped of white space, they can be one text
        return
    question = {"role": "user", "content": run.prompt}
    for text, ids in zip(
        [run.chosen, *(run.rejected[int(key[2:])] for key in row.pair_ids)], row.completions, strict=True
    ):
        answer = {"role": "assistant", "content": text.strip()}
        written = tokenizer.apply_chat_template([question, answer], tokenize=False)
        ended = written.removesuffix("\n") if name == "ChatML" else written + "</s>"
        assert decoded(tokenizer, [*row.prompt, *ids]) == ended
        assert ids.tolist().count(tokenizer.eos_token_id) == 1
        assert [*row.prompt, *ids].count(tokenizer.convert_tokens_to_ids("<s>")) == (name == "no EOS")
    asked = tokenizer.apply_chat_template([question], tokenize=False, add_generation_prompt=True)
    assert decoded(tokenizer, row.prompt) == asked


# ---------------------------------------------------------------- the boundary


def test_the_first_token_of_the_answer_is_in_the_completion() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    row = row_of(tokenizer, "What shines?", " the sun", " the moon")
    assert tokenizer.convert_ids_to_tokens(row.completions[0]) == ["Ġthe", "Ġsun", "</s>"]
    assert row.prompt.tolist() == tokenizer("What shines?")["input_ids"]
    assert row.edit == [1, 2]
    assert row.num_chars == [7, 8]


def test_a_token_over_the_boundary_is_taken_apart() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    assert "?Ċ" in tokenizer.tokenize("Why?\nSo")
    row, counts = read(tokenizer, run_of("Why?", "\nSo the sun", "\nSo the moon", "the lamp"))
    assert row is not None
    assert row.prompt.tolist() == tokenizer("Why?")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(row.completions[0]) == ["Ċ", "So", "Ġthe", "Ġsun", "</s>"]
    assert row.edit[:2] == [3, 4]
    assert counts.merged_boundaries == 2


def test_an_edit_at_the_boundary_holds_the_part_taken_apart() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    row = row_of(tokenizer, "Why?", "\n\nSo the sun", " So the sun")
    assert row.edit[0] == 0
    assert decoded(tokenizer, row.completions[0][: row.edit[1]]).startswith("\n\n")


def test_where_nothing_can_be_taken_apart_all_completions_share_the_shorter_prompt() -> None:
    tokenizer = TOKENIZERS["unigram"]
    assert tokenizer.tokenize("the sun")[-1] == "▁sun"
    row, counts = read(tokenizer, run_of("the su", "n", " 2", "n."))
    assert row is not None
    assert counts.merged_boundaries >= 1
    assert tokenizer.convert_ids_to_tokens(row.prompt) == ["<s>", "▁the"]
    assert tokenizer.convert_ids_to_tokens(row.completions[0]) == ["▁sun", "</s>"]
    assert decoded(tokenizer, [*row.prompt[1:], *row.completions[1][:-1]]) == "the su 2"


def test_the_shared_prompt_ends_where_the_texts_part() -> None:
    tokenizer = sentence_piece()
    scores = {"▁": -3.0, "▁a": -2.0, "▁ab": -2.0, "bc": -1.0, "b": -9.0, "c": -9.0, "d": -1.0}
    specials = [("<unk>", 0.0), *((name, -99.0) for name in SPECIALS)]
    tokenizer.backend_tokenizer.model = models.Unigram([*specials, *scores.items()], 0)
    assert [tokenizer.tokenize(text) for text in ("abc", "abd")] == [["▁a", "bc"], ["▁ab", "d"]]
    row = row_of(tokenizer, "ab", "c", "d")
    assert len(row.prompt) == 1
    assert [decoded(tokenizer, ids[:-1]) for ids in row.completions] == ["abc", "abd"]


@pytest.mark.parametrize("name", KINDS)
def test_shots_are_part_of_the_prompt(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    shots = "\n\n".join(f"Question: How many apples are there?\nAnswer: {at} apples." for at in range(25))
    row = row_of(tokenizer, f"{shots}\n\nQuestion: Why?\nAnswer:", " the sun", " the moon")
    assert row.prompt.tolist() == [
        *tokenizer("")["input_ids"],
        *encoded(tokenizer, f"{shots}\n\nQuestion: Why?\nAnswer:"),
    ]
    assert len(row.prompt) > 250


def test_an_insertion_between_tokens_is_an_empty_edit() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    row = row_of(tokenizer, "Why?", " the sun", " the moon sun")
    assert row.edit == [1, 1]


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
    ids=["as is", "earlier", "inside a token", "part of a token", "over the boundary", "behind the boundary"],
)
def test_an_edit_spans_what_the_builder_says(
    prompt: str, chosen: str, rejected: str, span: tuple[int, int], edit: list[int]
) -> None:
    row, _ = read(TOKENIZERS["byte-level"], run_of(prompt, chosen, rejected)._replace(edits=[span]))
    assert row is not None
    assert row.edit == edit


def test_an_edit_is_found_where_the_template_puts_the_answer() -> None:
    tokenizer = CHATS["ChatML"]
    row, _ = read(tokenizer, run_of("Why?", " So sun.", " the sun.")._replace(edits=[(0, 3)]), chat="on")
    assert row is not None
    assert tokenizer.convert_ids_to_tokens(row.completions[0])[:2] == ["So", "Ġsun"]
    assert row.edit == [0, 1]


# ---------------------------------------------------------------- special tokens


def test_special_strings_are_plain_text() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    before = tokenizer("</s>")["input_ids"]
    row = row_of(tokenizer, "What is </s>?", " an end</s>", " a <|im_end|>")
    assert tokenizer.convert_ids_to_tokens(row.completions[0])[-1] == "</s>"
    assert row.completions[0].tolist().count(tokenizer.eos_token_id) == 1
    assert decoded(tokenizer, row.completions[1][:-1]) == " a <|im_end|>"
    assert tokenizer("</s>")["input_ids"] == before, "the tokenizer is left as it was"


def test_unigram_reads_special_strings_whatever_it_is_told() -> None:
    _, counts = read(TOKENIZERS["unigram"], run_of("What?", " the sun", " the</s>", " the moon"))
    assert counts.drops == {SPECIAL: 1}
    assert counts.pairs == 1
    row, counts = read(TOKENIZERS["unigram"], run_of("What</s>?", " the sun", " the", " the moon"))
    assert row is None
    assert counts.drops == {SPECIAL: 2}


def test_an_unknown_character_is_no_reason_to_drop() -> None:
    tokenizer = TOKENIZERS["unigram"]
    row = row_of(tokenizer, "What?", " the Ω", " the sun")
    assert tokenizer.unk_token_id in row.completions[0]


def test_a_chat_with_special_strings_in_it_is_dropped() -> None:
    for chosen, rejected, prompt, dropped in [
        (" sun", (" moon<|im_end|>", " lamp"), "Why?", 1),
        (" <|im_start|>sun", (" moon", " lamp"), "Why?", 2),
        (" sun", (" moon", " lamp"), "</s>?", 2),
    ]:
        _, counts = read(CHATS["ChatML"], run_of(prompt, chosen, *rejected), chat="on")
        assert counts.drops == {SPECIAL: dropped}
        assert counts.pairs == 2 - dropped


# ---------------------------------------------------------------- chat templates


def test_a_chat_ends_with_eos_and_not_behind_it() -> None:
    tokenizer = CHATS["ChatML"]
    row = row_of(tokenizer, "What shines?", " the sun\n", " the moon", chat="auto")
    prompt = "<|im_start|>user\nWhat shines?<|im_end|>\n<|im_start|>assistant\n"
    assert decoded(tokenizer, row.prompt) == prompt
    assert decoded(tokenizer, row.completions[0]) == "the sun<|im_end|>"
    assert decoded(tokenizer, row.completions[0][row.edit[0] : row.edit[1]]) == " sun"
    assert row.num_chars == [7, 8]


def test_chat_off_asks_without_the_template() -> None:
    row = row_of(CHATS["ChatML"], "What shines?", " the sun", " the moon", chat="off")
    assert decoded(CHATS["ChatML"], row.prompt) == "What shines?"


def with_template(template: str) -> Any:
    tokenizer = chatml()
    tokenizer.chat_template = template
    return tokenizer


def test_a_template_that_changes_a_text_drops_it() -> None:
    shortened = "{% for message in messages %}{{ message.content[:8] }}\n{% endfor %}"
    _, counts = read(with_template(shortened), run_of("Why?", " sun", " a moon, a lamp", " moon"), chat="on")
    assert counts.drops == {CHANGED: 1}
    assert counts.pairs == 1
    for run in (run_of("Why so long?", " sun", " moon", " lamp"), run_of("Why?", " a moon, a lamp", " moon", " lamp")):
        assert read(with_template(shortened), run, chat="on")[1].drops == {CHANGED: 2}


def test_templates_that_do_not_go_with_pairs() -> None:
    anew = "{{ messages | length }}{% for message in messages %}{{ message.content }}{% endfor %}"
    with pytest.raises(UnsupportedModel, match="anew"):
        read(with_template(anew), run_of("Why?", " sun", " moon"), chat="on")
    with pytest.raises(UnsupportedModel, match="two turns only"):
        read(with_template("{{ raise_exception('two turns only') }}"), run_of("Why?", " sun", " moon"), chat="on")
    with pytest.raises(UsageError, match="no chat template"):
        Reader(byte_level(), "on", 64)


# ---------------------------------------------------------------- truncation and drops


def test_a_long_prompt_is_cut_at_its_start() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    prompt, answers = "the sun shines " * 10 + "Why?", (" sun", " the moon", " lamp")
    whole = row_of(tokenizer, prompt, *answers)
    longest = max(map(len, whole.completions))
    for max_length in range(longest + 2, longest + len(whole.prompt) + 2):
        row, counts = read(tokenizer, run_of(prompt, *answers), max_length=max_length)
        assert row is not None
        kept = min(len(whole.prompt), max_length - longest)
        assert row.prompt.tolist() == [tokenizer.bos_token_id, *whole.prompt[len(whole.prompt) - kept + 1 :].tolist()]
        assert [ids.tolist() for ids in row.completions] == [ids.tolist() for ids in whole.completions]
        assert counts.cut_prompts == (kept < len(whole.prompt))


def test_completions_are_never_cut() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    run = run_of("Why so?", " the sun", " sun" * 9, " moon")
    room = len(row_of(tokenizer, "Why so?", " the sun", " sun" * 9).completions[1])
    row, counts = read(tokenizer, run, max_length=room + 2)
    assert row is not None
    assert (counts.pairs, counts.drops) == (2, {})
    assert len(row.prompt) == 2
    row, counts = read(tokenizer, run, max_length=room + 1)
    assert row is not None
    assert row.pair_ids == ["k-1"]
    assert counts.drops == {LONG_REJECTED: 1}
    assert row.prompt.tolist() == tokenizer("Why so?")["input_ids"], "what is dropped cuts no prompt"
    assert len(row.edit) == 2
    row, counts = read(tokenizer, run_of("Why so?", " sun" * 9, " moon", " the"), max_length=room + 1)
    assert row is None
    assert counts.drops == {LONG_CHOSEN: 2}


def test_a_cut_chat_keeps_its_bos() -> None:
    tokenizer = CHATS["no EOS"]
    row = row_of(tokenizer, "the sun shines " * 10, " the sun", " moon", chat="on", max_length=20)
    assert row.prompt[0] == tokenizer.bos_token_id
    assert len(row.prompt) + max(map(len, row.completions)) == 20
    assert decoded(tokenizer, row.prompt).endswith("\nBOT:")


def test_an_empty_prompt_needs_a_bos() -> None:
    _, counts = read(TOKENIZERS["byte-level without BOS"], run_of("", " the sun", " moon"))
    assert counts.drops == {BARE: 1}
    assert row_of(TOKENIZERS["byte-level"], "", " the sun", " moon").prompt.tolist() == [1]


def test_texts_of_the_same_tokens_are_no_pair() -> None:
    _, counts = read(TOKENIZERS["unigram"], run_of("Why?", " the Ω", " the Ψ", " sun"))
    assert counts.drops == {SAME: 1}
    assert counts.pairs == 1


# ---------------------------------------------------------------- whole splits

PAIRS = [
    pair("\nSo 4 * 6 = 24.", "\nSo 4 * 6 = 22.", "c-1", "How many?"),
    pair(" the sun", " the moon", "a-1", "What shines?"),
    pair(" the sun", " a lamp", "a-2", "What shines?"),
    pair(" the sun", " 🦊🏽", "a-3", "What shines?"),
    pair(" ça", " là-bas", "b-1", "Où?"),
]


def test_groups_cross_batches_and_shards(tmp_path: Path) -> None:
    made = tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"], prefix="x:")
    assert [group.pair_ids for group in made.groups] == [("x:c-1",), ("x:a-1", "x:a-2", "x:a-3"), ("x:b-1",)]
    assert made.groups.pairs.tolist() == [1, 3, 1]
    assert made.drops == {}
    assert made.merged_boundaries == 2
    for group, run in zip(made.groups, tokens._runs(store.open_pairs(tmp_path / "pairs").splits["train"]), strict=True):
        row, _ = read(TOKENIZERS["byte-level"], run)
        assert row is not None
        assert plain(group)[:2] == (row.prompt.tolist(), [ids.tolist() for ids in row.completions])
        assert plain(group)[3:] == (np.array(row.edit).reshape(-1, 2).tolist(), row.num_chars)


def test_pairs_that_stand_apart_are_groups_apart(tmp_path: Path) -> None:
    made = tokenised(tmp_path, [PAIRS[1], PAIRS[0], PAIRS[2]], TOKENIZERS["byte-level"])
    assert [group.pair_ids for group in made.groups] == [("a-1",), ("c-1",), ("a-2",)]


def test_the_size_of_a_chunk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    monkeypatch.setattr(tokens, "CHUNK", 1)
    for file in (tmp_path / "tokens").iterdir():
        file.unlink()
    told: list[tuple[int, int]] = []
    apart = tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"], progress=lambda *said: told.append(said))
    assert list(map(plain, apart.groups)) == list(map(plain, whole.groups))
    assert told[-1] == (5, 5)
    assert all(a[0] <= b[0] for a, b in pairwise(told))


@pytest.mark.parametrize(("limit", "kept"), [(1, 1), (2, 4), (4, 4), (5, 5), (99, 5), (0, 5), (None, 5)])
def test_a_limit_takes_whole_groups_from_the_front(tmp_path: Path, limit: int | None, kept: int) -> None:
    made = tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"], limit=limit)
    assert made.groups.pairs.sum() == kept


def test_a_limit_counts_pairs_that_are_kept(tmp_path: Path) -> None:
    pairs = [pair(" the Ω", " the Ψ", f"s-{at}", "Why?") for at in range(4)] + PAIRS[1:]
    made = tokenised(tmp_path, pairs, TOKENIZERS["unigram"], limit=2)
    assert made.drops == {SAME: 4}
    assert made.groups.pairs.tolist() == [3]


def test_no_pair_left(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=rf"train: no pair is left .*{LONG_CHOSEN}: 5.*raise --max-length"):
        tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"], max_length=2)
    assert not list((tmp_path / "tokens").iterdir())
    with pytest.raises(TrainingError, match="train: has no pairs"):
        tokenised(tmp_path / "none", [], TOKENIZERS["byte-level"])


def test_tokenizers_that_cannot_be_used(tmp_path: Path) -> None:
    class Slow:
        is_fast = False

    with pytest.raises(UnsupportedModel, match="no offsets"):
        tokenised(tmp_path, PAIRS, Slow())
    with pytest.raises(UnsupportedModel, match="no EOS"):
        tokenised(tmp_path, PAIRS, byte_level(eos_token=None))


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
def test_columns_that_are_not_pairs(tmp_path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    split = make_folder(tmp_path / "pairs", {"train": PAIRS}).splits["train"]
    as_other_columns(split, change)
    with pytest.raises(InvalidDataset, match="build the dataset again"):
        tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"])


# ---------------------------------------------------------------- the cache


@pytest.fixture
def made(tmp_path: Path) -> tokens.Tokenised:
    return tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"])


def no_rows(*_: object) -> list[Row]:
    raise AssertionError("tokenised again")


def test_a_second_call_reads_what_the_first_wrote(
    tmp_path: Path, made: tokens.Tokenised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "rows", no_rows)
    again = tokenised(tmp_path, PAIRS, byte_level())
    assert list(map(plain, again.groups)) == list(map(plain, made.groups))
    assert (again.drops, again.hash, again.merged_boundaries) == (made.drops, made.hash, made.merged_boundaries)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def turn_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("suffix", ["arrow", "json"])
@pytest.mark.parametrize(
    "damage",
    [cut_short, turn_a_bit, Path.unlink, lambda file: file.write_bytes(b""), lambda file: file.write_text("[]")],
    ids=["short", "bit", "gone", "empty", "list"],
)
def test_a_damaged_cache_is_made_again(
    tmp_path: Path, made: tokens.Tokenised, suffix: str, damage: Callable[[Path], Any]
) -> None:
    file = tmp_path / "tokens" / f"{made.hash}.{suffix}"
    before, expected = file.read_bytes(), list(map(plain, made.groups))
    copy = tmp_path / "copy"
    copy.write_bytes(before)
    damage(copy)
    if copy.exists():
        copy.replace(file)  # what is mapped stays as it was
    else:
        file.unlink()
    again = tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    assert list(map(plain, again.groups)) == expected
    assert file.read_bytes() == before


def test_what_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Counter[str]()
    rows = Reader.rows

    def broken_off(self: Reader, chunk: list[Run]) -> list[Row]:
        calls["rows"] += 1
        if calls["rows"] == 2:
            raise KeyboardInterrupt
        return rows(self, chunk)

    monkeypatch.setattr(tokens, "CHUNK", 1)
    monkeypatch.setattr(Reader, "rows", broken_off)
    with pytest.raises(KeyboardInterrupt):
        tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    assert not list((tmp_path / "tokens").iterdir())
    assert tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"]).groups.pairs.sum() == 5


def test_what_a_killed_call_left_is_swept(tmp_path: Path) -> None:
    old, young = (tmp_path / "tokens" / name for name in (".tokens-old", ".tokens-young"))
    old.mkdir(parents=True)
    young.mkdir()
    os.utime(old, (0, 0))
    tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level"])
    assert not old.exists()
    assert young.exists()


def test_equal_hashes_are_equal_tokens(tmp_path: Path, made: tokens.Tokenised) -> None:
    tokenizer = TOKENIZERS["byte-level"]
    hashes = [
        made.hash,
        tokenised(tmp_path, PAIRS, tokenizer, dataset_hash="e").hash,
        tokenised(tmp_path, PAIRS, tokenizer, prefix="p").hash,
        tokenised(tmp_path, PAIRS, tokenizer, max_length=64).hash,
        tokenised(tmp_path, PAIRS, tokenizer, limit=2).hash,
        tokenised(tmp_path, PAIRS, TOKENIZERS["byte-level without BOS"]).hash,
        tokenised(tmp_path, PAIRS, byte_level(eos_token="<|im_end|>")).hash,
        tokenised(tmp_path, PAIRS, CHATS["no EOS"]).hash,
        tokenised(tmp_path, PAIRS, sentence_piece()).hash,
    ]
    assert len(set(hashes)) == len(hashes)
    same = tokenised(tmp_path, PAIRS, CHATS["no EOS"], chat="off")
    assert same.hash == made.hash, "a template that is not used changes nothing"


def test_the_files_say_what_was_dropped(tmp_path: Path) -> None:
    made = tokenised(tmp_path, [*PAIRS, pair(" a", " b" * 40, "l-1")], TOKENIZERS["byte-level"], max_length=30)
    about = json.loads((tmp_path / "tokens" / f"{made.hash}.json").read_text())
    assert about["drops"] == made.drops == {LONG_REJECTED: 1}
    assert sorted(file.suffix for file in (tmp_path / "tokens").iterdir()) == [".arrow", ".json"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    split = make_folder(tmp_path / "pairs", {"train": PAIRS}).splits["train"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        tokens.tokenise(split, TOKENIZERS["byte-level"], tmp_path / "file" / "tokens", dataset_hash="d")
