"""Numbers as they are shown in reports of studies."""

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.report.documents import number_format
from pairgen.report.documents.number_format import COUNT, NATS, SHARE, NumberFormat, Spread

NUMBERS = st.floats(-1e6, 1e6)


def test_docstrings() -> None:
    assert doctest.testmod(number_format).failed == 0


@pytest.mark.parametrize(
    ("number", "value", "shown"),
    [
        (NATS, -19.46, "-19.5"),
        (NATS, 3, "+3.0"),
        (NATS, -0.04, "0.0"),
        (NATS, 0.04, "0.0"),
        (SHARE, 0.975, "97.5%"),
        (SHARE, np.float32(1), "100.0%"),
        (COUNT, 12345, "12,345"),
        (NumberFormat(1, scientific=True), 1.23e-9, "1.2e-09"),
        (NumberFormat(1, scientific=True), 0.0, "0.0e+00"),
        (NumberFormat(3, positive=True), 4e-4, "<0.001"),
        (NumberFormat(3, positive=True), 6e-4, "0.001"),
        (NATS, None, "-"),
        (NATS, math.nan, "-"),
        (NATS, -math.inf, "-inf"),
        (NATS, Spread(-19.5, -21, -18.2), "-19.5 (-21.0 to -18.2)"),
        (NATS, Spread(-19.5, -19.51, -19.49), "-19.5"),
        (NATS, Spread(math.nan, math.nan, math.nan), "-"),
    ],
)
def test_show(number: NumberFormat, value: float | Spread | None, shown: str) -> None:
    assert number.show(value) == shown


def test_units_follow_values_only() -> None:
    assert NATS.with_unit(2) == "+2.0 nats"
    assert NATS.with_unit(None) == "-"


@given(st.lists(NUMBERS, min_size=1))
def test_spread_of_values(values: list[float]) -> None:
    found = Spread.of(values)
    assert found.ends == (min(values), np.median(values), max(values))
    assert found.seeds == len(values)


def test_a_spread_is_never_of_the_seeds_that_happen_to_have_a_value() -> None:
    assert math.isnan(Spread.of([1, math.nan, 2]).median)
    with pytest.raises(ValueError, match="at least one"):
        Spread.of([])
    with pytest.raises(ValueError, match="low <= median <= high"):
        Spread(3, 1, 2)
    with pytest.raises(ValueError, match="low <= median <= high"):
        Spread(1, math.nan, 2)


@given(NUMBERS, st.builds(NumberFormat, st.integers(0, 4), signed=st.booleans(), percent=st.booleans()))
def test_no_negative_zero_and_the_value_can_be_read_back(value: float, number: NumberFormat) -> None:
    shown = number.show(value)
    read = float(shown.replace(",", "").rstrip("%"))
    assert math.copysign(1, read) == 1 or read < 0
    assert abs(read - value * (100 if number.percent else 1)) <= 0.51 * 10**-number.decimals + 1e-6


@given(NUMBERS, NUMBERS)
def test_telling_apart(one: float, other: float) -> None:
    number = NATS.telling_apart(one, other)
    if abs(one - other) > 1e-9:
        assert number.show(one) != number.show(other)
    else:
        assert number.decimals >= NATS.decimals
