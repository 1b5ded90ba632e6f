"""Summary statistics and histograms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.number[Any]]
"""One number per pair, or one per group."""

QUANTILES = (5, 25, 50, 75, 95)
"""In percent."""

EDGES = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
"""Bins of a histogram from 0 to 1, the same for all datasets; narrow near 0, for pairs with one changed number."""


def summarize(values: Numbers) -> dict[str, Any]:
    """``count``, ``mean``, ``sd``, ``min``, ``max`` and ``quantiles`` of finite numbers, ready for JSON.

    All but ``count`` are None for an empty array. ``sd`` divides by n, not n - 1; ``quantiles`` interpolate linearly
    and are keyed by percent.
    """
    names = [str(percent) for percent in QUANTILES]
    if not len(values):
        return {"count": 0, **dict.fromkeys(("mean", "sd", "min", "max")), "quantiles": dict.fromkeys(names)}
    exact = values.astype(np.float64)
    moments = {
        "count": len(exact),
        "mean": float(exact.mean()),
        "sd": float(exact.std()),
        "min": float(exact.min()),
        "max": float(exact.max()),
    }
    quantiles = np.quantile(exact, [percent / 100 for percent in QUANTILES], overwrite_input=True).tolist()
    return {**moments, "quantiles": dict(zip(names, quantiles, strict=True))}


def histogram(values: Numbers) -> dict[str, list[Any]]:
    """How many numbers from 0 to 1 lie from each of ``EDGES`` up to, not including, the next; 1 is in the last bin."""
    edges = np.array(
        EDGES, dtype=np.float32
    )  # of the type of the values, so that a stored 0.7 is not below the edge 0.7
    counts, _ = np.histogram(values, bins=edges)
    return {"edges": [float(edge) for edge in EDGES], "counts": counts.tolist()}
