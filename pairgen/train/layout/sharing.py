"""Find the tokens that can be shared: between completions of one prompt, and between prompts of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairgen.train.data.groups import Ids, common_prefix_length

Indices = NDArray[np.int64]

MIN_SHARED = 32
"""Minimum length of a common prefix of prompts that is worth sharing."""


@dataclass(frozen=True)
class TokenTree:
    """The completions of one prompt as a tree of V tokens in depth-first order, which does not include the prompt.

    Worked example, the completions 1 2 3 4 (chosen), 1 2 9 and 1 2 3 5 (rejected)::

        tokens       1 2 3 4 5 9        the deeper branch comes first: 5 before 9
        depth        0 1 2 3 3 2
        subtree_end  5 5 4 3 4 5
        parent      -1 0 1 2 2 1
        paths        0 1 2 3 | 0 1 5 | 0 1 2 4
    """

    tokens: Indices
    """[V] token ids."""
    depth: Indices
    """[V] index of each token in its completion."""
    subtree_end: Indices
    """[V] index of the last descendant of each token; its own index if it is a leaf."""
    parent: Indices
    """[V] index of the previous token of the completion; -1 for its first token."""
    paths: list[Indices]
    """Indices of the tokens of each completion."""

    def __len__(self) -> int:
        return len(self.tokens)


def token_tree(completions: Sequence[Ids], share: bool = True) -> TokenTree:
    """Merge completions into a tree.

    Args:
        completions: token ids of each completion, at least one token each.
        share: whether to merge common prefixes of completions; otherwise each one branches off the prompt.
    """
    empty = np.zeros(0, np.int64)
    paths = [empty] * len(completions)
    segments, starts, size = [], [], 0
    # Completions with a common prefix, its length, and the path to its last token.
    pending = [(list(range(len(completions))), 0, empty)]
    while pending:
        (first, *others), depth, prefix = pending.pop()
        ids = completions[first]
        segments.append(ids[depth:])
        starts.append((size, depth, int(prefix[-1]) if depth else -1))
        segment = np.arange(size, size + len(ids) - depth)
        path = paths[first] = np.concatenate([prefix, segment]) if depth else segment
        size += len(segment)

        branches: dict[tuple[int, int], list[int]] = {}
        for other in others:
            fork = depth + common_prefix_length(ids[depth:], completions[other][depth:]) if share else 0
            if fork == len(completions[other]):
                paths[other] = path[:fork]
            else:
                branches.setdefault((fork, int(completions[other][fork]) if share else other), []).append(other)
        deepest_first = sorted(branches.items(), key=lambda branch: -branch[0][0])
        pending += [(members, fork, path[:fork]) for (fork, _), members in reversed(deepest_first)]

    begin, depths, parents = np.array(starts).T
    depth_of = np.arange(size) - np.repeat(begin - depths, list(map(len, segments)))
    parent = np.arange(-1, size - 1)
    parent[begin] = parents
    subtree_end = np.full(size, size - 1)
    for start, depth, _ in reversed(starts):  # a subtree ends before the first later token that is not deeper
        subtree_end[:start][depth_of[:start] >= depth] = start - 1
    return TokenTree(np.concatenate(segments).astype(np.int64), depth_of, subtree_end, parent, paths)


def common_starts(prompts: list[Ids]) -> list[tuple[list[int], int]]:
    """Find prompts with a common prefix of at least ``MIN_SHARED`` tokens, such as few-shot examples.

    A few prompts that differ from the others early, for example because the question is itself one of the few-shot
    examples, do not shorten the prefix of the others.

    Returns:
        The indices of the prompts that share a prefix, and its length, for each such prefix.
    """
    long = [index for index, prompt in enumerate(prompts) if len(prompt) >= MIN_SHARED]
    # Big-endian bytes sort as the token ids do, so prompts with a common prefix become neighbors.
    long.sort(key=lambda index: prompts[index].astype(">i4").tobytes())
    in_common = [common_prefix_length(prompts[one], prompts[other]) for one, other in pairwise(long)]
    return sorted((sorted(long[run.first : run.stop]), run.length) for run in _runs(in_common))


class _Run(NamedTuple):
    """Sorted prompts from ``first`` to ``stop`` (exclusive), which share their first ``length`` tokens."""

    first: int
    stop: int
    length: int


def _runs(in_common: list[int]) -> list[_Run]:
    """Divide sorted prompts into the runs that save the most tokens.

    Neighbors are considered from the most to the least similar; each time, the runs on both sides become a single one
    unless keeping them apart saves more.

    Args:
        in_common: length of the common prefix of each prompt and the next one.
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
