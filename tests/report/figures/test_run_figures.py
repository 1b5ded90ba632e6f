"""Figures of runs: their numbers against runs of which everything is known, and what a run lacks."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.logged_runs import make_run, run_in_memory

from pairgen.report.documents.content import Arrows, Bars, Lines
from pairgen.report.documents.drawing import draw
from pairgen.report.figures.run_figures import FIRST, LAST, MIN_TOKENS, RUN_FIGURES
from pairgen.run_folder import EVAL, PAIRS, Run, open_run
from pairgen.run_folder.measured import SCORED, MeasuredAt, with_origin, write_table


def pair(number: int, chosen: list[float], rejected: list[float] | None, **changes: Any) -> dict[str, Any]:
    """A pair of three or more tokens, of which the second is the edit; under the reference, each has log-prob -1."""
    return {
        "split": "eval",
        "dataset": "pairs",
        "pair_id": str(number),
        "chosen": chosen,
        "rejected": rejected,
        "reference_chosen": [-1.0] * len(chosen),
        "reference_rejected": rejected and [-1.0] * len(rejected),
        "edit_start": 1,
        "chosen_edit_stop": 2,
        "rejected_edit_stop": 2,
        **changes,
    }


PAIRS_OF = [
    pair(0, [-1, -0.5, -2], [-1, -4, -1]),
    pair(1, [-1, -3, -2, -1], [-1, -4, -1, -1]),
    pair(2, [-0.5, -0.5, -1], [-0.5, -0.5, -1]),
    pair(3, [-1, -1.5, -1], [-1, -0.5, -1]),
    pair(4, [-1, -1, -9], [-1, -1, -9], split="train"),
]


def write_run(folder: Path, rows: list[dict[str, Any]] = PAIRS_OF, **options: Any) -> Run:
    make_run(folder, **options)
    pq.write_table(pa.Table.from_pylist(rows, SCORED), folder / PAIRS)
    return open_run(folder)


@pytest.mark.parametrize("count", [1, 2, 14])
def test_every_figure_is_drawn(tmp_path: Path, count: int) -> None:
    runs = [write_run(tmp_path / f"run-{at}", grouped=True, end=0.3 - at, rows=PAIRS_OF * 5) for at in range(count)]
    for name, plot in RUN_FIGURES.items():
        figure = plot.figure(runs)
        if name == "tokens-per-second":
            assert figure is None, "these runs have not logged it"
            continue
        assert figure is not None, name
        assert figure.name == name
        if count == 2:
            assert draw(figure).png


def test_runs_of_which_little_is_known() -> None:
    """A run of an older version without a reference and without evaluations, and one with a single step."""
    old = run_in_memory(reference=False, every=0)
    shown = {name for name, plot in RUN_FIGURES.items() if plot.figure([old]) is not None}
    assert shown == {"loss", "log-probs", "pairs-per-second"}
    begun = Run(Path("begun"), {}, run_in_memory().lines[:1])
    assert all(plot.figure([begun]) is None for plot in RUN_FIGURES.values()), "no curve from a single step"
    assert all(plot.figure([]) is None for plot in RUN_FIGURES.values())


def test_lines_of_one_run_are_of_both_splits() -> None:
    run = run_in_memory(every=10)
    figure = RUN_FIGURES["log-ratios"].figure([run])
    assert isinstance(figure, Lines)
    assert list(figure.series) == [
        *(
            "chosen, training batches",
            "rejected, training batches",
            "chosen, held-out pairs",
            "rejected, held-out pairs",
        )
    ]
    line = figure.series["chosen, held-out pairs"]
    assert list(zip(line.x, line.y, strict=True)) == run.series(EVAL + "logratios/chosen")


def test_lines_of_several_runs_are_of_held_out_pairs_where_there_are_any() -> None:
    runs = [run_in_memory("a", every=10), run_in_memory("b", every=0), run_in_memory("c", loss="dpo", steps=900)]
    figure = RUN_FIGURES["loss"].figure(runs)
    assert isinstance(figure, Lines)
    assert list(figure.series) == ["a", "b", "c"]
    assert [len(line.x) for line in figure.series.values()] == [6, 50, 91]
    assert "different losses" in figure.note
    many = RUN_FIGURES["loss"].figure([run_in_memory(steps=900)])
    assert isinstance(many, Lines)
    assert len(many.series["training batches"].x) <= 201


def test_changes_before_at_and_after_the_edit(tmp_path: Path) -> None:
    figure = RUN_FIGURES["edit-parts"].figure([write_run(tmp_path / "run"), run_in_memory("old", every=50)])
    assert isinstance(figure, Bars)
    assert figure.series["run"] == pytest.approx([0.5 / 4, (0.5 - 2 + 0.5 - 0.5) / 4, -2 / 5])
    progress = 1 - math.exp(-50 / 15)
    assert figure.series["old"] == pytest.approx([0, 0.1 * progress, -0.2 * progress]), "from the logged metrics"


def test_changes_by_position(tmp_path: Path) -> None:
    rows = [row for row in PAIRS_OF if row["split"] == "eval"] * 2
    figure = RUN_FIGURES["position"].figure([write_run(tmp_path / "run", rows)])
    assert isinstance(figure, Lines)
    at = dict(zip(figure.series["chosen"].x, figure.series["chosen"].y, strict=True))
    assert list(at) == list(range(FIRST, LAST + 1))
    assert (at[-1], at[0], at[1]) == pytest.approx((0.5 / 4, -1.5 / 4, -2 / 4))
    assert math.isnan(at[2]), f"fewer than {MIN_TOKENS} tokens"
    two = RUN_FIGURES["position"].figure([write_run(tmp_path / "other", rows), open_run(tmp_path / "run")])
    assert isinstance(two, Lines)
    assert list(two.series) == ["other", "run"]


def test_the_plane_of_log_ratios(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    figure = RUN_FIGURES["plane"].figure([run])
    assert isinstance(figure, Arrows)
    assert figure.corners == [
        "both rise: 25%", "chosen falls, rejected rises: 25%", "both fall: 50%", "chosen rises, rejected falls: 0%",
    ]  # fmt: skip
    (moves,) = figure.groups.values()
    assert set(moves.x) == set(moves.y) == {0}
    assert (list(moves.to_x), list(moves.to_y)) == ([-0.5, -3, 1, -0.5], [-3, -3, 1, 0.5])
    edits = RUN_FIGURES["edit-plane"].figure([run])
    assert isinstance(edits, Arrows)
    (moves,) = edits.groups.values()
    assert (list(moves.to_x), list(moves.to_y)) == ([0.5, -2, 0.5, -0.5], [-3, -3, 0.5, 0.5])
    several = RUN_FIGURES["plane"].figure([run, write_run(tmp_path / "b", [pair(0, [-1, -0.5, -2], [-1, -4, -1])])])
    assert isinstance(several, Arrows)
    assert list(several.groups) == ["run; both fall: 50%", "b; both fall: 100%"]
    sft = write_run(tmp_path / "sft", [pair(0, [-1, -2, -3], None)])
    assert RUN_FIGURES["plane"].figure([sft]) is None


def test_without_held_out_pairs_the_training_pairs_are_shown(tmp_path: Path) -> None:
    figure = RUN_FIGURES["plane"].figure([write_run(tmp_path / "run", PAIRS_OF[-1:], every=0)])
    assert isinstance(figure, Arrows)
    assert list(figure.groups["run"].to_x) == [-8]


def test_pairs_measured_before_the_first_step_show_nothing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", every=0)
    write_table(with_origin(pa.Table.from_pylist(PAIRS_OF, SCORED), MeasuredAt(0, 9), "a machine"), run.path / PAIRS)
    assert all(RUN_FIGURES[name].figure([open_run(run.path)]) is None for name in ("plane", "position", "edit-parts"))
