"""Which results are used where: what is found, and what is left open."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pairgen.arithmetic.dependencies import uses
from pairgen.arithmetic.errors.carry import CannotCarry, carry
from pairgen.arithmetic.errors.values import written_like
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.worked_solutions import solution_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 * 9 = 45. Then 45 + 8 = 53. And 53 - 3 = 50.", [(2,), (3,), ()]),
        ("5 * 9 = 45. 4 * 4 = 16. So 45 + 16 = 61.", [(3,), (3,), ()]),
        ("5 * 9 = 45. 45 + 45 = 90. 90 - 45 = 45.", [(2, 3), (3,), None]),
        ("3 * $500 = $1,500. Half: $1,500 / 2 = $750.", [(2,), ()]),
        (r"$5 \cdot 9 = 45$, so $45 + 8 = 53$.", [(2,), ()]),
        ("6 * 2 = 12. 12 * 5 = 60.", [None, None]),
        ("He has 45. 5 * 9 = 45. 45 + 8 = 53.", [None, ()]),
        ("5 * 9 = 45. Then 40 + 5 = 45. 45 + 8 = 53.", [None, None, ()]),
        ("5 * 9 = 45. Then 45 + 8 = 54.", [None, ()]),
        ("5 * 9 = 45. Then x = 2. 45x = 90.", [None, ()]),
        ("Nobody counted.", []),
    ],
)
def test_uses(text: str, expected: list[tuple[int, ...] | None]) -> None:
    assert uses(solution_of(text), "How many are 3 and 70?") == expected


def test_a_number_of_the_question_is_uncertain() -> None:
    text = "5 * 9 = 45. Then 45 + 8 = 53."
    assert uses(solution_of(text), "She has 45 pens, or forty.") == [None, ()]
    assert uses(solution_of(text), "") == [(2,), ()]


def test_annotated_results_are_followed() -> None:
    text, annotated = strip_annotations("48/3 = <<48/3=16>>16 in May, 48+16 = <<48+16=64>>64 in all.")
    assert uses(solution_of(text, annotated), "") == [(2,), ()]


@given(
    st.lists(st.tuples(st.sampled_from("+-*"), st.integers(13, 40), st.booleans()), min_size=1, max_size=5),
    st.integers(1, 9),
)
def test_an_error_is_carried_exactly_to_the_uses(steps: list[tuple[str, int, bool]], off: int) -> None:
    """Where an error can be carried, the results that change are those that the uses lead to, directly or not."""
    value, lines = 391, ["17 * 23 = 391"]
    for operator, operand, follows in steps:
        left = value if follows else operand + 1000
        new = {"+": left + operand, "-": left - operand, "*": left * operand}[operator]
        lines.append(f"{left} {operator} {operand} = {new}")
        value = new
    assume(len({line.rpartition(" = ")[2] for line in lines}) == len(lines))
    solution = solution_of(". ".join(lines) + ".")
    found = uses(solution, "")
    wrong = written_like(parse_literal("391"), (391 + off, 1))  # type: ignore[arg-type]
    assert wrong is not None
    try:
        changes = carry(solution, "", solution.steps[0], wrong, to_answer=False)
    except CannotCarry:
        return
    changed = {change.start for change in changes if change.expression}
    reached, ahead = set[int](), [1]
    while ahead:
        direct = found[ahead.pop() - 1]
        assert direct is not None, "what is carried with certainty is known with certainty"
        ahead += [number for number in direct if number not in reached]
        reached |= set(direct)
    assert changed == {solution.steps[number - 1].start for number in reached}
