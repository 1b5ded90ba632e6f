"""Summaries compared with plain Python."""

import statistics
from bisect import bisect_right

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.stats.summary import EDGES, QUANTILES, histogram, summarize

shares = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30)
numbers = shares | st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30)


@given(numbers)
def test_summarize_equals_plain_python(values: list[float]) -> None:
    found = summarize(np.array(values, dtype=np.int32 if isinstance(values[0], int) else np.float32))
    assert (found["count"], found["min"], found["max"]) == (len(values), min(values), max(values))
    assert found["mean"] == pytest.approx(statistics.fmean(values))
    assert found["sd"] == pytest.approx(statistics.pstdev(values), abs=1e-9)
    cuts = np.quantile(np.array(values, dtype=np.float64), [percent / 100 for percent in QUANTILES])
    assert list(found["quantiles"].values()) == pytest.approx(cuts.tolist())
    assert list(found["quantiles"]) == [str(percent) for percent in QUANTILES]


@given(shares)
def test_quantiles_are_sorted_between_min_and_max(values: list[float]) -> None:
    found = summarize(np.array(values, dtype=np.float32))
    rising = [found["min"], *found["quantiles"].values(), found["max"]]
    assert rising == sorted(rising)


def test_summarize_of_nothing() -> None:
    found = summarize(np.empty(0, dtype=np.float32))
    assert found == {
        "count": 0,
        "mean": None,
        "sd": None,
        "min": None,
        "max": None,
        "quantiles": {"5": None, "25": None, "50": None, "75": None, "95": None},
    }


def test_mean_of_many_float32_values_is_exact() -> None:
    assert summarize(np.full(3_000_000, 0.1, dtype=np.float32))["mean"] == pytest.approx(
        float(np.float32(0.1)), rel=1e-12
    )


@given(shares)
def test_histogram_equals_plain_python(values: list[float]) -> None:
    found = histogram(np.array(values, dtype=np.float32))
    expected = [0] * (len(EDGES) - 1)
    for value in values:
        expected[min(bisect_right([float(np.float32(edge)) for edge in EDGES], value) - 1, len(expected) - 1)] += 1
    assert found == {"edges": list(EDGES), "counts": expected}


def test_histogram_bins_include_their_lower_edge() -> None:
    found = histogram(np.array([0.0, 0.001, 0.7, 1.0], dtype=np.float32))
    assert [found["edges"][at] for at, count in enumerate(found["counts"]) if count] == [0, 0.001, 0.7, 0.9]
