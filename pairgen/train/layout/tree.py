"""The layout that computes shared tokens once: token trees, packed into sequences.

A group becomes a tree: its prompt, then its completions as a token tree, depth first. Positions count along a path, so
they restart at a branch, and one rule defines attention: query q attends to key k iff k <= q <= subtree_end[k], where
subtree_end[k] is the last column of k's subtree. Log-probs and gradients equal those of ``padded.py`` up to rounding.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from pairgen.train.data.groups import Ids, TokenGroup
from pairgen.train.layout.batch import Batch, work_of
from pairgen.train.layout.packing import balance, pack, row_lengths
from pairgen.train.layout.padded import padded_batch, pair_fields
from pairgen.train.layout.sharing import Indices, TokenTree, common_starts, token_tree


class _Unit(NamedTuple):
    """A prompt and its completions: those of a group, or of a single pair if groups are not shared."""

    prompt: Ids
    completions: TokenTree
    pairs: int

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completions)


class _Tree(NamedTuple):
    """A prefix that several prompts share (or nothing), then their units. Packing never splits a tree."""

    prefix: Ids
    units: list[int]
    length: int


def tree_batch(groups: Sequence[TokenGroup], row_tokens: int, share: str = "group", pad: int = 0) -> Batch:
    """Lay groups out as trees, packed into rows of at most ``row_tokens`` tokens. A longer tree makes a longer row.

    Rows are filled as evenly as possible and padded with ``pad``. ``share`` is a value of ``Config.share``: none,
    prompt, prefix, group (also common prefixes of its rejected completions) or shots.

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
    index = _completion_index(units)
    targets = np.concatenate([unit.completions.tokens for unit in units])
    return Batch(
        tokens=torch.from_numpy(rows.tokens),
        positions=torch.from_numpy(rows.positions),
        subtree_end=torch.from_numpy(rows.subtree_end),
        label_positions=torch.from_numpy(np.concatenate(labels)),
        targets=torch.from_numpy(targets),
        completion_index=torch.from_numpy(index),
        padded_tokens=sum(group.padded_tokens for group in groups),
        work=work_of(rows.positions, index, len(targets), sum(lengths)),
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
    """Trees of units whose prompts share a prefix, as many as fit a row, then one tree for each of the others."""
    forest = []
    others = dict.fromkeys(range(len(units)))
    for members, start in common_starts([unit.prompt for unit in units]) if share_starts else ():
        lengths = [units[index].length - start for index in members]
        tree_of = balance(lengths, pack(lengths, max(1, capacity - start)))
        for tree, length in enumerate(row_lengths(lengths, tree_of)):
            chosen = [index for index, of in zip(members, tree_of, strict=True) if of == tree]
            forest.append(_Tree(units[chosen[0]].prompt[:start], chosen, start + length))
        for index in members:
            del others[index]
    return forest + [_Tree(units[index].prompt[:0], [index], units[index].length) for index in others]


class _Rows:
    """R packed sequences of L tokens; a padding token attends to itself only, and no other token attends to it."""

    def __init__(self, count: int, length: int, pad: int) -> None:
        self.tokens = np.full((count, length), pad, np.int64)
        self.positions = np.zeros((count, length), np.int64)
        self.subtree_end = np.tile(np.arange(length), (count, 1))

    def write(self, row: int, column: int, tokens: Ids | Indices, positions: Indices, end: Indices | int) -> int:
        """Write tokens to consecutive columns; returns the column after them."""
        stop = column + len(tokens)
        self.tokens[row, column:stop] = tokens
        self.positions[row, column:stop] = positions
        self.subtree_end[row, column:stop] = end
        return stop


def _write_tree(rows: _Rows, row: int, column: int, tree: _Tree, units: list[_Unit], labels: list[Indices]) -> None:
    """Write a tree to consecutive columns of a row, and the flat label positions of its units to ``labels``."""
    start = len(tree.prefix)
    column = rows.write(row, column, tree.prefix, np.arange(start), column + tree.length - 1)
    prefix_end = column - 1
    for index in tree.units:
        prompt, completions, _ = units[index]
        branch = column + len(prompt) - start
        rows.write(row, column, prompt[start:], np.arange(start, len(prompt)), branch + len(completions) - 1)
        labels[index] = row * rows.tokens.shape[1] + branch + completions.parent
        if len(prompt) == start:  # its prompt is the common prefix
            labels[index][completions.parent < 0] = row * rows.tokens.shape[1] + prefix_end
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
