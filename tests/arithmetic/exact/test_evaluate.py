"""The evaluator compared with Python's parser and fractions, and its limits."""

import ast
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.exact.evaluate import evaluate, evaluate_text
from pairgen.arithmetic.exact.expression import MAX_LENGTH, parse
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.verification import matches


def slow_value(expression: str) -> Fraction | None:
    """A simple reference: Python's parser with exact fractions; None for division by zero."""

    def walk(node: ast.expr) -> Fraction:
        match node:
            case ast.BinOp(left, ast.Add(), right):
                return walk(left) + walk(right)
            case ast.BinOp(left, ast.Sub(), right):
                return walk(left) - walk(right)
            case ast.BinOp(left, ast.Mult(), right):
                return walk(left) * walk(right)
            case ast.BinOp(left, ast.Div(), right):
                return walk(left) / walk(right)
            case ast.UnaryOp(ast.USub(), operand):
                return -walk(operand)
            case ast.Constant():
                return Fraction(ast.get_source_segment(expression, node) or "")
        raise AssertionError(ast.dump(node))

    try:
        return walk(ast.parse(expression.strip(), mode="eval").body)
    except ZeroDivisionError:
        return None


NUMBERS = st.one_of(
    st.integers(0, 10_000).map(str), st.decimals(0, 1000, places=2, allow_nan=False).map(lambda number: f"{number:f}")
)


def expressions(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(children, st.sampled_from(["+", "-", "*", "/", " + ", " - ", " * ", " / "]), children).map("".join)
    return st.one_of(pair, children.map("({})".format), children.map("(-{})".format))


@given(st.recursive(NUMBERS, expressions, max_leaves=8))
@settings(max_examples=400)
def test_evaluate_equals_python_fractions(expression: str) -> None:
    value = evaluate_text(expression)
    if len(expression) > MAX_LENGTH:
        assert value is None
        return
    expected = slow_value(expression)
    assert (value is None) == (expected is None)
    if value is not None:
        assert Fraction(*value) == expected
        assert value[1] > 0


@given(st.lists(st.tuples(NUMBERS, st.sampled_from([*"+-*/", " + ", " * ", " -", "/ "])), max_size=9), NUMBERS)
def test_flat_calculations_equal_their_trees(pairs: list[tuple[str, str]], last: str) -> None:
    text = "".join(number + operator for number, operator in pairs) + last
    expr = parse(text)
    assert evaluate_text(text) == (None if expr is None else evaluate(expr))


@pytest.mark.parametrize(
    "text",
    ["", " ", "()", "1 2", "(1", "1)", "1 +", "* 2", "1 * * 2", "2(3)", "--1", "1 + + 1", "a", "1e5", "1..2", "٣+1"],
)
def test_evaluate_text_rejects_other_text(text: str) -> None:
    assert evaluate_text(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2**3", (8, 1)),
        ("-2**2 + 1", (-3, 1)),
        ("1 ** 2", (1, 1)),
        ("2**-1", (1, 2)),
        ("sqrt(2) * sqrt(8)", (4, 1)),
        ("1/(sqrt(5) - 2) - sqrt(5)", (2, 1)),
        ("6*pi / (4*pi)", (3, 2)),
        ("pi - pi", (0, 1)),
        ("1/0**2", None),
        ("sqrt(2)", None),
        ("2*pi", None),
        ("pie", None),
    ],
)
def test_evaluate_text_powers_and_roots(text: str, value: tuple[int, int] | None) -> None:
    assert evaluate_text(text) == value


@pytest.mark.parametrize("text", ["9" * 1_000_000, "(" * 10_000 + "1" + ")" * 10_000, "9**9**9", "1+" * 500_000 + "1"])
def test_evaluate_text_rejects_hostile_text_quickly(text: str) -> None:
    start = time.perf_counter()
    assert evaluate_text(text) is None
    assert time.perf_counter() - start < 1  # a bound on hanging, not a measurement


@pytest.mark.parametrize(
    ("result", "value", "right"),
    [
        ("3.33", Fraction(10, 3), True),
        ("3.34", Fraction(10, 3), False),
        ("3", Fraction(10, 3), False),
        ("0.67", Fraction(2, 3), True),
        ("0.66", Fraction(2, 3), False),
        ("2.5", Fraction(5, 2), True),
        ("2.50", Fraction(5, 2), True),
        ("0.13", Fraction(1, 8), True),
        ("0.12", Fraction(1, 8), True),
        ("6/8", Fraction(3, 4), True),
        ("-4", Fraction(-4), True),
        ("4", Fraction(-4), False),
    ],
)
def test_matches_at_stated_precision(result: str, value: Fraction, right: bool) -> None:
    literal = parse_literal(result)
    assert literal is not None
    assert matches(literal, (value.numerator, value.denominator)) is right
