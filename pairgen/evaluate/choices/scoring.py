"""Multiple choice through token trees, with the predictions of lm-evaluation-harness 0.4.13 for every question.

``acc`` is whether the choice with the largest log-prob is the answer, ``acc_norm`` the same for the log-prob per
character of the choice, without the space before it. Of equal choices the first counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pairgen.errors import UsageError
from pairgen.pairs.dataset import Split

if TYPE_CHECKING:
    from pairgen.evaluate.choices.encoding import TokenPair
    from pairgen.evaluate.choices.likelihoods import Likelihood, Likelihoods


@dataclass(frozen=True)
class Question:
    """A question whose choices are scored as continuations ``delimiter + choice`` of the context."""

    context: str
    choices: tuple[str, ...]
    answer: int
    """Index of the right choice."""
    delimiter: str = " "

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Context and continuation of each choice."""
        return [(self.context, self.delimiter + choice) for choice in self.choices]


@dataclass(frozen=True)
class Scored:
    """The scores of a question with K choices."""

    logps: tuple[float, ...]
    """[K] log-prob of each choice, in nats."""
    greedy: tuple[bool, ...]
    """[K] whether each choice is what the model would generate greedily."""
    prediction: int
    """The choice with the largest log-prob."""
    prediction_norm: int
    """The choice with the largest log-prob per character."""
    acc: float
    """1.0 if ``prediction`` is the answer, else 0.0."""
    acc_norm: float
    """1.0 if ``prediction_norm`` is the answer, else 0.0."""


def questions_of_pairs(split: Split) -> list[Question]:
    """The groups of a pair dataset as questions: chosen is the answer, the rejected completions are the other choices.

    The answer comes last, since the order of the source is not recorded: a tie counts as wrong.

    Raises:
        UsageError: a rejected completion is empty, or the completions of a pair do not begin with the same separator.
    """
    groups: dict[str, tuple[str, str, list[str]]] = {}
    for batch in split.batches(["group_id", "prompt", "chosen", "rejected"]):
        for group, prompt, chosen, rejected in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            groups.setdefault(group, (prompt, chosen, []))[2].append(rejected)
    return [_question_of_group(*group) for group in groups.values()]


def _question_of_group(prompt: str, chosen: str, rejected: list[str]) -> Question:
    delimiter = chosen[: len(chosen) - len(chosen.lstrip())]
    completions = [*rejected, chosen]
    for text in completions:
        if not text.startswith(delimiter) or len(text) == len(delimiter):
            raise UsageError(
                f"the completions {chosen[:40]!r} and {text[:40]!r} cannot be choices of one question: "
                "both must have text after the same white space"
            )
    choices = tuple(text[len(delimiter) :] for text in completions)
    return Question(prompt, choices, len(choices) - 1, delimiter)


def score_choices(
    model: Any,
    tokenizer: Any,
    questions: Sequence[Question],
    *,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Scored]:
    """Score multiple-choice questions with a causal language model of transformers.

    In float32, predictions are those of lm-evaluation-harness with batches of one sequence: log-probs agree up to
    rounding, and questions whose best choices differ by no more than that are scored again as it does it. In lower
    precision its own predictions depend on its batches.

    Args:
        progress: called with the number of distinct continuations that are scored, and of all.

    Raises:
        UsageError: a question without choices, with an answer that is none of them, or with a choice that has no tokens
            or more than the model's context.
    """
    from pairgen.evaluate.choices.encoding import context_length, encode_pairs
    from pairgen.evaluate.choices.likelihoods import Likelihoods

    for number, question in enumerate(questions, 1):
        if not 0 <= question.answer < len(question.choices):
            choices = len(question.choices)
            raise UsageError(f"question {number}: its answer is choice {question.answer}, and it has {choices} choices")
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    likelihoods = Likelihoods(model, context_length(model, tokenizer), pad)
    pairs = encode_pairs(tokenizer, [request for question in questions for request in question.requests])
    ends = accumulate((len(question.choices) for question in questions), initial=0)
    by_question = [pairs[start:stop] for start, stop in pairwise(ends)]
    lengths = [[_characters(question.choices)] for question in questions]
    found = settled(likelihoods, by_question, lengths, progress)
    return [_scored(question, scores) for question, scores in zip(questions, found, strict=True)]


def settled(
    likelihoods: "Likelihoods",
    questions: Sequence[Sequence["TokenPair"]],
    lengths: Sequence[Sequence[NDArray[np.float64]]],
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[list["Likelihood"]]:
    """The likelihoods of the choices of each question, those of close ones from plain passes.

    Args:
        lengths: for each question, what log-probs are divided by before they are compared, besides 1: arrays of one
            length per choice.
    """
    scores = iter(likelihoods.score([pair for question in questions for pair in question], progress))
    found = [[next(scores) for _ in question] for question in questions]
    for at, (question, divisors) in enumerate(zip(questions, lengths, strict=True)):
        logps = np.array([score.logp for score in found[at]])
        tolerance = np.full(len(logps), likelihoods.tolerance)
        with np.errstate(divide="ignore", invalid="ignore"):  # an empty choice
            close = any(_is_close(logps / by, tolerance / by, question) for by in (np.ones(len(logps)), *divisors))
        if close:
            found[at] = [likelihoods.plain(pair) for pair in question]
    return found


def _is_close(values: NDArray[np.float64], tolerance: NDArray[np.float64], question: Sequence["TokenPair"]) -> bool:
    """Whether the largest value may not be the largest one if each is off by at most its tolerance.

    Equal choices always have equal values, so that only those of other tokens count.
    """
    best = int(values.argmax())
    others = np.array([pair != question[best] for pair in question])
    return bool((others & (values + tolerance >= values[best] - tolerance[best])).any())


def _characters(choices: Sequence[str]) -> NDArray[np.float64]:
    return np.array([float(len(choice)) for choice in choices])


def _scored(question: Question, likelihoods: Sequence["Likelihood"]) -> Scored:
    logps = np.array([one.logp for one in likelihoods])
    with np.errstate(divide="ignore", invalid="ignore"):  # an empty choice
        prediction, prediction_norm = int(logps.argmax()), int((logps / _characters(question.choices)).argmax())
    return Scored(
        logps=tuple(logps.tolist()),
        greedy=tuple(one.greedy for one in likelihoods),
        prediction=prediction,
        prediction_norm=prediction_norm,
        acc=float(prediction == question.answer),
        acc_norm=float(prediction_norm == question.answer),
    )
