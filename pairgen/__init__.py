"""pairgen builds preference pairs that differ by one verified edit, and trains on them.

The names below are imported when they are first used, so that ``import pairgen`` is quick and never loads torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairgen.api import audit, build, compare, describe, train
    from pairgen.building.inspection.explain import explain
    from pairgen.building.options import BuildOptions
    from pairgen.exchange.functions import decontaminate, dedup, export, import_pairs, mix
    from pairgen.pairs.dataset import PairDataset, open_pairs
    from pairgen.pairs.validate import violations

__version__ = "0.1.0"

__all__ = [
    "BuildOptions",
    "PairDataset",
    "audit",
    "build",
    "compare",
    "decontaminate",
    "dedup",
    "describe",
    "explain",
    "export",
    "import_pairs",
    "mix",
    "open_pairs",
    "train",
    "violations",
]

_MODULES = {
    "BuildOptions": "pairgen.building.options",
    "PairDataset": "pairgen.pairs.dataset",
    "audit": "pairgen.api",
    "build": "pairgen.api",
    "compare": "pairgen.api",
    "decontaminate": "pairgen.exchange.functions",
    "dedup": "pairgen.exchange.functions",
    "describe": "pairgen.api",
    "explain": "pairgen.building.inspection.explain",
    "export": "pairgen.exchange.functions",
    "import_pairs": "pairgen.exchange.functions",
    "mix": "pairgen.exchange.functions",
    "open_pairs": "pairgen.pairs.dataset",
    "train": "pairgen.api",
    "violations": "pairgen.pairs.validate",
}
"""Where the public names are defined."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
