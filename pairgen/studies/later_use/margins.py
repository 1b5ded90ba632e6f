"""By how much a model prefers the right completion, in parts of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairgen.report.documents.number_format import Spread
from pairgen.studies.later_use.answers import kind_of
from pairgen.studies.running.measure import Measured
from pairgen.studies.running.workspace import Finished

Numbers = NDArray[np.float64]

PARTS = ("whole", "first", "rest")
"""The whole completion; the first token that differs, whose context is the same in both, so that only the calculation
can tell them apart; and all that follows it, where a model can see which number is used again."""


def margins(measured: Measured, kind: str, part: str, of: str = "policy") -> Numbers:
    """Log-prob of chosen minus that of rejected in held-out pairs of one kind, in nats.

    Args:
        part: of ``PARTS``.
        of: ``policy`` or ``reference``; ``change``: the former minus the latter, which is a margin of log-ratios.
    """
    if of == "change":
        return margins(measured, kind, part) - margins(measured, kind, part, "reference")
    held_out = measured.split("eval")
    chosen, rejected = held_out.tokens("chosen", of), held_out.tokens("rejected", of)
    start = [int((offsets < 0).sum()) for offsets in held_out.offsets("chosen")]
    of_kind = np.array([kind_of(pair_id) == kind for pair_id in held_out.pair_ids])
    found = [
        float(inside(right, at, part).sum() - inside(wrong, at, part).sum())
        for right, wrong, at in zip(chosen, rejected, start, strict=True)
    ]
    values: Numbers = np.array(found)[of_kind]
    return values


def inside(tokens: Numbers, start: int, part: str) -> Numbers:
    """The tokens of a part of a completion whose first differing token is ``start``."""
    return {"whole": tokens, "first": tokens[start : start + 1], "rest": tokens[start + 1 :]}[part]


def accuracy(runs: Sequence[Finished], kind: str, part: str, of: str = "policy") -> Spread:
    """Share of held-out pairs of a kind with a positive margin, over seeds."""
    return Spread.of([float((margins(run.measured, kind, part, of) > 0).mean()) for run in runs])


def mean_margin(runs: Sequence[Finished], kind: str, part: str, of: str = "policy") -> Spread:
    """Mean margin in held-out pairs of a kind, over seeds, in nats."""
    return Spread.of([float(margins(run.measured, kind, part, of).mean()) for run in runs])
