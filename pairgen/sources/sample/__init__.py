"""The built-in sample: rows the project makes up itself, in the shape of each dataset. Any number, any seed.

A row depends on (dataset, split, index, seed) alone, so rows can be made in any order by any process. No question is in
both splits.
"""

from collections.abc import Callable
from typing import Any

from pairgen.sources.sample.draw import SPLITS
from pairgen.sources.sample.mathematics import gsm8k_row, metamath_row
from pairgen.sources.sample.scenes import scene
from pairgen.sources.sample.science import question

_ROWS: dict[str, Callable[[str, int, int], dict[str, Any]]] = {
    "metamath": metamath_row,
    "gsm8k": gsm8k_row,
    "arc": question,
    "hellaswag": scene,
}

DATASETS = tuple(_ROWS)


def row(dataset: str, split: str, index: int, seed: int = 0) -> dict[str, Any]:
    """Row ``index`` of a split ("train" or "eval"), laid out as on the hub."""
    if dataset not in _ROWS or split not in SPLITS:
        raise ValueError(f"no sample of {dataset!r}, {split!r}: there are {', '.join(DATASETS)}; {', '.join(SPLITS)}")
    return _ROWS[dataset](split, index, seed)
