"""What is drawn for a solution: always wrong, in the same format, and nothing else touched."""

from collections import Counter
from fractions import Fraction

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.corrupt import corrupt, near
from pairgen.arithmetic.draws import Draws
from pairgen.arithmetic.evaluate import states
from pairgen.arithmetic.numbers import Literal, parse
from pairgen.arithmetic.steps import find_steps
from pairgen.records import Drop, Rejection

SOLUTION = (
    "He buys 3 * 4 = 12 pens.\nHe gives 5 away, so 12 - 5 = 7 are left.\nAt $1.50 each that is 7 * $1.50 = $10.50."
)


def draw(
    text: str, seed: int = 0, question: str = "", answer: str | None = None, stop: int | None = None
) -> Rejection | Drop:
    end = len(text) if stop is None else stop
    value = parse(answer).value if answer else None  # type: ignore[union-attr]
    return corrupt(text, find_steps(text, end), end, question, value, Draws("row", seed))


@pytest.mark.parametrize("seed", range(50))
def test_one_literal_is_replaced_and_nothing_else(seed: int) -> None:
    rejection = draw(SOLUTION, seed)
    assert isinstance(rejection, Rejection)
    start, stop, end = rejection.edit
    assert SOLUTION[start:stop] == rejection.correct
    assert rejection.completion == SOLUTION[:start] + (rejection.corrupted or "") + SOLUTION[stop:]
    assert rejection.completion[start:end] == rejection.corrupted
    assert rejection.check == "verified"
    assert (rejection.strategy, rejection.steps) == ("result", 3)
    assert rejection.step in (1, 2), "the last result is not taken while there is another"


def test_a_stranger_can_check_the_proof() -> None:
    """sympy reads the expression, finds the correct value in it and not the corrupted one."""
    texts = [SOLUTION, "So (3/4)*12 = 9.", "It is 30% of 50 = 15.", "1/4 = 25%", "50/200*100 = 25%", "10/4 = 2.5 each"]
    for text in texts:
        rejection = draw(text)
        assert isinstance(rejection, Rejection)
        assert rejection.check == "verified"
        value = sympy.Rational(str(sympy.nsimplify(sympy.sympify(rejection.expression), rational=True)))
        assert value == sympy.Rational(rejection.correct_value)
        assert value != sympy.Rational(rejection.corrupted_value)
        assert parse(rejection.correct or "").value == tuple(map(int, (rejection.correct_value or "").split("/"))) or (
            Fraction(*parse(rejection.correct or "").value) == Fraction(rejection.correct_value or "")  # type: ignore[union-attr]
        )


def test_choice_is_uniform_over_the_provable_steps() -> None:
    text = "1 + 1 = 2, 2 + 2 = 4, 3 + 3 = 7, 4 + 4 = 8, 5 + 5 = 10"
    counts = Counter(rejection.step for seed in range(3000) if isinstance(rejection := draw(text, seed), Rejection))
    assert set(counts) == {1, 2, 4}, "step 3 is wrong already, step 5 is the last"
    assert all(850 < count < 1150 for count in counts.values())


@pytest.mark.parametrize(
    ("text", "strategy", "check"),
    [
        ("1 + 1 = 2, 2 + 2 = 4", "result", "verified"),
        ("1 + 1 = 2", "last-result", "verified"),
        ("1 + 1 = 3, 2 + 2 = 4", "last-result", "verified"),
        ("1 + 1 = 3, 2 + 2 = 5", "result", "unchecked"),
        ("2x + 1 + 1 = 3", "last-result", "unchecked"),
        ("so x = 5 and done", "stated-value", "unchecked"),
        ("after 8 days there are sixteen", "number", "unchecked"),
    ],
)
def test_order_of_strategies(text: str, strategy: str, check: str) -> None:
    rejection = draw(text)
    assert isinstance(rejection, Rejection)
    assert (rejection.strategy, rejection.check) == (strategy, check)
    known = [rejection.correct_value, rejection.corrupted_value, rejection.expression]
    assert all(known) if check == "verified" else known == [None, None, None]


@pytest.mark.parametrize("text", ["", "no digits here", "it is 5 as given", "in room 2b, at 9:30"])
def test_nothing_to_corrupt(text: str) -> None:
    assert draw(text, question="we are given 5") == Drop("no number to corrupt")


def test_the_answer_lines_are_out_of_reach() -> None:
    text = "x is found.\n#### 7"
    assert draw(text, stop=text.index("\n####")) == Drop("no number to corrupt")


@pytest.mark.parametrize("seed", range(200))
def test_never_the_final_answer(seed: int) -> None:
    rejection = draw("2 + 2 = 4, so 4 + 1 = 5", seed, answer="5.0")
    assert isinstance(rejection, Rejection)
    assert Fraction(rejection.corrupted_value or "0") != 5


LITERALS = st.builds(
    Literal,
    st.integers(0, 10**9),
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
    st.just(False),
    st.integers(1, 12),
)


@given(LITERALS, st.integers(0, 2**64))
def test_near_keeps_the_format(right: Literal, seed: int) -> None:
    wrong = near(right, Draws("row", seed))
    assert wrong != right
    assert wrong[1:] == right[1:]
    assert wrong.units > 0
    assert wrong.units <= max(2 * right.units, right.units + 30)
    assert 3 * wrong.units >= right.units


@given(st.integers(1, 9999), st.integers(1, 9999), st.sampled_from("+-*/"), st.integers(0, 10**6))
def test_a_verified_corruption_is_wrong(left: int, right: int, operator: str, seed: int) -> None:
    """Whatever is drawn for a rounded or exact quotient, product, sum or difference, it states another value."""
    value = {"+": Fraction(left + right), "-": Fraction(left - right), "*": Fraction(left * right)}.get(
        operator, Fraction(left, right)
    )
    stated = f"{float(value):.2f}"
    rejection = draw(f"{left} {operator} {right} = {stated}", seed)
    assert isinstance(rejection, Rejection)
    if rejection.check == "verified":
        wrong = parse(rejection.corrupted or "")
        assert wrong is not None
        assert not states(wrong, (value.numerator, value.denominator))
    else:
        assert abs(Fraction(stated) - value) > Fraction(1, 200), "only what is not rounded right stays unproved"


def test_draws_depend_on_row_and_seed_alone() -> None:
    stream = [Draws("row", 1).bits(), Draws("row", 1).bits()]
    assert stream[0] == stream[1]
    different = {Draws("row", 1).bits(), Draws("row", 2).bits(), Draws("other", 1).bits(), Draws("row", -1).bits()}
    assert len(different) == 4
    assert Counter(Draws(str(row), 0).below(4) for row in range(4000)).most_common()[-1][1] > 900
