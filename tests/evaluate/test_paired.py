"""Paired comparison: worked examples, scipy as a second opinion, and properties."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, permutation_test

from pairgen.errors import UsageError
from pairgen.evaluate.paired import compare, mcnemar

binary = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)
finite = st.floats(-100, 100).map(lambda value: round(value, 3))
graded = st.lists(st.tuples(finite, finite), min_size=1, max_size=25)


def _columns(rows: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [a for a, _ in rows], [b for _, b in rows]


def test_by_hand() -> None:
    """A alone answers 1 question, B alone 5: p = 2 (C(6,0) + C(6,1)) / 2^6 = 14/64."""
    a = [1] + [0] * 5 + [1] * 2 + [0] * 2
    b = [0] + [1] * 5 + [1] * 2 + [0] * 2
    found = compare(a, b)
    assert (found.questions, found.only_a, found.only_b, found.test) == (10, 1, 5, "McNemar")
    assert (found.mean_a, found.mean_b, found.difference) == (0.3, 0.7, 0.4)
    assert found.p_value == 14 / 64
    # the mean of ten draws of -1, 0, 0, 0, 0, 1, 1, 1, 1, 1 is a multiple of 0.1
    assert found.interval == pytest.approx((0.0, 0.8))


def test_sign_flips_by_hand() -> None:
    """Differences 1, 2, 4: of the 8 sums of +-1 +-2 +-4, only 7 and -7 are as far from 0."""
    found = compare([0, 0, 0], [1, 2, 4])
    assert found.test == "sign-flip permutation"
    assert found.p_value == 2 / 8
    assert (found.only_a, found.only_b) == (0, 3)


def test_a_certain_difference_has_an_interval_without_width() -> None:
    assert compare([0.0] * 7, [0.25] * 7).interval == (0.25, 0.25)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test(only_a: int, only_b: int) -> None:
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_questions() -> None:
    assert mcnemar(4900, 5142) == pytest.approx(binomtest(4900, 10_042).pvalue, rel=1e-9)
    assert mcnemar(0, 5000) == 0.0  # below the smallest float


@pytest.mark.parametrize("questions", [8, 200])
def test_sign_flips_agree_with_scipy(questions: int) -> None:
    """All combinations of signs for 8 questions, random ones for 200."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=questions), rng.normal(0.15, size=questions)
    random = np.random.default_rng(1)
    expected = permutation_test(
        (a, b), lambda x, y: np.mean(y - x), permutation_type="samples", n_resamples=20_000, rng=random
    )
    found = compare(list(a), list(b), resamples=20_000)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12 if questions == 8 else 0.015)


@pytest.mark.parametrize("scores", ["binary", "graded"])
def test_the_interval_agrees_with_scipy(scores: str) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=300), rng.normal(0.2, size=300)
    if scores == "binary":
        a, b = (a > 0).astype(float), (b > 0).astype(float)
    random = np.random.default_rng(1)
    expected = bootstrap((b - a,), np.mean, n_resamples=20_000, method="percentile", rng=random).confidence_interval
    found = compare(list(a), list(b), resamples=20_000)
    assert found.interval == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        first = rng.random((150, 2))
        a, b = first[:, 0] < 0.5, np.where(first[:, 1] < 0.7, first[:, 0] < 0.6, rng.random(150) < 0.6)
        low, high = compare(list(a), list(b), resamples=500).interval
        covered += low <= 0.1 <= high
    assert 0.9 < covered / 300 < 0.985


@given(binary)
@settings(max_examples=50)
def test_laws_of_binary_scores(rows: list[tuple[float, float]]) -> None:
    a, b = _columns(rows)
    found, swapped = compare(a, b, resamples=200), compare(b, a, resamples=200)
    assert found == compare(a, b, resamples=200)
    assert found.difference == -swapped.difference
    assert (found.only_a, found.only_b, found.p_value) == (swapped.only_b, swapped.only_a, swapped.p_value)
    assert found.difference * len(rows) == pytest.approx(found.only_b - found.only_a)
    assert -1 <= found.interval[0] <= found.interval[1] <= 1
    assert 0 < found.p_value <= 1
    # neither the order of the questions nor those that both answer alike change the test
    assert compare(a[::-1], b[::-1], resamples=200) == found
    assert compare([*a, 1], [*b, 1], resamples=1).p_value == found.p_value


@given(graded)
@settings(max_examples=50)
def test_laws_of_graded_scores(rows: list[tuple[float, float]]) -> None:
    a, b = _columns(rows)
    found = compare(a, b, resamples=200)
    differences = [y - x for x, y in rows]
    assert found == compare(a, b, resamples=200)
    assert found.difference == pytest.approx(sum(differences) / len(rows))
    assert min(differences) - 1e-9 <= found.interval[0] <= found.interval[1] <= max(differences) + 1e-9
    assert 0 < found.p_value <= 1


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=7).filter(lambda values: set(values) - {-1, 0, 1}))
def test_sign_flips_count_all_signs(differences: list[int]) -> None:
    signs = itertools.product((-1, 1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(line, differences, strict=True))) for line in signs]
    expected = sum(total >= abs(sum(differences)) for total in sums) / len(sums)
    assert compare([0.0] * len(differences), differences).p_value == pytest.approx(expected)


def test_another_seed_draws_others() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.random(50)
    assert compare(list(a), list(b), seed=1).interval != compare(list(a), list(b), seed=2).interval


def test_large_benchmarks() -> None:
    """10,042 questions whose differences are all distinct take several chunks."""
    rng = np.random.default_rng(0)
    a = rng.random(10_042)
    found = compare(list(a), list(a + rng.normal(0.01, 0.1, 10_042)), resamples=1000)
    assert found.interval == pytest.approx((0.01 - 1.96 * 0.001, 0.01 + 1.96 * 0.001), abs=0.003)
    assert found.p_value == 1 / 1001


@pytest.mark.parametrize(
    ("a", "b", "resamples", "message"),
    [
        ([], [], 10, "at least one question"),
        ([1, 0], [1], 10, "2 scores of one model and 1 of the other"),
        ([1, float("nan")], [1, 0], 10, "score 1 of the first model is nan"),
        ([1], [float("inf")], 10, "score 0 of the second model is inf"),
        ([1], [0], 0, "resamples is 0"),
        ([[1.0]], [[1.0]], 10, "one score per question"),
    ],
)
def test_errors(a: list[float], b: list[float], resamples: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compare(a, b, resamples=resamples)
