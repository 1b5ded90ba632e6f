"""pairgen builds preference pairs that differ by one verified edit, and trains on them.

The names below are imported when they are first used, so that ``import pairgen`` is quick and never loads torch.
``pairgen.train`` is the trainer: ``pairgen.train.train(config)``, ``pairgen.train.resume(folder, changes)``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairgen import train
    from pairgen.building.explain import explain
    from pairgen.building.options import BuildOptions
    from pairgen.building.pipeline import build
    from pairgen.pairs.dataset import open_pairs
    from pairgen.pairs.validate import violations
    from pairgen.report.run_tables import compare
    from pairgen.stats import describe

__version__ = "0.1.0"

__all__ = ["BuildOptions", "build", "compare", "describe", "explain", "open_pairs", "train", "violations"]

_MODULES = {
    "BuildOptions": "pairgen.building.options",
    "build": "pairgen.building.pipeline",
    "compare": "pairgen.report.run_tables",
    "describe": "pairgen.stats",
    "explain": "pairgen.building.explain",
    "open_pairs": "pairgen.pairs.dataset",
    "violations": "pairgen.pairs.validate",
}
"""Where the public names are defined."""


def __getattr__(name: str) -> Any:
    if name == "train":
        return importlib.import_module("pairgen.train")
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
