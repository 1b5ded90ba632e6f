"""Rows whose own calculation is false: dropped and counted, or kept with ``--false-steps keep``."""

import json
from pathlib import Path

import pytest

from pairgen.builders.worked_solutions import FALSE
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import UsageError

RIGHT = "He has 3 * 4 = 12 pens and 12 + 5 = 17 in all.\nThe answer is: 17"
WRONG = "He has 3 * 4 = 14 pens and 14 + 5 = 19 in all.\nThe answer is: 19"
ROWS = {
    "metamath": [{"query": f"How many, {name}?", "response": text} for name, text in (("A", RIGHT), ("B", WRONG))],
    "gsm8k": [{"question": f"How many, {name}?", "answer": text} for name, text in (("A", RIGHT), ("B", WRONG))],
    "solutions": [{"question": f"How many, {name}?", "solution": text} for name, text in (("A", RIGHT), ("B", WRONG))],
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_with_a_false_calculation_are_counted_or_kept(name: str, tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]))
    options = BuildOptions((str(source),), on_unchecked="keep")
    dropped = build(name, tmp_path / "dropped", options).manifest
    assert dropped["splits"]["train"]["drops"] == {FALSE: 1}
    assert "--false-steps" not in dropped["command"]
    kept = build(name, tmp_path / "kept", BuildOptions((str(source),), on_unchecked="keep", false_steps="keep"))
    assert kept.manifest["splits"]["train"]["drops"] == {}
    assert "--false-steps keep" in kept.manifest["command"]
    for pair in kept.to_pandas().to_dict("records"):
        assert not (pair["correct"] == "14" and pair["corrupted"] == "12"), "the right value is never the rejected one"


def test_the_option_is_for_builders_that_corrupt(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--false-steps and --on-unchecked do not apply to arc"):
        build("arc", tmp_path / "arc", BuildOptions(("sample:5",), false_steps="keep"))
