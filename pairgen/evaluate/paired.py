"""Paired comparison of two models on the same questions.

The same questions are hard for both models, so their scores are correlated: the standard error of each score, as
lm-evaluation-harness prints it, is far too wide for their difference. Here only the differences per question count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairgen.errors import UsageError

_DRAWS = 1 << 22
"""Most numbers that are drawn at once: 32 MB."""
FEW = 16
"""Most distinct differences whose frequencies are drawn instead of questions."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Model B compared with model A on the same questions."""

    questions: int
    mean_a: float
    """Mean score of A."""
    mean_b: float
    """Mean score of B."""
    difference: float
    """``mean_b - mean_a``."""
    interval: tuple[float, float]
    """95% confidence interval of the difference: percentiles of a bootstrap over questions."""
    only_a: int
    """Questions on which A scores higher; for scores of 0 and 1, those that A alone answers correctly."""
    only_b: int
    """Questions on which B scores higher."""
    p_value: float
    """Two-sided p-value of ``test`` under the hypothesis that both models are equally good."""
    test: str
    """``McNemar`` if all scores are 0 or 1, else ``sign-flip permutation``."""


def compare(a: Sequence[float], b: Sequence[float], seed: int = 0, resamples: int = 10_000) -> Paired:
    """Compare the scores of two models on the same questions. Equal arguments give equal results.

    With scores of 0 and 1, the p-value is that of McNemar's exact test (McNemar 1947): of the ``only_a + only_b``
    questions on which the models differ, each is equally likely to be won by either. With other scores, it is that of
    a permutation test of the sum of differences, in which each difference is equally likely to have either sign: over
    all combinations of signs if there are at most ``resamples``, otherwise over ``resamples`` random ones and the
    observed one (Phipson and Smyth 2010), so that it is never 0.

    Args:
        a: score of model A on each question, such as 0 or 1 for wrong or right.
        b: score of model B on each question, in the same order.
        seed: of the bootstrap and of random signs.
        resamples: of the bootstrap over questions (Efron and Tibshirani 1993, percentile method), and of the signs.

    Raises:
        UsageError: there are no questions, the numbers of scores differ, a score is not finite, or ``resamples`` is
            less than 1.
    """
    scores_a, scores_b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    _check(scores_a, scores_b, resamples)
    differences = scores_b - scores_a
    only_a, only_b = int((differences < 0).sum()), int((differences > 0).sum())
    rng = np.random.default_rng(seed)
    low, high = np.quantile(_bootstrap_means(differences, resamples, rng), [0.025, 0.975])
    binary = bool(np.isin([scores_a, scores_b], [0.0, 1.0]).all())
    return Paired(
        questions=len(differences),
        mean_a=math.fsum(scores_a) / len(differences),
        mean_b=math.fsum(scores_b) / len(differences),
        difference=math.fsum(differences) / len(differences),
        interval=(float(low), float(high)),
        only_a=only_a,
        only_b=only_b,
        p_value=mcnemar(only_a, only_b) if binary else sign_flip(differences, resamples, rng),
        test="McNemar" if binary else "sign-flip permutation",
    )


def _check(a: Floats, b: Floats, resamples: int) -> None:
    if a.ndim != 1 or b.ndim != 1 or not len(a):
        raise UsageError("compare: expected one score per question of each model, and at least one question")
    if len(a) != len(b):
        raise UsageError(
            f"compare: {len(a):,} scores of one model and {len(b):,} of the other; compare the same questions"
        )
    for name, scores in (("first", a), ("second", b)):
        if len(bad := np.flatnonzero(~np.isfinite(scores))):
            raise UsageError(f"compare: score {bad[0]} of the {name} model is {scores[bad[0]]}; scores must be finite")
    if resamples < 1:
        raise UsageError(f"compare: resamples is {resamples}; it must be at least 1")


def _bootstrap_means(differences: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """[resamples] means of as many differences as there are, drawn with replacement.

    How often each distinct value is drawn has a multinomial distribution, which is much faster to sample than the
    questions themselves if there are few values.
    """
    values, counts = np.unique(differences, return_counts=True)
    questions = len(differences)
    if len(values) <= FEW:
        sums = rng.multinomial(questions, counts / questions, size=resamples) @ values
    else:
        ordered = np.repeat(values, counts)
        sizes = _chunks(resamples, questions)
        sums = np.concatenate([ordered[rng.integers(questions, size=(size, questions))].sum(1) for size in sizes])
    means: Floats = sums / questions
    return means.clip(values[0], values[-1])  # beyond them by rounding errors only


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided p-value of McNemar's exact test: 2 P(X <= min(only_a, only_b)), at most 1, for X of a binomial
    distribution with ``only_a + only_b`` trials of probability 1/2.
    """
    trials, fewer = only_a + only_b, min(only_a, only_b)
    if only_a == only_b:
        return 1.0
    tail = ways = 1
    for successes in range(fewer):
        ways = ways * (trials - successes) // (successes + 1)
        tail += ways
    return tail / (1 << (trials - 1))


def sign_flip(differences: Floats, resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the sum of differences when each has either sign with probability 1/2; see ``compare``."""
    sizes = np.abs(differences[differences != 0])
    total = sizes.sum()
    # Sums of other signs that are equal in exact arithmetic may be smaller by rounding errors.
    observed = abs(differences.sum()) - 1e-12 * total
    if len(sizes) <= math.log2(resamples):
        signs = (np.arange(1 << len(sizes))[:, None] >> np.arange(len(sizes)) & 1) * 2 - 1
        return float((np.abs(signs @ sizes) >= observed).mean())
    values, counts = np.unique(sizes, return_counts=True)
    at_least = 1  # the observed signs
    for size in _chunks(resamples, len(values)):
        positive = rng.binomial(counts, 0.5, size=(size, len(values)))
        at_least += int((np.abs(2 * (positive @ values) - total) >= observed).sum())
    return at_least / (resamples + 1)


def _chunks(resamples: int, width: int) -> list[int]:
    """How many resamples of ``width`` numbers to draw at a time."""
    most = max(1, _DRAWS // width)
    return [min(most, resamples - done) for done in range(0, resamples, most)]
