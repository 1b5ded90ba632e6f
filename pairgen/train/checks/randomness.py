"""Find operations of a model that draw random numbers, such as routing by chance."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def draws_random_numbers(run: Callable[[], Any]) -> str | None:
    """The name of an operation that draws several random numbers while ``run`` is called; None if there is none.

    A single number is left out: some models draw one for each layer and skip the layer if it is below ``layerdrop``,
    which is 0. The random state is left unchanged.
    """
    with torch.random.fork_rng():
        before = _random_state()
        run()
        if torch.equal(_random_state(), before):
            return None
        recorder = _Recorder()
        with recorder:
            run()
        return recorder.found


class _Recorder(TorchFunctionMode):
    """Records the first operation that changes the random state and returns more than one element."""

    def __init__(self) -> None:
        super().__init__()
        self.found: str | None = None

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.found:
            return function(*args, **(kwargs or {}))
        before = _random_state()
        result = function(*args, **(kwargs or {}))
        several = isinstance(result, Tensor) and result.numel() > 1
        if several and not torch.equal(_random_state(), before):
            self.found = getattr(function, "__name__", str(function))
        return result


def _random_state() -> Tensor:
    """The state of the generators of the CPU and of the current GPU."""
    states = [torch.get_rng_state()]
    if torch.cuda.is_available():
        states.append(torch.cuda.get_rng_state())
    return torch.cat(states)
