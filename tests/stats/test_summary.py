"""Summaries next to plain Python."""

import statistics
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.stats.summary import EDGES, QUANTILES, Summary, by_value, histogram

shares = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30)
numbers = shares | st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30)


@given(numbers)
def test_a_summary_is_what_plain_python_gets(values: list[float]) -> None:
    found = Summary.of(np.array(values, dtype=np.int32 if isinstance(values[0], int) else np.float32))
    assert (found.count, found.min, found.max) == (len(values), min(values), max(values))
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.sd == pytest.approx(statistics.pstdev(values), abs=1e-9)
    cuts = np.quantile(np.array(values, dtype=np.float64), [percent / 100 for percent in QUANTILES])
    assert list(found.quantiles.values()) == pytest.approx(cuts.tolist())
    assert list(found.quantiles) == [str(percent) for percent in QUANTILES]


@given(shares)
def test_quantiles_rise_from_min_to_max(values: list[float]) -> None:
    found = Summary.of(np.array(values, dtype=np.float32))
    rising = [found.min, *found.quantiles.values(), found.max]
    assert rising == sorted(rising)


def test_nothing_has_no_figures() -> None:
    found = Summary.of(np.empty(0, dtype=np.float32))
    assert found.as_dict() == {
        "count": 0,
        "mean": None,
        "sd": None,
        "min": None,
        "max": None,
        "quantiles": {"5": None, "25": None, "50": None, "75": None, "95": None},
    }


def test_a_mean_of_many_does_not_drift() -> None:
    assert Summary.of(np.full(3_000_000, 0.1, dtype=np.float32)).mean == pytest.approx(
        float(np.float32(0.1)), rel=1e-12
    )


@given(shares)
def test_every_share_falls_into_its_bin(values: list[float]) -> None:
    found = histogram(np.array(values, dtype=np.float32))
    expected = [0] * (len(EDGES) - 1)
    for value in values:
        expected[min(bisect_right([float(np.float32(edge)) for edge in EDGES], value) - 1, len(expected) - 1)] += 1
    assert found == {"edges": list(EDGES), "counts": expected}


def test_a_share_on_an_edge_belongs_above_it() -> None:
    found = histogram(np.array([0.0, 0.001, 0.7, 1.0], dtype=np.float32))
    assert [found["edges"][at] for at, count in enumerate(found["counts"]) if count] == [0, 0.001, 0.7, 0.9]


def test_parts_come_in_order_of_name() -> None:
    values, codes = np.array([1, 2, 3], dtype=np.int32), np.array([1, 0, 1], dtype=np.int32)
    found = by_value(values, codes, {0: "b", 1: "a"})
    assert [(name, part["count"], part["mean"]) for name, part in found.items()] == [("a", 2, 2), ("b", 1, 2)]
