"""How well numbers that are known before training predict how far chosen falls in training.

Pairs come in versions: the same prompt and chosen completion with different rejected ones, each version in a dataset of
its own on which a model was trained. Numbers are [V, P] arrays of V versions of P pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairgen.errors import count
from pairgen.report.documents.number_format import NumberFormat, Spread
from pairgen.report.documents.statements import compare_text, rank_text, sentence
from pairgen.stats.ranks import Correlation, spearman

Numbers = NDArray[np.float64]
DRAWS = 1000
"""Resamples of a bootstrap."""

FALL = "the fall of chosen"


@dataclass(frozen=True)
class Outcome:
    """What became of pairs in one run, and what was known of them before."""

    pair_ids: Sequence[str]
    """[P]."""
    fall: Numbers
    """[P] how much less likely chosen became, in nats: minus its log-ratio."""
    known: Mapping[str, Numbers]
    """[P] each, by the name of the predictor."""


@dataclass(frozen=True)
class Trial:
    """All versions of the same pairs, each trained with one seed."""

    fall: Numbers
    """[V, P] nats."""
    known: Mapping[str, Numbers]
    """[V, P] each, by the name of the predictor."""

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Trial":
        """The pairs that all versions have, in the order of the first one.

        Raises:
            ValueError: there are none, or the versions have different predictors.
        """
        common = set.intersection(*(set(one.pair_ids) for one in outcomes)) if outcomes else set()
        if not common or any(one.known.keys() != outcomes[0].known.keys() for one in outcomes):
            raise ValueError("the versions have no pairs in common, or different predictors")
        order = [pair_id for pair_id in outcomes[0].pair_ids if pair_id in common]
        places = []
        for one in outcomes:
            at = {pair_id: place for place, pair_id in enumerate(one.pair_ids)}
            places.append([at[pair_id] for pair_id in order])
        known = {
            name: np.array([one.known[name][at] for one, at in zip(outcomes, places, strict=True)])
            for name in outcomes[0].known
        }
        return cls(np.array([one.fall[at] for one, at in zip(outcomes, places, strict=True)]), known)


# ---------------------------------------------------------------- correlations


def within(x: Numbers, y: Numbers) -> float:
    """Spearman's rho among the pairs of one version, as the mean over versions. [V, P], [V, P].

    Versions in which one variable is constant have none and are left out; NaN if all are.
    """
    return _mean([spearman(one, other) for one, other in zip(x, y, strict=True)])


def across(x: Numbers, y: Numbers) -> float:
    """Spearman's rho over all pairs of all versions. [V, P], [V, P]."""
    return spearman(x.ravel(), y.ravel())


def between_versions(x: Numbers, y: Numbers) -> float:
    """Spearman's rho among the versions of one pair, as the mean over pairs. [V, P], [V, P].

    What pairs differ in, such as their length, has no part in it; what the models of versions differ in, has.
    """
    return within(x.T, y.T)


WAYS: dict[str, Callable[[Numbers, Numbers], float]] = {
    "among the pairs of one dataset": within,
    "among the versions of one pair": between_versions,
    "over all pairs of all datasets": across,
}
"""Ways to ask whether a number predicts another, in the words of the report."""


def _mean(values: Sequence[float]) -> float:
    found = [value for value in values if not np.isnan(value)]
    return float(np.mean(found)) if found else float("nan")


def interval(way: Callable[[Numbers, Numbers], float], x: Numbers, y: Numbers, draws: int = DRAWS) -> Correlation:
    """A correlation with a 95% percentile bootstrap interval, for which pairs are drawn with all of their versions.

    Args:
        way: of ``WAYS``.
        x, y: [V, P].
    """
    rho = way(x, y)
    if np.isnan(rho):
        return Correlation(rho, rho, rho)
    rng, size = np.random.default_rng(0), x.shape[1]
    if way is between_versions:  # a mean over pairs, whose parts need not be computed again
        parts = np.array([spearman(one, other) for one, other in zip(x.T, y.T, strict=True)])
        found = [_mean(parts[rng.integers(size, size=size)].tolist()) for _ in range(draws)]
    else:
        found = [way(x[:, rows], y[:, rows]) for rows in (rng.integers(size, size=size) for _ in range(draws))]
    low, high = np.nanquantile(found, [0.025, 0.975]).tolist()
    return Correlation(rho, low, high)


Correlations = Mapping[tuple[str, str], Sequence[Correlation]]
"""By way and predictor, one per seed."""


def correlations(trials: Sequence[Trial], draws: int = DRAWS) -> Correlations:
    """How each predictor correlates with the fall of chosen, in each of ``WAYS``.

    Args:
        trials: one per seed.
    """
    return {
        (name, predictor): [interval(way, trial.known[predictor], trial.fall, draws) for trial in trials]
        for name, way in WAYS.items()
        for predictor in trials[0].known
    }


# ---------------------------------------------------------------- what follows


class Claim(NamedTuple):
    """What others say of a predictor: 1 if chosen falls more where it is higher, -1 if where it is lower."""

    sign: int
    agrees: str
    """A sentence for a result in this direction, and one for a result in the other direction."""
    differs: str


_RAZIN = ("Razin et al. (2024) report the same direction.", "Razin et al. (2024) report the opposite direction.")
CLAIMS = {
    "edit distance": Claim(
        -1,
        "Pal et al. (2024) expect this direction: chosen falls more the less the completions differ.",
        "Pal et al. (2024) expect the opposite: that chosen falls more the less the completions differ.",
    ),
    "CHES": Claim(1, *_RAZIN),
    "normalized CHES": Claim(1, *_RAZIN),
}
"""The predictors that sentences are about."""


def direction(predictor: str, values: Sequence[Correlation]) -> int:
    """1 if a predictor is shown to work in the direction that was claimed, -1 if in the opposite one, 0 if neither.

    It is shown if the intervals of at least two seeds, and of all, are on the same side of 0.
    """
    sign = CLAIMS[predictor].sign
    if len(values) < 2:
        return 0
    agrees = all(sign * one.low > 0 and sign * one.high > 0 for one in values)
    differs = all(sign * one.low < 0 and sign * one.high < 0 for one in values)
    return int(agrees) - int(differs)


def findings(found: Correlations, rivals: tuple[str, str] = ("CHES", "edit distance")) -> list[str]:
    """Sentences on which of the claimed predictors predict the fall of chosen, and which of two does so better."""
    texts = [verdict(found)]
    for way in dict.fromkeys(way for way, _ in found):
        for predictor in (name for of, name in found if of == way and name in CLAIMS):
            values = found[way, predictor]
            claim = CLAIMS[predictor]
            remark = {1: f" {claim.agrees}", -1: f" {claim.differs}", 0: ""}[direction(predictor, values)]
            texts.append(rank_text(f"{way}, {predictor}", FALL, values) + remark)
        strengths = [Spread.of([abs(one.rho) for one in found[way, name]]) for name in rivals]
        what = f"the absolute rank correlation with {FALL} {way}"
        texts.append(compare_text(rivals[0], strengths[0], rivals[1], strengths[1], what, NumberFormat(2)))
    return texts


def verdict(found: Correlations) -> str:
    """In how many ways each claimed predictor predicts the fall of chosen as claimed, and in how many the other way."""
    number = len({way for way, _ in found})
    texts: list[str] = []
    for predictor in (name for name in CLAIMS if any(name == of for _, of in found)):
        directions = [direction(predictor, values) for (_, name), values in found.items() if name == predictor]
        ways = f"in {directions.count(1)} of {count(number, 'comparison')}"
        opposite = f", and in the opposite direction in {directions.count(-1)}" if -1 in directions else ""
        shown = f"{predictor} predicts {FALL} in the direction that was claimed" if not texts else predictor
        texts.append(f"{shown} {ways}{opposite}")
    return sentence("; ".join(texts))
