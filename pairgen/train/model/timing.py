"""Where a step's time goes: attention, LM head and the rest, forward and backward.

A timed function is enclosed by two marks: autograd functions that return their inputs and switch the clock to another
part, in the forward pass and, in reverse, in the backward pass::

    forward     rest | attention | rest
    backward    rest | attention | rest

On a GPU the marks record events on the stream without synchronising; they are read once the step is done.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ATTENTION, HEAD, REST = PARTS = ("attention", "head", "rest")


class Clock:
    """Accumulates time per part, one part at a time; off until it is started."""

    def __init__(self) -> None:
        self.running = False
        self._on_gpu = False
        self._marks: list[tuple[str, Any]] = []
        """Parts and when they begin, in seconds or as a CUDA event."""

    def start(self, device: torch.device) -> None:
        """Start measuring, in the part ``rest``."""
        self.running, self._on_gpu, self._marks = True, device.type == "cuda", []
        self.switch(REST)

    def switch(self, part: str) -> None:
        """Attribute the time from now on to another part."""
        if self._on_gpu:
            moment = torch.cuda.Event(enable_timing=True)
            moment.record()
        else:
            moment = time.perf_counter()
        self._marks.append((part, moment))

    def stop(self) -> Counter[str]:
        """Stop measuring; returns the seconds of each part. On a GPU this synchronises."""
        self.switch(REST)
        self.running = False
        if self._on_gpu:
            self._marks[-1][1].synchronize()
        seconds: Counter[str] = Counter(dict.fromkeys(PARTS, 0.0))
        for (part, begin), (_, end) in zip(self._marks, self._marks[1:], strict=False):
            seconds[part] += begin.elapsed_time(end) / 1000 if self._on_gpu else end - begin
        self._marks = []
        return seconds

    @torch.compiler.disable
    def timed(self, part: str, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """Call ``function(*inputs)``; its time, and that of its backward pass, counts towards ``part``."""
        if not self.running:
            return function(*inputs)
        out = function(*_Mark.apply(self, part, REST, *inputs))
        marked: tuple[Tensor] = _Mark.apply(self, REST, part, out)
        return marked[0]


class _Mark(torch.autograd.Function):
    """Identity; time counts towards ``ahead`` after its forward pass, and towards ``back`` after its backward pass."""

    @staticmethod
    def forward(ctx: Any, clock: Clock, ahead: str, back: str, *values: Tensor) -> tuple[Tensor, ...]:
        ctx.clock, ctx.back = clock, back
        clock.switch(ahead)
        return tuple(value.view_as(value) for value in values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.clock.running:
            ctx.clock.switch(ctx.back)
        return (None, None, None, *grads)
