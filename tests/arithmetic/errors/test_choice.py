"""Which values of a solution are corrupted: results before conditions, and nothing that may be as true when changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.errors.corrupt import CannotCorrupt, Corruption, corrupt
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.solution import Solution


def drawn(text: str, answer: str = "", count: int = 4) -> set[Corruption]:
    """The corruptions of several seeds."""
    literal = parse_literal(answer)
    solution = Solution(text, len(text), literal.value if literal else None)
    found: set[Corruption] = set()
    for seed in range(20):
        try:
            found.update(corrupt(solution, "", RowRng("row", seed), "near", count))
        except CannotCorrupt:
            return set()
    return found


SIGNS = (
    ">=",
    "≥",
    "<=",
    "≤",
    "!=",
    "≠",
    "<",
    ">",
    "=>",
    r"\ge",
    r"\geq",
    r"\le",
    r"\leqslant",
    r"\ne",
    r"\neq",
    r"\gt",
)


@pytest.mark.parametrize("sign", SIGNS)
@given(first=st.integers(3, 60), second=st.integers(3, 60))
def test_numbers_of_an_inequality_are_not_corrupted(sign: str, first: int, second: int) -> None:
    math = "$" if sign[0] == "\\" else ""
    for side in (f"{first} + {second} {sign} {first + second}", f"{first + second} {sign} {first} + {second}"):
        assert drawn(f"It must be that {math}{side}{math} here.") == set()
        assert {one.original for one in drawn(f"We see {math}{side}{math}, so there are 977 of them.")} <= {"977"}


@pytest.mark.parametrize(
    "text",
    [
        "There are at least 7 of them.",
        "He needs at most $45 for it.",
        "That is more than 30 and no more than 50.",
        "It takes 12 or more of them.",
        "It is greater than or equal to 8.",
        "The sum is not 9.",
    ],
)
def test_bounds_in_words_are_not_corrupted(text: str) -> None:
    assert drawn(text) == set()


def test_what_is_next_to_an_inequality_can_be_corrupted() -> None:
    assert {one.original for one in drawn("As x > 0 and 3 + 4 = 7, we have 7 > 5.")} == {"7"}
    assert {one.original for one in drawn(r"Since $x \ge 3$, the smallest value is $\boxed{3}$.")} == {"3"}
    assert {one.original for one in drawn("a -> b and there are 65 of them.")} == {"65"}


@pytest.mark.parametrize(
    ("text", "answer", "conditions"),
    [
        ("Set x - 3 = 0, so x = 3. Then 3 * 14 = 42.", "42", {"0"}),
        ("We set x + 4 = 9. So x = 5 and 5 * 14 = 70.", "70", {"9"}),
        ("Let us solve 2x + 1 = 7 for x = 3. Then 3 * 14 = 42.", "42", {"7"}),
        ("The equation 2x + 1 = 7 has x = 3. Then 3 * 14 = 42.", "42", {"7"}),
        ("If a + 2 = 9, b = 5, then 7 * 5 = 35.", "35", {"9", "5"}),
        ("If a + b = 9, a = 4, b = 5, then 7 * 5 = 35.", "35", {"9", "4", "5"}),
        (r"If $a + b = 9$, $a = 4$, $b = 5$, then $7 \cdot 5 = 35$.", "35", {"9", "4", "5"}),
        (r"Let $2x + 1 = 7$. Then $x = 3$, and $3 \cdot 14 = 42$.", "42", {"7"}),
        (r"Setting $\frac{x}{2} - 6 = 0$ gives $x = 12$, and $12 \cdot 3 = 36$.", "36", {"0"}),
    ],
)
def test_conditions_are_corrupted_only_where_nothing_else_is_verified(
    text: str, answer: str, conditions: set[str]
) -> None:
    assert not {one.original for one in drawn(text, answer, 1)} & conditions


def test_conditions_have_a_strategy_of_their_own() -> None:
    (strategy,) = {one.strategy for one in drawn("Solve 2x + 1 = 7.", "3")}
    assert strategy == "condition"
    assert {one.strategy for one in drawn("So 2x - 6 = 0 here.", "3")} == {"condition"}
    assert {one.strategy for one in drawn("So 2x = 10, that is x = 5.", "5", 1)} == {"equation"}


@pytest.mark.parametrize(
    "text",
    [
        # exponents, bases of powers, arguments of functions, indices, denominators in brackets
        r"Then $f(y) = x^2 + y$ for all $y$.",
        r"So $2! \cdot k = 2^8 \cdot 3^4 \cdot n$.",
        r"Thus $g(t) = \sin 2t = \sin (2t)$.",
        r"We have $h(t) = a_2 t + \log 7$.",
        r"The area is $A = \frac{1}{(2)} b h$.",
        # operands, item numbers
        "Divide both sides by 5 and we see it.",
        "It is a multiple of 7, of course.",
        r"Note that $\sin 30^\circ$ is known.",
        "1. First look at it.\n2) Then again.",
        "We use step 3 of the plan.",
    ],
)
def test_parts_of_formulas_and_operands_are_not_corrupted(text: str) -> None:
    assert drawn(text) == set()


def test_unverified_conditions_come_last() -> None:
    text = r"If $k^2 + jk = 3$, then $\gamma^2 - \delta = 0$, so $\angle ABC = 71$."
    assert {one.original for one in drawn(text, count=1)} == {"71"}
