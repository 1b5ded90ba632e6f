"""MetaMath rows: where the reasoning ends, the final answer, and what is never corrupted."""

from fractions import Fraction

import pytest

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.metamath import BUILDER, read
from pairgen.builders.worked_solutions import final_answer, reasoning_stop, reject_corrupted

ROW = {
    "type": "GSM_AnsAug",
    "query": " How many pens? \n",
    "original_question": "How many pens?",
    "response": "3 * 4 = 12 pens.\n12 + 1 = 13 in all.\n#### 13\nThe answer is: 13",
}


def test_read_returns_question_answer_and_group() -> None:
    example = read(ROW)
    assert (example.question, example.answer) == ("How many pens?", ROW["response"])
    assert (example.source, example.question_group) == ("metamath/GSM_AnsAug", "How many pens?")


def test_read_without_type_or_original_question() -> None:
    example = read({"query": "Why?", "response": "1 + 1 = 2"})
    assert (example.source, example.question_group) == ("metamath", "Why?")


@pytest.mark.parametrize("seed", range(100))
def test_reject_keeps_the_final_lines(seed: int) -> None:
    example = read(ROW)
    (rejection,) = reject_corrupted(example, RowRng("row", seed), CorruptionOptions())
    assert rejection.provenance.correct == "12", "13 states the final answer"
    assert rejection.provenance.corrupted != "13"
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
        ("a. #### 7", "a. ", "7"),
        ("a. #### 7\nThe answer is: 7", "a. ", "7"),
        ("a\nThe final answer is: 72", "a", "72"),
        ("a\n**Final Answer:** $72", "a", "72"),
        ("a\nA: 72\n#### 72", "a", "72"),
        ("a\n\nAnswer: 72", "a\n", "72"),
        ("a. So the final answer is 72.", "a. ", "72"),
        ("b\n#### Step 1: multiply\na", "b\n#### Step 1: multiply\na", None),
        ("b\n#### 1. First step\na\n#### 7", "b\n#### 1. First step\na", "7"),
        ("b\n#### Step 2: 3 + 4 = 7", "b\n#### Step 2: 3 + 4 = 7", None),
    ],
)
def test_reasoning_and_answer(solution: str, reasoning: str, answer: str | None) -> None:
    assert solution[: reasoning_stop(solution)] == reasoning
    found = final_answer(solution[reasoning_stop(solution) :])
    assert (None if found is None else Fraction(*found)) == (None if answer is None else Fraction(answer))


def test_annotations_are_removed() -> None:
    """They would state the right value before the wrong one."""
    example = read({"query": "Why?", "response": "She has 48/2 = <<48/2=24>>24 pens.\n#### 24"})
    assert example.answer == "She has 48/2 = 24 pens.\n#### 24"
    assert "<<" in example.key, "ids stay those of the source"


def test_defaults_are_those_of_the_paper() -> None:
    assert (BUILDER.eval_size, BUILDER.style, BUILDER.license) == (1000, "raw", "mit")
