"""The trainer: pairs -> token groups -> batches -> log-probs -> loss -> checkpoints and metrics.

``train`` and ``resume`` load torch when they are first asked for; ``pairgen.train.config`` never does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pairgen.train.run import TrainResult, resume, train

__all__ = ["TrainResult", "resume", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pairgen.train import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
