"""The completions of one prompt as a token tree, in which tokens that several of them start with appear once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairgen.train.data.groups import Ids, common_prefix_length

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class TokenTree:
    """V tokens in depth-first order; the prompt is not among them.

    Worked example, the completions 1 2 3 4 (chosen), 1 2 9 and 1 2 3 5 (rejected)::

        tokens       1 2 3 4 5 9        what branches off deeper comes first: 5 before 9
        depth        0 1 2 3 3 2
        subtree_end  5 5 4 3 4 5
        parent      -1 0 1 2 2 1
        paths        0 1 2 3 | 0 1 5 | 0 1 2 4
    """

    tokens: Indices
    """[V] token ids."""
    depth: Indices
    """[V] how many tokens of the completion come before this one."""
    subtree_end: Indices
    """[V] index of the last token below this one; its own index if there is none."""
    parent: Indices
    """[V] index of the token before this one; -1: it follows the prompt."""
    paths: list[Indices]
    """For each completion, the indices of its tokens."""

    def __len__(self) -> int:
        return len(self.tokens)


def token_tree(completions: Sequence[Ids], share: bool = True) -> TokenTree:
    """Merge completions into a tree.

    Args:
        completions: token ids of each completion, at least one token each.
        share: merge what completions start with in common; otherwise each one branches off the prompt.
    """
    none = np.zeros(0, np.int64)
    paths = [none] * len(completions)
    segments, starts, size = [], [], 0
    # Completions that continue with the same token, the depth of that token, and the path that leads to it.
    pending = [(list(range(len(completions))), 0, none)]
    while pending:
        (first, *others), depth, prefix = pending.pop()
        ids = completions[first]
        segments.append(ids[depth:])
        starts.append((size, depth, int(prefix[-1]) if depth else -1))
        own = np.arange(size, size + len(ids) - depth)
        path = paths[first] = np.concatenate([prefix, own]) if depth else own
        size += len(own)

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
