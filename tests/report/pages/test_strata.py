"""The sample of pairs: from all over the dataset, with every stratum, the same every time."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from helpers.rows import make_folder, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.pairs.dataset import PairDataset
from pairgen.report.pages.strata import at_random, sample, scrambled, taken


def dataset(folder: Path, sources: dict[str, list[int]], batch: int = 7) -> PairDataset:
    """By split, how many pairs each source has."""
    return make_folder(
        folder,
        {
            name: [
                pair(f" {number}", " x", f"{name}-{source}-{number}", source=f"s/{source}")
                for source, size in enumerate(sizes)
                for number in range(size)
            ]
            for name, sizes in sources.items()
        },
        batch=batch,
    )


@settings(max_examples=15)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 30))
def test_every_stratum_is_there(tmp_path_factory: pytest.TempPathFactory, sizes: list[int], size: int) -> None:
    opened = dataset(tmp_path_factory.mktemp("d") / "pairs", {"train": sizes, "eval": sizes[:1]})
    rows = sample(opened, size)
    assert len(rows) == min(size, len(opened))
    ids = [row["pair_id"] for row in rows]
    assert ids == [row["pair_id"] for row in opened if row["pair_id"] in set(ids)]  # in order, each once
    assert all(row["split"] == row["pair_id"].split("-")[0] for row in rows)
    strata = {(row["split"], row["source"]) for row in rows}
    assert len(strata) == min(size, len(sizes) + 1)
    assert rows == sample(opened, size)


def test_strata_are_in_proportion(tmp_path: Path) -> None:
    opened = dataset(tmp_path / "pairs", {"train": [300, 90, 9, 1]}, batch=50)
    found = Counter(row["source"] for row in sample(opened, 40))
    assert found == {"s/0": 29, "s/1": 9, "s/2": 1, "s/3": 1}


def test_the_largest_strata_come_first(tmp_path: Path) -> None:
    opened = dataset(tmp_path / "pairs", {"train": [2, 30, 4, 40]})
    assert {row["source"] for row in sample(opened, 2)} == {"s/1", "s/3"}


def test_no_place_is_preferred() -> None:
    chosen = np.argsort(scrambled(100_000))[:2000]
    assert np.histogram(chosen, 10, (0, 100_000))[0].tolist() == pytest.approx([200] * 10, abs=60)
    assert len(np.unique(scrambled(100_000))) == 100_000
    assert scrambled(1)[0] == 0xE220A8397B1DCDAF  # the first output of splitmix64 from seed 0


def test_taken_rows_are_those_of_the_split(tmp_path: Path) -> None:
    split = dataset(tmp_path / "pairs", {"train": [40]})["train"]
    indices = np.array([0, 6, 7, 8, 39])
    assert taken(split, indices).to_pylist() == [split[int(at)] for at in indices]
    assert taken(split, np.array([], np.int64), ["chosen"]).num_rows == 0
    assert at_random(split, 5, ["chosen"]).num_rows == 5
    assert at_random(split, 100, ["chosen"])["chosen"].to_pylist() == [row["chosen"] for row in split]
