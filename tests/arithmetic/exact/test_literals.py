"""Literals: format and value, parsed and formatted."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.literals import MAX_DIGITS, Literal, parse_literal
from pairgen.arithmetic.exact.ratios import equal, lowest_terms


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("47", "47"),
        ("0", "0"),
        ("-4", "-4"),
        ("1,500", "1500"),
        ("1,234,567.50", "1234567.5"),
        ("15.20", "15.2"),
        (".50", "0.5"),
        ("0.05", "0.05"),
        ("3/4", "3/4"),
        ("6/8", "3/4"),
        ("-1/2", "-1/2"),
        ("1 1/2", "3/2"),
        ("1 and 1/3", "4/3"),
        ("-2 3/4", "-11/4"),
        (r"\frac{3}{4}", "3/4"),
        (r"-\dfrac{3}{4}", "-3/4"),
        (r"\frac34", "3/4"),
        (r"\tfrac 3{14}", "3/14"),
        (r"\frac{12}5", "12/5"),
        (r"1\frac{1}{2}", "3/2"),
        (r"12\frac12", "25/2"),
        (r"148{,}000", "148000"),
        (r"15,\!625", "15625"),
        (r"1\,000.5", "1000.5"),
    ],
)
def test_parse_literal_round_trips(text: str, value: str) -> None:
    literal = parse_literal(text)
    assert literal is not None
    assert Fraction(*literal.value) == Fraction(value)
    assert str(literal) == text


@pytest.mark.parametrize(
    "text",
    [
        *["", "a", "1.2.3", "1,2,3", "1/0", "1.5/2", "--1", "٣", "1 2", "9" * (MAX_DIGITS + 1)],
        *[
            "0730",
            "00",
            "5/1",
            "1 3/2",
            "0 1/2",
            "1 0/3",
            "3/04",
            r"\frac{1}{0}",
            r"\frac{3}{4",
            r"\frac{a}{2}",
            r"1{,}50",
        ],
        *[r"1{,}000,\!000", r"\frac123"],
    ],
)
def test_parse_literal_rejects_other_text(text: str) -> None:
    assert parse_literal(text) is None


@given(
    st.integers(0, 10**9),
    st.integers(0, 4),
    st.booleans(),
    st.booleans(),
)
def test_parse_literal_reads_formatted_literal(units: int, decimals: int, negative: bool, grouped: bool) -> None:
    grouped = grouped and units // 10**decimals >= 1000  # only then is there a separator to see
    literal = Literal(units, decimals, negative, "," if grouped else "")
    assert parse_literal(str(literal)) == literal
    assert Fraction(*literal.value) == Fraction(-units if negative else units, 10**decimals)


@given(st.fractions(), st.integers(1, 50))
def test_lowest_terms_and_equal(value: Fraction, factor: int) -> None:
    ratio = value.numerator * factor, value.denominator * factor
    assert Fraction(lowest_terms(ratio)) == value
    assert "/" in lowest_terms(ratio)
    assert equal(ratio, (value.numerator, value.denominator))
    assert not equal(ratio, (value.numerator + 1, value.denominator))
