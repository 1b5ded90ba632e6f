"""The order of groups: each once per epoch, never split, in full batches, for any number of processes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.train.data.order import BatchSampler, chunks

SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=60).map(lambda sizes: np.array(sizes, dtype=np.int64))


@given(SIZES, st.integers(1, 12), st.integers(0, 3))
def test_batch_sampler_epoch_contains_every_group_once(pairs: np.ndarray, batch_size: int, seed: int) -> None:
    order = BatchSampler(pairs, batch_size, seed)
    for epoch in (1, 2):
        steps = order.steps(epoch)
        first = order.steps(epoch - 1) if epoch > 1 else 0
        taken = np.concatenate([order.batch(step) for step in range(first, steps)])
        assert sorted(taken) == list(range(len(pairs)))


@given(SIZES, st.integers(1, 12))
def test_batch_sampler_fills_batches_with_complete_groups(pairs: np.ndarray, batch_size: int) -> None:
    order = BatchSampler(pairs, batch_size, 0)
    batches = [order.batch(step) for step in range(order.steps(1))]
    held = [pairs[batch].sum() for batch in batches]
    assert all(count <= batch_size or len(batch) == 1 for count, batch in zip(held, batches, strict=True))
    follows = [pairs[batch[0]] for batch in batches[1:]]
    assert all(count + more > batch_size for count, more in zip(held, follows, strict=False))


@given(SIZES, st.integers(1, 12), st.integers(0, 40))
def test_batch_sampler_is_stateless(pairs: np.ndarray, batch_size: int, step: int) -> None:
    used = BatchSampler(pairs, batch_size, 5)
    for earlier in range(step):
        used.batch(earlier)
    assert used.batch(step).tolist() == BatchSampler(pairs, batch_size, 5).batch(step).tolist()


def test_batch_sampler_order_differs_by_epoch_and_seed() -> None:
    pairs = np.ones(50, dtype=np.int64)
    order = BatchSampler(pairs, 50, 0)
    assert order.batch(0).tolist() != order.batch(1).tolist()
    assert order.batch(0).tolist() != BatchSampler(pairs, 50, 1).batch(0).tolist()


@pytest.mark.parametrize(("epochs", "steps"), [(1, 5), (2, 10), (0.4, 2), (1.6, 8), (0.01, 1)])
def test_batch_sampler_steps(epochs: float, steps: int) -> None:
    assert BatchSampler(np.ones(20, dtype=np.int64), 4, 0).steps(epochs) == steps


def test_batch_sampler_epoch() -> None:
    order = BatchSampler(np.ones(20, dtype=np.int64), 4, 0)
    assert [order.epoch(step) for step in (0, 1, 5, 7)] == [0.0, 0.2, 1.0, 1.4]


@given(SIZES, st.integers(1, 12), st.integers(1, 30))
def test_batch_sampler_used_groups(pairs: np.ndarray, batch_size: int, steps: int) -> None:
    order = BatchSampler(pairs, batch_size, 0)
    taken = {index for step in range(steps) for index in order.batch(step).tolist()}
    assert set(order.used(steps).tolist()) == taken


@given(SIZES, st.integers(1, 9))
def test_chunks_partition_groups(pairs: np.ndarray, size: int) -> None:
    cut = chunks(pairs, size)
    assert [index for start, stop in cut for index in range(start, stop)] == list(range(len(pairs)))
    assert chunks([], size) == []
