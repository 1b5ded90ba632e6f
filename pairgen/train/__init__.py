"""The trainer: pairs -> token groups -> batches -> log-probs -> loss -> checkpoints and metrics.

The module can be called: ``pairgen.train("pairs", "run", loss="dpop", steps=50)`` trains a model and returns the run.
``help(pairgen.api.train)`` lists all arguments. ``train.run.train`` takes a ``Config``, and ``train.run.resume``
continues a run. Only these load torch, and the names below, which are for training loops of your own.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairgen.train.config import Config
    from pairgen.train.from_texts import exact_layout, groups_of_texts
    from pairgen.train.losses import LOSSES
    from pairgen.train.model.scorer import Scorer
    from pairgen.train.scores.pair_logps import PairLogps

__all__ = ["LOSSES", "Config", "PairLogps", "Scorer", "exact_layout", "groups_of_texts"]

_MODULES = {
    "LOSSES": "pairgen.train.losses",
    "Config": "pairgen.train.config",
    "PairLogps": "pairgen.train.scores.pair_logps",
    "Scorer": "pairgen.train.model.scorer",
    "exact_layout": "pairgen.train.from_texts",
    "groups_of_texts": "pairgen.train.from_texts",
}
"""Where these names are defined; a module is imported when its name is first used."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _CallableModule(ModuleType):
    """Python enters a submodule in its package under its name, so ``pairgen.train`` is this module, once imported."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        import pairgen  # its function of this name, which this module replaces in it

        return pairgen.__getattr__("train")(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
