"""The work of a step divided evenly among processes, which wait for each other: the slowest one decides.

Costs are those of ``GroupCost``: FLOPs, from token lengths alone. What is divided, the pairs of a step, does not
depend on the number of processes, so a run can be resumed with another one.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from pairgen.train.data.order import Indices, chunks

CLOSE = 1.01
"""Micro-batches are balanced if the most expensive one costs so many times the average."""
MAX_SWAPS = 64
"""Improvements after which micro-batches are taken as they are."""

Share = list[Indices]
"""The micro-batches of a process: the groups of each."""


def split_batch(batch: Indices, pairs: Indices, costs: NDArray[np.float64], micro: int, size: int) -> list[Share]:
    """Divide the groups of a step among ``size`` processes, and those of each into micro-batches.

    Never slower (``step_cost``), and with no more passes, than dealing the groups out in turn.

    Args:
        pairs, costs: of each group of the dataset.
        micro: pairs per micro-batch; a larger group is one by itself; 0: no limit.

    Returns:
        For each process, its micro-batches, in the order of the passes. Some may have fewer than others, even none.
    """
    limit = micro or int(pairs[batch].sum())
    in_turn = [_chunked(batch[rank::size], pairs, limit) for rank in range(size)]
    if size == 1 and len(in_turn[0]) == 1:
        return in_turn
    most = max(map(len, in_turn))
    for passes in range(max(1, -int(-pairs[batch].sum() // (size * limit))), most + 1):
        if filled := _fill(costs[batch].tolist(), pairs[batch].tolist(), limit, size * passes):
            parts = [batch[groups] for groups in filled if groups]
            dealt = arrange([float(costs[part].sum()) for part in parts], size)
            balanced = [[parts[index] for index in own] for own in dealt]
            return min(balanced, in_turn, key=lambda shares: step_cost(shares, costs))
    return in_turn


def arrange(costs: Sequence[float], size: int) -> list[list[int]]:
    """Divide passes among processes that run one each at a time.

    The most expensive passes run together; of these, the process with the least work so far takes the most expensive.

    Returns:
        For each process, the indices of its passes; some have one pass less if they do not come out even.
    """
    by_cost = sorted(range(len(costs)), key=lambda index: -costs[index])
    shares: list[list[int]] = [[] for _ in range(size)]
    total = [0.0] * size
    for first in range(0, len(by_cost), size):
        least_first = sorted(range(size), key=total.__getitem__)
        for rank, index in zip(least_first, by_cost[first : first + size], strict=False):
            shares[rank].append(index)
            total[rank] += costs[index]
    return shares


def step_cost(shares: Sequence[Share], costs: NDArray[np.float64]) -> float:
    """What a step takes: sharded processes wait for each other in each pass, so the most expensive part of each."""
    passes = max(map(len, shares))
    return sum(max(float(costs[own[index]].sum()) for own in shares if index < len(own)) for index in range(passes))


def _chunked(groups: Indices, pairs: Indices, limit: int) -> Share:
    return [groups[start:stop] for start, stop in chunks(pairs[groups], limit)]


def _fill(costs: list[float], pairs: list[int], limit: int, count: int) -> list[list[int]] | None:
    """Distribute groups evenly over ``count`` micro-batches of at most ``limit`` pairs, or one larger group.

    The most expensive first, each into the cheapest micro-batch that has room (Graham's LPT), then swaps.

    Returns:
        The groups of each micro-batch, increasing; None if a group finds no room.
    """
    bins: list[list[int]] = [[] for _ in range(count)]
    room = [limit] * count
    cheapest = [(0.0, number) for number in range(count)]
    for group in sorted(range(len(costs)), key=lambda index: -costs[index]):
        too_full = []
        while cheapest:
            cost, number = heappop(cheapest)
            if pairs[group] <= room[number] or not bins[number]:
                break
            too_full.append((cost, number))
        else:
            return None
        bins[number].append(group)
        room[number] -= pairs[group]
        cheapest += too_full
        if too_full:
            heapify(cheapest)
        if room[number] > 0:
            heappush(cheapest, (cost + costs[group], number))
    _improve(bins, costs, pairs, room)
    return [sorted(groups) for groups in bins]


def _improve(bins: list[list[int]], costs: list[float], pairs: list[int], room: list[int]) -> None:
    """Swap groups of the most expensive micro-batch for cheaper ones of others while that makes it cheaper."""
    totals = [sum(costs[group] for group in groups) for groups in bins]
    for _ in range(MAX_SWAPS):
        high = max(range(len(bins)), key=totals.__getitem__)
        if totals[high] <= CLOSE * sum(totals) / len(totals):
            return
        best = (totals[high], 0, 0, 0)
        for low, groups in enumerate(bins):
            for one in bins[high]:
                for other in groups:
                    more = pairs[one] - pairs[other]
                    saved = costs[one] - costs[other]
                    if saved > 0 and -room[high] <= more <= room[low]:
                        best = min(best, (max(totals[high] - saved, totals[low] + saved), low, one, other))
        highest, low, one, other = best
        if highest >= totals[high]:
            return
        for number, leaves, enters in ((high, one, other), (low, other, one)):
            bins[number][bins[number].index(leaves)] = enters
            totals[number] += costs[enters] - costs[leaves]
            room[number] -= pairs[enters] - pairs[leaves]
