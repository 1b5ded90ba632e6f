"""The layout that computes no shared token twice: token trees, packed into rows.

A group becomes a tree: its prompt, then the trie of its completions (``trie.py``), depth first. Positions count along a
path, so they restart at a branch, and one rule says what attention may see: key k is visible to query q iff
k <= q <= ends[k], where ends[k] is the last column of k's subtree. Log-probs and gradients are those of ``padded.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from pairgen.train.data.groups import TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.packing import columns, level, pack
from pairgen.train.layout.padded import about_pairs, padded
from pairgen.train.layout.trie import Numbers, Tries, before, common, ragged, tries

SHARES = {
    "none": "nothing: every completion of every pair is a row of its own, padded",
    "prompt": "the prompt, by the two completions of a pair",
    "prefix": "and what chosen and rejected have in common before the edit",
    "group": "and prompt and chosen by all pairs of a group, and what rejected ones have in common",
    "shots": "and the start that the prompts of several groups have in common, such as few-shot examples",
}
"""What each level of sharing computes once; a level has all that stands above it."""

SHOTS = 32
"""Prompts that start with so many equal tokens share their start."""


@dataclass(frozen=True)
class _Units:
    """U units, each a prompt and the M completions that branch off it: a group, or below level ``group`` a pair."""

    prompts: list[np.ndarray]
    """[U] token ids."""
    ids: np.ndarray
    """Token ids of all completions, one after another."""
    start: Numbers
    """[M] where in ``ids`` a completion starts, unit by unit, chosen first."""
    length: Numbers
    """[M]"""
    count: Numbers
    """[U] completions of each unit."""


@dataclass(frozen=True)
class _Places:
    """Where the units stand. A unit may have left the start of its prompt to a root that it shares."""

    unit_row: Numbers
    """[U]"""
    unit_column: Numbers
    """[U] column of what the unit itself has of its prompt."""
    kept: Numbers
    """[U] tokens of the prompt that the unit itself has: the last ones."""
    root: Numbers
    """[U] the root that the rest is left to; -1: none."""
    root_row: Numbers
    """[roots]"""
    root_column: Numbers
    """[roots]"""
    root_tokens: Numbers
    """[roots] tokens of the root itself."""
    root_size: Numbers
    """[roots] the same and all that hangs on it."""


def trees(groups: Sequence[TokenGroup], row_tokens: int, share: str = "group", pad: int = 0) -> Batch:
    """Lay groups out as trees in rows of at most ``row_tokens``; a longer tree has a row of its own, which is longer.

    Rows are as even as they get, and filled up with ``pad`` to the longest of them. ``share`` is a key of ``SHARES``.

    Worked example, the group with prompt 5 6, chosen 7 8 2 and rejected 7 9::

        tokens     5 6 7 8 2 9
        positions  0 1 2 3 4 3        9 stands where 8 stands
        ends       5 5 5 4 4 5        8 and 2 are not seen by 9
        score      1 2 3 2            from the hidden states of 6 7 8 7 ...
        targets    7 8 2 9            ... these are predicted: the fork 7 is scored twice
        owner      0 1 2 | 0 3        7 counts for both completions
    """
    if share == "none":
        return padded(groups, pad)
    units = _units(groups, of_pairs=share in ("prompt", "prefix"))
    tried = tries(units.ids, units.start, units.length, units.count, share=share != "prompt")
    places = _placed(units.prompts, tried.size, row_tokens, shots=share == "shots")
    return _batch(groups, units, tried, places, pad)


def _units(groups: Sequence[TokenGroup], of_pairs: bool) -> _Units:
    lengths = np.array([len(ids) for group in groups for ids in group.completions], dtype=np.int64)
    counts = np.array([1 + group.pairs for group in groups], dtype=np.int64)
    prompts = [group.prompt for group in groups]
    taken = np.arange(len(lengths))
    if of_pairs:
        chosen = np.repeat(before(counts), counts - 1)
        rejected = np.delete(taken, before(counts))
        taken = np.stack([chosen, rejected], axis=1).ravel()
        prompts = [group.prompt for group in groups for _ in group.pair_ids]
        counts = np.full(len(prompts), 2)
    ids = np.concatenate([ids for group in groups for ids in group.completions])
    return _Units(prompts, ids, before(lengths)[taken], lengths[taken], counts)


def _placed(prompts: list[np.ndarray], sizes: Numbers, row_tokens: int, shots: bool) -> _Places:
    """Pack: first the units with a common start into rows behind it, then all of these and the others into rows."""
    lengths = np.array([len(prompt) for prompt in prompts], dtype=np.int64)
    root, root_tokens = np.full(len(prompts), -1), [0][:0]
    for members, start in common_starts(prompts) if shots else ():
        tokens = (lengths - start + sizes)[members]
        room = max(1, row_tokens - start)
        bins = level(tokens, pack(tokens, room))
        root[members] = len(root_tokens) + bins
        root_tokens += [start] * (int(bins.max()) + 1)
    tokens_of_root = np.array(root_tokens, dtype=np.int64)
    left = np.append(tokens_of_root, 0)[root]
    own = lengths - left + sizes
    hung = np.bincount(root[root >= 0], own[root >= 0], len(root_tokens)).astype(np.int64)

    alone = np.flatnonzero(root < 0)
    of_trees = np.concatenate([tokens_of_root + hung, own[alone]])
    rows = level(of_trees, pack(of_trees, row_tokens))
    column = columns(of_trees, rows)
    count = len(root_tokens)
    unit_row, unit_column = np.append(rows[:count], 0)[root], np.append(column[:count], 0)[root] + left
    unit_column += columns(own, root)
    unit_row[alone], unit_column[alone] = rows[count:], column[count:]
    return _Places(
        unit_row, unit_column, lengths - left, root, rows[:count], column[:count], tokens_of_root, tokens_of_root + hung
    )


def common_starts(prompts: list[np.ndarray]) -> list[tuple[Numbers, int]]:
    """Prompts that start with the same ``SHOTS`` tokens or more: which they are, and how many tokens exactly.

    A few that leave the others early, as a question does that is one of the shots, do not cut the others' start short.
    """
    long = [at for at, prompt in enumerate(prompts) if len(prompt) >= SHOTS]
    if len(long) < 2:
        return []
    long.sort(key=lambda at: prompts[at].astype(">i4").tobytes())  # in the order of tokens
    lengths = np.array([len(prompts[at]) for at in long])
    ids, starts = np.concatenate([prompts[at] for at in long]), before(lengths)
    equal = common(ids, starts[:-1], starts[1:], np.minimum(lengths[:-1], lengths[1:]))
    found = [(np.sort(long[run.first : run.stop]), run.start) for run in _runs(equal.tolist())]
    return sorted(found, key=lambda one: int(one[0][0]))


class _Run(NamedTuple):
    """Sorted prompts first to stop, which have a start of so many tokens in common."""

    first: int
    stop: int
    start: int


def _runs(equal: list[int]) -> list[_Run]:
    """Cut sorted prompts into runs: one start for all that are alike, or several where that saves more tokens.

    Prompts are joined from the most alike to the least, each time either into one run or as the runs that they are.

    Args:
        equal: tokens that a prompt and the next one start with alike.
    """
    parts: list[tuple[int, int, list[_Run]]] = [(0, 0, [])]  # the first prompt, tokens saved, runs
    between: list[int] = []
    for after, start in enumerate([*equal, -1], 1):
        while between and between[-1] >= start:
            _, right_saved, right = parts.pop()
            first, left_saved, left = parts.pop()
            joined, saved = between.pop(), left_saved + right_saved
            whole = joined * (after - first - 1)
            if joined >= SHOTS and whole >= saved:
                parts.append((first, whole, [_Run(first, after, joined)]))
            else:
                parts.append((first, saved, left + right))
        between.append(start)
        parts.append((after, 0, []))
    return parts[0][2]


def _batch(groups: Sequence[TokenGroup], units: _Units, tried: Tries, places: _Places, pad: int) -> Batch:
    lengths = np.array([len(prompt) for prompt in units.prompts], dtype=np.int64)
    last = places.unit_column + places.kept + tried.size - 1
    root_last = places.root_column + places.root_size - 1
    rows = int(places.unit_row.max()) + 1
    width = int(max(last.max(), root_last.max(initial=0))) + 1
    tokens, positions = np.full(rows * width, pad, dtype=np.int64), np.zeros(rows * width, dtype=np.int64)
    ends = np.tile(np.arange(width), rows)  # padding sees itself, and nothing else sees it

    of_root = np.unique(places.root[places.root >= 0], return_index=True)[1]
    member = np.flatnonzero(places.root >= 0)[of_root]
    column = ragged(places.root_row * width + places.root_column, places.root_tokens)
    positions[column] = ragged(np.zeros_like(places.root_tokens), places.root_tokens)
    ends[column] = np.repeat(root_last, places.root_tokens)
    if len(member):
        sizes = zip(member, places.root_tokens, strict=True)
        tokens[column] = np.concatenate([units.prompts[at][:size] for at, size in sizes])

    first = places.unit_row * width + places.unit_column
    column = ragged(first, places.kept)
    tokens[column] = np.concatenate(
        [prompt[len(prompt) - kept :] for prompt, kept in zip(units.prompts, places.kept, strict=True)]
    )
    positions[column] = ragged(lengths - places.kept, places.kept)
    ends[column] = np.repeat(last, places.kept)

    branches = first + places.kept
    column = ragged(branches, tried.size)
    tokens[column] = tried.token
    positions[column] = np.repeat(lengths, tried.size) + tried.depth
    ends[column] = np.repeat(places.unit_column + places.kept, tried.size) + tried.last
    root_end = np.append(places.root_row * width + places.root_column + places.root_tokens - 1, 0)[places.root]
    prompt_end = np.where(places.kept > 0, branches - 1, root_end)
    score = np.repeat(branches, tried.size) + tried.before
    score[tried.before < 0] = np.repeat(prompt_end, tried.size)[tried.before < 0]

    return Batch(
        tokens=torch.from_numpy(tokens.reshape(rows, width)),
        positions=torch.from_numpy(positions.reshape(rows, width)),
        subtree_end=torch.from_numpy(ends.reshape(rows, width)),
        label_positions=torch.from_numpy(score),
        targets=torch.from_numpy(tried.token),
        completion_index=torch.from_numpy(_owner(units, tried)),
        padded_tokens=sum(group.padded_tokens for group in groups),
        processed_tokens=int(places.root_tokens.sum() + places.kept.sum() + tried.size.sum()),
        **about_pairs(groups),
    )


def _owner(units: _Units, tried: Tries) -> Numbers:
    """[2P, T] the tokens of chosen of each pair, then of rejected of each pair, as they are counted in ``tried``."""
    longest = int(units.length.max())
    of_completion = np.full((len(units.length), longest), len(tried.token))
    base = np.repeat(before(tried.size), units.count)
    of_completion[np.arange(longest) < units.length[:, None]] = tried.path + np.repeat(base, units.length)
    first = before(units.count)
    rejected = np.delete(np.arange(len(units.length)), first)
    owner: Numbers = of_completion[np.concatenate([np.repeat(first, units.count - 1), rejected])]
    return owner
