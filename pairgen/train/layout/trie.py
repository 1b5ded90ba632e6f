"""Tries: the completions of many groups as trees of tokens, every shared token once, without a loop per token.

The completions of one prompt go one after another into their trie. Each *hangs* on an earlier one, the first of those
that share the most tokens with it, and *forks* off behind these; what follows is its own segment. Depth first means: a
segment, then what hangs on it, the deepest fork first, each followed by what hangs on it in turn.

Worked example, one prompt with the completions 1 2 3 4 (chosen), 1 2 9 and 1 2 3 5 (rejected)::

    hangs on      -, 0, 0           fork   0, 2, 3            own tokens  1 2 3 4 | 9 | 5
    depth first   1 2 3 4 5 9       5 (fork 3) stands before 9 (fork 2): what is below token 3 is one run
    last          5 5 4 3 4 5       the last token below each token, itself included
    before       -1 0 1 2 2 1       the token whose hidden state predicts it; -1 is the last of the prompt
    path          0 1 2 3 | 0 1 5 | 0 1 2 4      where each completion finds its tokens
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Tries:
    """U tries of M completions, V tokens in all without prompts. Tokens are counted from each trie's first."""

    size: Numbers
    """[U] tokens of each trie."""
    token: Numbers
    """[V] token ids, trie by trie."""
    depth: Numbers
    """[V] tokens of the completion before this one."""
    last: Numbers
    """[V] the last token of the subtree below each token."""
    before: Numbers
    """[V] the token before it on its path; -1: the last of the prompt."""
    path: Numbers
    """[sum of lengths] the tokens of each completion, one completion after another."""


def ragged(starts: Numbers, lengths: Numbers) -> Numbers:
    """Ranges one after another: starts 5 0, lengths 2 3 -> 5 6 0 1 2."""
    return np.repeat(starts - before(lengths), lengths) + np.arange(int(lengths.sum()))


def before(lengths: Numbers) -> Numbers:
    """The sum of all lengths before each one: 2 3 4 -> 0 2 5."""
    return np.cumsum(lengths) - lengths


def common(ids: NDArray[np.integer], left: Numbers, right: Numbers, most: Numbers) -> Numbers:
    """How many of ids[left:], ids[right:] are equal from the start, at most ``most``, for each of many pairs."""
    column = ragged(np.zeros_like(most), most)
    differs = np.flatnonzero(ids[np.repeat(left, most) + column] != ids[np.repeat(right, most) + column])
    pair = np.repeat(np.arange(len(most)), most)[differs]
    is_first = np.ones(len(pair), dtype=bool)
    is_first[1:] = pair[1:] != pair[:-1]
    count = most.copy()
    count[pair[is_first]] = column[differs[is_first]]
    return count


def tries(ids: NDArray[np.integer], start: Numbers, length: Numbers, count: Numbers, share: bool = True) -> Tries:
    """One trie for each run of completions.

    Args:
        ids: token ids; completion m is ids[start[m] : start[m] + length[m]].
        start: [M]
        length: [M] at least 1.
        count: [U] completions of each trie, at least 1, in order.
        share: completions share what they have in common; else each branches off at the prompt.
    """
    first = before(count)
    rounds = [first[count > rank] + rank for rank in range(1, int(count.max(initial=1)))]
    hangs_on, fork = np.repeat(first, count), np.zeros_like(length)
    for rank, here in enumerate(rounds, 1) if share else ():
        for other in range(rank):
            earlier = here - rank + other
            shared = common(ids, start[earlier], start[here], np.minimum(length[earlier], length[here]))
            better = shared > fork[here]
            hangs_on[here] = np.where(better, earlier, hangs_on[here])
            fork[here] = np.maximum(shared, fork[here])

    own = length - fork
    below = own.copy()
    for here in reversed(rounds):
        below[hangs_on[here]] += below[here]
    begin = _begin(rounds, hangs_on, fork, own, below)
    base = before(below[first])
    base_of = np.repeat(base, count)

    offset = before(length)
    path = np.empty(int(length.sum()), dtype=np.int64)
    path[ragged(offset + fork, own)] = ragged(begin, own)
    for here in rounds if share else ():
        path[ragged(offset[here], fork[here])] = path[ragged(offset[hangs_on[here]], fork[here])]

    branch = np.setdiff1d(np.flatnonzero(fork), first)
    at_fork = path[offset[branch] + fork[branch] - 1]
    is_at = np.flatnonzero(own)
    node = ragged(base_of[is_at] + begin[is_at], own[is_at])
    values = np.empty((4, int(own.sum())), dtype=np.int64)
    token, depth, last, previous = values
    token[node] = ids[ragged((start + fork)[is_at], own[is_at])]
    depth[node] = ragged(fork[is_at], own[is_at])
    previous[node] = ragged(begin[is_at] - 1, own[is_at])
    head = base_of + begin
    previous[head[is_at]] = -1
    own_branch = own[branch] > 0
    previous[head[branch[own_branch]]] = at_fork[own_branch]

    # what hangs on a token adds to the run below it and below all before it in its segment: sums from the segment's end
    hung = np.zeros(len(token) + 1, dtype=np.int64)
    np.add.at(hung, base_of[branch] + at_fork, below[branch])
    behind = np.cumsum(hung[::-1])[::-1]
    final = begin[is_at] + own[is_at] - 1
    last[node] = np.repeat(final - behind[base_of[is_at] + final + 1], own[is_at]) + behind[node]
    return Tries(size=below[first], token=token, depth=depth, last=last, before=previous, path=path)


def _begin(rounds: list[Numbers], hangs_on: Numbers, fork: Numbers, own: Numbers, below: Numbers) -> Numbers:
    """[M] where each completion's own segment begins in its trie: behind its host, and what hangs there deeper."""
    begin = np.zeros_like(own)
    if not rounds:
        return begin
    hanging = np.sort(np.concatenate(rounds))
    order = hanging[np.lexsort((hanging, -fork[hanging], hangs_on[hanging]))]
    passed = before(below[order])
    host = hangs_on[order]
    starts = np.flatnonzero(np.r_[True, host[1:] != host[:-1]])
    passed -= np.repeat(passed[starts], np.diff(np.r_[starts, len(order)]))
    after = np.zeros_like(own)
    after[order] = passed
    for here in rounds:
        begin[here] = begin[hangs_on[here]] + own[hangs_on[here]] + after[here]
    return begin
