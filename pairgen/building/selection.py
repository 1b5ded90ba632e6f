"""Choices that need every row at once, made on 64-bit keys: the evaluation split, the shots, copies of one id.

All of them depend on the keys and the seed alone, never on the order of files, chunks or workers.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from pairgen.errors import UsageError

Keys = NDArray[np.uint64]


def text_key(text: str) -> int:
    """64-bit key of a text; its case and white space do not count."""
    return xxhash.xxh3_64_intdigest(" ".join(text.split()).casefold().encode("utf-8", "surrogatepass"))


def shuffled_topics(keys: Sequence[Keys], seed: int, purpose: str) -> tuple[Keys, NDArray[np.int64]]:
    """The distinct keys in an order drawn by seed and purpose, and how many rows have each."""
    topics, counts = np.unique(np.concatenate([*keys, np.empty(0, np.uint64)]), return_counts=True)
    mixed = topics ^ np.uint64(xxhash.xxh3_64_intdigest(f"{purpose}:{seed}".encode()))
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):  # MurmurHash3's finaliser: every bit reaches every bit
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    order = np.argsort(mixed ^ (mixed >> np.uint64(33)), kind="stable")
    return topics[order], counts[order]


def eval_topics(keys: Sequence[Keys], size: int, seed: int) -> frozenset[int]:
    """Topics whose rows, all of them, make an evaluation split of exactly ``size`` rows.

    Topics are taken in drawn order; one that has more rows than are still wanted is passed over. Should that end
    short of ``size``, how many topics of each count to take is worked out exactly.

    Raises:
        UsageError: no choice of whole topics gives that many rows, or none would be left to train on.
    """
    topics, counts = shuffled_topics(keys, seed, "eval")
    total = int(counts.sum())
    if size >= total:
        raise UsageError(f"--eval-size {size}: the source has {total} usable rows; leave some to train on")
    chosen, left = [], size
    for topic, count in zip(topics.tolist(), counts.tolist(), strict=True):
        if count <= left:
            chosen.append(topic)
            left -= count
            if not left:
                return frozenset(chosen)
    wanted = _counts_adding_up(counts, size)
    exact = []
    for topic, count in zip(topics.tolist(), counts.tolist(), strict=True):
        if wanted[count]:
            wanted[count] -= 1
            exact.append(topic)
    return frozenset(exact)


def _counts_adding_up(counts: NDArray[np.int64], size: int) -> Counter[int]:
    """How many topics of each count make ``size`` rows together.

    The subset-sum table of the textbook, a row of it in the bits of one integer. Topics of equal count go in bundles
    of 1, 2, 4, ...: five topics of three rows are bundles of 3, 6 and 6 rows, which add up to all that the five can.
    """
    bundles = []
    for count, times in zip(*(column.tolist() for column in np.unique(counts, return_counts=True)), strict=True):
        step = 1
        while times:
            bundles.append((count, min(step, times)))
            times, step = times - min(step, times), 2 * step
    reached = [1]  # bit n of reached[k]: the first k bundles can make n rows
    for count, times in bundles:
        reached.append((reached[-1] | reached[-1] << count * times) & ((2 << size) - 1))
    most = reached[-1].bit_length() - 1
    if most < size:
        hint = f"{most} would do" if most else f"the smallest question has {counts.min()}"
        raise UsageError(f"--eval-size {size}: no set of whole questions has that many rows; {hint}")
    wanted: Counter[int] = Counter()
    for (count, times), before in zip(reversed(bundles), reversed(reached[:-1]), strict=True):
        if not before >> size & 1:
            wanted[count] += times
            size -= count * times
    return wanted


def shot_topics(keys: Sequence[Keys], held_out: frozenset[int], count: int, seed: int) -> list[int]:
    """The first ``count`` topics of the training rows in drawn order; fewer if there are fewer."""
    topics, _ = shuffled_topics(keys, seed, "shots")
    return [topic for topic in topics.tolist() if topic not in held_out][:count]


def copies(ids: Sequence[Keys]) -> list[NDArray[np.int64] | None]:
    """How many equal ids came before each, per array; None for an array in which no id is a copy.

    ``[[7, 8], [7, 7]]`` gives ``[None, [1, 2]]``.
    """
    repeated = _repeated(ids)
    seen: dict[int, int] = {}
    result: list[NDArray[np.int64] | None] = []
    for part in ids:
        before = np.zeros(len(part), np.int64)
        for index in np.flatnonzero(np.isin(part, repeated)).tolist():
            key = int(part[index])
            before[index] = seen.get(key, 0)
            seen[key] = int(before[index]) + 1
        result.append(before if before.any() else None)
    return result


def _repeated(ids: Sequence[Keys], slices: int = 16) -> Keys:
    """The keys that stand more than once, found one slice of the key space after the other to save memory."""
    found = [np.empty(0, np.uint64)]
    for number in range(slices):
        ordered = np.concatenate([*(part[part % np.uint64(slices) == number] for part in ids), np.empty(0, np.uint64)])
        ordered.sort()
        found.append(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    return np.concatenate(found)
