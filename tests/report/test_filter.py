"""Rows selected by conditions on their columns."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers.rows import good_pairs, make_folder

from pairgen.errors import UsageError
from pairgen.pairs.dataset import PairDataset, Split
from pairgen.pairs.record import SCHEMA
from pairgen.report.filter import select


@pytest.fixture
def dataset(tmp_path: Path) -> PairDataset:
    return make_folder(tmp_path / "out", good_pairs())


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ([], "c-1 a-1 a-2 c-2 a-3"),
        (["check=verified"], "c-1 c-2"),
        (["check = verified"], "c-1 c-2"),
        (["check!=verified"], "a-1 a-2 a-3"),
        (["chosen~sun"], "a-1 a-2"),
        (["prompt~?"], "c-1 a-1 a-2 c-2 a-3"),
        (["chosen~.*"], ""),
        (["edit_start<3"], "a-2"),
        (["edit_start>6"], "c-1"),
        (["step=1"], "c-1 c-2"),
        (["step!=1"], "a-1 a-2 a-3"),
        (["edit_distance<0.2", "check=verified"], "c-1 c-2"),
        (["edit_distance>0.2"], "a-1 a-2"),
        (["source=test/sums", "prompt=How?"], "c-2"),
        (["chosen~ça, 🦊"], "a-3"),
        (["pair_id=a=b"], ""),
        (["expression=1+1"], "c-1 c-2"),
    ],
)
def test_select_applies_every_condition(dataset: PairDataset, where: list[str], ids: str) -> None:
    rows = select(dataset, 10, where)
    assert [row["pair_id"] for row in rows] == ids.split()
    assert all(list(row) == SCHEMA.names for row in rows)


def test_select_applies_split_and_limit(dataset: PairDataset) -> None:
    assert [row["pair_id"] for row in select(dataset, 3)] == ["c-1", "a-1", "a-2"]
    assert [row["pair_id"] for row in select(dataset, 3, split="eval")] == ["a-3"]
    assert [row["pair_id"] for row in select(dataset, 3, ["check=verified"], split="train")] == ["c-1", "c-2"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("checked=verified", "unknown column checked; available: prompt, chosen"),
        ("edits=1", "unknown column edits; available"),
        ("check", "expected column=value"),
        ("", "expected column=value"),
        ("check<3", "is a text column"),
        ("step~1", "is numeric; use"),
        ("step=one", "'one' is not a number"),
        ("__import__('os').system('true')=1", "expected column=value"),
    ],
)
def test_an_invalid_condition_is_a_usage_error(dataset: PairDataset, where: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        select(dataset, 5, [where])


def test_an_unknown_split_lists_the_known(dataset: PairDataset) -> None:
    with pytest.raises(UsageError, match="--split test: unknown split; available: train, eval"):
        select(dataset, 5, split="test")


def test_select_stops_reading_at_the_limit(dataset: PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Any = Split.batches
    read = []

    def recording(split: Split) -> Iterator[pa.RecordBatch]:
        for batch in original(split):
            read.append(split.name)
            yield batch

    monkeypatch.setattr(Split, "batches", recording)
    select(dataset, 1, ["source=test/sums"])
    assert read == ["train"]


def test_select_at_random(dataset: PairDataset) -> None:
    ids = {row["pair_id"] for row in select(dataset, 10)}
    draws = [[row["pair_id"] for row in select(dataset, 2, seed=seed)] for seed in range(40)]
    assert draws == [[row["pair_id"] for row in select(dataset, 2, seed=seed)] for seed in range(40)]
    assert {pair_id for draw in draws for pair_id in draw} == ids
    assert all(len(set(draw)) == 2 for draw in draws)
    assert {row["pair_id"] for row in select(dataset, 10, ["check=verified"], seed=1)} == {"c-1", "c-2"}
