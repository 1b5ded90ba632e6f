"""GSM8K's marks: stripped from the text, and used as exact steps."""

import pytest

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.reading.steps import Step
from pairgen.builders.gsm8k import read, reject, strip_marks
from pairgen.builders.interface import Wanted
from pairgen.pairs.record import Drop


@pytest.mark.parametrize(
    ("marked", "text", "steps"),
    [
        ("48/2 = <<48/2=24>>24 clips", "48/2 = 24 clips", [Step(7, 9, False, marked="48/2")]),
        ("a $<<3*500=1500>>1,500 b", "a $1,500 b", [Step(3, 8, False, marked="3*500")]),
        ("<<1+1=2>>2 and <<2+2=4>>4%", "2 and 4%", [Step(0, 1, False, marked="1+1"), Step(6, 7, True, marked="2+2")]),
        ("six <<3+3=6>>of them", "six of them", []),
        ("no marks", "no marks", []),
        ("<<a<<1+1=2>>2", "<<a2", [Step(3, 4, False, marked="1+1")]),
        ("open << 1 = 1", "open << 1 = 1", []),
    ],
)
def test_marks(marked: str, text: str, steps: list[Step]) -> None:
    assert strip_marks(marked) == (text, steps)


def test_a_marked_result_is_corrupted() -> None:
    example = read({"question": "How many?", "answer": "Ann has 48/2 = <<48/2=24>>24.\nAll: <<48+24=72>>72.\n#### 72"})
    assert not isinstance(example, Drop)
    assert "<<" not in example.answer
    made = reject(example, RowRng("row", 0), Wanted())
    assert isinstance(made, list)
    assert (made[0].correct, made[0].expression, made[0].check) == ("24", "48/2", "verified")
    assert (made[0].step, made[0].steps) == (1, 2)
    assert made[0].completion.endswith("All: 72.\n#### 72")
