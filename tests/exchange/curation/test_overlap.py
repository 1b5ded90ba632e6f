"""Overlaps of texts with questions, against twins on plain lists of words."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.exchange.curation.curation_options import Form
from pairgen.exchange.curation.overlap import MAX_NUMBERS, MIN_MASKED_WORDS, Index, Words, is_number

WORDS = ["a", "b", "ça", "have", "two", "7", "1,500", "x", "$3.50", "Twenty-five"]
texts = st.lists(st.sampled_from(WORDS), max_size=16).map(" ".join)
QUESTION_MARK = st.sampled_from(["", "?", " !"])


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def masked_words(words: Sequence[str]) -> list[str]:
    """Each run of numbers as one mark."""
    masked: list[str] = []
    for word in words:
        if not is_number(word):
            masked.append(word)
        elif masked[-1:] != ["#"]:
            masked.append("#")
    return masked


def sequences(words: Sequence[str], length: int) -> set[tuple[str, ...]]:
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


def contains(words: Sequence[str], part: Sequence[str]) -> bool:
    return any(list(words[at : at + len(part)]) == list(part) for at in range(len(words) - len(part) + 1))


def lines_of(text: str) -> list[str]:
    return [text, *(re.sub(r"^\s*\w+:\s", "", line) for line in text.split("\n"))]


def slow_form(text: str, question: str, length: int) -> Form:
    """The strictest form in which a text overlaps with a question."""
    words, asked = words_of(text), words_of(question)
    if len(asked) >= length and contains(words, asked):
        return Form.QUESTION
    if 0 < len(asked) < length and any(words_of(line) == asked for line in lines_of(text)):
        return Form.QUESTION
    if sequences(words, length) & sequences(asked, length):
        return Form.NGRAM
    masked, masked_asked = masked_words(words), masked_words(asked)
    telling = {part for part in sequences(masked_asked, length) if part.count("#") <= length // MAX_NUMBERS}
    if sequences(masked, length) & telling:
        return Form.MASKED
    if MIN_MASKED_WORDS <= len(masked_asked) < length and any(
        masked_words(words_of(line)) == masked_asked for line in lines_of(text)
    ):
        return Form.MASKED
    return Form.NONE


@st.composite
def questions_and_texts(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Questions, and texts of several lines, some of which are questions, shortened or with a label."""
    questions = draw(st.lists(st.builds("".join, st.tuples(texts, QUESTION_MARK)), min_size=1, max_size=4))
    asked = st.sampled_from(questions)
    line = st.one_of(texts, asked, asked.map("Question: {}".format), asked.map(lambda text: text[: len(text) // 2]))
    return questions, draw(st.lists(st.lists(line, min_size=1, max_size=3).map("\n".join), min_size=1, max_size=4))


@given(made=questions_and_texts(), length=st.sampled_from([2, 3, 5, 13]))
@settings(deadline=None, max_examples=300)
def test_index_finds_what_plain_sets_of_words_find(made: tuple[list[str], list[str]], length: int) -> None:
    questions, prompts = made
    found = Index(questions, length).find(pa.array(prompts, pa.string()))
    for prompt, form, question in zip(prompts, found.form, found.question, strict=True):
        forms = [slow_form(prompt, one, length) for one in questions]
        assert form == max(forms)
        assert (question == -1) == (form == Form.NONE)
        if form:
            assert forms[question] == form


@given(made=st.lists(texts, max_size=5))
@settings(deadline=None)
def test_words_are_hashed_in_order(made: list[str]) -> None:
    words = Words.of(pa.array(made, pa.string()))
    for index, text in enumerate(made):
        expected = [xxhash.xxh3_64_intdigest(word.encode()) for word in words_of(text)]
        assert words.hashes[words.offsets[index] : words.offsets[index + 1]].tolist() == expected
    assert len(set(words.whole().tolist())) == len({tuple(words_of(text)) for text in made})


@given(made=st.lists(texts, max_size=5), length=st.integers(1, 4))
@settings(deadline=None)
def test_equal_sequences_have_equal_hashes_and_others_do_not(made: list[str], length: int) -> None:
    words = Words.of(pa.array(made, pa.string()))
    hashes, starts = words.sequences(length)
    expected = [
        tuple(words_of(text)[at : at + length]) for text in made for at in range(len(words_of(text)) - length + 1)
    ]
    assert len(hashes) == len(expected)
    assert len(set(zip(hashes.tolist(), expected, strict=True))) == len(set(expected)) == len(set(hashes.tolist()))
    assert np.all(words.text_of(starts) == [i for i, text in enumerate(made) for _ in sequences_at(text, length)])


def sequences_at(text: str, length: int) -> range:
    return range(len(words_of(text)) - length + 1)


def test_a_slice_of_an_array_has_its_own_words() -> None:
    prompts = pa.array(["one two", "three four five", "six"])
    assert Words.of(prompts.slice(1)).offsets.tolist() == [0, 3, 4]


QUESTION = "Ann has twenty-five jars, buys 1,500 more and gives 3 to each of her friends. How many jars are left?"


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        (f"Solve this.\n\n{QUESTION.upper()}\n\nThink step by step.", Form.QUESTION),
        (f"Question: Why?\nAnswer: So.\n\nQuestion: {QUESTION}\nAnswer:", Form.QUESTION),
        (QUESTION.partition(",")[0] + ". How many has she?", Form.NONE),
        (QUESTION.replace("left", "full"), Form.NGRAM),
        (QUESTION.replace("1,500", "2").replace("twenty-five", "8").replace("3", "three hundred"), Form.MASKED),
        (QUESTION.replace("1,500", "x") + " If the answer is 7, what is the value of x?", Form.NGRAM),
        (QUESTION.replace("3", "x").replace("1,500", "9"), Form.MASKED),
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14", Form.NONE),
        ("", Form.NONE),
        ("?!", Form.NONE),
    ],
)
def test_rewritten_questions(prompt: str, form: Form) -> None:
    assert Index([QUESTION], 13).find(pa.array([prompt])).form.tolist() == [form]


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        ("What is water?", Form.QUESTION),
        ("Question: what is  WATER\nAnswer:", Form.QUESTION),
        ("What is water made of?", Form.NONE),
    ],
)
def test_a_short_question_has_to_be_a_line_of_its_own(prompt: str, form: Form) -> None:
    assert Index(["", "What is water?"], 13).find(pa.array([prompt])).form.tolist() == [form]


def test_lists_of_numbers_are_no_overlap() -> None:
    question = "He rolls a 1, a 3, a 2, a 4, a 3, a 5, a 3, a 4, a 4 and a 2. What is next?"
    assert Index([question], 13).find(pa.array(["If a 7 a 6 a 9 a 1 a 2 a 8 a 8 a 8 a 1"])).form.tolist() == [Form.NONE]
