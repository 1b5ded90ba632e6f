"""Built-in sample data: synthetic rows in the layout of each dataset, any number of them, for demos, tests and studies.

A row is a pure function of (dataset, split, index, seed), so rows can be generated in any order by any process, and
more rows continue where fewer end. No question is in both splits. Every calculation in a solution is exact.

The texts are in ``tables/``; ``templates.py`` describes the notation that all tables share.
"""

from collections.abc import Callable
from typing import Any

from pairgen.sources.sample import conversations
from pairgen.sources.sample.metamath import gsm8k_row, metamath_row
from pairgen.sources.sample.multiple_choice import arc_row, hellaswag_row

_ROWS: dict[str, Callable[[str, int, int], dict[str, Any]]] = {
    "metamath": metamath_row,
    "gsm8k": gsm8k_row,
    "arc": arc_row,
    "hellaswag": hellaswag_row,
}

DATASETS = tuple(_ROWS)
"""Those that have a builder of the same name."""

_CONVERSATIONS: dict[str, Callable[[str, int, int], dict[str, Any]]] = {
    "orca-chat": conversations.orca_chat_row,
    "sharegpt": conversations.sharegpt_row,
    "orca": conversations.orca_row,
    "ultrafeedback": conversations.ultrafeedback_row,
    "truthy": conversations.truthy_row,
}

CONVERSATIONS = tuple(_CONVERSATIONS)
"""Those that are imported."""


def row(dataset: str, split: str, index: int, seed: int = 0) -> dict[str, Any]:
    """Row ``index`` of a split ("train" or "eval"), with the columns that the dataset has on the Hub."""
    return (_ROWS | _CONVERSATIONS)[dataset](split, index, seed)
