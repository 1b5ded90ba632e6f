"""Many numbers, one per pair, boiled down to the few a person reads."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32] | NDArray[np.int32] | NDArray[np.int64]
"""One per pair, or one per group."""

QUANTILES = (5, 25, 50, 75, 95)
"""In percent."""

EDGES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
"""Bins of a histogram over 0..1, fixed so that datasets compare; finer near 0, where one swapped number lies."""


@dataclass(frozen=True)
class Summary:
    """What is known of a set of numbers; every figure but the count is None for an empty set.

    ``sd`` is the population's standard deviation (divided by n, not n - 1); ``quantiles`` interpolate linearly
    and are keyed by percent.
    """

    count: int
    mean: float | None
    sd: float | None
    min: float | None
    max: float | None
    quantiles: dict[str, float | None]

    @classmethod
    def of(cls, values: Numbers, is_sorted: bool = False) -> "Summary":
        """Summarise a one-dimensional array of finite numbers; one that is sorted already is not copied."""
        if not len(values):
            return cls(0, None, None, None, None, {str(percent): None for percent in QUANTILES})
        ordered: NDArray[Any] = values if is_sorted else np.sort(values)
        mean = float(ordered.mean(dtype=np.float64))
        return cls(
            count=len(ordered),
            mean=mean,
            sd=_deviation(ordered, mean),
            min=float(ordered[0]),
            max=float(ordered[-1]),
            quantiles={str(percent): _quantile(ordered, percent / 100) for percent in QUANTILES},
        )

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return asdict(self)


def _deviation(values: NDArray[Any], mean: float, step: int = 1 << 16) -> float:
    """Standard deviation, in steps: numpy's own holds twice the memory of the values."""
    squares = sum(
        float(np.square(values[at : at + step].astype(np.float64) - mean).sum()) for at in range(0, len(values), step)
    )
    return float(np.sqrt(squares / len(values)))


def _quantile(ordered: NDArray[Any], share: float) -> float:
    """Linear interpolation between the two nearest ranks, as ``numpy.quantile`` does it, without its partitioning."""
    rank = share * (len(ordered) - 1)
    low = int(rank)
    below, above = float(ordered[low]), float(ordered[min(low + 1, len(ordered) - 1)])
    return below + (rank - low) * (above - below)


def histogram(values: Numbers, is_sorted: bool = False) -> dict[str, list[Any]]:
    """How many numbers lie from each of ``EDGES`` up to, not including, the next; 1 joins the last bin."""
    inner = np.array(EDGES[1:-1], dtype=np.float32)  # as float32, so that a stored 0.7 falls where 0.7 falls
    below = np.searchsorted(
        values if is_sorted else np.sort(values), inner, side="left"
    )  # of few edges in many numbers: little memory
    counts = np.diff(below, prepend=0, append=len(values))
    return {"edges": [float(edge) for edge in EDGES], "counts": counts.tolist()}


def by_value(values: Numbers, codes: NDArray[np.int32], names: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """One summary for each name, in order of name; ``codes[i]`` says which name pair i has."""
    return {names[code]: Summary.of(values[codes == code]).as_dict() for code in sorted(names, key=names.__getitem__)}
