"""GSM8K's calculator annotations: removed from the text, and used as its results."""

import pytest

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.reading.steps import Step
from pairgen.builders.gsm8k import read, strip_annotations
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.worked_solutions import reject_corrupted


@pytest.mark.parametrize(
    ("annotated", "text", "steps"),
    [
        ("48/2 = <<48/2=24>>24 clips", "48/2 = 24 clips", [Step(7, 9, False, calculation="48/2")]),
        ("a $<<3*500=1500>>1,500 b", "a $1,500 b", [Step(3, 8, False, calculation="3*500")]),
        (
            "<<1+1=2>>2 and <<2+2=4>>4%",
            "2 and 4%",
            [Step(0, 1, False, calculation="1+1"), Step(6, 7, True, calculation="2+2")],
        ),
        ("48/2 = <<48/2=24>> 24", "48/2 =  24", [Step(8, 10, False, calculation="48/2")]),
        ("in all <<48+24=72>>$72", "in all $72", [Step(8, 10, False, calculation="48+24")]),
        ("in all <<48+24=72>>**72**%", "in all **72**%", [Step(9, 11, False, calculation="48+24")]),
        ("six <<3+3=6>>of them", "six of them", []),
        ("no annotations", "no annotations", []),
        ("<<a<<1+1=2>>2", "<<a2", [Step(3, 4, False, calculation="1+1")]),
        ("open << 1 = 1", "open << 1 = 1", []),
    ],
)
def test_strip_annotations(annotated: str, text: str, steps: list[Step]) -> None:
    assert strip_annotations(annotated) == (text, steps)


def test_results_without_annotations_are_found_in_the_text() -> None:
    example = read({"question": "How many?", "answer": "Ann has 48/2 = 24 pens.\nAll: 48+24 = 72.\n#### 72"})
    (rejection,) = reject_corrupted(example, RowRng("row", 0), CorruptionOptions())
    assert (rejection.provenance.correct, rejection.provenance.check) == ("24", "verified")


def test_reject_corrupts_an_annotated_result() -> None:
    example = read({"question": "How many?", "answer": "Ann has 48/2 = <<48/2=24>>24.\nAll: <<48+24=72>>72.\n#### 72"})
    assert "<<" not in example.answer
    (rejection,) = reject_corrupted(example, RowRng("row", 0), CorruptionOptions())
    provenance = rejection.provenance
    assert (provenance.correct, provenance.expression, provenance.check) == ("24", "48/2", "verified")
    assert (provenance.step, provenance.steps) == (1, 2)
    assert rejection.completion.endswith("All: 72.\n#### 72")
