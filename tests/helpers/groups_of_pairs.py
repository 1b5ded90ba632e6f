"""Random pair datasets of few prompts and completions, so that prompts, groups and whole pairs repeat."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from helpers.rows import make_folder, pair
from pairgen.pairs.dataset import PairDataset
from pairgen.pairs.record import Pair

Triples = list[tuple[int, int, int]]
"""Numbers of prompt, chosen and rejected."""

triples = st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 2))


def triple_lists(least: int = 1, most: int = 14) -> st.SearchStrategy[Triples]:
    return st.lists(triples, min_size=least, max_size=most)


def pairs_of(rows: Triples, name: str = "r") -> list[Pair]:
    return [
        pair(f" good {chosen}", f" bad {rejected}", f"{name}-{index}", f"Question {prompt}?", source=f"test/{name}")
        for index, (prompt, chosen, rejected) in enumerate(rows)
    ]


def write(folder: Path, name: str, **splits: Triples) -> PairDataset:
    """A dataset in ``folder / name``, whose pair ids begin with the name of the split."""
    return make_folder(folder / name, {split: pairs_of(rows, split) for split, rows in splits.items() if rows})


def rows_of(dataset: PairDataset, split: str = "train") -> list[dict[str, Any]]:
    """The rows of a split; none if there is no such split."""
    return list(dataset.splits[split]) if split in dataset.splits else []


def content(dataset: PairDataset) -> dict[str, bytes]:
    """The files of a dataset."""
    return {
        str(file.relative_to(dataset.path)): file.read_bytes() for file in dataset.path.rglob("*") if file.is_file()
    }
