"""The figures of folders by name, with names that are not what they should be."""

from pathlib import Path

import pytest

from pairgen.report.documents.drawing import draw
from pairgen.report.figures.lookup import figure, listed, split_words
from pairgen.report.figures.run_figures import RUN_FIGURES
from pairgen.run_folder import Run


def test_names_of_runs_are_drawn_as_text(runs: list[Run]) -> None:
    folders = [run.path for run in runs]
    names = listed(folders)
    assert {"loss", "log-ratios", "accuracy"} <= {*names} <= {*RUN_FIGURES}
    drawing = draw(figure(folders, "loss"))
    assert b"<script" not in drawing.svg
    assert b"\x1b" not in drawing.svg
    assert drawing == draw(figure(folders, "loss"))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["a"], None),
        (["missing"], None),
        (["loss"], None),
        (["a", "b"], None),
        (["a", "b", "loss"], "loss"),
        (["a", "edit-distance"], "edit-distance"),
        (["a", "./loss"], None),
        (["a", "los"], "los"),
    ],
)
def test_the_last_word_is_a_name_or_a_folder(
    words: list[str], name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b", "loss"):
        (tmp_path / folder).mkdir()
    assert split_words(words) == ([Path(word) for word in (words[:-1] if name else words)], name)
