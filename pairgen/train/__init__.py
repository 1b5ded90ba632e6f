"""The trainer: pairs -> token groups -> batches -> log-probs -> loss -> checkpoints and metrics.

The module can be called: ``pairgen.train("pairs", "run", loss="dpop", steps=50)`` trains a model and returns the run.
``help(pairgen.api.train)`` lists all arguments. ``train.run.train`` takes a ``Config``, and ``train.run.resume``
continues a run. Only these load torch.
"""

import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """Python enters a submodule in its package under its name, so ``pairgen.train`` is this module, once imported."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        import pairgen  # its function of this name, which this module replaces in it

        return pairgen.__getattr__("train")(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
