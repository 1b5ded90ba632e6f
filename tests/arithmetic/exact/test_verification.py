"""Stated results: which ones exact arithmetic confirms, and the expression that it records."""

import pytest

from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.expression import MAX_DEPTH, MAX_LENGTH
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.verification import Verification, verify
from pairgen.arithmetic.labels import TOO_LARGE, Unverified


def verified_percent(expression: str) -> Verification:
    literal = parse_literal("25")
    assert literal is not None
    return verify(expression, evaluate_text(expression), literal, percent=True)


def quarter(length: int) -> str:
    """An expression of this many characters whose value is 1/4."""
    return "1/4" + "+0" * ((length - 3) // 2) + " " * ((length - 3) % 2)


@pytest.mark.parametrize(
    "expression", [quarter(MAX_LENGTH - len("100*()")), "(" * (MAX_DEPTH - 1) + "1/4" + ")" * (MAX_DEPTH - 1)]
)
def test_verify_records_a_percentage_that_can_be_recomputed(expression: str) -> None:
    assert evaluate_text(verified_percent(expression).expression) == (100, 4)


@pytest.mark.parametrize(
    "expression",
    [
        *(quarter(length) for length in range(MAX_LENGTH - len("100*()") + 1, MAX_LENGTH + 1)),
        "(" * MAX_DEPTH + "1/4" + ")" * MAX_DEPTH,
    ],
)
def test_verify_rejects_a_percentage_too_large_to_recompute(expression: str) -> None:
    assert evaluate_text(expression) == (1, 4)
    with pytest.raises(Unverified) as error:
        verified_percent(expression)
    assert error.value.reason == TOO_LARGE
