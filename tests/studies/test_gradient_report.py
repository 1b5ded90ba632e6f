"""What the study of gradients says, from numbers made up for the purpose."""

from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pairgen.studies.logits import gradient
from pairgen.studies.logits.places import LOSSES, Columns, columns_of
from pairgen.studies.logits.positions import SCHEMA
from pairgen.studies.logits.verdicts import findings

OFFSETS = (-2, -1, 0, 1, 2, 3, 4)


def run(
    after: tuple[float, ...] = (-0.1, -0.1, -0.1, 0.1), down: float = -0.02, up: float = -0.03, error: float = 1e-14
) -> Columns:
    """Two pairs: DPO's push after the edit is ``after``, and its steps change all tokens by ``down`` and ``up``."""
    rows: list[dict[str, Any]] = []
    for model, loss, pair, own in product(("start", "trained"), LOSSES, (0, 1), (True, False)):
        of_dpo = loss == "dpo" or model == "start"
        if model == "start" and loss != "dpo" and not own:
            continue
        for offset in OFFSETS:
            row: dict[str, Any] = {"model": model, "loss": loss, "pair": pair, "own": own, "offset": offset}
            if loss == "dpo" or model == "trained":
                row |= dict.fromkeys(("down", "rejected_down"), down if of_dpo else 0.5)
                row |= dict.fromkeys(("up", "rejected_up"), up)
            if own:
                active = not of_dpo and (loss == "dpop" or offset % 2 == 0)
                push = 0.0 if offset < 0 else 1.0 if offset == 0 else after[offset - 1]
                row |= {"active": active, "push": push + 50 * active, "own_push": 0.5, "error": error}
                row |= {"probability": 0.5, "other_probability": 0.5 + push if offset > 0 else 0.5}
            rows.append(row)
    return columns_of(pa.Table.from_pylist(rows, SCHEMA))


def said(*runs: Columns) -> str:
    return " ".join(findings(runs))


def test_equations_that_do_not_hold_are_reported() -> None:
    assert "equations (2, 4, 5, B.1, B.2) agree at every position" in said(run(), run())
    assert "differ by at most 1.0e-14" in said(run(), run())
    assert "do NOT agree" in said(run(), run(error=1e-3))


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ((-0.1, -0.1, -0.1, -0.1), "100.0% of the correct tokens after the edit: nearly all, as the paper concludes"),
        ((-0.1, -0.1, -0.1, 0.1), "75.0% of the correct tokens after the edit: more than half, though the paper"),
        ((-0.1, -0.1, 0.1, 0.1), "50.0% of the correct tokens after the edit: about half, against the paper's"),
        ((-0.1, 0.1, 0.1, 0.0), "25.0% of the correct tokens after the edit: fewer than half, against the paper's"),
    ],
)
def test_the_paper_is_confirmed_as_far_as_tokens_are_lowered(after: tuple[float, ...], verdict: str) -> None:
    assert verdict in said(run(after), run(after))


def test_penalties_are_described_where_they_are_active() -> None:
    text = said(run(), run())
    assert "After training with DPO, the penalty of dpop is active at 100.0% of the tokens; a step raises" in text
    assert "the penalty of dpop by token is active at 57.1% of the tokens" in text


@pytest.mark.parametrize(
    ("down", "up", "blamed"),
    [(-0.02, -0.03, False), (-0.02, 0.02, True), (0.01, -0.01, True)],
)
def test_a_fall_in_both_directions_is_not_blamed_on_the_direction(down: float, up: float, blamed: bool) -> None:
    runs = [run(down=down, up=up), run(down=down, up=up)]
    assert ("does not explain that the chosen tokens of other pairs fall" in said(*runs)) != blamed
    assert ("with dpop than with dpo" in said(*runs)) == (down < 0.5)


def test_tables_and_figures_have_all_places() -> None:
    runs = [run(), run()]
    logits = gradient.logit_table(runs)
    assert [row[:4] for row in logits.rows[:4]] == [
        *(["start", "dpo, dpop", "not active", place] for place in ("before", "at", "after")),
        ["after dpo", "dpo", "", "before"],
    ]
    assert len(logits.rows) == 3 + 3 + 3 + 5, "at the edit, every penalty is active"
    changes = gradient.step_table(runs)
    assert {tuple(row[:2]) for row in changes.rows} == {("start", "dpo"), *(("after dpo", loss) for loss in LOSSES)}
    assert len(changes.rows) == 4 * 2 * 3
    assert [len(table.rows) for table in (gradient.assumption_table(runs),)] == [2]
    line = gradient.push_figure(runs).series["dpo"]
    values = dict(zip(line.x, line.y, strict=True))
    assert values[0] == 1
    assert values[2] == pytest.approx(-0.1)
    assert np.isnan(values[9])


def test_different_gradients_at_the_start_are_not_merged() -> None:
    """Then something is wrong, and the table shows it."""
    broken = {name: values.copy() for name, values in run().items()}
    broken["push"][(broken["model"] == "start") & (broken["loss"] == "dpop")] += 1
    assert gradient.logit_table([broken, broken]).rows[0][1] == "dpo"
