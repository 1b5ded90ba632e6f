"""Rank correlation against scipy's, and its intervals."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pairgen.stats import ranks
from pairgen.stats.ranks import average_ranks, permutation_p, spearman, spearman_interval

PAIRS = st.lists(st.tuples(st.integers(-4, 4) | st.floats(-1e3, 1e3), st.integers(-4, 4) | st.floats(-1e3, 1e3)))


def test_docstrings() -> None:
    assert doctest.testmod(ranks).failed == 0


@given(st.lists(st.integers(-4, 4) | st.floats(-1e300, 1e300)))
def test_ranks_are_scipys(values: list[float]) -> None:
    assert average_ranks(values).tolist() == stats.rankdata(values).tolist()


@given(PAIRS)
def test_correlation_is_scipys(pairs: list[tuple[float, float]]) -> None:
    x, y = [float(one) for one, _ in pairs], [float(other) for _, other in pairs]
    found = spearman(x, y)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@given(PAIRS.filter(lambda pairs: len(pairs) > 1), st.integers(0, 9))
@settings(max_examples=30)
def test_intervals_are_deterministic_and_within_range(pairs: list[tuple[float, float]], seed: int) -> None:
    x, y = zip(*pairs, strict=True)
    found = spearman_interval(x, y, draws=50, seed=seed)
    again = spearman_interval(x, y, draws=50, seed=seed)
    assert np.array_equal(found, again, equal_nan=True)
    if not math.isnan(found.low):
        assert -1 <= found.low <= found.high <= 1


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Bivariate normal: rho of Spearman is 6/pi asin(r/2)."""
    r, covered = 0.5, 0
    truth = 6 / np.pi * np.arcsin(r / 2)
    rng = np.random.default_rng(1)
    for _ in range(100):
        x = rng.normal(size=60)
        y = r * x + np.sqrt(1 - r * r) * rng.normal(size=60)
        _, low, high = spearman_interval(x, y, draws=200)
        covered += low <= truth <= high
    assert 86 <= covered <= 100


def test_groups_are_drawn_whole() -> None:
    """Values repeated ten times tell no more than once: the interval is as wide, not narrower by sqrt(10)."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 40))
    once = spearman_interval(x, y, draws=500)
    labels = np.repeat(np.arange(40), 10).tolist()
    grouped = spearman_interval(np.repeat(x, 10), np.repeat(y, 10), groups=labels, draws=500)
    single = spearman_interval(np.repeat(x, 10), np.repeat(y, 10), draws=500)
    assert grouped == pytest.approx(once, abs=0.05)
    assert single.high - single.low < 0.6 * (grouped.high - grouped.low)


def test_p_value_of_a_permutation() -> None:
    rng = np.random.default_rng(3)
    x, noise = rng.normal(size=(2, 50))
    assert permutation_p(x, x + 0.1 * noise, draws=200) == pytest.approx(1 / 201)
    y = 0.15 * x + noise
    assert permutation_p(x, y, draws=3000) == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.03)
    assert math.isnan(permutation_p([1, 1], [1, 2]))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="equal length"):
        spearman([1, 2], [1])
    with pytest.raises(ValueError, match="finite"):
        spearman([1, math.nan], [1, 2])
    with pytest.raises(ValueError, match="3 groups for 2 values"):
        spearman_interval([1, 2], [1, 2], groups=[1, 2, 3])
    with pytest.raises(ValueError, match="draws"):
        spearman_interval([1, 2], [1, 2], draws=0)
    with pytest.raises(ValueError, match="draws"):
        permutation_p([1, 2], [1, 2], draws=0)
