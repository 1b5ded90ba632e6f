"""How numbers are shown: decimals, sign, percent and unit, for single values and for a median with its range."""

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

NO_VALUE = "-"
"""Shown for None and NaN."""


@dataclass(frozen=True)
class Spread:
    """A median with the range it comes from, usually over training seeds.

    Raises:
        ValueError: ``low <= median <= high`` does not hold, unless all three are NaN.
    """

    median: float
    low: float
    high: float
    seeds: int = 0
    """Number of values; 0 if unknown. A range of fewer than two values supports no comparison."""

    def __post_init__(self) -> None:
        if not self.low <= self.median <= self.high and not all(map(math.isnan, self.ends)):
            raise ValueError(f"a spread needs low <= median <= high, got {self.low}, {self.median}, {self.high}")

    @property
    def ends(self) -> tuple[float, float, float]:
        """``low``, ``median`` and ``high``."""
        return self.low, self.median, self.high

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Median and range of one value per seed. All are NaN if a value is: a seed is never left out quietly.

        Raises:
            ValueError: no values.
        """
        found = [float(value) for value in values]
        if not found:
            raise ValueError("a spread needs at least one value")
        if any(map(math.isnan, found)):
            return cls(math.nan, math.nan, math.nan, len(found))
        return cls(statistics.median(found), min(found), max(found), len(found))


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column or of a sentence are shown.

    >>> NumberFormat(1, signed=True, unit="nats").with_unit(Spread(-19.5, -21, -18.2))
    '-19.5 (-21.0 to -18.2) nats'
    """

    decimals: int = 2
    signed: bool = False
    """Whether positive numbers have a plus sign."""
    percent: bool = False
    """Whether the numbers are shares of 1, shown in percent."""
    scientific: bool = False
    """Whether they are shown with an exponent, such as ``1.2e-09``."""
    positive: bool = False
    """Whether the numbers are above 0, such as p-values: one that rounds to 0 is shown as ``<0.001``."""
    unit: str = ""
    """Shown in the head of a column and behind the number in a sentence."""

    def show(self, value: float | Spread | None) -> str:
        """The number without its unit. None and NaN are shown as ``-``; no number is shown as a negative zero."""
        if isinstance(value, Spread):
            low, median, high = (self.show(end) for end in value.ends)
            return median if low == median == high else f"{median} ({low} to {high})"
        if value is None or math.isnan(value):
            return NO_VALUE
        number = 100 * float(value) if self.percent else float(value)
        text = f"{number:+,.{self.decimals}{'e' if self.scientific else 'f'}}"
        is_zero = math.isfinite(number) and float(text.replace(",", "")) == 0
        if is_zero and self.positive:
            return f"<{10.0**-self.decimals:.{self.decimals}f}" + "%" * self.percent
        keeps_sign = not is_zero and (self.signed or text[0] == "-")
        return (text if keeps_sign else text[1:]) + "%" * self.percent

    def with_unit(self, value: float | Spread | None) -> str:
        """The number and its unit."""
        shown = self.show(value)
        return f"{shown} {self.unit}" if self.unit and shown != NO_VALUE else shown

    def telling_apart(self, one: float, other: float) -> "NumberFormat":
        """This format with as many more decimals as it takes, up to 12, to show two different numbers differently."""
        found = self
        while one != other and found.show(one) == found.show(other) and found.decimals < self.decimals + 12:
            found = replace(found, decimals=found.decimals + 1)
        return found


PLAIN = NumberFormat()
COUNT = NumberFormat(0)
SHARE = NumberFormat(1, percent=True)
NATS = NumberFormat(1, signed=True, unit="nats")
NATS_PER_TOKEN = NumberFormat(2, signed=True, unit="nats per token")
CORRELATION = NumberFormat(2, signed=True)


def finite_values(values: Iterable[float]) -> Iterator[float]:
    """The numbers that are neither NaN nor infinite."""
    return (float(value) for value in values if math.isfinite(value))
