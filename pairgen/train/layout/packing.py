"""Trees into rows: best fit, the longest first, and no tree cut."""

import heapq

import numpy as np

from pairgen.train.layout.trie import Numbers


def pack(lengths: Numbers, row_tokens: int) -> Numbers:
    """The row of each tree: best fit decreasing. A tree longer than a row gets a row of its own, which is longer.

    The room left in a row is the number of one bit of an integer, so the fullest row that a tree fits in is the lowest
    bit at or above its length: two operations on an integer of ``row_tokens`` bits, whatever the number of rows.

    Args:
        lengths: [n] tokens of each tree.
        row_tokens: room of a row.

    Returns:
        [n] rows, counted from 0.
    """
    rows = np.empty(len(lengths), dtype=np.int64)
    with_room: dict[int, list[int]] = {}
    rooms, count = 0, 0
    for at in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[at])
        fitting = rooms >> length
        if fitting and length <= row_tokens:
            room = length + (fitting & -fitting).bit_length() - 1
            row = with_room[room].pop()
            if not with_room[room]:
                rooms ^= 1 << room
        else:
            room, row, count = max(row_tokens, length), count, count + 1
        rows[at] = row
        left = room - length
        with_room.setdefault(left, []).append(row)
        rooms |= 1 << left
    return rows


def level(lengths: Numbers, rows: Numbers) -> Numbers:
    """As many rows, filled evenly if that makes the longest shorter: a batch is as wide as its longest row."""
    count = int(rows.max(initial=-1)) + 1
    filled = [(0, row) for row in range(count)]
    even = np.empty_like(rows)
    for at in np.argsort(-lengths, kind="stable").tolist():
        tokens, row = filled[0]
        even[at] = row
        heapq.heapreplace(filled, (tokens + int(lengths[at]), row))
    return even if max(filled, default=(0, 0))[0] < np.bincount(rows, lengths).max(initial=0) else rows


def columns(lengths: Numbers, rows: Numbers) -> Numbers:
    """[n] the column at which each tree begins, in a row's order of trees."""
    order = np.argsort(rows, kind="stable")
    ahead = np.cumsum(lengths[order]) - lengths[order]
    first = np.flatnonzero(np.r_[True, np.diff(rows[order]) != 0][: len(order)])
    ahead -= np.repeat(ahead[first], np.diff(np.r_[first, len(order)]))
    column = np.empty_like(lengths)
    column[order] = ahead
    return column
