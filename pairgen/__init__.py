"""pairgen builds preference pairs that differ by one verified edit, and trains on them.

The names below are imported when they are first used, so that ``import pairgen`` is quick and never loads torch.

pairgen/
  api.py          the public functions, for scripts and notebooks
  hub_client.py   the Hub's client, without long retries
  errors.py       exception hierarchy and exit codes
  atomic.py       files and folders that are written completely or not at all
  content_key.py  names of folders by what their content depends on
  options.py      options as dataclasses: defaults, help texts, limits
  progress.py     progress and warning callbacks
  run_folder/     what a training run leaves on disk, read without torch
  pairs/          what a pair is, edits, checks, the dataset folder and its card
  sources/        rows in: files, folders, the Hub, the built-in sample
  arithmetic/     the corruption engine: reading text, exact values, wrong values
  builders/       one file per dataset; the BUILDERS table
  building/       from source rows to a dataset, in worker processes; explain, audit
  stats/          the STATISTICS table
  report/         terminal views and plots
  exchange/       other layouts in and out; mix, dedup, decontaminate; cards and the Hub
  train/          the trainer: data, layouts, model, reference log-probs, loop, checkpoints
  evaluate/       lm-evaluation-harness, multiple choice through token trees, paired tests
  studies/        experiments of many runs, and their reports
  recipes/        datasets, training stages and evaluations from a TOML file, with one report
  cli/            the command line
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairgen.api import audit, build, compare, describe, plot, train
    from pairgen.building.inspection.explain import explain
    from pairgen.building.options import BuildOptions
    from pairgen.building.parts.merging import merge
    from pairgen.evaluate.ches import ches
    from pairgen.evaluate.functions import evaluate
    from pairgen.exchange.functions import decontaminate, dedup, export, import_pairs, mix
    from pairgen.pairs.dataset import PairDataset, open_pairs
    from pairgen.pairs.validate import violations

__version__ = "0.1.0"

__all__ = [
    "BuildOptions",
    "PairDataset",
    "audit",
    "build",
    "ches",
    "compare",
    "decontaminate",
    "dedup",
    "describe",
    "evaluate",
    "explain",
    "export",
    "import_pairs",
    "merge",
    "mix",
    "open_pairs",
    "plot",
    "train",
    "violations",
]

_MODULES = {
    "BuildOptions": "pairgen.building.options",
    "PairDataset": "pairgen.pairs.dataset",
    "audit": "pairgen.api",
    "build": "pairgen.api",
    "ches": "pairgen.evaluate.ches",
    "compare": "pairgen.api",
    "decontaminate": "pairgen.exchange.functions",
    "dedup": "pairgen.exchange.functions",
    "describe": "pairgen.api",
    "evaluate": "pairgen.evaluate.functions",
    "explain": "pairgen.building.inspection.explain",
    "export": "pairgen.exchange.functions",
    "import_pairs": "pairgen.exchange.functions",
    "merge": "pairgen.building.parts.merging",
    "mix": "pairgen.exchange.functions",
    "open_pairs": "pairgen.pairs.dataset",
    "plot": "pairgen.api",
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
