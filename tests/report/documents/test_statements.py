"""Sentences written by rules: they claim what the numbers show, and nothing else."""

import doctest
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pairgen.report.documents import statements
from pairgen.report.documents.number_format import NATS, SHARE, Spread
from pairgen.report.documents.statements import (
    chance_text,
    compare_text,
    in_seeds,
    level_text,
    listing,
    plural,
    rank_text,
    relation,
    share_text,
)

VALUES = st.lists(st.floats(-50, 50) | st.integers(-3, 3).map(float), min_size=1, max_size=4)


def test_docstrings() -> None:
    assert doctest.testmod(statements).failed == 0


@given(VALUES, VALUES)
def test_a_difference_is_claimed_only_if_every_seed_shows_it(ours: list[float], theirs: list[float]) -> None:
    text = compare_text("a", Spread.of(ours), "b", Spread.of(theirs), "the margin", NATS)
    enough = min(len(ours), len(theirs)) >= 2
    assert ("is higher with a than with b" in text) == (enough and min(ours) > max(theirs))
    assert ("is lower with a than with b" in text) == (enough and max(ours) < min(theirs))
    assert ("cannot be compared" in text) == (not enough)
    assert text.startswith("The margin ")
    assert text.endswith(".")


@given(VALUES, VALUES)
def test_comparisons_are_symmetric(ours: list[float], theirs: list[float]) -> None:
    a, b = Spread.of(ours), Spread.of(theirs)
    opposite = {"higher": "lower", "lower": "higher"}
    assert relation(b, a) == opposite.get(relation(a, b), relation(a, b))


def shown_range(text: str) -> tuple[float, float]:
    """The ends of a range as it is shown: ``-1.0 (-2.0 to 0.0)``, or a single number."""
    numbers = [float(found) for found in re.findall(r"[-+]?\d+\.\d+", text)]
    return (numbers[-2], numbers[-1]) if "(" in text else (numbers[0], numbers[0])


@given(VALUES, VALUES)
@example([1.001, 1.002], [1.003, 1.004])
@example([-0.001, -0.002], [0.0, 0.0])
def test_a_claimed_difference_can_be_seen_in_the_numbers(ours: list[float], theirs: list[float]) -> None:
    text = compare_text("a", Spread.of(ours), "b", Spread.of(theirs), "the margin", NATS)
    found = re.fullmatch(r"The margin is (higher|lower) with a than with b: (.*) against (.*) nats, over .*", text)
    if found and max(min(ours) - max(theirs), min(theirs) - max(ours)) > 1e-9:
        a, b = shown_range(found[2]), shown_range(found[3])
        assert a[0] > b[1] if found[1] == "higher" else a[1] < b[0]


def test_compare_text() -> None:
    low, high = Spread(-38.9, -41, -36.2, 3), Spread(20.4, 18, 22.1, 3)
    assert compare_text("dpop", high, "dpo", low, "the log-ratio of chosen", NATS) == (
        "The log-ratio of chosen is higher with dpop than with dpo: "
        "+20.4 (+18.0 to +22.1) against -38.9 (-41.0 to -36.2) nats, over 3 seeds each."
    )
    assert compare_text("dpo", low, "ipo", Spread(-36.3, -40, -36.2, 2), "it", NATS) == (
        "It is not distinguishable between dpo and ipo: the ranges over 3 seeds and 2 seeds overlap, "
        "-38.9 (-41.0 to -36.2) and -36.3 (-40.0 to -36.2) nats."
    )


def test_touching_ranges_overlap() -> None:
    assert relation(Spread(2, 1, 3, 3), Spread(4, 3, 5, 3)) == "overlap"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (Spread.of([1.0]), "b has no range over at least two seeds"),
        (Spread(1, 0, 2), "b has no range over at least two seeds"),
        (Spread.of([1, math.nan, 2]), "b has a seed without a value"),
    ],
)
def test_what_is_not_known_is_not_compared(other: Spread, why: str) -> None:
    text = compare_text("a", Spread.of([8, 9]), "b", other, "the margin")
    assert text == f"The margin cannot be compared between a and b: {why}."


@given(VALUES)
def test_a_level_is_passed_only_if_every_seed_passes_it(values: list[float]) -> None:
    text = level_text("the log-ratio", Spread.of(values), NATS, level_name="the reference")
    enough = len(values) >= 2
    assert ("is above the reference" in text) == (enough and min(values) > 0)
    assert ("is below the reference" in text) == (enough and max(values) < 0)
    assert ("which its range includes" in text) == (enough and min(values) <= 0 <= max(values))


def test_level_text() -> None:
    assert level_text("accuracy", Spread.of([0.4, 0.6]), SHARE, 0.5) == (
        "Accuracy is not distinguishable from 50.0%, which its range includes: 50.0% (40.0% to 60.0%), over 2 seeds."
    )
    assert level_text("it", Spread.of([-0.02, -0.011, -0.013]), NATS) == (
        "It is below 0.0 nats: -0.01 (-0.02 to -0.01) nats, over 3 seeds."
    )


@pytest.mark.parametrize("seeds", [2, 3])
def test_how_often_ranges_part_by_chance(seeds: int) -> None:
    """Counted over all orders of the results of two equal methods."""
    from itertools import combinations

    places = range(2 * seeds)
    splits = [(ours, set(places) - set(ours)) for ours in combinations(places, seeds)]
    apart = sum(min(ours) > max(theirs) or max(ours) < min(theirs) for ours, theirs in splits)
    assert f"{100 * apart / len(splits):.2g}%" in chance_text(seeds)


def test_chance_needs_two_seeds() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        chance_text(1)


def test_counts() -> None:
    assert in_seeds([True, True, False]) == "in 2 of 3 seeds"
    assert in_seeds([True]) == "in 1 of 1 seed"
    assert plural(1, "loss", "losses") == "1 loss"
    assert plural(2, "loss", "losses") == "2 losses"
    assert plural(1000, "pair") == "1,000 pairs"
    assert listing(["dpo"]) == "dpo"
    assert listing(["dpo", "ipo"]) == "dpo and ipo"
    assert listing(["dpo", "ipo", "dpop"]) == "dpo, ipo and dpop"
    assert share_text(361, 400, "pair") == "361 of 400 pairs (90.2%)"


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_share_is_all_or_none_only_if_it_is(one: int, other: int) -> None:
    part, whole = min(one, other), max(one, other)
    text = share_text(part, whole, "pair")
    assert ("(100%)" in text) == (part == whole > 0)
    assert ("(0%)" in text) == (part == 0 < whole)
    assert "(0.0%)" not in text
    assert "(100.0%)" not in text


INTERVAL = st.tuples(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5)).map(
    lambda drawn: (drawn[0], drawn[0] - drawn[1], drawn[0] + drawn[2])
)


@given(st.lists(INTERVAL, min_size=1, max_size=4))
def test_a_predictor_predicts_only_if_every_seed_agrees(per_seed: list[tuple[float, float, float]]) -> None:
    text = rank_text("CHES", "the fall of chosen", per_seed)
    agreed = all(low > 0 for _, low, _ in per_seed) or all(high < 0 for _, _, high in per_seed)
    assert ("is not shown to predict" not in text) == (agreed and len(per_seed) > 1)


def test_rank_text() -> None:
    assert rank_text("CHES", "the fall of chosen", [(0.41, 0.3, 0.5), (0.35, 0.2, 0.5)]) == (
        "CHES moderately predicts the fall of chosen (higher values go with higher ones): "
        "Spearman's ρ +0.38 (+0.35 to +0.41) over 2 seeds; the 95% interval excludes 0 in 2 of 2 seeds."
    )
    assert "hardly predicts" in rank_text("edit distance", "the fall", [(-0.05, -0.09, -0.01)] * 3)
    assert "cannot be said" in rank_text("edit distance", "the fall", [(math.nan, math.nan, math.nan), (0.1, 0, 0.2)])
