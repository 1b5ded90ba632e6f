"""The expression tree: parsing, rendering, substitution."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.evaluate import evaluate
from pairgen.arithmetic.exact.expression import (
    Binary,
    Brackets,
    Negative,
    Number,
    Pi,
    Sqrt,
    Variable,
    parse,
    render,
    substitute,
    variables,
    with_other_operators,
)
from pairgen.arithmetic.exact.ratios import equal


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("4 * 6", "4*6"),
        ("48+24", "48 + 24"),
        ("-(2 - 5)**2", "-(2 - 5)**2"),
        ("2**-3**2", "2**-3**2"),
        ("sqrt( 2 )*pi/.5", "sqrt(2)*pi/.5"),
        ("5*x + 3", "5*x + 3"),
    ],
)
def test_render_puts_spaces_around_sums_only(text: str, rendered: str) -> None:
    expr = parse(text)
    assert expr is not None
    assert render(expr) == rendered


@pytest.mark.parametrize("text", ["", "xy", "2x", "x(2)", "1 +", "(1", "f(2)", "2 3", "sqrt 2", "=", "_"])
def test_parse_rejects_other_text(text: str) -> None:
    assert parse(text) is None


def test_substitute_replaces_variables() -> None:
    expr = parse("5*x - y")
    assert expr is not None
    assert variables(expr) == {"x", "y"}
    assert evaluate(expr) is None
    assert evaluate(expr, {"x": (1, 2), "y": (3, 1)}) == (-1, 2)
    assert render(substitute(expr, {"x": (-1, 2)})) == "5*(-1/2) - y"


def test_with_other_operators_replaces_each_in_turn() -> None:
    expr = parse("3/4 + 1*5")
    assert expr is not None
    changed = with_other_operators(expr, {"+": "/", "*": "+", "/": "*"})
    assert [[render(one) for one in ones] for ones in changed] == [["3*4 + 1*5"], ["3/4/(1*5)"], ["3/4 + (1 + 5)"]]


PIECES = st.sampled_from([*"0123456789+-*/().", "**", " ", " + ", " - ", "(", ")", "12", "1.5", "pi", "sqrt(", "x"])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_render_preserves_value(text: str) -> None:
    expr = parse(text)
    if expr is not None:
        again = parse(render(expr))
        assert again is not None
        one, other = evaluate(expr, {"x": (2, 3)}), evaluate(again, {"x": (2, 3)})
        assert one == other or (one is not None and other is not None and equal(one, other))


def test_expressions_of_different_kinds_differ() -> None:
    """Caches find expressions by equality, and named tuples are equal if their fields are."""
    four = Number("4", (4, 1))
    kinds = [four, Variable("x"), Pi(), Negative(four), Sqrt(four), Brackets(four), Brackets(four, optional=True)]
    assert len({Binary("+", kind, four) for kind in kinds}) == len(kinds)
