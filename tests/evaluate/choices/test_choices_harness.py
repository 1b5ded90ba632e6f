"""Choices through token trees have the log-probs and predictions of lm-evaluation-harness, to the last question."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.families import small_config, spread_model
from helpers.harness_choices import (
    TASK,
    assert_equal,
    harness_likelihoods,
    harness_lm,
    harness_predictions,
    instances,
    run_task,
)
from helpers.small_tokenizers import KINDS, byte_level
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen.errors import UnsupportedModel, UsageError
from pairgen.evaluate.choices import Question, score_choices
from pairgen.evaluate.choices import likelihoods as likelihoods_module
from pairgen.evaluate.choices.encoding import TokenPair, encode_pairs
from pairgen.evaluate.choices.for_harness import loglikelihoods
from pairgen.evaluate.choices.likelihoods import Likelihoods

SHOTS = "Question: What shines?\nAnswer: the sun\n\nQuestion: How many jars?\nAnswer: 24 jars, and 13 are red\n\n"
MADE_UP = [
    Question("Question: What shines?\nAnswer:", ("the sun", "the moon", "a lamp", "Because"), 0),
    Question("Question: How many apples are there?\nAnswer:", ("12", "13", "24"), 0),
    Question("Question: How many?\nAnswer:", ("12", "12", "13", "12"), 1),  # equal choices: the first one counts
    Question("What shines?", ("the sun", "the sun ", " the sun", "the sun, the moon, a lamp!"), 2),
    Question("What shines? ", ("a", "the moon"), 0),  # the space goes to the choice
    Question("Why?\n", ("Because", "So"), 0, ""),
    Question("Why?", (" ", "\n", "  ", "\t", "So"), 4),  # choices of white space
    Question("Why?", ("", "So"), 1),  # a choice without a character is never the best per character
    Question("", ("the sun", "24"), 0),
    Question("Why?", ("only one",), 0),
    Question("Où? ça, là-bas;", ("🦊🏽", "🐻🏽 say: «oui»", "oui"), 1),
    Question(SHOTS + "Question: Why?\nAnswer:", ("the sun shines", "the sun", "red"), 0),
    Question(SHOTS + "Question: What is red?\nAnswer:", ("jars", "apples", "the moon"), 0),
    Question(SHOTS * 3 + "Why?", ("So 4 * 6 = 24, and 24 + 3 = 27 in all.", "So", "Because the sun shines."), 0),
    Question("What shines?", ("the moon", "the sun"), 1),  # the same context again
]


@cache
def _model(kind: str = "byte-level", family: str = "llama", **changes: Any) -> tuple[Any, Any]:
    tokenizer = KINDS[kind]()
    return spread_model(small_config(family, vocab_size=len(tokenizer), **changes)), tokenizer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_equal_to_the_harness(kind: str, batch_size: int) -> None:
    model, tokenizer = _model(kind)
    questions = [question for question in MADE_UP if "" not in question.choices or kind == "byte-level"]
    assert_equal(score_choices(model, tokenizer, questions), harness_lm(model, tokenizer, batch_size), questions)


@pytest.mark.parametrize("family", ["gpt2", "gemma2", "gemma3_text", "mistral", "mixtral"])
def test_equal_for_other_families(family: str) -> None:
    """Learned positions, soft caps, sliding windows, experts."""
    changes = {"sliding_window": 8} if family in ("gemma2", "gemma3_text", "mistral") else {}
    model, tokenizer = _model(family=family, **changes)
    assert_equal(score_choices(model, tokenizer, MADE_UP), harness_lm(model, tokenizer), MADE_UP)


def test_a_model_without_support_for_trees_is_scored_in_plain_passes() -> None:
    model, tokenizer = _model(family="mamba")
    questions = MADE_UP[:4]
    lm = harness_lm(model, tokenizer)
    assert_equal(score_choices(model, tokenizer, questions), lm, questions)
    with pytest.raises(UnsupportedModel):
        loglikelihoods(lm, instances(questions))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("length", [26, 60, 61, 62])
def test_long_contexts_are_truncated_as_in_the_harness(family: str, length: int) -> None:
    """With learned positions, there is none for a token too many."""
    names = {"gpt2": "n_positions"}
    model, tokenizer = _model(family=family, **{names.get(family, "max_position_embeddings"): length})
    choices = tuple(text for question in MADE_UP[:3] for text in question.choices)
    questions = [Question(SHOTS[-cut:] + "Why?", choices, 0) for cut in (4, 40, 90, 300)]
    lm = harness_lm(model, tokenizer)
    assert lm.max_length == length
    assert_equal(score_choices(model, tokenizer, questions), lm, questions)


def test_a_context_of_exactly_the_models_length() -> None:
    """Sequences of one token less, as many, and one more than the model has positions for."""
    model, tokenizer = _model(family="gpt2", n_positions=32)
    lm = harness_lm(model, tokenizer)
    question = Question(SHOTS, ("the sun", "24 jars", "12"), 0)
    lengths = set()
    for cut in range(len(SHOTS)):
        one = Question(SHOTS[cut:], question.choices, 0)
        lengths |= {sum(map(len, pair)) for pair in encode_pairs(tokenizer, one.requests)}
        if cut % 8 == 0:
            assert_equal(score_choices(model, tokenizer, [one]), lm, [one])
    assert {31, 32, 33, 34} <= lengths


words = st.sampled_from(["the", "sun", "moon", "lamp", "12", "24", "Why", "So"])
sentences = st.lists(words, min_size=1, max_size=5).map(" ".join)


@st.composite
def question_lists(draw: st.DrawFn) -> list[Question]:
    """Few words, so that contexts, choices and their beginnings are often equal."""
    found = []
    for _ in range(draw(st.integers(1, 5))):
        choices = tuple(draw(st.lists(sentences, min_size=1, max_size=5)))
        context = (
            draw(st.sampled_from(["", SHOTS, SHOTS[:60]])) + draw(sentences) + draw(st.sampled_from(["", " ", ":\n"]))
        )
        found.append(Question(context, choices, draw(st.integers(0, len(choices) - 1))))
    return found


@given(question_lists())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_equal_for_any_questions(questions: list[Question]) -> None:
    model, tokenizer = _model()
    assert_equal(score_choices(model, tokenizer, questions), _lm(logits_cache=False), questions)


@cache
def _lm(**options: Any) -> Any:
    return harness_lm(*_model(), **options)


def test_a_text_that_two_questions_divide_differently() -> None:
    """The harness keeps logits for texts that are equal but for their last token, and takes those of the wrong token if
    these are divided elsewhere into context and choice. Log-probs here are those that it computes without its cache.
    """
    model, tokenizer = _model()
    questions = [Question("the", ("the the",), 0), Question("the the", ("the",), 0)]
    assert_equal(score_choices(model, tokenizer, questions), _lm(logits_cache=False), questions)
    cached = harness_likelihoods(_lm(), questions)
    assert any(not np.isclose(*logps) for logps in zip(_logps(cached), _logps(_separately(questions)), strict=True))


def _separately(questions: list[Question]) -> list[list[tuple[float, bool]]]:
    return [likelihoods for question in questions for likelihoods in harness_likelihoods(_lm(), [question])]


def _logps(likelihoods: list[list[tuple[float, bool]]]) -> list[float]:
    return [logp for question in likelihoods for logp, _ in question]


@pytest.mark.slow
def test_a_complete_run_of_the_harness(tmp_path: Path) -> None:
    """Its own metrics and samples; and the same run with its requests answered through trees."""
    model, tokenizer = _model()
    questions = [question for question in MADE_UP if question.delimiter == " " and "" not in question.choices]
    lm = harness_lm(model, tokenizer)
    theirs = run_task(lm, questions, tmp_path)
    scored = score_choices(model, tokenizer, questions)
    for metric in ("acc", "acc_norm"):
        values = [getattr(one, metric) for one in scored]
        assert theirs["results"][TASK][f"{metric},none"] == np.mean(values)
        assert [sample[metric] for sample in theirs["samples"][TASK]] == values

    lm.loglikelihood = lambda requests, **_: loglikelihoods(lm, requests)
    (tmp_path / "trees").mkdir()
    ours = run_task(lm, questions, tmp_path / "trees")
    assert ours["results"] == theirs["results"]
    for mine, other in zip(ours["samples"][TASK], theirs["samples"][TASK], strict=True):
        for name in ("doc_hash", "prompt_hash", "target_hash", "acc", "acc_norm", "arguments"):
            assert mine[name] == other[name]
        assert np.allclose(np.array(mine["filtered_resps"]), np.array(other["filtered_resps"]), atol=1e-4)


def test_requests_of_several_tasks_in_any_order() -> None:
    model, tokenizer = _model()
    lm = harness_lm(model, tokenizer)
    requests = instances(MADE_UP) + instances(MADE_UP[::-1])
    random.Random(0).shuffle(requests)
    theirs = lm.loglikelihood(requests, disable_tqdm=True)
    ours = loglikelihoods(lm, requests)
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    assert np.allclose([logp for logp, _ in ours], [logp for logp, _ in theirs], atol=1e-4)


def test_close_choices_are_scored_as_the_harness_scores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where trees could be off by more than the gap, plain passes decide."""
    model, tokenizer = _model()
    questions = [question for question in MADE_UP if len(set(question.choices)) > 1]
    draw = random.Random(1)
    exact = Likelihoods._scored

    def off(self: Likelihoods, groups: Any) -> Any:
        found = exact(self, groups)
        return {pair: one._replace(logp=one.logp + draw.uniform(-20, 20)) for pair, one in found.items()}

    def off_by_20(self: Likelihoods, _: Any) -> str:
        self._reason, self.tolerance = "", 20.0
        return ""

    monkeypatch.setattr(Likelihoods, "_scored", off)
    monkeypatch.setattr(Likelihoods, "check", off_by_20)
    lm = harness_lm(model, tokenizer, 1, logits_cache=False)
    recomputed = 0
    for question, ours, theirs in zip(
        questions, score_choices(model, tokenizer, questions), harness_likelihoods(lm, questions), strict=True
    ):
        assert (ours.prediction, ours.prediction_norm) == harness_predictions(theirs, question)
        recomputed += ours.logps == tuple(logp for logp, _ in theirs)
    assert recomputed > len(questions) // 2


def test_choices_of_equal_tokens_are_no_reason_to_score_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = _model()
    monkeypatch.setattr(Likelihoods, "plain", None)
    (found,) = score_choices(model, tokenizer, [Question("How many?", ("12", "the sun shines", "12"), 2)])
    assert found.logps[0] == found.logps[2]
    assert found.prediction in (0, 1)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One tree for each context, or several, or parts of the continuations of one."""
    model, tokenizer = _model()
    pairs = encode_pairs(tokenizer, [request for question in MADE_UP for request in question.requests])
    whole = Likelihoods(model, 256).score(pairs)
    sizes = []
    for tokens in (1, 40, 300):
        monkeypatch.setattr(likelihoods_module, "BATCH_TOKENS", tokens)
        batches = list(likelihoods_module._batches(likelihoods_module._grouped(pairs)))
        sizes.append(len(batches))
        assert {pair for batch in batches for _, members in batch for pair in members} == set(pairs)
        assert sum(len(members) for batch in batches for _, members in batch) == len(set(pairs))
        parts = Likelihoods(model, 256).score(pairs)
        assert np.allclose([one.logp for one in parts], [one.logp for one in whole], atol=1e-4)
        assert [one.greedy for one in parts] == [one.greedy for one in whole]
    assert sizes[0] == len(set(pairs)) > sizes[1] > sizes[2]


def test_batches_that_do_not_fit_the_memory_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = _model()
    pairs = encode_pairs(tokenizer, [request for question in MADE_UP for request in question.requests])
    whole = Likelihoods(model, 256).score(pairs)
    exact, sizes, most = Likelihoods._scored, [], 3

    def small(self: Likelihoods, groups: Any) -> Any:
        size = sum(len(members) for _, members in groups)
        if size > most:
            raise torch.OutOfMemoryError
        sizes.append(size)
        return exact(self, groups)

    monkeypatch.setattr(Likelihoods, "_scored", small)
    parts = Likelihoods(model, 256).score(pairs)
    assert np.allclose([one.logp for one in parts], [one.logp for one in whole], atol=1e-4)
    assert sum(sizes) == len(set(pairs))
    most = 0
    with pytest.raises(torch.OutOfMemoryError):
        Likelihoods(model, 256).score(pairs)


def test_the_model_is_left_as_it_was() -> None:
    model, tokenizer = _model()
    model.train()
    before = model.config._attn_implementation
    score_choices(model, tokenizer, MADE_UP[:3])
    assert model.training
    assert model.config._attn_implementation == before
    model.eval()


def test_dropout_is_off_while_scoring() -> None:
    tokenizer = byte_level()
    model = spread_model(small_config("llama", vocab_size=len(tokenizer), attention_dropout=0.5)).train()
    scored = score_choices(model, tokenizer, MADE_UP[:5])
    assert_equal(scored, harness_lm(model, tokenizer), MADE_UP[:5])


def test_progress_counts_distinct_continuations() -> None:
    model, tokenizer = _model()
    calls: list[tuple[int, int]] = []
    score_choices(model, tokenizer, MADE_UP[:3], progress=lambda *call: calls.append(call))
    assert calls[-1] == (9, 9)  # of 11 choices, one is there three times


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question("Why?", (), 0), "question 2: its answer is choice 0, and it has 0 choices"),
        (Question("Why?", ("So",), 1), "question 2: its answer is choice 1, and it has 1 choices"),
        (Question("Why?", ("So", ""), 0, ""), "the choice '' has no tokens"),
        (Question("Why?", ("So", "the sun " * 300), 0), "a choice has .* the model's context only 256"),
    ],
)
def test_errors(question: Question, message: str) -> None:
    model, tokenizer = _model()
    with pytest.raises(UsageError, match=message):
        score_choices(model, tokenizer, [MADE_UP[0], question])


def test_no_questions() -> None:
    assert score_choices(*_model(), []) == []


def test_plain_passes_are_those_of_the_harness_bitwise() -> None:
    model, tokenizer = _model()
    likelihoods = Likelihoods(model, 256)
    for question in MADE_UP:
        for (context, continuation), request in zip(
            encode_pairs(tokenizer, question.requests), instances([question]), strict=True
        ):
            (theirs,) = _lm().loglikelihood([request], disable_tqdm=True)
            assert tuple(likelihoods.plain(TokenPair(context, continuation))) == theirs
    assert torch.is_grad_enabled()
