"""Edit spans and batched edit distances."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Hamming, Indel, Levenshtein


class Edit(NamedTuple):
    """The edited span in code points: ``chosen[start:chosen_stop]`` became ``rejected[start:rejected_stop]``."""

    start: int
    chosen_stop: int
    rejected_stop: int


def shared_prefix(a: str, b: str) -> int:
    """Length of the longest common prefix in code points, by bisection on slices (which compare at memory speed)."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def span(chosen: str, rejected: str) -> Edit:
    """The smallest span that turns one text into the other: longest common prefix first, then longest common suffix.

    ``span("a 12 b", "a 132 b") == Edit(start=3, chosen_stop=3, rejected_stop=4)``: a 3 was inserted.
    """
    start = shared_prefix(chosen, rejected)
    tail = shared_prefix(chosen[start:][::-1], rejected[start:][::-1])
    return Edit(start, len(chosen) - tail, len(rejected) - tail)


def consists_of(
    edit: Edit, changes: Sequence[tuple[int | None, int | None, int | None, int | None]], chosen: str, rejected: str
) -> bool:
    """Whether an edit consists of these changes: in order, from its start to its stops, with equal texts between them.

    Args:
        changes: start and stop in ``chosen``, then start and stop in ``rejected``; the result is False if one is None.
    """
    before = edit.start, edit.start  # the stops of the previous change
    for start, stop, rejected_start, rejected_stop in changes:
        if start is None or stop is None or rejected_start is None or rejected_stop is None:
            return False
        if not (before[0] <= start <= stop and before[1] <= rejected_start <= rejected_stop):
            return False
        if chosen[before[0] : start] != rejected[before[1] : rejected_start]:
            return False
        before = stop, rejected_stop
    begins = bool(changes) and changes[0][0] == changes[0][2] == edit.start
    return begins and before == (edit.chosen_stop, edit.rejected_stop)


class Metric(NamedTuple):
    """An edit distance and what its normalized form divides by."""

    distance: Callable[..., Any]
    options: dict[str, Any]
    definition: str


METRICS: dict[str, Metric] = {
    "levenshtein": Metric(
        Levenshtein.normalized_distance, {}, "Levenshtein distance (insert, delete, substitute) / longer length"
    ),
    "indel": Metric(Indel.normalized_distance, {}, "Indel distance (insert, delete) / sum of both lengths"),
    "hamming": Metric(
        Hamming.normalized_distance,
        {"pad": True},
        "Hamming distance (position-wise, the shorter one padded) / longer length",
    ),
}


def distances(
    chosen: Sequence[Sequence[Hashable]],
    rejected: Sequence[Sequence[Hashable]],
    metric: str = "levenshtein",
    workers: int = 1,
) -> NDArray[np.float32]:
    """Normalized edit distance of each pair, 0 (equal) to 1, as float32; one bulk call of rapidfuzz.

    Args:
        chosen, rejected: sequences of the same length, of strings (distance over code points) or of
            sequences of hashable units (words, token ids).
        metric: a name in ``METRICS``.
        workers: number of threads; -1 uses all cores.
    """
    if not len(chosen):
        return np.empty(0, dtype=np.float32)
    measure = METRICS[metric]
    result: NDArray[np.float32] = process.cpdist(
        chosen,
        rejected,
        scorer=measure.distance,
        scorer_kwargs=measure.options,
        dtype=np.float32,
        workers=workers,
    )
    return result
