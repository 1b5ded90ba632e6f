"""Scales of axes, the texts of their ticks, and texts in lines."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from rich.cells import cell_len

from pairgen.report.documents.markdown import plain
from pairgen.report.documents.number_format import finite_values

MAX_TICKS = 9
"""Up to so many different values of a logarithmic axis each have a tick of their own."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def set_scale(axis: Any, values: Iterable[float], *, log: bool = False, percent: bool = False) -> None:
    """Set scale and ticks of an axis to suit the values drawn.

    Args:
        axis: ``axes.xaxis`` or ``axes.yaxis``.
        log: a logarithmic axis; linear around 0 if there are values of 0 or less.
        percent: the values are shares of 1.
    """
    found = sorted({value for value in finite_values(values) if is_drawable(value)})
    if log and found:
        _set_log(axis, found)
    else:
        integers = all(value == int(value) for value in found) and not percent
        axis.set_major_locator(MaxNLocator(6, integer=integers, steps=[1, 2, 2.5, 5, 10], min_n_ticks=1))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value, axis.get_majorticklocs(), percent)))


def is_drawable(value: float) -> bool:
    """Whether a number is finite, and so far from the limits of floats that margins and scales are finite, too."""
    return value == 0 or 1e-200 < abs(value) < 1e200


def _set_log(axis: Any, found: Sequence[float]) -> None:
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    if found[0] <= 0:
        threshold = min((abs(value) for value in found if value), default=1.0)
        set_scale("symlog", linthresh=threshold, linscale=1.0)
        above, below = _round_values(threshold, found[-1], 4), _round_values(threshold, -found[0], 4)
        own = [-value for value in reversed(below)] + [0.0] * (found[-1] >= 0) + above
    else:
        set_scale("log")
        own = _apart(found) if axis.axis_name == "x" and len(found) <= MAX_TICKS else _round_values(found[0], found[-1])
    axis.set_major_locator(FixedLocator(own) if len(own) > 1 else MaxNLocator(5))
    axis.set_minor_locator(NullLocator())


def _round_values(low: float, high: float, most: int = 7) -> list[float]:
    """At most ``most`` powers of ten from ``low`` to ``high``; within two of them, their doubles and fives, too."""
    if not 0 < low <= high:
        return []
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    factors = (1, 2, 5) if last - first < 2 else (1,)
    step = -(-(last - first) // most) if len(factors) == 1 else 1
    values = [factor * 10.0**power for power in range(first, last + 1) if power % step == 0 for factor in factors]
    kept = [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
    return kept if len(kept) <= most else kept[::2]


def _apart(values: Sequence[float]) -> list[float]:
    """Increasing values without those that are so close to the one before that their ticks would touch."""
    least = 0.06 * math.log(values[-1] / values[0])
    kept: list[float] = []
    for value in values:
        if not kept or math.log(value / kept[-1]) > least:
            kept.append(value)
    return kept


def tick_text(value: float, ticks: Sequence[float], percent: bool = False) -> str:
    """The text of a tick, with as many decimals as all ticks of the axis need.

    >>> [tick_text(value, [-0.5, 0, 0.25]) for value in (-0.5, 0, 0.25)]
    ['−0.50', '0', '0.25']
    >>> tick_text(20000000.0, [0, 20000000.0])
    '2×10⁷'
    """
    if value == 0:
        return "0%" if percent else "0"
    scale = 100 if percent else 1
    largest = max(map(abs, ticks), default=1) * scale
    smallest = min((abs(tick) for tick in ticks if tick), default=1) * scale
    number = value * scale
    if largest >= 1e6 or smallest < 1e-4:
        mantissa, _, exponent = f"{number:.2e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        power = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}"
        text = power if mantissa == "1" else "-" + power if mantissa == "-1" else f"{mantissa}×{power}"
    elif largest / smallest >= 100:  # logarithmic: each has the decimals that it needs
        text = f"{number:,.6g}"
    else:
        text = f"{number:,.{next((d for d in range(6) if all(_whole(tick * scale * 10**d) for tick in ticks)), 6)}f}"
    return text.replace("-", "−") + "%" * percent


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6 * max(1, abs(value))


def wrapped(text: str, width: int) -> str:
    """A text in lines of at most ``width`` cells, without control characters.

    Characters beyond the Basic Multilingual Plane count as two cells, however a terminal shows them: letters of
    mathematical scripts are drawn nearly twice as wide as others.
    """
    line = plain(text)
    cells = sum(2 if ord(one) > 0xFFFF else cell_len(one) for one in line)
    wide = max(1, cells / max(len(line), 1))
    return "\n".join(textwrap.wrap(line, max(int(width / wide), 1)))
