"""By how much a model prefers the right completion, in parts of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairgen.report.documents.number_format import Spread
from pairgen.run_folder.measured import Measured
from pairgen.studies.later_use.answers import kind_of
from pairgen.studies.running.workspace import Finished

Numbers = NDArray[np.float64]

SIDES = ("chosen", "rejected")
ROUNDING = 1e-3
"""Log-probs of the same token in the same context differ by less, in nats, wherever they were computed."""

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
    fork = [first_difference(*both) for both in zip(*(held_out.tokens(side) for side in SIDES), strict=True)]
    of_kind = np.array([kind_of(pair_id) == kind for pair_id in held_out.pair_ids])
    found = [
        float(inside(right, at, part).sum() - inside(wrong, at, part).sum())
        for right, wrong, at in zip(chosen, rejected, fork, strict=True)
    ]
    values: Numbers = np.array(found)[of_kind]
    return values


def first_difference(chosen: Numbers, rejected: Numbers) -> int:
    """The first token that differs in two completions, from the log-probs of their tokens.

    Up to it, contexts are the same, and so are the log-probs of equal tokens, but for rounding. It may be later than
    the edit begins: 192 and 172 begin with the same digit.
    """
    shorter = min(len(chosen), len(rejected))
    differs = np.abs(chosen[:shorter] - rejected[:shorter]) > ROUNDING
    return int(differs.argmax()) if differs.any() else shorter


def inside(tokens: Numbers, fork: int, part: str) -> Numbers:
    """The tokens of a part of a completion whose first differing token is ``fork``."""
    return {"whole": tokens, "first": tokens[fork : fork + 1], "rest": tokens[fork + 1 :]}[part]


def accuracy(runs: Sequence[Finished], kind: str, part: str, of: str = "policy") -> Spread:
    """Share of held-out pairs of a kind with a positive margin, over seeds."""
    return Spread.of([float((margins(run.measured, kind, part, of) > 0).mean()) for run in runs])


def mean_margin(runs: Sequence[Finished], kind: str, part: str, of: str = "policy") -> Spread:
    """Mean margin in held-out pairs of a kind, over seeds, in nats."""
    return Spread.of([float(margins(run.measured, kind, part, of).mean()) for run in runs])
