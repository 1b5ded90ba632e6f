"""The timer of a step's parts: each second counts for one part, and timing changes no result."""

from typing import Any

import pytest
import torch
from helpers.token_groups import random_groups, tiny_llama
from torch import Tensor

from pairgen.train.layout.tree import tree_batch
from pairgen.train.model import step_timer
from pairgen.train.model.scorer import Scorer
from pairgen.train.model.step_timer import ATTENTION, HEAD, REST, StepTimer

CPU = torch.device("cpu")


class FakeTime:
    """A clock that tests advance by hand."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(step_timer, "time", fake)
    return fake


def slow_sum(clock: FakeTime, forward: float, backward: float) -> Any:
    """A sum of tensors that takes so many seconds in the forward and in the backward pass."""

    class SlowSum(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *values: Tensor) -> Tensor:
            ctx.count = len(values)
            clock.now += forward
            return torch.stack(values).sum(0)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
            clock.now += backward
            return (grads[0],) * ctx.count

    return SlowSum.apply


def test_timed_counts_forward_and_backward_time(clock: FakeTime) -> None:
    timer, start = StepTimer(), torch.ones(2, requires_grad=True)
    timer.start(CPU)
    clock.now += 1
    values = slow_sum(clock, 2, 4)(start)
    values = timer.timed(ATTENTION, slow_sum(clock, 8, 16), values, values, start)
    values = slow_sum(clock, 32, 64)(values)
    out = timer.timed(HEAD, slow_sum(clock, 128, 256), values)
    clock.now += 512
    out.sum().backward()
    clock.now += 1024
    assert timer.stop() == {ATTENTION: 8 + 16, HEAD: 128 + 256, REST: 1 + 2 + 4 + 32 + 64 + 512 + 1024}
    assert start.grad is not None
    assert start.grad.tolist() == [3, 3]


def test_start_discards_earlier_measurements(clock: FakeTime) -> None:
    timer = StepTimer()
    for seconds in (3, 5):
        timer.start(CPU)
        clock.now += seconds
        assert timer.stop() == {ATTENTION: 0, HEAD: 0, REST: seconds}
        clock.now += 100


def test_timed_while_stopped(clock: FakeTime) -> None:
    values = torch.ones(2, requires_grad=True)
    assert StepTimer().timed(HEAD, lambda given: given, values) is values
    timer = StepTimer()
    timer.start(CPU)
    out = timer.timed(HEAD, slow_sum(clock, 1, 2), values)
    timer.stop()
    out.sum().backward()  # of a measured forward pass, after stop
    timer.start(CPU)
    assert sum(timer.stop().values()) == 0


@pytest.mark.parametrize("checkpointing", [False, True])
def test_timing_does_not_change_scores(checkpointing: bool) -> None:
    """Bit for bit, in both passes; with checkpointing attention runs twice and is measured twice."""
    batch = tree_batch(random_groups(0, 3), 64, "group")
    found = []
    for measures in (False, True):
        model = tiny_llama().train()
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        scorer = Scorer(model)
        if measures:
            scorer.timer.start(CPU)
        out = scorer(batch)
        out.sum().backward()
        if measures:
            assert all(seconds > 0 for seconds in scorer.timer.stop().values())
        found.append([out, *(weight.grad for weight in scorer.parameters())])
    assert all(torch.equal(plain, measured) for plain, measured in zip(*found, strict=True))
