"""Numbers missing in equations, compared with evaluating both sides as text."""

from collections.abc import Mapping
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.equations import TRIALS, missing_number, trial_values
from pairgen.arithmetic.exact.evaluate import evaluate, evaluate_text
from pairgen.arithmetic.exact.expression import Expr, parse, render
from pairgen.arithmetic.exact.ratios import Ratio
from pairgen.arithmetic.labels import NO_MATCH, NOT_EXACT, Unverified


def slow_missing_number(left: str, right: str, known: Mapping[str, Ratio], stated: Ratio) -> str:
    """The expression of the missing number ``?`` if it is ``stated``, else the reason; from texts only."""

    def value(text: str) -> Fraction | None:
        ratio = evaluate_text(text)
        return None if ratio is None else Fraction(*ratio)

    expressions = []
    for trial in range(TRIALS):
        texts = [left, *(right.replace("?", digit) for digit in "012")]
        for letter, (top, bottom) in trial_values(frozenset("xyz"), known, trial).items():
            number = str(top) if bottom == 1 and top >= 0 else f"({top})" if bottom == 1 else f"({top}/{bottom})"
            texts = [text.replace(letter, number) for text in texts]
        side, zero, one, two = (f"({text})" for text in texts)
        if value(zero) is None and value(f"{one} - 2*{two}") == 0:
            number = f"{one}/{side}"
        elif value(f"{two} - 2*{one} + {zero}") != 0:
            return NOT_EXACT
        elif value(f"{one} - {zero}") == 1:
            number = f"{side} - {zero}"
        elif value(f"{zero} - {one}") == 1:
            number = f"{zero} - {side}"
        elif value(zero) == 0:
            number = f"{side}/{one}"
        else:
            number = f"({side} - {zero})/({one} - {zero})"
        if value(number) is None:
            return NOT_EXACT
        if value(number) != Fraction(*stated):
            return NO_MATCH
        expressions.append(number)
    return expressions[0]


OPERANDS = st.sampled_from(["x", "y", "z", "1", "2", "3", "4", "6", "sqrt(2)"])
SIDES = st.lists(st.tuples(OPERANDS, st.sampled_from(["*", " + ", " - ", "/"])), max_size=3).map(
    lambda pairs: "".join(operand + operator for operand, operator in pairs)
)


def tree(text: str) -> Expr:
    expr = parse(text)
    assert expr is not None
    return expr


@given(SIDES, OPERANDS, SIDES, SIDES, OPERANDS, st.booleans(), st.integers(-6, 12))
def test_missing_number_equals_evaluating_texts(
    start: str, end: str, before: str, after: str, last: str, at_end: bool, stated: int
) -> None:
    left, right = start + end, f"{before}?" if at_end else f"{before}?*{after}{last}"
    known = {"x": (-3, 2), "y": (4, 1)}
    right_values = tuple(tree(right.replace("?", digit)) for digit in "012")
    exact = evaluate(tree(left.replace("z", "5")), known)  # often the stated number, so that some are verified
    for number in ((stated, 1), exact or (1, 1)):
        try:
            found = render(missing_number(tree(left), right_values, tuple(known.items()), number))  # type: ignore[arg-type]
        except Unverified as error:
            found = error.reason
        assert found == slow_missing_number(left, right, known, number)


def test_missing_number_in_each_position() -> None:
    def missing(left: str, right: str, stated: Ratio) -> str:
        zero, one, two = (tree(right.replace("?", digit)) for digit in "012")
        return render(missing_number(tree(left), (zero, one, two), (), stated))

    assert missing("20 + 8", "x*2 + 2*(4 - x) + ?", (20, 1)) == "(20 + 8) - (11*2 + 2*(4 - 11) + 0)"
    assert missing("12", "20 - ?", (8, 1)) == "(20 - 0) - (12)"
    assert missing("2*3*x", "?*x", (6, 1)) == "(2*3*11)/(1*11)"
    assert missing("10 + 1", "3 + ?*4", (2, 1)) == "((10 + 1) - (3 + 0*4))/((3 + 1*4) - (3 + 0*4))"
    assert missing("4", "12/?", (3, 1)) == "(12/1)/(4)"
