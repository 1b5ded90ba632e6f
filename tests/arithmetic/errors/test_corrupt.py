"""Corruptions of a solution: always wrong, in the same format, and nothing else changed."""

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.errors.changes import CannotCorrupt, Corruption
from pairgen.arithmetic.errors.corrupt import corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.values import CORRUPTIONS
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.verification import matches
from pairgen.arithmetic.labels import REASONS, STRATEGIES
from pairgen.arithmetic.solution import Solution

SOLUTION = (
    "He buys 3 * 4 = 12 pens.\nHe gives 5 away, so 12 - 5 = 7 are left.\nAt $1.50 each that is 7 * $1.50 = $10.50."
)


def corruptions_of(
    text: str,
    seed: int = 0,
    question: str = "",
    answer: str | None = None,
    stop: int | None = None,
    method: str = "near",
    count: int = 1,
) -> list[Corruption]:
    value = parse_literal(answer).value if answer else None  # type: ignore[union-attr]
    solution = Solution(text, len(text) if stop is None else stop, value)
    return corrupt(solution, question, RowRng("row", seed), method, count)


def corruption_of(text: str, seed: int = 0, **options: Any) -> Corruption:
    (corruption,) = corruptions_of(text, seed, **options)
    return corruption


def cannot_corrupt(text: str, **options: Any) -> None:
    with pytest.raises(CannotCorrupt) as caught:
        corruptions_of(text, **options)
    assert caught.value.reason == "no number to corrupt"


@pytest.mark.parametrize("seed", range(50))
def test_corrupt_replaces_one_literal(seed: int) -> None:
    one = corruption_of(SOLUTION, seed)
    assert SOLUTION[one.start : one.stop] == one.original
    assert one.apply(SOLUTION) == SOLUTION[: one.start] + one.corrupted + SOLUTION[one.stop :]
    assert one.verified
    assert (one.strategy, one.steps) == ("result", 3)
    assert one.step in (1, 2), "the last result is not used while there is another"


def test_corrupt_verified_expression_agrees_with_sympy() -> None:
    """sympy evaluates the expression to the original value, not to the corrupted one."""
    texts = [SOLUTION, "So (3/4)*12 = 9.", "It is 30% of 50 = 15.", "1/4 = 25%", "50/200*100 = 25%", "10/4 = 2.5 each"]
    for text in texts:
        one = corruption_of(text)
        assert one.verified
        value = sympy.Rational(str(sympy.nsimplify(sympy.sympify(one.expression), rational=True)))
        assert value == sympy.Rational(one.original_value)
        assert value != sympy.Rational(one.corrupted_value)
        literal = parse_literal(one.original)
        assert literal is not None
        assert Fraction(*literal.value) == Fraction(one.original_value or "")


def test_corrupt_chooses_uniformly_among_verified_steps() -> None:
    text = "1 + 1 = 2, 2 + 2 = 4, 3 + 3 = 7, 4 + 4 = 8, 5 + 5 = 10"
    counts = Counter(corruption_of(text, seed).step for seed in range(3000))
    assert set(counts) == {1, 2, 4}, "step 3 is already wrong, step 5 is the last"
    assert all(850 < count < 1150 for count in counts.values())


@pytest.mark.parametrize(
    ("text", "question", "strategy", "reason"),
    [
        ("1 + 1 = 2, 2 + 2 = 4", "", "result", None),
        ("1 + 1 = 2", "", "last-result", None),
        ("1 + 1 = 3, 2 + 2 = 4", "", "last-result", None),
        ("1 + 1 = 3, 2 + 2 = 5", "", "result", "does not match the recomputed value"),
        ("5x + 3 = 28, 5x = 25, x = 5", "", "equation", None),
        ("5x = 25, x = 5", "she has 25 of them", "last-result", None),
        ("5x = 25, x = 5, 4 + 1 = 5", "25 of them", "solved-value", None),
        ("x + 3 + 4 = x + 7, 1 + 1 = 2", "", "combined-term", None),
        ("x + y = 3", "", "last-result", "variable has no known value"),
        ("so x = 5 and done", "", "stated-value", "stated without a calculation"),
        ("after 8 days there are sixteen", "", "number", "stated without a calculation"),
        (r"There are $24$ of them, so \boxed{7}.", "24 in all", "number", "stated without a calculation"),
        (r"From $\angle ABC = 60^\circ$ we see it.", "", "stated-value", "stated without a calculation"),
    ],
)
def test_corrupt_strategy_priority(text: str, question: str, strategy: str, reason: str | None) -> None:
    one = corruption_of(text, question=question, answer="2" if text.endswith("= 2") else None)
    assert (one.strategy, one.reason) == (strategy, reason)
    assert one.verified == (reason is None)
    assert strategy in STRATEGIES
    assert reason is None or reason in REASONS
    known = [one.original_value, one.corrupted_value, one.expression]
    assert known == [None, None, None] if reason else all(known)


def test_corrupt_takes_repeated_question_number_last() -> None:
    one = corruption_of("we write 5x = 25", question="25 in all", answer="5")
    assert (one.strategy, one.verified) == ("given", True)
    cannot_corrupt("we write 5x = twenty", question="25")


@pytest.mark.parametrize(
    ("text", "question", "answer", "expected"),
    [
        (
            "we write 5x = 25, so x = 5",
            "25 in all",
            "5",
            "5",
        ),  # the final answer does not count as a number of the question
        ("we write 5x = 25, so x = 5", "5 each, 25 in all", "5", "5"),
        ("we get x/25 = 0.04, where 1 is added", "4% of it", "1", "1"),
        (r"so $\frac{x}{8} = \frac{15}{8}$ and there are $9$", r"$\tan K = \frac{15}{8}$", "15", "9"),
        ("T + 3x = 80 and T = 68 is given, so 28 are left", "68 degrees", "4", "80"),
        ("4(420) + 240 = x, which is 1920", "420 and 240", "7", "1920"),
    ],
)
def test_corrupt_prefers_numbers_outside_question(text: str, question: str, answer: str, expected: str) -> None:
    for seed in range(20):
        one = corruption_of(text, seed, question=question, answer=answer)
        assert one.original == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("divide both sides by 7, then 50 km/hr * 24 hr/day, so there are 9 left", "9"),
        ("he sees 21 > 2 * 9, which is 18", "18"),
        (r"the $36$'s digit modulo $100$ is $7$ \ at", "7"),
        (r"the $33$rd digit \, of $a + 12$, where \boxed{9} is right", "9"),
        (r"\boxed{111, \! 222, \! 333} of 12 more", "12"),
        (r"\begin{array}{r} & 5 & 8 \\ \cline{1-2} & 4 & \end{array}", "4"),
        (r"where \log \frac 73 is near 12 more", "12"),
    ],
)
def test_corrupt_prefers_stated_numbers_to_operands(text: str, expected: str) -> None:
    for seed in range(20):
        one = corruption_of(text, seed)
        assert (one.strategy, one.original) == ("number", expected)


def test_corrupt_recognizes_negated_final_answer() -> None:
    text = r"$2 - 5 = -3$ and $x = 4 - 7 = \boxed{-3}$"
    for seed in range(50):
        one = corruption_of(text, seed, answer="-3")
        assert (one.strategy, one.original) == ("last-result", "3")
    for seed in range(50):
        one = corruption_of(r"$2 - 5 = -3$, so $3 + 1 = 4$", seed, answer="-4")
        assert one.corrupted != "4"


@pytest.mark.parametrize(
    "text",
    [
        "Step 4 is next",
        "On May 4 it was",
        "Equation (3) says",
        "4. is a list",
        "see Figure 5",
        r"by Lemma 7 it is \frac 12",
        "[asy] corruption_of((3,4)); [/asy] \\ none",
    ],
)
def test_corrupt_ignores_labels(text: str) -> None:
    cannot_corrupt(text)


@pytest.mark.parametrize("method", CORRUPTIONS)
def test_corrupt_several_are_distinct(method: str) -> None:
    found = corruptions_of(SOLUTION, 3, method=method, count=6)
    assert len(found) == len({(one.start, one.corrupted) for one in found}) == 6
    assert {one.step for one in found} == {1, 2}, "each inner step is used before any is used twice"
    assert [one.step for one in found[:2]] in ([1, 2], [2, 1])
    one = corruptions_of(SOLUTION, 3, method=method)
    assert one[0] == found[0], "the first does not depend on count"


def test_corrupt_returns_fewer_than_count_when_exhausted() -> None:
    found = corruptions_of(r"so \(\frac{2}{6} = \frac13\), done", method="digit", count=64)
    assert 1 <= len(found) < 64
    assert len({(one.start, one.corrupted) for one in found}) == len(found)


@pytest.mark.parametrize("seed", range(30))
def test_corrupt_keeps_latex_format(seed: int) -> None:
    text = r"Since $\frac12 + \frac14 = \frac{3}{4}$ and $10^3\cdot 15 = 15{,}000$, we get \boxed{9}."
    one = corruption_of(text, seed)
    assert one.verified
    right, wrong = parse_literal(one.original), parse_literal(one.corrupted)
    assert right is not None
    assert wrong is not None
    assert (wrong.fraction, wrong.group_separator, wrong.denominator) == (
        right.fraction,
        right.group_separator,
        right.denominator,
    )


@pytest.mark.parametrize("text", ["", "no digits here", "it is 5 as given", "in room 2b, at 9:30", r"\frac{5}{x}"])
def test_corrupt_raises_without_numbers(text: str) -> None:
    cannot_corrupt(text, question="we are given 5")


def test_corrupt_ignores_text_after_stop() -> None:
    text = "x is found.\n#### 7"
    cannot_corrupt(text, stop=text.index("\n####"))


@pytest.mark.parametrize("seed", range(200))
def test_corrupt_never_gives_final_answer(seed: int) -> None:
    for method in CORRUPTIONS:
        one = corruption_of("2 + 2 = 4, so 4 + 1 = 5", seed, answer="5.0", method=method)
        assert Fraction(one.corrupted_value or "0") != 5


@given(st.integers(1, 9999), st.integers(1, 9999), st.sampled_from("+-*/"), st.integers(0, 10**6))
def test_corrupt_verified_value_is_wrong(left: int, right: int, operator: str, seed: int) -> None:
    """The corruption of a rounded or exact quotient, product, sum or difference states another value."""
    value = {"+": Fraction(left + right), "-": Fraction(left - right), "*": Fraction(left * right)}.get(
        operator, Fraction(left, right)
    )
    stated = f"{float(value):.2f}"
    one = corruption_of(f"{left} {operator} {right} = {stated}", seed)
    if one.verified:
        wrong = parse_literal(one.corrupted)
        assert wrong is not None
        assert not matches(wrong, (value.numerator, value.denominator))
    else:
        assert abs(Fraction(stated) - value) > Fraction(1, 200), "only an incorrectly rounded result stays unverified"


def test_row_rng_depends_on_row_and_seed_only() -> None:
    stream = [RowRng("row", 1).bits(), RowRng("row", 1).bits()]
    assert stream[0] == stream[1]
    different = {RowRng("row", 1).bits(), RowRng("row", 2).bits(), RowRng("other", 1).bits(), RowRng("row", -1).bits()}
    assert len(different) == 4
    assert Counter(RowRng(str(row), 0).below(4) for row in range(4000)).most_common()[-1][1] > 900
