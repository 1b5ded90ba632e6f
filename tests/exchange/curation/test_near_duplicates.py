"""Clusters of similar texts, against brute force."""

import builtins
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.errors import UsageError
from pairgen.exchange.curation.derive import keys_of
from pairgen.exchange.curation.near_duplicates import HASHES, SEQUENCE, NearDuplicates, merged, rows_per_band
from pairgen.sources import sample

texts = st.lists(st.sampled_from(["a", "b", "c", "D", "e?"]), max_size=7).map(" ".join)


def clusters(given: list[str], threshold: float, batch: int = 3) -> list[int]:
    with NearDuplicates(threshold) as near:
        for start in range(0, len(given), batch):
            part = pa.array(given[start : start + batch], pa.string())
            near.add(part, keys_of(part))
        return list(near.clusters().tolist())


def similarity(one: str, other: str) -> float:
    """Shared three-word sequences / all; a shorter text is one sequence of what words it has."""

    def sequences(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[^\W_]+", text.lower())
        found = {tuple(words[at : at + SEQUENCE]) for at in range(len(words) - SEQUENCE + 1)}
        return found or {tuple(words) if words else (text,)}

    return len(sequences(one) & sequences(other)) / len(sequences(one) | sequences(other))


def components(size: int, edges: list[tuple[int, int]]) -> list[int]:
    """The first member of the component of each node, by searching the graph."""
    firsts = []
    for node in range(size):
        reached, new = {node}, {node}
        while new:
            new = {end for edge in edges for end in edge if not new.isdisjoint(edge)} - reached
            reached |= new
        firsts.append(min(reached))
    return firsts


@given(size=st.integers(1, 12), data=st.data())
@settings(deadline=None)
def test_merged_clusters_are_connected_components(size: int, data: st.DataObject) -> None:
    node = st.integers(0, size - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=15))
    cut = data.draw(st.integers(0, len(edges)))
    first = np.arange(size)
    for part in (edges[:cut], edges[cut:]):
        ends = np.array(part, np.int64).reshape(-1, 2)
        first = merged(first, ends[:, 0], ends[:, 1])
    assert first.tolist() == components(size, edges)


@given(given=st.lists(texts, min_size=1, max_size=8), threshold=st.sampled_from([0.3, 0.5, 0.8]))
@settings(deadline=None, max_examples=60)
def test_a_cluster_is_joined_by_similar_texts_and_equal_texts_share_one(given: list[str], threshold: float) -> None:
    found = clusters(given, threshold)
    pairs = [(i, j) for i in range(len(given)) for j in range(i)]
    whole = components(len(given), [(i, j) for i, j in pairs if similarity(given[i], given[j]) >= threshold])
    for i, j in pairs:
        if found[i] == found[j]:
            assert whole[i] == whole[j]
        else:
            assert similarity(given[i], given[j]) < 1
    assert all(found[first] == first <= index for index, first in enumerate(found))


@given(given=st.lists(texts, min_size=1, max_size=8))
@settings(deadline=None, max_examples=60)
def test_at_a_threshold_of_one_clusters_are_those_of_brute_force(given: list[str]) -> None:
    pairs = [(i, j) for i in range(len(given)) for j in range(i) if similarity(given[i], given[j]) == 1]
    assert clusters(given, 1) == components(len(given), pairs)


@pytest.mark.parametrize("threshold", [pytest.param(0.5, marks=pytest.mark.slow), 0.8])
def test_most_similar_questions_are_found(threshold: float) -> None:
    given = list(dict.fromkeys(sample.row("gsm8k", "train", index)["question"] for index in range(250)))
    rng = np.random.default_rng(0)
    for text in given[:150]:
        words = text.split()
        words[rng.integers(len(words))] = "something"
        given.append(" ".join(words))
    found = clusters(given, threshold, batch=64)
    similar = [(i, j) for i in range(len(given)) for j in range(i) if similarity(given[i], given[j]) >= threshold]
    together = [found[i] == found[j] for i, j in similar]
    assert len(together) > 100
    assert np.mean(together) >= 0.97


@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.5, 0.8, 0.95, 1])
def test_bands_meet_the_recall(threshold: float) -> None:
    rows = rows_per_band(threshold)
    assert 1 <= rows <= HASHES
    assert 1 - (1 - threshold**rows) ** (HASHES // rows) >= 0.97 or rows == 1


def test_no_text_is_no_cluster() -> None:
    assert clusters([], 0.8) == []


def test_without_rensa_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *others: Any) -> Any:
        if name == "rensa":
            raise ImportError(name)
        return real(name, *others)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match=r"pip install '.\[dedup\]', or use --exact"):
        NearDuplicates(0.8)
