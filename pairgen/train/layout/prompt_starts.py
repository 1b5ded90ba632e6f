"""Which prompts of a batch start with the same tokens, such as few-shot examples, so that they can share them."""

from itertools import pairwise
from typing import NamedTuple

from pairgen.train.data.groups import Ids, common_prefix_length

MIN_SHARED = 32
"""The fewest tokens in common that are worth sharing between prompts."""


def common_starts(prompts: list[Ids]) -> list[tuple[list[int], int]]:
    """Find the prompts that share their first ``MIN_SHARED`` tokens or more.

    A few prompts that differ from the others early, as when a question is one of the few-shot examples itself, do not
    shorten what the others share.

    Returns:
        For each start that several prompts have in common, their indices and its length in tokens.
    """
    long = [index for index, prompt in enumerate(prompts) if len(prompt) >= MIN_SHARED]
    # Big-endian bytes sort as the token ids do, so prompts with a common start become neighbours.
    long.sort(key=lambda index: prompts[index].astype(">i4").tobytes())
    in_common = [common_prefix_length(prompts[one], prompts[other]) for one, other in pairwise(long)]
    found = [(sorted(long[run.first : run.stop]), run.length) for run in _runs(in_common)]
    return sorted(found)


class _Run(NamedTuple):
    """Sorted prompts from ``first`` to ``stop`` (exclusive), which share their first ``length`` tokens."""

    first: int
    stop: int
    length: int


def _runs(in_common: list[int]) -> list[_Run]:
    """Divide sorted prompts into runs: a single run where all are alike, several runs where that saves more tokens.

    Neighbours are merged from the most similar to the least similar, each time into a single run or, if that saves
    more, left as the runs they already are.

    Args:
        in_common: how many tokens each prompt shares with the next one.
    """
    parts: list[tuple[int, int, list[_Run]]] = [(0, 0, [])]  # first prompt, tokens saved, runs
    between: list[int] = []
    for stop, length in enumerate([*in_common, -1], 1):
        while between and between[-1] >= length:
            _, saved_right, right = parts.pop()
            first, saved_left, left = parts.pop()
            shared, saved_apart = between.pop(), saved_left + saved_right
            saved_together = shared * (stop - first - 1)
            if shared >= MIN_SHARED and saved_together >= saved_apart:
                parts.append((first, saved_together, [_Run(first, stop, shared)]))
            else:
                parts.append((first, saved_apart, left + right))
        between.append(length)
        parts.append((stop, 0, []))
    return parts[0][2]
