"""MetaMath rows: where the reasoning ends, what the answer is, what is left untouched."""

from fractions import Fraction

import pytest

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.interface import Wanted
from pairgen.builders.metamath import BUILDER, final_answer, read, reasoning_stop, reject
from pairgen.pairs.record import Drop, Rejection

ROW = {
    "type": "GSM_AnsAug",
    "query": " How many pens? \n",
    "original_question": "How many pens?",
    "response": "3 * 4 = 12 pens.\n12 + 1 = 13 in all.\n#### 13\nThe answer is: 13",
}


def test_a_row_is_read() -> None:
    example = read(ROW)
    assert not isinstance(example, Drop)
    assert (example.question, example.answer) == ("How many pens?", ROW["response"])
    assert (example.source, example.topic) == ("metamath/GSM_AnsAug", "How many pens?")


def test_rows_without_type_or_original_question() -> None:
    example = read({"query": "Why?", "response": "1 + 1 = 2"})
    assert not isinstance(example, Drop)
    assert (example.source, example.topic) == ("metamath", "Why?")


@pytest.mark.parametrize("seed", range(100))
def test_final_lines_stay(seed: int) -> None:
    example = read(ROW)
    assert not isinstance(example, Drop)
    made = reject(example, RowRng("row", seed), Wanted())
    assert isinstance(made, list)
    (rejection,) = made
    assert isinstance(rejection, Rejection)
    assert rejection.correct == "12", "the last result, 13, is not taken"
    assert rejection.corrupted != "13", "nor is the final answer put in its place"
    assert rejection.completion.endswith("\n12 + 1 = 13 in all.\n#### 13\nThe answer is: 13")


@pytest.mark.parametrize(
    ("solution", "reasoning", "answer"),
    [
        ("a\n#### 32\nThe answer is: 32", "a", "32"),
        ("a\nThe answer is: 1,500", "a", "1500"),
        ("a\nThe answer is: $2.50", "a", "2.5"),
        ("a\nThe answer is: 3/4", "a", "3/4"),
        ("a\nThe answer is: -7", "a", "-7"),
        ("a\nThe answer is: 5.", "a", "5"),
        ("a\nThe answer is: \\frac{3}{4}", "a", "3/4"),
        ("a\nThe answer is: -\\frac43", "a", "-4/3"),
        ("a\nThe answer is: 362,\\!880", "a", "362880"),
        ("a\nThe answer is: \\$4,\\!000", "a", "4000"),
        ("a\nThe answer is: 18\\text{ hours}", "a", "18"),
        ("a\nThe answer is: 60^\\circ", "a", "60"),
        *(
            (f"a\nThe answer is: {formula}", "a", None)
            for formula in ("2x", "14 \\pi", "6+9i", "2\\sqrt{3}", "4_5", "2:3")
        ),
        ("a The answer is: 5", "a ", "5"),
        ("no answer line", "no answer line", None),
        ("a\nThe answer is: none", "a", None),
        ("a\n#### 7", "a", "7"),
    ],
)
def test_reasoning_and_answer(solution: str, reasoning: str, answer: str | None) -> None:
    assert solution[: reasoning_stop(solution)] == reasoning
    found = final_answer(solution[reasoning_stop(solution) :])
    assert (None if found is None else Fraction(*found)) == (None if answer is None else Fraction(answer))


def test_settings_are_the_papers() -> None:
    assert (BUILDER.eval_size, BUILDER.style, BUILDER.license) == (1000, "raw", "mit")
