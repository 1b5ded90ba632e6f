"""Rank correlations of pairs in several versions, and the sentences that follow from them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.stats.ranks import Correlation, spearman
from pairgen.studies.same_rows.predictors import (
    WAYS,
    Numbers,
    Outcome,
    Trial,
    across,
    between_versions,
    correlations,
    direction,
    findings,
    interval,
    within,
)

Way = Callable[[Numbers, Numbers], float]
WITHIN, BETWEEN, ACROSS = WAYS


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_each_way_sees_its_own_differences() -> None:
    """Falls that follow from the version alone, from the pair alone, or from both in opposite directions."""
    versions, pairs = np.arange(4.0)[:, None], np.arange(30.0)[None]
    x = 100 * versions + pairs
    cases = [
        (100 * versions - pairs, (-1, 1)),
        (pairs - 100 * versions, (1, -1)),
        (x, (1, 1)),
    ]
    for y, (of_pairs, of_versions) in cases:
        assert within(x, y) == pytest.approx(of_pairs)
        assert between_versions(x, y) == pytest.approx(of_versions)
    assert across(x, x) == pytest.approx(1)
    assert across(x, 100 * versions - pairs) == pytest.approx(1, abs=0.15)


def test_a_constant_version_is_left_out() -> None:
    x = np.array([[1.0, 2, 3], [5, 5, 5]])
    y = np.array([[3.0, 2, 1], [1, 2, 3]])
    assert within(x, y) == -1
    assert np.isnan(within(x[1:], y[1:]))
    assert np.isnan(interval(within, x[1:], y[1:]).low)


@pytest.mark.parametrize("way", WAYS.values())
@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_a_correlation_depends_on_ranks_and_not_on_the_order_of_pairs(way: Way, seed: int) -> None:
    draw = rng(seed)
    x, y = draw.normal(size=(2, 3, 9))
    order = draw.permutation(9)
    assert way(x[:, order], y[:, order]) == pytest.approx(way(x, y))
    assert way(np.exp(x), y) == pytest.approx(way(x, y))
    assert way(-x, y) == pytest.approx(-way(x, y))


@pytest.mark.parametrize("way", WAYS.values())
def test_an_interval_holds_the_correlation_and_is_narrow_for_many_pairs(way: Way) -> None:
    x = rng().normal(size=(3, 200))
    y = x + rng(1).normal(size=(3, 200))
    found = interval(way, x, y, draws=200)
    assert found.low <= found.rho <= found.high
    assert found.low > 0.3
    assert found.high - found.low < 0.4
    none = interval(way, x, rng(2).normal(size=(3, 200)), draws=200)
    assert none.low < 0.1
    assert none.high > -0.1


def test_pairs_are_drawn_with_all_of_their_versions() -> None:
    """Ten versions of the same numbers tell no more than one."""
    x, y = rng().normal(size=(2, 1, 60))
    once, often = (interval(across, np.repeat(x, n, 0), np.repeat(y, n, 0), draws=300) for n in (1, 10))
    assert often.rho == pytest.approx(once.rho)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.05)


def test_intervals_cover_the_true_correlation() -> None:
    """Of 95% intervals, about 95% do: over 40 samples of independent numbers, few exclude 0."""
    excluded = 0
    for seed in range(40):
        x, y = rng(seed).normal(size=(2, 2, 40))
        found = interval(within, x, y, draws=100)
        excluded += not found.low <= 0 <= found.high
    assert excluded <= 7


def test_versions_are_joined_by_pair_id() -> None:
    one = Outcome(["a", "b", "c"], np.array([1.0, 2, 3]), {"x": np.array([10.0, 20, 30])})
    other = Outcome(["c", "a", "d"], np.array([7.0, 8, 9]), {"x": np.array([70.0, 80, 90])})
    trial = Trial.of([one, other])
    assert trial.fall.tolist() == [[1, 3], [8, 7]]
    assert trial.known["x"].tolist() == [[10, 30], [80, 70]]
    with pytest.raises(ValueError, match="no pairs in common"):
        Trial.of([one, Outcome(["d"], np.array([1.0]), {"x": np.array([1.0])})])
    with pytest.raises(ValueError, match="different predictors"):
        Trial.of([one, Outcome(["a"], np.array([1.0]), {"y": np.array([1.0])})])


def test_correlations_are_by_way_and_predictor_and_seed() -> None:
    trials = []
    for seed in range(3):
        x, noise = rng(seed).normal(size=(2, 2, 30))
        trials.append(Trial(x + 0.1 * noise, {"CHES": x, "edit distance": noise}))
    found = correlations(trials, draws=50)
    assert set(found) == {(way, name) for way in WAYS for name in ("CHES", "edit distance")}
    for values in found.values():
        assert len(values) == 3
    assert found[WITHIN, "CHES"][1].rho == pytest.approx(
        np.mean([spearman(one, other) for one, other in zip(trials[1].known["CHES"], trials[1].fall, strict=True)])
    )


UP, DOWN, NONE = Correlation(0.5, 0.4, 0.6), Correlation(-0.5, -0.6, -0.4), Correlation(0.05, -0.1, 0.2)


def test_findings_say_what_predicts_and_in_which_direction() -> None:
    found = {(WITHIN, "CHES"): [UP] * 3, (WITHIN, "edit distance"): [UP] * 3, (WITHIN, "length"): [UP] * 3}
    summary, ches, distance, compared = findings(found)
    assert summary == (
        "Edit distance predicts the fall of chosen in the direction that was claimed in 0 of 1 comparison, and in the "
        "opposite direction in 1; CHES in 1 of 1 comparison."
    )
    assert ches.startswith("Among the pairs of one dataset, CHES moderately predicts the fall of chosen")
    assert ches.endswith("Razin et al. (2024) report the same direction.")
    assert "Pal et al. (2024) expect the opposite" in distance
    assert "not distinguishable between CHES and edit distance" in compared


def test_findings_claim_nothing_that_is_not_shown() -> None:
    found = {(ACROSS, "CHES"): [NONE] * 3, (ACROSS, "edit distance"): [DOWN, DOWN, UP]}
    summary, ches, distance, compared = findings(found)
    assert summary.endswith("was claimed in 0 of 1 comparison; CHES in 0 of 1 comparison.")
    for text in (ches, distance):
        assert "is not shown to predict the fall of chosen" in text
        assert "et al." not in text
    assert "is lower with CHES than with edit distance: 0.05 against 0.50" in compared


@pytest.mark.parametrize(
    ("predictor", "values", "expected"),
    [
        ("edit distance", [DOWN] * 2, 1),
        ("edit distance", [UP] * 2, -1),
        ("normalized CHES", [DOWN] * 2, -1),
        ("CHES", [UP] * 3, 1),
        ("CHES", [UP], 0),
        ("CHES", [UP, NONE], 0),
        ("CHES", [UP, DOWN], 0),
        ("CHES", [UP, Correlation(np.nan, np.nan, np.nan)], 0),
    ],
)
def test_directions(predictor: str, values: list[Correlation], expected: int) -> None:
    assert direction(predictor, values) == expected
