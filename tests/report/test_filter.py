"""Rows picked by tests on their columns."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers.rows import good_pairs, make_folder

from pairgen.errors import UsageError
from pairgen.pairs import dataset as store
from pairgen.pairs.record import SCHEMA
from pairgen.report.filter import select


@pytest.fixture
def dataset(tmp_path: Path) -> store.PairDataset:
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
def test_rows_pass_every_test(dataset: store.PairDataset, where: list[str], ids: str) -> None:
    rows = select(dataset, 10, where)
    assert [row["pair_id"] for row in rows] == ids.split()
    assert all(list(row) == SCHEMA.names for row in rows)


def test_the_split_and_the_number_are_kept_to(dataset: store.PairDataset) -> None:
    assert [row["pair_id"] for row in select(dataset, 3)] == ["c-1", "a-1", "a-2"]
    assert [row["pair_id"] for row in select(dataset, 3, split="eval")] == ["a-3"]
    assert [row["pair_id"] for row in select(dataset, 3, ["check=verified"], split="train")] == ["c-1", "c-2"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("checked=verified", "there are prompt, chosen"),
        ("check", "column=value"),
        ("", "column=value"),
        ("check<3", "holds text"),
        ("step~1", "holds numbers"),
        ("step=one", "'one' is none"),
        ("__import__('os').system('true')=1", "column=value"),
    ],
)
def test_a_test_that_cannot_be_read_says_how_to_write_it(dataset: store.PairDataset, where: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        select(dataset, 5, [where])


def test_an_unknown_split_names_those_there_are(dataset: store.PairDataset) -> None:
    with pytest.raises(UsageError, match="--split test: there are train, eval"):
        select(dataset, 5, split="test")


def test_reading_stops_when_there_are_enough(dataset: store.PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Any = store.Split.batches
    read = []

    def watched(split: store.Split) -> Iterator[pa.RecordBatch]:
        for batch in whole(split):
            read.append(split.name)
            yield batch

    monkeypatch.setattr(store.Split, "batches", watched)
    select(dataset, 1, ["source=test/sums"])
    assert read == ["train"]
