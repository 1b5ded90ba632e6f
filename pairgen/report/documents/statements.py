"""Sentences that follow from numbers by rules, so that a report claims what its numbers show and nothing else.

A difference is claimed only if the ranges over seeds do not overlap. How often that happens by chance is said by
``chance_text``.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal

from pairgen.errors import count
from pairgen.report.documents.number_format import CORRELATION, PLAIN, NumberFormat, Spread

Relation = Literal["higher", "lower", "overlap", "unknown"]

STRENGTHS = ((0.1, "hardly"), (0.3, "weakly"), (0.6, "moderately"), (math.inf, "strongly"))
"""Words for a rank correlation, by the absolute value below which they hold."""


def relation(a: Spread, b: Spread) -> Relation:
    """How ``a`` relates to ``b``: ``unknown`` if a value is missing or either is known from fewer than two seeds."""
    if math.isnan(a.median) or math.isnan(b.median) or min(a.seeds, b.seeds) < 2:
        return "unknown"
    return "higher" if a.low > b.high else "lower" if a.high < b.low else "overlap"


def compare_text(
    name_a: str,
    a: Spread,
    name_b: str,
    b: Spread,
    what: str = "the value",
    number: NumberFormat = PLAIN,
) -> str:
    """A sentence that compares ``what`` with two methods or settings, in medians and ranges over seeds.

    >>> compare_text("dpop", Spread(3, 2, 4, 3), "dpo", Spread(-1, -2, 0, 3), "the margin", NumberFormat(0))
    'The margin is higher with dpop than with dpo: 3 (2 to 4) against -1 (-2 to 0), over 3 seeds each.'
    """
    found = relation(a, b)
    if found == "unknown":
        reasons = [_unknown(name, spread) for name, spread in ((name_a, a), (name_b, b))]
        return sentence(f"{what} cannot be compared between {name_a} and {name_b}: {listing(filter(None, reasons))}")
    number = _precise(number, a, b)
    shown = number.show(a), number.with_unit(b)
    over = f"over {_seeds(a, b)}"
    if found == "overlap":
        return sentence(
            f"{what} is not distinguishable between {name_a} and {name_b}: "
            f"the ranges {over} overlap, {shown[0]} and {shown[1]}"
        )
    return sentence(f"{what} is {found} with {name_a} than with {name_b}: {shown[0]} against {shown[1]}, {over}")


def level_text(what: str, a: Spread, number: NumberFormat = PLAIN, level: float = 0.0, level_name: str = "") -> str:
    """A sentence that says whether ``what`` is above or below a fixed level, such as the reference model at 0.

    >>> level_text("The log-ratio of chosen", Spread(-19.5, -21, -18.2, 3), NumberFormat(1), level_name="the reference")
    'The log-ratio of chosen is below the reference: -19.5 (-21.0 to -18.2), over 3 seeds.'
    """
    found = relation(a, Spread(level, level, level, a.seeds))
    name = level_name or number.with_unit(level)
    if found == "unknown":
        return sentence(f"{what} cannot be compared with {name}: {_unknown('it', a)}")
    shown = f"{_precise(number, a, Spread(level, level, level)).with_unit(a)}, over {count(a.seeds, 'seed')}"
    if found == "overlap":
        return sentence(f"{what} is not distinguishable from {name}, which its range includes: {shown}")
    return sentence(f"{what} is {'above' if found == 'higher' else 'below'} {name}: {shown}")


def chance_text(seeds: int) -> str:
    """A sentence that says how often ranges do not overlap by chance alone; the same number of seeds each.

    If two methods were equal, all orders of their 2 n results would be equally likely, and in two of C(2 n, n)
    arrangements all results of one lie on one side of the other's.

    Raises:
        ValueError: fewer than two seeds.
    """
    if seeds < 2:
        raise ValueError(f"ranges need at least two seeds, got {seeds}")
    share = 2 / math.comb(2 * seeds, seeds)
    return (
        f"Ranges over {seeds} seeds each that do not overlap occur by chance in {100 * share:.2g}% of comparisons of "
        "methods that do not differ."
    )


def in_seeds(holds: Sequence[bool]) -> str:
    """In how many seeds something holds: ``in 3 of 3 seeds``."""
    return f"in {sum(map(bool, holds)):,} of {count(len(holds), 'seed')}"


def share_text(part: int, whole: int, noun: str) -> str:
    """A count with its share, which is shown as 0% or 100% only if it is: ``361 of 400 pairs (90.3%)``.

    Raises:
        ValueError: ``part`` is not from 0 to ``whole``.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"a part needs to be from 0 to the whole, got {part} of {whole}")
    if not whole:
        return f"0 of {count(0, noun)}"
    percent = f"{100 * part / whole:.1f}"
    if percent == "0.0":
        percent = "0" if not part else "<0.1"
    elif percent == "100.0":
        percent = "100" if part == whole else ">99.9"
    return f"{part:,} of {count(whole, noun)} ({percent}%)"


def rank_text(predictor: str, target: str, per_seed: Sequence[tuple[float, float, float]], level: float = 0.95) -> str:
    """A sentence that says whether ``predictor`` predicts ``target``, by rank correlation.

    It does if the interval excludes 0 on the same side in every seed. How well is said in a word: ``hardly`` below 0.1,
    ``weakly`` below 0.3, ``moderately`` below 0.6, ``strongly`` from there on, in absolute value.

    Args:
        per_seed: Spearman's rho and the ends of its confidence interval.
        level: confidence level of the intervals.

    Raises:
        ValueError: no seeds.
    """
    rhos = Spread.of([rho for rho, _, _ in per_seed])
    if any(map(math.isnan, (end for ends in per_seed for end in ends))):
        return sentence(f"whether {predictor} predicts {target} cannot be said: a correlation is undefined")
    above, below = [low > 0 for _, low, _ in per_seed], [high < 0 for _, _, high in per_seed]
    over = f"over {count(rhos.seeds, 'seed')}"
    shown = f"Spearman's ρ {CORRELATION.show(rhos)} {over}"
    excludes = (
        f"the {100 * level:.10g}% interval excludes 0 {in_seeds([a or b for a, b in zip(above, below, strict=True)])}"
    )
    if rhos.seeds > 1 and (all(above) or all(below)):
        strength = next(word for limit, word in STRENGTHS if abs(rhos.median) < limit)
        with_what = "higher" if all(above) else "lower"
        return sentence(
            f"{predictor} {strength} predicts {target} (higher values go with {with_what} ones): {shown}; {excludes}"
        )
    return sentence(f"{predictor} is not shown to predict {target}: {shown}; {excludes}")


def listing(items: Iterable[object]) -> str:
    """Items in a sentence: ``dpo, ipo and dpop``."""
    words = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 loss``, ``2 losses``. ``many`` is ``one`` with an s by default."""
    return f"{number:,} {many}" if many and number != 1 else count(number, one)


def sentence(text: str) -> str:
    """The text with a capital letter in front and a full stop behind."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _unknown(name: str, spread: Spread) -> str:
    if math.isnan(spread.median):
        return f"{name} has a seed without a value"
    return f"{name} has no range over at least two seeds" if spread.seeds < 2 else ""


def _seeds(a: Spread, b: Spread) -> str:
    return count(a.seeds, "seed") + (" each" if a.seeds == b.seeds else f" and {count(b.seeds, 'seed')}")


def _precise(number: NumberFormat, a: Spread, b: Spread) -> NumberFormat:
    """A format that shows which of two ranges is higher, if one is."""
    number = number.telling_apart(a.median, b.median)
    return number.telling_apart(a.low, b.high).telling_apart(a.high, b.low)
