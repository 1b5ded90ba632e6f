"""Measure the time of attention, the LM head and the rest of a step, in the forward and the backward pass.

A timed function is enclosed by two autograd functions that return their inputs unchanged and record the time when the
forward or the backward pass reaches them::

    forward     rest | attention | rest
    backward    rest | attention | rest

On a GPU these times are events on the stream, which are read after the step, so nothing waits for them.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ATTENTION, HEAD, REST = PARTS = ("attention", "head", "rest")


class StepTimer:
    """Measures the time of each part of a step, between ``start`` and ``stop``."""

    def __init__(self) -> None:
        self.running = False
        self._on_gpu = False
        self._marks: list[tuple[str, Any]] = []
        """The part that begins, and its time in seconds, or its event."""

    def start(self, device: torch.device) -> None:
        """Begin a measurement."""
        self.running, self._on_gpu, self._marks = True, device.type == "cuda", []
        self.mark(REST)

    def mark(self, part: str) -> None:
        """Record that a part begins."""
        if self._on_gpu:
            moment = torch.cuda.Event(enable_timing=True)
            moment.record()
        else:
            moment = time.perf_counter()
        self._marks.append((part, moment))

    def stop(self) -> Counter[str]:
        """Seconds of each part since ``start``. Waits for a GPU to finish its work."""
        self.mark(REST)
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
        """Call a function; while the timer runs, its forward and backward time is added to the part."""
        if not self.running:
            return function(*inputs)
        out = function(*_Mark.apply(self, part, REST, *inputs))
        marked: tuple[Tensor] = _Mark.apply(self, REST, part, out)
        return marked[0].clone()  # no view: FSDP warns of those


class _Mark(torch.autograd.Function):
    """Returns its inputs; marks the part that follows in the forward and in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, timer: StepTimer, next_forward: str, next_backward: str, *values: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.timer, ctx.next_backward = timer, next_backward
        timer.mark(next_forward)
        return tuple(value.view_as(value) for value in values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.timer.running:
            ctx.timer.mark(ctx.next_backward)
        return (None, None, None, *grads)
