"""Solutions that are wrong in several places: which are wrong, what follows, and that exact arithmetic says so."""

import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pairgen.arithmetic.errors.changes import CannotCorrupt, Change, apply
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.places import TOO_FEW, Places, composed, moved
from pairgen.builders.metamath import read
from pairgen.builders.worked_solutions import solution_of
from pairgen.sources import sample

TEXT = (
    "The boxes hold 16 * 9 = 144 pens. Then 144 + 37 = 181 are there.\nHalf a day later 181 * 5 = 905 are there. "
    "So 905 - 49 = 856 pens are left.\n#### 856\nThe answer is: 856"
)
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


def false_equations(text: str) -> list[str]:
    """The slow twin: every ``a + b = c`` of a text computed in fractions."""
    found = []
    for one, sign, other, result in EQUATION.findall(text):
        a, b = Fraction(one), Fraction(other)
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[sign]
        if value != int(result):
            found.append(f"{one} {sign} {other} = {result}")
    return found


def places(text: str = TEXT, seed: int = 0, question: str = "How many pens?") -> Places:
    return Places(solution_of(text), question, RowRng("row", seed))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_kept_places_are_all_that_is_false_or_changed(seed: int) -> None:
    made = places(seed=seed)
    for count in (1, 2, 3, 4):
        wrong = made.kept(count)
        assert len(wrong.changes) == count
        text = wrong.apply(TEXT)
        assert len(false_equations(text)) == count
        assert text.endswith("#### 856\nThe answer is: 856")
        assert re.sub(r"= \d+", "", text) == re.sub(r"= \d+", "", TEXT), "operands and words stay"


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_carried_places_are_all_that_is_false(seed: int) -> None:
    made = places(seed=seed)
    for count in (1, 2, 3, 4):
        try:
            wrong = made.carried(count)
        except CannotCorrupt:
            assume(False)
        text = wrong.apply(TEXT)
        assert len(false_equations(text)) == count
        assert text.endswith("#### 856\nThe answer is: 856")
        results = [result for *_, result in EQUATION.findall(text)]
        operands = [one for one, *_ in EQUATION.findall(text)]
        assert results[:-1] == operands[1:], "each later use is of the value that is written"


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_places_are_nested_with_the_same_wrong_values(seed: int) -> None:
    made = places(seed=seed)
    levels = [made.kept(count) for count in (1, 2, 3, 4, 6)]
    for few, many in pairwise(levels):
        values = [{change.start: change.corrupted for change in one.changes} for one in (few, many)]
        assert values[0].items() <= values[1].items()
    assert made.carried(1).first.corrupted == made.kept(1).first.corrupted
    assert made.carried(1).first.start == made.kept(1).first.start


def test_eight_places_include_operands_behind_the_first_result() -> None:
    wrong = places().kept(8)
    assert len(wrong.changes) == 8
    assert len(false_equations(wrong.apply(TEXT))) == 4
    first, *others = wrong.changes
    assert (first.original, first.expression) == (wrong.first.original, wrong.first.expression) == ("144", "16 * 9")
    assert all(change.expression is None for change in others)
    corrupted = [change.corrupted for change in wrong.changes]
    assert len(set(corrupted)) >= 7, "an operand does not repeat a wrong result"


def test_later_results_state_the_calculation_that_they_follow_from() -> None:
    wrong = places(seed=1).carried(1)
    for change in wrong.changes[1:]:
        if change.expression is not None:
            assert eval(change.expression) == int(change.corrupted)  # noqa: S307 - of the test's own text


def test_the_same_row_gives_the_same_places_in_any_order_of_calls() -> None:
    one, other = places(), places()
    expected = [one.kept(2), one.kept(8), one.carried(3)]
    assert [other.carried(3), other.kept(8), other.kept(2)] == expected[::-1]


@pytest.mark.parametrize("count", [0, 9, 30])
def test_too_few_places(count: int) -> None:
    text = "She has 16 * 9 = 144 pens.\n#### 144"
    with pytest.raises(CannotCorrupt, match=TOO_FEW):
        places(text).kept(count)
    with pytest.raises(CannotCorrupt, match=TOO_FEW):
        places(text).carried(count)
    with pytest.raises(CannotCorrupt, match=TOO_FEW):
        places("Nothing is calculated.").kept(1)


def test_a_result_that_cannot_be_carried_is_kept_only() -> None:
    """Ten may be a number of its own in a later calculation."""
    made = places("It is 5 + 5 = 10. And 10 * 9 = 90. And 90 - 4 = 86.\n#### 86", question="How many?")
    assert len(made.kept(3).changes) == 3
    with pytest.raises(CannotCorrupt, match=TOO_FEW):
        made.carried(3)
    assert len(made.carried(2).changes) >= 2


@pytest.mark.parametrize("index", range(0, 60, 3))
def test_rows_of_the_sample(index: int) -> None:
    """Whatever is made of a row, the places are where it says, and the rest is as it was."""
    example = read(sample.row("metamath", "train", index))
    made = Places(solution_of(example.answer), example.question, RowRng("row", 0))
    for make in (made.kept, made.carried):
        for count in (1, 2, 4, 8):
            try:
                wrong = make(count)
            except CannotCorrupt:
                continue
            assert list(wrong.changes) == sorted(wrong.changes)
            assert len(wrong.changes) >= count
            for change in wrong.changes:
                assert example.answer[change.start : change.stop] == change.original != change.corrupted


# ---------------------------------------------------------------- changes of changes

words = st.text("ab 12", max_size=8)


@st.composite
def changes_of(draw: st.DrawFn, text: str) -> list[Change]:
    """Replaced digits of a text."""
    digits = [at for at, letter in enumerate(text) if letter.isdigit()]
    chosen = draw(st.lists(st.sampled_from(digits), unique=True)) if digits else []
    return [Change(at, at + 1, text[at], draw(st.sampled_from(["3", "45", "678", ""])) or "9") for at in sorted(chosen)]


@given(data=st.data(), text=words)
def test_composed_changes_are_one_after_the_other(data: st.DataObject, text: str) -> None:
    """The second ones change what the first left alone, or whole literals that the first wrote."""
    first = data.draw(changes_of(text))
    between = apply(text, first)
    written = {moved(first, change.start): change for change in first}
    later = []
    for change in data.draw(changes_of(between)):
        inside = next((at for at, one in written.items() if at <= change.start < at + len(one.corrupted)), None)
        if inside is None:
            later.append(change)
        elif inside == change.start:
            later.append(Change(inside, inside + len(written[inside].corrupted), written[inside].corrupted, "7"))
    later = list({change.start: change for change in later}.values())
    found = composed(first, later)
    assert apply(text, found) == apply(between, later)
    assert all(text[change.start : change.stop] == change.original for change in found)


def test_composed_restores_what_is_as_before() -> None:
    assert composed([Change(2, 3, "5", "10")], [Change(2, 4, "10", "5")]) == []
