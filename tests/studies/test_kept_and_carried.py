"""Pairs of the same rows with the same wrong result, alone or with all that follows from it."""

from collections import Counter
from typing import Any

import pytest

from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.validate import violations
from pairgen.stats import shortcuts
from pairgen.studies.later_use.answers import KINDS, kind_of, write

Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PairDataset]:
    folder = tmp_path_factory.mktemp("later-use")
    return {kind: write(kind, "sample:120", folder / kind, 10) for kind in KINDS}


def rows_of(dataset: PairDataset, split: str) -> Rows:
    return {row["pair_id"].rpartition("-")[0]: row for row in dataset.splits[split]}


def test_kinds_differ_in_rejected_alone(datasets: dict[str, PairDataset]) -> None:
    kept, carried = (rows_of(datasets[kind], "train") for kind in KINDS)
    assert kept.keys() == carried.keys()
    assert len(kept) > 30
    same = ("prompt", "chosen", "group_id", "correct", "corrupted", "expression", "step", "edit_start")
    for key, row in kept.items():
        other = carried[key]
        assert [row[name] for name in same] == [other[name] for name in same]
        assert row["edits"] is None
        first = other["edits"][0]
        assert row["rejected"][: first["start"]] == row["chosen"][: first["start"]]
        assert row["rejected"][first["start"] :].startswith(row["corrupted"])
        assert row["rejected"][first["start"] + len(row["corrupted"]) :] == row["chosen"][first["chosen_stop"] :]
        assert row["rejected"] != other["rejected"]


def test_held_out_pairs_are_of_both_kinds(datasets: dict[str, PairDataset]) -> None:
    """And the same in both datasets, with questions that are not trained on."""
    kept, carried = (list(datasets[kind].splits["eval"]) for kind in KINDS)
    assert kept == carried
    assert Counter(kind_of(row["pair_id"]) for row in kept) == {"kept": 10, "carried": 10}
    for kind in KINDS:
        assert {kind_of(row["pair_id"]) for row in datasets[kind].splits["train"]} == {kind}
    trained = {row["prompt"] for row in datasets["kept"].splits["train"]}
    assert not trained & {row["prompt"] for row in kept}


def test_only_kept_pairs_have_the_shortcut(datasets: dict[str, PairDataset]) -> None:
    strengths = {kind: shortcuts.measure(data.splits["train"])["used again"] for kind, data in datasets.items()}
    assert strengths["kept"].accuracy > 0.9
    assert strengths["carried"].accuracy == 0.5


def test_the_datasets_are_valid(datasets: dict[str, PairDataset]) -> None:
    for kind, data in datasets.items():
        assert not violations(open_pairs(data.path))
        assert data.manifest["title"].endswith(kind)
