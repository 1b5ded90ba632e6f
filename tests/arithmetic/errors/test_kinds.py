"""Kinds of error: each changes a calculation, and the new step is right arithmetic, wrong and natural."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

import pytest
from helpers import sample_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.errors.carry import CARRY
from pairgen.arithmetic.errors.changes import CannotCorrupt, Corruption
from pairgen.arithmetic.errors.kinds import ERRORS, MIXED, RESULT
from pairgen.arithmetic.errors.missteps import NO_PLAIN, NO_REWRITE, NOT_CARRIED, NOT_NATURAL, missteps
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.errors.terms import read_calculation
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import equal
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.worked_solutions import draw_corruptions, solution_of

KINDS = [name for name, kind in ERRORS.items() if kind.rewrite is not None]


def every(kind: str, text: str, question: str = "", carry: str = "none", seed: int = 0) -> list[Corruption]:
    """All errors of a kind in a solution; empty if there are none."""
    try:
        return list(missteps(solution_of(text), question, RowRng("row", seed), kind, carry))
    except CannotCorrupt:
        return []


def results(kind: str, text: str, question: str = "", carry: str = "none") -> set[str]:
    return {corruption.apply(text) for corruption in every(kind, text, question, carry)}


# ---------------------------------------------------------------- what each kind does


@pytest.mark.parametrize(
    ("kind", "before", "calculation", "after", "expected"),
    [
        ("operator", "There are", "5 * 12 = 60", "pens.", {"5 + 12 = 17"}),
        ("operator", "There are", "12 * 5 = 60", "pens.", {"12 + 5 = 17", "12 - 5 = 7"}),
        ("operator", "He has", "9x4=36", "pens.", {"9+4=13", "9-4=5"}),
        ("operator", "She has", "$30 - $12 = $18", "now.", {"$30 + $12 = $42"}),
        ("operator", "It takes", "5 - 3 = 2", "cups.", {"5 + 3 = 8", "5 * 3 = 15"}),  # not `5 / 3 = 5/3`
        ("operator", "Each pays", "$30 / 3 = $10", "today.", {"$30 * 3 = $90"}),
        ("operator", "The price is", "$30 × 3 = $90", "today.", {"$30 ÷ 3 = $10"}),
        ("operator", "That is", "8 cups + 6 cups = 14", "cups.", {"8 cups - 6 cups = 2"}),
        (
            "operator",
            "So",
            "8 plus 4 equals 12",
            "pens.",
            {"8 minus 4 equals 4", "8 times 4 equals 32", "8 divided by 4 equals 2"},
        ),
        (
            "operator",
            "It takes",
            "4 * 9 - 6 = 30",
            "days.",
            {"4 + 9 - 6 = 7", "4 * 9 + 6 = 42", "4 * 9 * 6 = 216", "4 * 9 / 6 = 6"},
        ),
        ("swap", "They pick", "60 / 5 * 3 = 36", "pears.", {"60 / 3 * 5 = 100"}),
        ("swap", "He has", "90 - 20 + 5 = 75", "pears.", {"90 - 5 + 20 = 105"}),
        ("swap", "It takes", "12 / 6 = 2", "hours.", {"6 / 12 = 0.5"}),
        ("swap", "It takes", "12 / 4 = 3", "hours.", {"4 / 12 = 1/3"}),
        ("swap", "One costs", "$8 / 4 = $2", "today.", {"$4 / 8 = $0.50"}),
        ("omit", "He sold", "3 + 4 + 5 = 12", "pears.", {"4 + 5 = 9", "3 + 5 = 8", "3 + 4 = 7"}),
        ("omit", "He has", "$90 - $20 - $5 = $65", "now.", {"$90 - $5 = $85", "$90 - $20 = $70"}),
        ("omit", "He has", "2 * 8 + 3 = 19", "pears.", {"2 * 8 = 16"}),
        ("omit", "It holds", "2*8*4=64", "pears.", {"8*4=32", "2*4=8", "2*8=16"}),
        (
            "omit",
            "He has",
            "6 pears + 5 figs + 4 limes = 15",
            "in all.",
            {"6 pears + 5 figs = 11", "6 pears + 4 limes = 10", "5 figs + 4 limes = 9"},
        ),
    ],
)
def test_kinds_on_examples(kind: str, before: str, calculation: str, after: str, expected: set[str]) -> None:
    made = results(kind, f"{before} {calculation} {after}", "Why?")
    assert made == {f"{before} {new} {after}" for new in expected}


def test_an_operand_is_replaced_by_a_number_of_the_question_or_an_earlier_result() -> None:
    question = "A box has 12 pens and costs $15. He buys 4 boxes and 9 books, 20% of them used. How many pens?"
    text = "The boxes have 12 * 4 = 48 pens.\nHalf are blue.\nHe gives 48 - 9 = 39 away."
    assert results("operand", text, question) == {
        "The boxes have 9 * 4 = 36 pens.\nHalf are blue.\nHe gives 48 - 9 = 39 away.",
        "The boxes have 12 * 9 = 108 pens.\nHalf are blue.\nHe gives 48 - 9 = 39 away.",
        "The boxes have 12 * 4 = 48 pens.\nHalf are blue.\nHe gives 48 - 12 = 36 away.",
        "The boxes have 12 * 4 = 48 pens.\nHalf are blue.\nHe gives 48 - 4 = 44 away.",
    }, "no amount of money, and no percentage, for a number of pens"


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("operator", "He reads twice as many, 2 * 7 = 14.", "the sentence says that it is twice"),
        ("operator", "To get the sum we add: 9 + 3 = 12.", "the operation is named"),
        ("operator", "She is 4 years older than Al, so 9 + 4 = 13.", "the comparison names a sum"),
        ("operator", "He pays 4 * $9 = $36.", "dollars and a number are not added"),
        ("operator", "That is 4 boxes * 12 pens = 48 pens.", "the units are not added"),
        ("operator", "That is 5% of 60, so 60 * 5% = 3.", "a percentage is not added"),
        ("operator", "In total, 2 + 2 = 4.", "2 * 2 has the same value, and a total is no difference"),
        ("operator", "He has 9 * 1 = 9 pears.", "9 / 1 is no calculation"),
        ("operator", "He has 8 * 3 = 24 pears, so there are 24.", "the right value is stated once more"),
        ("operator", "He has 2 * 12 = 8 * 3 = 24 pears.", "the other side has the right value"),
        ("operator", "It is 20 * 3 = 60 minutes = 1 hour.", "the other side has the right value"),
        ("operator", "Each pays $30 / 3 = $10.\n#### 90", "the new value would be the final answer"),
        ("operator", r"He has $8 \cdot 3 = 24$ pears.", "LaTeX"),
        ("operator", "He has 8 * 3 = 25 pears.", "it is wrong already"),
        ("operator", "The second tower is 3 feet taller, so 7 + 3 = 10 feet.", "the comparison names a sum"),
        ("swap", "It takes 20 / 2 - 6 = 4 hours.", "no share of an hour in a longer calculation"),
        ("swap", "He has 9 - 4 = 5 pears.", "no negative count"),
        ("swap", "Each child gets 12 / 6 = 2 pears.", "no fraction of a count"),
        ("swap", "He has 9 + 4 = 13 pears.", "the order does not matter"),
        ("swap", "It is 30 * 20 / 100 = 6.", "a percentage is not turned over"),
        ("swap", "One costs $9 / 3 = $3.", "no fraction of a cent"),
        ("swap", "The wait is 8 / 7 * 0 = 0 hours.", "nothing is left"),
        ("omit", "He has 9 + 4 = 13 pears.", "one number is no calculation"),
        ("omit", "He has 9 * (4 + 3) = 63 pears.", "a bracket would be left"),
        ("omit", "On the three days he sold 3 + 4 + 5 = 12 pears.", "the sentence says that there are three"),
        ("omit", "The box has 2 * 3 * 5 = 30 cubic inches.", "a volume has three lengths"),
        ("omit", "He has 6 / 2 / 3 = 1 pear.", "a divisor is no term"),
        ("operand", "He sold 3 + 4 = 7 pears.", "no other number is known"),
    ],
)
def test_what_is_not_natural_is_refused(kind: str, text: str, why: str) -> None:
    assert results(kind, text, "How many are 3 and 4?") == set(), why


def test_a_number_that_the_sentence_repeats_stays() -> None:
    question = "How many pens are in 5 boxes of 12, if 8 are used?"
    assert results("operand", "With 5 boxes, there are 5 * 12 = 60 pens.", question) == {
        "With 5 boxes, there are 5 * 8 = 40 pens."
    }
    assert results("operand", "With a dozen in each, there are 5 * 12 = 60 pens.", question) == {
        "With a dozen in each, there are 8 * 12 = 96 pens."
    }


@pytest.mark.parametrize(
    ("kind", "text", "carry", "reason"),
    [
        ("swap", "He has some pears.", "none", NO_PLAIN),
        ("swap", r"He has $8 \cdot 3 = 24$ pears.", "none", NO_PLAIN),
        ("omit", "He has 9 + 4 = 13 pears.", "none", NO_REWRITE),
        ("swap", "He has 9 - 4 = 5 pears.", "none", NOT_NATURAL),
        ("operator", "He has 12. Then 3 * 4 = 12. And 12 * 2 = 24.", "results", NOT_CARRIED),
    ],
)
def test_reasons(kind: str, text: str, carry: str, reason: str) -> None:
    with pytest.raises(CannotCorrupt, match=f"^{reason}$"):
        next(missteps(solution_of(text), "", RowRng("row", 0), kind, carry))


def test_formats_are_kept() -> None:
    assert results("omit", "It costs $1,200 + $1,350 + $450 = $3,000.") == {
        "It costs $1,350 + $450 = $1,800.",
        "It costs $1,200 + $450 = $1,650.",
        "It costs $1,200 + $1,350 = $2,550.",
    }
    assert results("omit", "It costs $2.50+$1.25+$3.25=$7.00.") == {
        "It costs $1.25+$3.25=$4.50.",
        "It costs $2.50+$3.25=$5.75.",
        "It costs $2.50+$1.25=$3.75.",
    }


def test_an_error_is_carried_forward() -> None:
    text = "He has 17 * 3 = 51 pears. Then 51 + 8 = 59.\nThe answer is: 59"
    assert results("operator", text, carry="answer") == {
        "He has 17 + 3 = 20 pears. Then 20 + 8 = 28.\nThe answer is: 28",
        "He has 17 - 3 = 14 pears. Then 14 + 8 = 22.\nThe answer is: 22",
        "He has 17 * 3 = 51 pears. Then 51 - 8 = 43.\nThe answer is: 43",
        "He has 17 * 3 = 51 pears. Then 51 * 8 = 408.\nThe answer is: 408",
    }
    (result, *_) = every("operator", text, carry="results")
    assert result.apply(text).endswith("The answer is: 59")


# ---------------------------------------------------------------- laws of the table


def fraction(text: str | None) -> Fraction:
    literal = parse_literal(text or "")
    assert literal is not None
    return Fraction(*literal.value)


def holds(kind: str, text: str, corruption: Corruption, answer: str) -> None:
    """The laws of every wrong step, recomputed without the engine's values."""
    assert corruption.error == kind
    assert corruption.verified
    assert corruption.expression
    assert corruption.new_expression
    right, new = (Fraction(evaluated(one)) for one in (corruption.expression, corruption.new_expression))
    wrong = fraction(corruption.corrupted)
    assert new == wrong > 0
    assert abs(right - fraction(corruption.original)) <= Fraction(1, 100)
    assert right != wrong
    assert corruption.corrupted != answer
    new_text = corruption.apply(text)
    place = corruption.start + sum(len(one.corrupted) - len(one.original) for one in corruption.calculation)
    assert new_text[place:].startswith(corruption.corrupted)
    found = {step.start: step for step in solution_of(new_text).steps}
    verification = solution_of(new_text).check(found[place])
    assert equal(verification.value, wrong.as_integer_ratio()), "the arithmetic of the new step holds"
    assert all(text[change.start : change.stop] == change.original for change in corruption.changes)


def evaluated(expression: str) -> Fraction:
    import sympy

    value = sympy.sympify(expression, rational=True)
    return Fraction(int(value.p), int(value.q))


STORIES = [
    (row["query"], row["response"], row["response"].rpartition(" ")[2])
    for row in (sample_rows.row("metamath", index) for index in range(300))
    if "\\" not in row["response"]
]


@pytest.mark.parametrize("kind", KINDS)
def test_laws_of_the_kinds(kind: str) -> None:
    made = 0
    for question, text, answer in STORIES[:80]:
        for corruption in islice(every(kind, text, question), 3):
            holds(kind, text, corruption, answer)
            made += 1
    assert made > 3


@pytest.mark.parametrize("kind", KINDS)
def test_laws_hold_for_carried_errors(kind: str) -> None:
    for question, text, _ in STORIES[:60]:
        for corruption in islice(every(kind, text, question, "results"), 2):
            holds(kind, text, corruption, "")


@given(
    st.lists(st.sampled_from([2, 3, 4, 5, 6, 8, 12, 15, 40, 100]), min_size=2, max_size=4),
    st.lists(st.sampled_from(["+", "-", "*", "/", " x ", " + ", " * "]), min_size=3, max_size=3),
    st.sampled_from(["{}", "${}", "{} cups", "{}%"]),
    st.sampled_from(KINDS),
)
@settings(deadline=None)
def test_any_calculation_is_changed_lawfully_or_not_at_all(
    numbers: list[int], signs: list[str], form: str, kind: str
) -> None:
    calculation = form.format(numbers[0])
    for sign, number in zip(signs, numbers[1:], strict=False):
        calculation += sign + form.format(number)
    value = evaluated(calculation.replace(" cups", "").replace("$", "").replace("%", "/100").replace("x", "*"))
    if value.denominator != 1:
        return
    text = f"We need {calculation} = {form.format(value)}."
    for corruption in every(kind, text, "There are 7 and $9 and 30."):
        holds(kind, text, corruption, "")


def test_the_kind_of_each_row_is_drawn() -> None:
    options = CorruptionOptions(error=MIXED)
    question, text = "A box has 12 pens. He buys 4 boxes, 9 pens and 7 books.", "He has 12 * 4 + 9 = 57 pens.\n#### 57"
    drawn = {draw_corruptions(solution_of(text), question, RowRng("a", seed), options)[0].error for seed in range(60)}
    assert drawn == set(ERRORS) - {MIXED}
    several = draw_corruptions(solution_of(text), question, RowRng("a", 0), options._replace(pairs_per_row=4))
    assert len({one.error for one in several}) == 4, "the kinds take turns"
    assert len({one.apply(text) for one in several}) == 4


def test_result_stays_as_it_was() -> None:
    from pairgen.arithmetic.errors.corrupt import corrupt

    for question, text, _ in STORIES[:20]:
        for carry in CARRY:
            assert same(draw_by_options(text, question, carry), text, question, carry, corrupt)


def draw_by_options(text: str, question: str, carry: str) -> Iterator[Corruption]:
    with_error = CorruptionOptions(carry=carry, error=RESULT)
    try:
        yield from draw_corruptions(solution_of(text), question, RowRng("row", 0), with_error)
    except CannotCorrupt:
        return


def same(made: Iterator[Corruption], text: str, question: str, carry: str, corrupt: object) -> bool:
    assert callable(corrupt)
    try:
        return list(made) == corrupt(solution_of(text), question, RowRng("row", 0), carry=carry)
    except CannotCorrupt:
        return True


@pytest.mark.parametrize(
    ("text", "ascii_"),
    [
        ("3 boxes * $1,500", "3*1500"),
        ("20% of 50", "(20/100)*50"),
        ("(2 + 3) x 4", "(2 + 3)*4"),
        ("12 pens/box * 4 boxes", "12*4"),
        ("2/3 * 60", "(2/3)*60"),
        ("60/2*3", "60/2*3"),
        ("8 divided by .5", "8/.5"),
        ("5x12", "5*12"),
    ],
)
def test_read_calculation(text: str, ascii_: str) -> None:
    calculation = read_calculation(text, 0, len(text))
    assert calculation is not None
    assert calculation.ascii == ascii_


@pytest.mark.parametrize("text", ["5", "5 +", "2(3)", "5 ^ 2", "-5 + 3", "(2 + 3", "2x + 5", "x * 3", "5 + + 3"])
def test_what_is_no_plain_calculation(text: str) -> None:
    assert read_calculation(text, 0, len(text)) is None
