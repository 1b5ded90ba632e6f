"""What was measured of one run, as arrays, and the parts of it that tables, figures and sentences are about."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pairgen.report.documents.number_format import Spread

LOSSES: dict[str, dict[str, Any]] = {
    "dpo": {"loss": "dpo"},
    "dpop": {"loss": "dpop"},
    "dpop by token": {"loss": "dpop", "dpop_level": "token"},
}
"""The losses by name, with their options."""
PLACES = {"before": -1, "at": 0, "after": 1}
"""The sign of the offset from the edit."""
MODELS = {"start": "start", "trained": "after dpo"}
"""The models as they are shown."""

AGREEMENT = 1e-9
"""Autograd and equations agree if they differ by no more, and a push up to this is none."""

Numbers = NDArray[np.float64]
Columns = Mapping[str, Numbers]
Mask = NDArray[np.bool_]


def columns_of(table: pa.Table) -> Columns:
    """The columns of a run, with NaN for null."""
    return {
        name: np.array(table[name].to_pylist(), dtype=str)
        if pa.types.is_string(table.schema.field(name).type)
        else np.array(table[name].to_pylist(), dtype=np.float64)
        for name in table.column_names
    }


def where(run: Columns, model: str, loss: str, place: str = "", **others: float) -> Mask:
    """The rows of a model and a loss, on the pair itself: at one place, and with the other values given."""
    found = (run["model"] == model) & (run["loss"] == loss)
    if place:
        found &= np.sign(run["offset"]) == PLACES[place]
    for name, value in ({"own": 1} | others).items():
        found &= run[name] == value
    return np.asarray(found)


def mean_over(parts: Sequence[Numbers] | Sequence[Mask]) -> Spread | None:
    """Median and range over seeds of the mean of each; None if a seed has no values."""
    return Spread.of([float(part.mean()) for part in parts]) if all(map(len, parts)) else None


def pick(runs: Sequence[Columns], masks: Sequence[Mask], name: str) -> list[Numbers]:
    """The values of a column in some rows, one array per seed."""
    return [run[name][mask] for run, mask in zip(runs, masks, strict=True)]


def same_at_start(runs: Sequence[Columns]) -> bool:
    """Whether all losses have the same gradients where policy and reference are equal."""
    return all(
        np.allclose(run["push"][where(run, "start", loss)], run["push"][where(run, "start", "dpo")], atol=AGREEMENT)
        for run in runs
        for loss in LOSSES
    )


def steps(run: Columns, model: str, loss: str, place: str, own: bool) -> dict[str, Numbers]:
    """Changes of log-probs of chosen by a step, in nats.

    Returns:
        ``down`` and ``up``, and their parts: ``directed``, which changes sign with the step, and ``undirected``.
    """
    mask = where(run, model, loss, place, own=float(own))
    down, up = run["down"][mask], run["up"][mask]
    return {"down": down, "up": up, "directed": (down - up) / 2, "undirected": (down + up) / 2}


def by_offset(run: Columns, mask: Mask, values: Numbers, first: int, last: int) -> list[float]:
    """The mean of values at each offset from ``first`` to ``last``; NaN where there are none."""
    found = [values[mask & (run["offset"] == offset)] for offset in range(first, last + 1)]
    return [float(part.mean()) if len(part) else float("nan") for part in found]
