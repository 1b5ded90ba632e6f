"""Rank correlation and how far it can be trusted. Only NumPy is needed."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Correlation(NamedTuple):
    """Spearman's rho and the ends of a confidence interval. All NaN where one variable is constant."""

    rho: float
    low: float
    high: float


def average_ranks(values: ArrayLike) -> Floats:
    """Ranks from 1 on; equal values share the mean of their ranks. (n,) -> (n,).

    >>> average_ranks([10, 30, 20, 30]).tolist()
    [1.0, 3.5, 2.0, 3.5]
    """
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2)[inverse]
    return ranks


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rho: Pearson's correlation of the average ranks. NaN for fewer than two values or a constant.

    Raises:
        ValueError: different lengths, or a value that is not finite.
    """
    one, other = _checked(x, y)
    return _pearson(average_ranks(one), average_ranks(other))


def spearman_interval(
    x: ArrayLike,
    y: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Correlation:
    """Spearman's rho with a percentile bootstrap interval (Efron and Tibshirani 1993, section 13.3).

    Args:
        x, y: (n,) finite numbers.
        groups: (n,) labels. Whole groups are drawn, since values in one group, such as pairs of one row, are not
            independent; by default every value is its own group.
        draws: resamples. Those in which a variable is constant have no correlation and are left out.
        level: confidence level, between 0 and 1.
        seed: the same seed gives the same interval.

    Raises:
        ValueError: different lengths, a value that is not finite, or draws or a level out of range.
    """
    one, other = _checked(x, y)
    if draws < 1 or not 0 < level < 1:
        raise ValueError(f"draws must be positive and level between 0 and 1, got {draws} and {level}")
    rho = spearman(one, other)
    if np.isnan(rho):
        return Correlation(rho, rho, rho)
    members = _members(groups, len(one))
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for at in range(draws):
        drawn = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[group] for group in drawn]) if groups is not None else drawn
        found[at] = _pearson(average_ranks(one[rows]), average_ranks(other[rows]))
    found = found[~np.isnan(found)]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2]).tolist() if len(found) else (np.nan, np.nan)
    return Correlation(rho, low, high)


def permutation_p(x: ArrayLike, y: ArrayLike, *, draws: int = 2000, seed: int = 0) -> float:
    """Two-sided p-value of Spearman's rho: the share of random permutations that correlate at least as strongly.

    The observed order counts as one of them, so it is at least 1 / (draws + 1). NaN where rho is.

    Raises:
        ValueError: different lengths, a value that is not finite, or no draws.
    """
    one, other = (average_ranks(values) for values in _checked(x, y))
    if draws < 1:
        raise ValueError(f"draws must be positive, got {draws}")
    rho = _pearson(one, other)
    if np.isnan(rho):
        return rho
    rng = np.random.default_rng(seed)
    limit = abs(rho) - 1e-12
    extreme = sum(abs(_pearson(one, rng.permutation(other))) >= limit for _ in range(draws))
    return (extreme + 1) / (draws + 1)


def _pearson(x: Floats, y: Floats) -> float:
    if len(x) < 2:
        return float("nan")
    one, other = x - x.mean(), y - y.mean()
    scale = np.sqrt((one @ one) * (other @ other))
    return float(np.clip(one @ other / scale, -1, 1)) if scale > 0 else float("nan")


def _members(groups: Sequence[Hashable] | None, size: int) -> list[NDArray[np.intp]]:
    """The positions of every group, in order of first appearance."""
    labels = range(size) if groups is None else groups
    found: dict[Hashable, list[int]] = {}
    for at, label in enumerate(labels):
        found.setdefault(label, []).append(at)
    if sum(map(len, found.values())) != size:
        raise ValueError(f"{len(labels)} groups for {size} values")
    return [np.array(rows, np.intp) for rows in found.values()]


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    one, other = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"a correlation needs two sequences of equal length, got {one.shape} and {other.shape}")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("a correlation needs finite values")
    return one, other
