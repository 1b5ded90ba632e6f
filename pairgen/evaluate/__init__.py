"""Evaluation of models: lm-evaluation-harness, a fast path for multiple choice, and paired tests of two models.

The module can be called: ``pairgen.evaluate("run", tasks="arc", source="dev.jsonl")`` evaluates a model and returns its
scores. ``help(pairgen.evaluate.functions.evaluate)`` lists all arguments.
"""

import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """Python enters a submodule in its package under its name: ``pairgen.evaluate`` is this module, once imported."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        import pairgen  # its function of this name, which this module replaces in it

        return pairgen.__getattr__("evaluate")(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
