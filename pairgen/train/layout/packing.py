"""Packing trees into sequences without splitting a tree."""

from bisect import bisect_left, insort
from heapq import heapreplace


def pack(lengths: list[int], capacity: int) -> list[int]:
    """Assign each tree to a row by best-fit decreasing: the longest first, each into the fullest row it fits in.

    Args:
        lengths: tokens of each tree.
        capacity: tokens of a row. A longer tree gets a row of its length.

    Returns:
        The row of each tree, counted from 0.
    """
    rows = [0] * len(lengths)
    open_rows: list[tuple[int, int, int]] = []  # tokens left, minus the step of its last tree, row
    count = 0
    for step, tree in enumerate(_longest_first(lengths)):
        length = lengths[tree]
        best = bisect_left(open_rows, (length,))
        if best < len(open_rows):
            left, _, row = open_rows.pop(best)
        else:
            left, row, count = max(capacity, length), count, count + 1
        insort(open_rows, (left - length, -step, row))
        rows[tree] = row
    return rows


def balance(lengths: list[int], rows: list[int]) -> list[int]:
    """Distribute trees evenly over the same number of rows, if that makes the longest row shorter (less padding)."""
    filled = [(0, row) for row in range(max(rows) + 1)]
    even = [0] * len(lengths)
    for tree in _longest_first(lengths):
        tokens, even[tree] = filled[0]
        heapreplace(filled, (tokens + lengths[tree], even[tree]))
    longest = max(tokens for tokens, _ in filled)
    return even if longest < max(row_lengths(lengths, rows)) else rows


def row_lengths(lengths: list[int], rows: list[int]) -> list[int]:
    """Tokens in each row."""
    filled = [0] * (max(rows) + 1)
    for length, row in zip(lengths, rows, strict=True):
        filled[row] += length
    return filled


def _longest_first(lengths: list[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda tree: -lengths[tree])
