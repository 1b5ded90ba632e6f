"""The layout that computes no shared token twice: token trees, packed into sequences.

A group becomes a tree: its prompt, then its completions as a token tree, depth first. Positions count along a path, so
they restart at a branch, and one rule defines attention: query q attends to key k iff k <= q <= subtree_end[k], where
subtree_end[k] is the last column of k's subtree. Log-probs and gradients equal those of ``padded.py`` up to rounding.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from pairgen.train.data.groups import Ids, TokenGroup
from pairgen.train.layout.batch import Batch
from pairgen.train.layout.branching import Indices, TokenTree, token_tree
from pairgen.train.layout.packing import balance, pack, row_lengths
from pairgen.train.layout.padded import padded_batch, pair_fields
from pairgen.train.layout.prompt_starts import common_starts

SHARES = {
    "none": "no sharing: one padded sequence per completion",
    "prompt": "the prompt, between the two completions of a pair",
    "prefix": "also what chosen and rejected have in common before the edit",
    "group": "also prompt and chosen, between all pairs of a group, and what its rejected completions have in common",
    "shots": "also what the prompts of several groups start with, such as few-shot examples",
}
"""What each level of sharing computes only once; every level includes the levels above it."""


class _Unit(NamedTuple):
    """A prompt and the completions that branch off it: a group, or a pair where pairs are kept apart."""

    prompt: Ids
    completions: TokenTree
    pairs: int

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completions)


class _Tree(NamedTuple):
    """What is packed as one piece: a start that several prompts have in common (or nothing), then these units."""

    start: Ids
    units: list[int]
    length: int


def tree_batch(groups: Sequence[TokenGroup], row_tokens: int, share: str = "group", pad: int = 0) -> Batch:
    """Lay groups out as trees, packed into rows of at most ``row_tokens`` tokens. A longer tree makes a longer row.

    Rows are filled as evenly as possible and padded with ``pad``. ``share`` is a key of ``SHARES``.

    Worked example, the group with prompt 5 6, chosen 7 8 2 and rejected 7 9::

        tokens            5 6 7 8 2 9
        positions         0 1 2 3 4 3        9 is at the same position as 8
        subtree_end       5 5 5 4 4 5        9 does not attend to 8 and 2
        label_positions   1 2 3 2            the hidden states of 6 7 8 7 ...
        targets           7 8 2 9            ... predict these: 7 is followed by both 8 and 9
        completion_index  0 1 2 | 0 3        the first label belongs to both completions
    """
    if share == "none":
        return padded_batch(groups, pad)
    units = _units(groups, share)
    forest = _forest(units, row_tokens, share_starts=share == "shots")
    lengths = [tree.length for tree in forest]
    row_of = balance(lengths, pack(lengths, row_tokens))
    filled = row_lengths(lengths, row_of)
    rows = _Rows(len(filled), max(filled), pad)
    labels = [np.zeros(0, np.int64)] * len(units)
    column = [0] * len(filled)
    for tree, row in zip(forest, row_of, strict=True):
        _write_tree(rows, row, column[row], tree, units, labels)
        column[row] += tree.length
    return Batch(
        tokens=torch.from_numpy(rows.tokens),
        positions=torch.from_numpy(rows.positions),
        subtree_end=torch.from_numpy(rows.subtree_end),
        label_positions=torch.from_numpy(np.concatenate(labels)),
        targets=torch.from_numpy(np.concatenate([unit.completions.tokens for unit in units])),
        completion_index=torch.from_numpy(_completion_index(units)),
        padded_tokens=sum(group.padded_tokens for group in groups),
        processed_tokens=sum(lengths),
        **pair_fields(groups),
    )


def _units(groups: Sequence[TokenGroup], share: str) -> list[_Unit]:
    if share in ("group", "shots"):
        return [_Unit(group.prompt, token_tree(group.completions), group.pairs) for group in groups]
    return [
        _Unit(group.prompt, token_tree((group.completions[0], *rejected), share=share == "prefix"), pairs=1)
        for group in groups
        for rejected in ([[ids] for ids in group.completions[1:]] or [[]] * group.pairs)
    ]


def _forest(units: list[_Unit], capacity: int, share_starts: bool) -> list[_Tree]:
    """What is packed: first the units whose prompts share a start, as many per tree as fit a row, then the others."""
    forest = []
    alone = dict.fromkeys(range(len(units)))
    for members, start in common_starts([unit.prompt for unit in units]) if share_starts else ():
        lengths = [units[index].length - start for index in members]
        tree_of = balance(lengths, pack(lengths, max(1, capacity - start)))
        for tree, length in enumerate(row_lengths(lengths, tree_of)):
            own = [index for index, of in zip(members, tree_of, strict=True) if of == tree]
            forest.append(_Tree(units[own[0]].prompt[:start], own, start + length))
        for index in members:
            del alone[index]
    return forest + [_Tree(units[index].prompt[:0], [index], units[index].length) for index in alone]


class _Rows:
    """The packed sequences of a batch, R of L tokens; padding attends to itself alone and nothing attends to it."""

    def __init__(self, count: int, length: int, pad: int) -> None:
        self.tokens = np.full((count, length), pad, np.int64)
        self.positions = np.zeros((count, length), np.int64)
        self.subtree_end = np.tile(np.arange(length), (count, 1))

    def write(self, row: int, column: int, tokens: Ids | Indices, positions: Indices, end: Indices | int) -> int:
        """Write tokens from a column on; returns the column after them."""
        stop = column + len(tokens)
        self.tokens[row, column:stop] = tokens
        self.positions[row, column:stop] = positions
        self.subtree_end[row, column:stop] = end
        return stop


def _write_tree(rows: _Rows, row: int, column: int, tree: _Tree, units: list[_Unit], labels: list[Indices]) -> None:
    """Write a tree from a column of a row on, and the flat label positions of its units into ``labels``."""
    start = len(tree.start)
    column = rows.write(row, column, tree.start, np.arange(start), column + tree.length - 1)
    start_end = column - 1
    for index in tree.units:
        prompt, completions, _ = units[index]
        branch = column + len(prompt) - start
        rows.write(row, column, prompt[start:], np.arange(start, len(prompt)), branch + len(completions) - 1)
        labels[index] = row * rows.tokens.shape[1] + branch + completions.parent
        if len(prompt) == start:  # the shared start is its whole prompt
            labels[index][completions.parent < 0] = row * rows.tokens.shape[1] + start_end
        positions = len(prompt) + completions.depth
        column = rows.write(row, branch, completions.tokens, positions, branch + completions.subtree_end)


def _completion_index(units: list[_Unit]) -> Indices:
    """[2P, T] ``Batch.completion_index``; the labels are the tokens of all completions, unit by unit."""
    chosen, rejected, count = [], [], 0
    for unit in units:
        first, *others = (count + path for path in unit.completions.paths)
        chosen += [first] * unit.pairs
        rejected += others or [first] * unit.pairs
        count += len(unit.completions)
    paths = [*chosen, *rejected]
    index = np.full((len(paths), max(map(len, paths))), count)
    for line, path in zip(index, paths, strict=True):
        line[: len(path)] = path
    return index
