"""Spans and bulk distances against their slow, obvious twins."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.pairs.edits import METRICS, Edit, distances, shared_prefix, span

TEXTS = st.text(alphabet=st.sampled_from("ab e\u0301😀\n"), max_size=12)


@given(TEXTS, TEXTS)
def test_shared_prefix_equals_the_slow_twin(a: str, b: str) -> None:
    slow = 0
    while slow < min(len(a), len(b)) and a[slow] == b[slow]:
        slow += 1
    assert shared_prefix(a, b) == slow


@given(TEXTS, TEXTS)
def test_span_is_the_smallest(a: str, b: str) -> None:
    start, stop, end = span(a, b)
    assert 0 <= start <= min(stop, end)
    assert a[:start] == b[:start]
    assert a[stop:] == b[end:]
    if a == b:
        assert (start, stop, end) == (len(a), len(a), len(a))
    else:
        assert start in (stop, end) or (a[start] != b[start] and a[stop - 1] != b[end - 1])


@pytest.mark.parametrize(
    ("a", "b", "edit"),
    [
        ("a 12 b", "a 132 b", Edit(3, 3, 4)),
        ("abc", "ab", Edit(2, 3, 2)),
        ("aa", "aaa", Edit(2, 2, 3)),
        ("same", "same", Edit(4, 4, 4)),
        ("é", "e\u0301", Edit(0, 1, 2)),
    ],
)
def test_spans_count_code_points(a: str, b: str, edit: Edit) -> None:
    assert span(a, b) == edit


def slow_distance(a: Sequence[object], b: Sequence[object], metric: str) -> float:
    """Textbook dynamic programming; Hamming position by position."""
    if not a and not b:
        return 0.0
    if metric == "hamming":
        longer = max(len(a), len(b))
        return sum(index >= len(a) or index >= len(b) or a[index] != b[index] for index in range(longer)) / longer
    swap = 1 if metric == "levenshtein" else 2
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (0 if left == right else swap))
    return row[-1] / (max(len(a), len(b)) if metric == "levenshtein" else len(a) + len(b))


@pytest.mark.parametrize("metric", METRICS)
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_distances_equal_the_textbook(metric: str, pairs: list[tuple[str, str]]) -> None:
    found = distances([a for a, _ in pairs], [b for _, b in pairs], metric)
    assert found.dtype == np.float32
    assert found == pytest.approx([slow_distance(a, b, metric) for a, b in pairs], abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_units_may_be_any_hashables(metric: str) -> None:
    a, b = [1, 2, 3], [1, 9, 3, 4]
    assert distances([a], [b], metric)[0] == pytest.approx(slow_distance(a, b, metric))
    assert METRICS[metric].definition
