"""The expression tree: text and back, values, changes; the fast evaluator gives the values of the tree."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.exact.evaluate import evaluate as evaluate_text
from pairgen.arithmetic.exact.expression import evaluate, parse, render, substitute, variables, with_other_operators
from pairgen.arithmetic.exact.ratios import equal
from pairgen.arithmetic.labels import Unverified
from pairgen.builders.worked_solutions import solution_of


def tree_value(text: str) -> tuple[int, int] | None:
    expr = parse(text)
    return None if expr is None else evaluate(expr)


def assert_same_value(text: str) -> None:
    fast, slow = evaluate_text(text), tree_value(text)
    assert (fast is None) == (slow is None), text
    assert fast is None or slow is None or equal(fast, slow), text


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
def test_expression_renders_with_spaces_around_sums_only(text: str, rendered: str) -> None:
    expr = parse(text)
    assert expr is not None
    assert render(expr) == rendered


@pytest.mark.parametrize("text", ["", "xy", "2x", "x(2)", "1 +", "(1", "f(2)", "2 3", "sqrt 2", "=", "_"])
def test_parse_rejects_other_text(text: str) -> None:
    assert parse(text) is None


def test_variables_take_values() -> None:
    expr = parse("5*x - y")
    assert expr is not None
    assert variables(expr) == {"x", "y"}
    assert evaluate(expr) is None
    assert evaluate(expr, {"x": (1, 2), "y": (3, 1)}) == (-1, 2)
    assert render(substitute(expr, {"x": (-1, 2)})) == "5*(-1/2) - y"


def test_each_operator_is_replaced_in_turn() -> None:
    expr = parse("3/4 + 1*5")
    assert expr is not None
    changed = with_other_operators(expr, {"+": "/", "*": "+", "/": "*"})
    assert [[render(one) for one in ones] for ones in changed] == [["3*4 + 1*5"], ["3/4/(1*5)"], ["3/4 + (1 + 5)"]]


PIECES = st.sampled_from([*"0123456789+-*/().", "**", " ", " + ", " - ", "(", ")", "12", "1.5", "pi", "sqrt(", "x"])


@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=500)
def test_fast_evaluator_gives_the_value_of_the_tree(text: str) -> None:
    assert_same_value(text)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_rendered_expression_has_the_same_value(text: str) -> None:
    expr = parse(text)
    if expr is not None:
        again = parse(render(expr))
        assert again is not None
        one, other = evaluate(expr, {"x": (2, 3)}), evaluate(again, {"x": (2, 3)})
        assert one == other or (one is not None and other is not None and equal(one, other))


@pytest.mark.parametrize("file", ["GSM_AnsAug.json", "GSM_FOBAR_like.jsonl", "MATH_solutions.jsonl"])
def test_fast_evaluator_gives_the_value_of_the_tree_on_real_rows(file: str, real_data: Path) -> None:
    text = (real_data / "metamath" / file).read_text("utf-8")
    rows = json.loads(text) if file.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    for row in rows[:1500]:
        solution = solution_of(row["response"])
        for step in solution.steps:
            try:
                assert_same_value(solution.check(step).expression)
            except Unverified:
                continue
