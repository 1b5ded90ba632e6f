"""The figures of runs, by the laws of their table."""

import pytest

from pairgen.report.documents.drawing import draw
from pairgen.report.figures.entry import figures_of
from pairgen.report.figures.run_figures import RUN_FIGURES
from pairgen.run_folder import Run


def test_every_figure_of_runs_draws(runs: list[Run]) -> None:
    for name, figure in figures_of(RUN_FIGURES, runs).items():
        assert figure.name == name
        drawing = draw(figure)
        assert b"<script" not in drawing.svg
        assert drawing == draw(figure)


def test_loss_of_every_run(runs: list[Run]) -> None:
    figure = RUN_FIGURES["loss"].figure(runs)
    assert figure
    (first, _) = figure.series.values()  # type: ignore[attr-defined]
    assert list(zip(first.x, first.y, strict=True)) == runs[0].series("eval/loss")
    assert first.y[0] == pytest.approx(0.693)
