"""The work of a step divided among processes: complete, within limits, never slower than dealing groups out."""

from itertools import islice, permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.train.data.order import BatchSampler, chunks
from pairgen.train.data.ranks import Share, arrange, split_batch, step_cost
from pairgen.train.data.splits import tokenize_split, training_texts
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import PairTokenizer
from pairgen.train.layout.group_work import GroupCost
from pairgen.train.model.tiny import train_tokenizer
from pairgen.train.planning.architectures import find_shape

STEPS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 1000)), min_size=1, max_size=40)
SIZE = st.integers(1, 6)
MICRO = st.integers(0, 9)


def divided(
    step: list[tuple[int, int]], micro: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Share]]:
    pairs, costs = np.array(step).T
    batch = np.random.default_rng(len(step)).permutation(len(step))
    return batch, pairs, costs.astype(float), split_batch(batch, pairs, costs.astype(float), micro, size)


def in_turn(batch: np.ndarray, pairs: np.ndarray, micro: int, size: int) -> list[Share]:
    """The slow twin: each process takes every ``size``-th group, in chunks."""
    own = [batch[rank::size] for rank in range(size)]
    limit = micro or int(pairs.sum())
    return [[groups[start:stop] for start, stop in chunks(pairs[groups], limit)] for groups in own]


@given(STEPS, MICRO, SIZE)
def test_every_group_is_in_one_micro_batch_within_the_limit(step: list[tuple[int, int]], micro: int, size: int) -> None:
    batch, pairs, _, shares = divided(step, micro, size)
    assert len(shares) == size
    parts = [part for own in shares for part in own]
    assert sorted(np.concatenate(parts).tolist()) == sorted(batch.tolist())
    assert all(len(part) for part in parts)
    if micro:
        assert all(pairs[part].sum() <= micro or len(part) == 1 for part in parts)
    else:
        assert all(len(own) <= 1 for own in shares)


@given(STEPS, MICRO, SIZE)
def test_never_slower_than_dealing_groups_out(step: list[tuple[int, int]], micro: int, size: int) -> None:
    batch, pairs, costs, shares = divided(step, micro, size)
    plain = in_turn(batch, pairs, micro, size)
    assert step_cost(shares, costs) <= step_cost(plain, costs)
    assert max(map(len, shares)) <= max(map(len, plain))


@given(STEPS, MICRO, SIZE)
def test_groups_keep_their_order_and_ranks_agree(step: list[tuple[int, int]], micro: int, size: int) -> None:
    batch, pairs, costs, shares = divided(step, micro, size)
    place = {group: at for at, group in enumerate(batch.tolist())}
    for part in (part for own in shares for part in own):
        assert [place[group] for group in part.tolist()] == sorted(place[group] for group in part.tolist())
    again = split_batch(batch, pairs, costs, micro, size)
    assert [[part.tolist() for part in own] for own in again] == [[part.tolist() for part in own] for own in shares]


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("micro", [0, 2])
def test_costs_of_processes_are_close(size: int, micro: int) -> None:
    """Costs as of worked solutions: a third of the average is the standard deviation."""
    random = np.random.default_rng(3)
    costs = random.lognormal(0, 0.35, 512)
    pairs = np.ones(512, np.int64)
    slowest, in_order = [], []
    for first in range(0, 512, 16 * size):
        batch = np.arange(first, first + 16 * size)
        of_ranks = [
            [costs[own].sum() for own in map(np.concatenate, found)]
            for found in (
                split_batch(batch, pairs, costs, micro, size),
                in_turn(batch, pairs, micro or 16 * size, size),
            )
        ]
        slowest.append(max(of_ranks[0]) / min(of_ranks[0]))
        in_order.append(max(of_ranks[1]) / min(of_ranks[1]))
    assert max(slowest) < 1.1
    assert np.median(slowest) < 1.03
    assert np.median(in_order) > 1.05


def test_two_long_groups_go_to_different_processes() -> None:
    costs = np.array([9.0, 1, 9, 1])
    batch, pairs = np.arange(4), np.ones(4, np.int64)
    assert step_cost(in_turn(batch, pairs, 0, 2), costs) == 18
    assert step_cost(split_batch(batch, pairs, costs, 0, 2), costs) == 10


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(1, 3))
def test_arranged_passes_take_the_least_time(costs: list[int], size: int) -> None:
    """The slow twin tries every order: no other takes less time if processes wait for each other in each pass."""
    shares = arrange(costs, size)
    assert sorted(index for own in shares for index in own) == list(range(len(costs)))
    rounds = -(-len(costs) // size)
    assert {len(own) for own in shares} <= {rounds, rounds - 1}

    def took(order: tuple[int, ...]) -> int:
        return sum(max(order[first : first + size]) for first in range(0, len(order), size))

    found = sum(max(costs[own[at]] for own in shares if at < len(own)) for at in range(rounds))
    assert found == min(map(took, permutations(costs)))


@pytest.mark.parametrize(("pairs", "micro"), list(product([[3, 3, 1, 1], [5, 1, 1], [2, 2, 2, 2, 2]], [2, 3, 4])))
def test_groups_that_do_not_fit_together(pairs: list[int], micro: int) -> None:
    """Groups larger than a micro-batch are one by themselves, and others do not fit in twos."""
    shares = split_batch(np.arange(len(pairs)), np.array(pairs), np.array(pairs, float), micro, 2)
    for part in (part for own in shares for part in own):
        assert len(part) == 1 or sum(pairs[index] for index in part) <= micro


@pytest.mark.slow
def test_costs_of_processes_are_within_a_tenth_on_real_solutions(real_data: Path, tmp_path: Path) -> None:
    """In nearly all steps of 16 pairs; in turn, four processes differ by more than that in most."""
    built = build("metamath", tmp_path / "pairs", BuildOptions((str(real_data / "metamath/GSM_AnsAug.json"),)))
    tokenizer = train_tokenizer(islice(training_texts([built]), 500))
    split = tokenize_split([built], "train", TokenCache(tmp_path / "tokens", PairTokenizer(tokenizer)))
    assert split is not None
    pairs, costs = split.groups.pairs, GroupCost(find_shape("llama2-7b").flops().of_each, "shots")(split.groups)
    sampler = BatchSampler(pairs, 16, 0)
    for size in (2, 4):
        spreads, plain = [], []
        for step in range(sampler.steps(1) - 1):
            batch = sampler.batch(step)
            balanced = [costs[own[0]].sum() for own in split_batch(batch, pairs, costs, 0, size)]
            spreads.append(max(balanced) / min(balanced))
            dealt = [costs[own[0]].sum() for own in in_turn(batch, pairs, 0, size)]
            plain.append(max(dealt) / min(dealt))
        assert np.quantile(spreads, 0.95) < 1.1 < np.median(plain)
