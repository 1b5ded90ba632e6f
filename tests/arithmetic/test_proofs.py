"""A value in letters is verified only if it follows from values stated before it, or from enough equations."""

import pytest
from helpers.checked import checked
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.expression import parse
from pairgen.arithmetic.exact.systems import determine
from pairgen.arithmetic.labels import CIRCULAR, CONTRADICTED, NO_MATCH, REASONS


@pytest.mark.parametrize("latex", [False, True])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # one equation proves one unknown
        ("x + y = 10, so x = 4, y = 6.", [("10", CIRCULAR), ("4", CIRCULAR), ("6", "10 - 4")]),
        ("p + q + r = 6, so p = 1, q = 2, r = 3.", [("6", CIRCULAR), ("1", CIRCULAR), ("3", "6 - 3")]),
        ("x + 2y = 8, 2x + 4y = 16, so x = 2, y = 3.", [("2", CIRCULAR), ("3", "(16 - 4)/4")]),
        ("2x = 14, so x = 7.", [("14", CIRCULAR), ("7", "14/2")]),
        # two prove two
        ("x + y = 10, x - y = -2, so x = 4, y = 6.", [("4", "-2 - (-6)"), ("6", "(-2 - 4)/(-1)")]),
        ("2x + 6 = 20, so 2x = 14, x = 7.", [("20", "2*7 + 6"), ("14", "2*7"), ("7", "14/2")]),
        # a value stated before
        ("x = 3, so 2x + 1 = 7.", [("7", "2*3 + 1")]),
        # a wrong step is not proved by what follows from it
        ("2x + 6 = 20, so 2x = 16, x = 8.", [("20", NO_MATCH), ("16", CONTRADICTED)]),
        ("3x - 5 = 10, so 3x = 18, x = 6.", [("10", NO_MATCH), ("18", CONTRADICTED)]),
    ],
)
def test_what_proves_a_value(text: str, expected: list[tuple[str, str]], latex: bool) -> None:
    if latex:
        text = rf"With $a \cdot b$: {' and '.join(f'${part}$' for part in text.replace('so ', '').split(', '))}"
    found = checked(text)
    assert [one for one in expected if one not in found] == []


def test_the_final_answer_is_taken_for_right() -> None:
    assert checked("2x = 14, so x = 7.", (7, 1)) == [("14", "2*7"), ("7", "14/2")]


@pytest.mark.parametrize("text", ["x=1 y=2", r"With $a \cdot b$: $x=1 y=2$.", r"\(x=1\ y=2\)", r"$x=1\;y=2$"])
def test_two_statements_are_no_product(text: str) -> None:
    assert all(check in REASONS for _, check in checked(text))


@given(st.integers(-9, 9), st.integers(-9, 9), st.lists(st.tuples(*[st.integers(-5, 5)] * 2), min_size=1, max_size=4))
def test_determine_agrees_with_the_rank_of_the_coefficients(x: int, y: int, pairs: list[tuple[int, int]]) -> None:
    equations = []
    for a, b in pairs:
        left, right = parse(f"({a})*x + ({b})*y"), parse(f"({a * x + b * y})")
        assert left is not None
        assert right is not None
        equations.append((left, right))
    independent = any(a * d != b * c for a, b in pairs for c, d in pairs)
    assert determine(equations, frozenset("xy"), {"x": (x, 1), "y": (y, 1)}) == independent


def test_equations_that_do_not_hold_prove_nothing() -> None:
    left, right = parse("x + 1"), parse("5")
    assert left is not None
    assert right is not None
    assert determine([(left, right)], frozenset("x"), {"x": (4, 1)})
    assert not determine([(left, right)], frozenset("x"), {"x": (3, 1)})
