"""Answers to questions in FastChat's layout."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny_runs
from helpers.small_tokenizers import chatml
from typer.testing import Result

from pairgen.errors import SourceError, UnsupportedModel, UsageError
from pairgen.evaluate import answers
from pairgen.evaluate.language_model import Loaded
from pairgen.evaluate.options import EvaluationOptions
from pairgen.train.model.tiny import tiny_model

QUESTIONS: list[dict[str, Any]] = [
    {"question_id": 7, "category": "writing", "turns": ["Write a line about a lamp.", "Make it shorter."]},
    {"question_id": 8, "category": "math", "turns": ["What is 3 * 4?"], "reference": ["12"]},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return tiny_runs.start_model(tiny_runs.dataset(folder / "pairs"), folder / "m")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "question.jsonl"
    file.write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS), "utf-8")
    return file


def answer(run: Callable[..., Result], model: Path, questions: Path, out: Path, *more: object) -> list[dict[str, Any]]:
    arguments = ("--generate", "mt_bench", "--questions", questions, "--out", out, "--max-new-tokens", 6, "--json")
    result = run("eval", model, *arguments, *more)
    assert result.exit_code == 0, result.output
    file = Path(json.loads(result.stdout)["file"])
    assert file.parent == out / "model_answer"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_answers_are_in_fastchats_layout(
    run: Callable[..., Result], model: Path, questions: Path, tmp_path: Path
) -> None:
    found = answer(run, model, questions, tmp_path / "a")
    assert [set(one) for one in found] == [{"question_id", "answer_id", "model_id", "choices", "tstamp"}] * 2
    assert [one["question_id"] for one in found] == [7, 8]
    assert [len(one["choices"][0]["turns"]) for one in found] == [2, 1]
    assert {one["choices"][0]["index"] for one in found} == {0}
    again = answer(run, model, questions, tmp_path / "b")
    assert [{**one, "tstamp": 0} for one in again] == [{**one, "tstamp": 0} for one in found]  # greedy, and equal ids
    assert len({one["answer_id"] for one in found}) == 2


def test_sampling_depends_on_the_seed_and_the_category(
    run: Callable[..., Result], model: Path, questions: Path, tmp_path: Path
) -> None:
    runs = [answer(run, model, questions, tmp_path / str(seed), "--sample", "--seed", seed) for seed in (1, 1, 2)]
    texts = [[one["choices"][0]["turns"] for one in found] for found in runs]
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[2][0]  # writing, at temperature 0.7
    assert texts[0][1] == texts[2][1]  # maths, greedily
    assert runs[0][1]["answer_id"] != runs[2][1]["answer_id"]


def test_greedy_answers_are_those_of_a_plain_loop(model: Path) -> None:
    """Token by token, with the whole conversation so far as the prompt."""
    from pairgen.evaluate.language_model import load

    loaded = load(str(model), EvaluationOptions())
    turns = ["What is 3 * 4?", "And 5 * 6?"]
    found, truncated = answers.converse(loaded, turns, 0.0, 5)
    assert not truncated
    text = answers.SYSTEM
    for turn, given in zip(turns, found, strict=True):
        text += f"\n### Human: {turn}\n### Assistant:"
        ids = loaded.tokenizer(text)["input_ids"]
        start = len(ids)
        for _ in range(5):
            with torch.no_grad():
                ids.append(int(loaded.model(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == loaded.tokenizer.eos_token_id:
                break
        said = loaded.tokenizer.decode(ids[start:], skip_special_tokens=True).partition("\n### ")[0].strip()
        assert given == said
        text += f" {said}"


def chat_model(monkeypatch: pytest.MonkeyPatch, template: str | None = None) -> tuple[Loaded, list[str]]:
    """A model with a chat template, and the prompts that it is given."""
    tokenizer = chatml()
    tokenizer.chat_template = template or tokenizer.chat_template
    prompts: list[str] = []
    real = answers._generated

    def generated(loaded: Loaded, ids: list[int], *how: Any) -> str:
        prompts.append(tokenizer.decode(ids))
        real(loaded, ids, *how)
        return f"answer {len(prompts)}"

    monkeypatch.setattr(answers, "_generated", generated)
    return Loaded("m", tiny_model(tokenizer, 0), tokenizer, True, None), prompts


def test_every_turn_follows_the_answers_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, prompts = chat_model(monkeypatch)
    found, _ = answers.converse(loaded, ["How many jars?", "Why?"], 0.0, 3)
    assert found == ["answer 1", "answer 2"]
    first = "<|im_start|>user\nHow many jars?<|im_end|>\n<|im_start|>assistant\n"
    assert prompts == [first, first + "answer 1<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"]


def test_a_template_without_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, _ = chat_model(monkeypatch, "{{ raise_exception('one turn only') }}")
    with pytest.raises(UnsupportedModel, match=r"chat template fails \(one turn only\); use --chat off"):
        answers.converse(loaded, ["How?"], 0.0, 3)


def test_long_conversations_are_truncated(model: Path) -> None:
    from pairgen.evaluate.language_model import load

    loaded = load(str(model), EvaluationOptions())
    assert answers.converse(loaded, ["How? " * 4000], 0.0, 2)[1]
    with pytest.raises(UsageError, match="--max-new-tokens: more than the model's context"):
        answers.converse(loaded, ["How?"], 0.0, 4096)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"question_id": 1}', "turns"),
        ('{"question_id": 1, "turns": "How?"}', "line 2: turns must be a list"),
        ('{"question_id": 1, "turns": []}', "line 2: turns must be a list"),
        ('{"question_id": null, "turns": ["How?"]}', "line 2: has no question_id"),
        ('{"question_id": 7, "turns": ["How?"]}', "line 2: question_id 7 occurs twice"),
        ("{]", "line 2: "),
    ],
)
def test_questions_in_another_layout(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "question.jsonl"
    file.write_text(json.dumps(QUESTIONS[0]) + "\n" + line + "\n", "utf-8")
    with pytest.raises(SourceError, match=words):
        answers.read_questions(file)


def test_what_generate_needs(run: Callable[..., Result], model: Path, questions: Path, tmp_path: Path) -> None:
    arguments = ("--generate", "mt_bench", "--questions")
    assert "missing --out" in run("eval", model, *arguments, questions).stderr
    assert "one model at a time" in run("eval", model, model, *arguments, questions, "--out", tmp_path).stderr
    assert "no such file" in run("eval", model, *arguments, tmp_path / "none.jsonl", "--out", tmp_path).stderr
    assert not (tmp_path / "model_answer").exists()
