"""The trainer: pairs -> token groups -> batches -> log-probs -> loss -> checkpoints and metrics.

The module can be called: ``pairgen.train("pairs", "run", loss="dpop")`` is ``train.call.train``. ``train.run.train``
takes a ``Config``, and ``train.run.resume`` goes on with a run. Only these load torch.
"""

import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """Python enters a submodule in its package under its name, so ``pairgen.train`` is this module, once imported."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from pairgen.train.call import train

        return train(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
