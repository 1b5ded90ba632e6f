"""The clock of a step's parts: each second goes to one part, and what is timed is computed as without it."""

from typing import Any

import pytest
import torch
from helpers.token_groups import random_groups, tiny_llama
from torch import Tensor

from pairgen.train.layout.tree import tree_batch
from pairgen.train.model import timing as module
from pairgen.train.model.scorer import Scorer
from pairgen.train.model.timing import ATTENTION, HEAD, REST, Clock

CPU = torch.device("cpu")


class Hands:
    """A time that passes only when told to."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr(module, "time", made)
    return made


def taking(hands: Hands, forward: float, backward: float) -> Any:
    """The sum of tensors, which takes its time."""

    class Takes(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *values: Tensor) -> Tensor:
            ctx.count = len(values)
            hands.now += forward
            return torch.stack(values).sum(0)

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
            hands.now += backward
            return (grads[0],) * ctx.count

    return Takes.apply


def test_each_part_gets_its_time_forwards_and_backwards(hands: Hands) -> None:
    clock, start = Clock(), torch.ones(2, requires_grad=True)
    clock.start(CPU)
    hands.now += 1
    values = taking(hands, 2, 4)(start)
    values = clock.timed(ATTENTION, taking(hands, 8, 16), values, values, start)
    values = taking(hands, 32, 64)(values)
    out = clock.timed(HEAD, taking(hands, 128, 256), values)
    hands.now += 512
    out.sum().backward()
    hands.now += 1024
    assert clock.stop() == {ATTENTION: 8 + 16, HEAD: 128 + 256, REST: 1 + 2 + 4 + 32 + 64 + 512 + 1024}
    assert start.grad is not None
    assert start.grad.tolist() == [3, 3]


def test_each_measurement_starts_anew(hands: Hands) -> None:
    clock = Clock()
    for seconds in (3, 5):
        clock.start(CPU)
        hands.now += seconds
        assert clock.stop() == {ATTENTION: 0, HEAD: 0, REST: seconds}
        hands.now += 100


def test_a_clock_that_stands_still_changes_nothing(hands: Hands) -> None:
    values = torch.ones(2, requires_grad=True)
    assert Clock().timed(HEAD, lambda given: given, values) is values
    clock = Clock()
    clock.start(CPU)
    out = clock.timed(HEAD, taking(hands, 1, 2), values)
    clock.stop()
    out.sum().backward()  # of a pass that was measured, after the end
    clock.start(CPU)
    assert sum(clock.stop().values()) == 0


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_model_is_scored_as_without_it(checkpointing: bool) -> None:
    """To the bit, forwards and backwards; with checkpointing attention is run twice, and measured twice."""
    batch = tree_batch(random_groups(0, 3), 64, "group")
    found = []
    for measures in (False, True):
        model = tiny_llama().train()
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        scorer = Scorer(model)
        if measures:
            scorer.clock.start(CPU)
        out = scorer(batch)
        out.sum().backward()
        if measures:
            assert all(seconds > 0 for seconds in scorer.clock.stop().values())
        found.append([out, *(weight.grad for weight in scorer.parameters())])
    assert all(torch.equal(plain, measured) for plain, measured in zip(*found, strict=True))
