"""Which questions are scored again, and the questions of pair datasets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.tiny_runs import dataset, start_model
from hypothesis import given
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.evaluate.choices import Question, questions_of_pairs, score_choices
from pairgen.evaluate.choices.encoding import TokenPair
from pairgen.evaluate.choices.likelihoods import Likelihood
from pairgen.evaluate.choices.scoring import _question_of_group, settled
from pairgen.pairs.dataset import open_pairs


class _Fixed:
    """Scores of two kinds: those of trees, which may be off by ``tolerance``, and those of plain passes."""

    def __init__(self, trees: dict[TokenPair, float], plain: dict[TokenPair, float], tolerance: float) -> None:
        self._trees, self._plain, self.tolerance = trees, plain, tolerance
        self.again = 0

    def score(self, pairs: Sequence[TokenPair], _: object) -> list[Likelihood]:
        return [Likelihood(self._trees[pair], False) for pair in pairs]

    def plain(self, pair: TokenPair) -> Likelihood:
        self.again += 1
        return Likelihood(self._plain[pair], False)


def _pair(token: int) -> TokenPair:
    return TokenPair((1,), (token,))


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(-2, 2), st.integers(1, 9)), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_predictions_are_those_of_plain_passes(choices: list[tuple[int, int, int]], tolerance: int) -> None:
    """Whatever the errors are, if none exceeds the tolerance. The integers are exact, so that many values are close."""
    question = [_pair(number) for number in range(len(choices))]
    plain = {pair: -float(logp) for pair, (logp, _, _) in zip(question, choices, strict=True)}
    errors = [max(-tolerance, min(tolerance, error)) for _, error, _ in choices]
    trees = {pair: plain[pair] + error for pair, error in zip(question, errors, strict=True)}
    lengths = np.array([float(length) for _, _, length in choices])
    (found,) = settled(_Fixed(trees, plain, tolerance), [question], [[lengths]])  # type: ignore[arg-type]
    logps, exact = np.array([one.logp for one in found]), np.array(list(plain.values()))
    assert logps.argmax() == exact.argmax()
    assert (logps / lengths).argmax() == (exact / lengths).argmax()


def test_only_close_questions_are_scored_again() -> None:
    far, near, equal = [_pair(1), _pair(2)], [_pair(1), _pair(3)], [_pair(4), _pair(4)]
    trees = {_pair(1): -10.0, _pair(2): -12.0, _pair(3): -10.5, _pair(4): -7.0}
    fixed = _Fixed(trees, {_pair(1): -10.1, _pair(3): -10.0}, 0.25)
    ones = np.ones(2)
    found = settled(fixed, [far, near, equal], [[ones], [ones], [ones]])  # type: ignore[arg-type]
    assert [[one.logp for one in question] for question in found] == [[-10.0, -12.0], [-10.1, -10.0], [-7.0, -7.0]]
    assert fixed.again == 2


def test_close_per_character_only() -> None:
    """-10 and -20 nats are far apart, but -2 and -2 per character are not."""
    trees = {_pair(1): -10.0, _pair(2): -20.0}
    fixed = _Fixed(trees, trees, 0.01)
    settled(fixed, [[_pair(1), _pair(2)]], [[np.array([5.0, 10.0])]])  # type: ignore[arg-type]
    assert fixed.again == 2


@pytest.mark.parametrize("name", ["arc", "hellaswag", "choices"])
def test_questions_of_a_pair_dataset(name: str, tmp_path: Path) -> None:
    """Every group is a question, whose answer comes last; the log-probs are those of the texts."""
    data = dataset(tmp_path / "pairs", name, rows=6) if name != "choices" else _own_choices(tmp_path)
    split = open_pairs(data).splits["train"]
    questions = questions_of_pairs(split)
    assert sum(len(question.choices) - 1 for question in questions) == len(split)
    by_group = {pair["group_id"]: pair for pair in split}
    assert len(questions) == len(by_group)
    for question, pair in zip(questions, by_group.values(), strict=True):
        assert question.context == pair["prompt"]
        assert question.requests[question.answer] == (pair["prompt"], pair["chosen"])
        assert question.answer == len(question.choices) - 1
        assert not question.choices[question.answer].startswith((" ", "\n"))
    model, tokenizer = _model(data, tmp_path)
    assert len(score_choices(model, tokenizer, questions)) == len(questions)


def _own_choices(folder: Path) -> Path:
    import json

    import pairgen

    rows = [{"question": f"What is {at}?", "choices": ["one", "two", f"{at}"], "answer": "C"} for at in range(3, 9)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    pairgen.build("choices", folder / "pairs", folder / "rows.jsonl")
    return folder / "pairs"


def _model(data: Path, folder: Path) -> tuple[object, object]:
    import torch

    from pairgen.train.model.loading import load_model, load_tokenizer

    where = str(start_model(data, folder / "model"))
    return load_model(where, torch.float32), load_tokenizer(where)


def test_the_separator_is_no_part_of_a_choice() -> None:
    assert _question_of_group("Q", "\nyes", ["\nno", "\n maybe"]) == Question("Q", ("no", " maybe", "yes"), 2, "\n")


@pytest.mark.parametrize("rejected", ["no", " ", "", "\nno"])
def test_completions_that_are_no_choices(rejected: str) -> None:
    with pytest.raises(UsageError, match="cannot be choices of one question"):
        _question_of_group("Q", " yes", [rejected])
