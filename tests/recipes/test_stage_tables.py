"""What the report says about training stages."""

import json
from pathlib import Path

import pytest
from helpers.logged_runs import make_run

from pairgen.recipes.stage_kinds import TRAIN, Stage
from pairgen.recipes.stage_tables import training_findings


def stage(folder: Path, loss: str, losses: tuple[float, float], below: float | None, prefix: str = "eval/") -> Stage:
    """A finished stage with its metrics at the start and at the end."""
    make_run(folder, loss)
    shares = {} if below is None else {f"{prefix}chosen_below_reference": below}
    lines = [
        {"step": step, f"{prefix}loss": value, f"{prefix}tokens": 9, **(shares if step else {})}
        for step, value in zip((0, 60), losses, strict=True)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return Stage("odd", TRAIN, {}, folder)


@pytest.mark.parametrize("loss", ["sft", "dpo"])
def test_a_held_out_loss_that_rose_is_said(loss: str, tmp_path: Path) -> None:
    assert training_findings([stage(tmp_path / "a", loss, (0.693, 115.0), 0.5)]) == [
        "The held-out loss of odd rose from 0.693 to 115.000."
    ]
    assert training_findings([stage(tmp_path / "b", loss, (0.693, 0.6), 0.5)]) == []
    assert training_findings([stage(tmp_path / "c", loss, (0.693, 0.693), None)]) == []
    assert training_findings([stage(tmp_path / "d", loss, (0.693, 9.0), 0.5, prefix="")]) == [], "nothing is held out"


def test_dpop_says_in_how_many_pairs_chosen_fell_below_the_reference(tmp_path: Path) -> None:
    fell = (
        "After odd, whose loss penalizes it, chosen is less likely than before the stage in 50.0% of the held-out "
        "pairs."
    )
    assert training_findings([stage(tmp_path / "a", "dpop", (0.693, 115.0), 0.5)]) == [
        "The held-out loss of odd rose from 0.693 to 115.000.",
        fell,
    ]
    assert training_findings([stage(tmp_path / "b", "dpop", (0.693, 0.5), 0.5)]) == [fell]
