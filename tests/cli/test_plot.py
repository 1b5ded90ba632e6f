"""``pairgen plot``: one figure as a file or as numbers, and the list of figures."""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.logged_runs import make_run
from typer.testing import Result

import pairgen
from pairgen.report.documents.bundle import report_json
from pairgen.report.documents.content import Bars, Line, Lines, Report
from pairgen.report.documents.drawing import draw
from pairgen.report.figures.dataset_figures import DATASET_FIGURES
from pairgen.report.figures.run_figures import RUN_FIGURES

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pairgen.build("arc", tmp_path_factory.mktemp("plot") / "pairs", "sample:20").path


def test_names_of_both_tables_differ() -> None:
    """A name tells whether the figure is one of a dataset or of runs."""
    assert not {*DATASET_FIGURES} & {*RUN_FIGURES}


def test_plot_writes_the_format_of_the_ending(run: Run, pairs: Path, tmp_path: Path) -> None:
    for name in ("a.svg", "folder/a.PNG"):
        file = tmp_path / name
        done = run("plot", pairs, "group-sizes", "--out", file)
        assert (done.exit_code, done.stdout) == (0, "")
        assert done.stderr.splitlines() == [f"Wrote {file}."]
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "folder/a.PNG").read_bytes()[:4] == b"\x89PNG"
    before = (tmp_path / "a.svg").read_bytes()
    run("plot", pairs, "group-sizes", "--out", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "folder"]


def test_plot_json_has_the_numbers(run: Run, pairs: Path) -> None:
    found = json.loads(run("plot", pairs, "edit-distance", "--json").stdout)
    assert (found["kind"], found["name"]) == ("histogram", "edit-distance")
    assert [sum(shares) for shares in found["series"].values()] == pytest.approx([1, 1])


def test_plot_without_a_name_lists_the_figures_that_say_something(run: Run, pairs: Path) -> None:
    done = run("plot", pairs)
    assert done.exit_code == 0
    assert "edit-position" in done.stdout
    assert done.stderr.strip() == f"Draw one with: pairgen plot {pairs} NAME --out NAME.svg"
    assert "strategies" not in done.stdout
    listed = json.loads(run("plot", pairs, "--json").stdout)
    assert listed.items() <= {name: plot.about for name, plot in DATASET_FIGURES.items()}.items()
    assert {*listed} == {*re.findall(r"^([\w-]+)  ", done.stdout, re.MULTILINE)}


def test_plot_draws_runs_over_one_another(run: Run, tmp_path: Path) -> None:
    folders = [make_run(tmp_path / "a/run", "dpo"), make_run(tmp_path / "b/run")]
    found = json.loads(run("plot", *folders, "loss", "--json").stdout)
    assert len(found["series"]) == 2
    done = run("plot", *folders, "loss", "--out", tmp_path / "loss.svg")
    assert done.exit_code == 0
    assert {*json.loads(run("plot", *folders, "--json").stdout)} <= {*RUN_FIGURES}


def test_plot_draws_figures_of_a_study(run: Run, tmp_path: Path) -> None:
    figures = [Lines("loss", "Loss", "step", "nats", {"a": Line([0, 1], [2, 1])}), Bars("b", "B", "x", "y", [], {})]
    (tmp_path / "report.json").write_text(json.dumps(report_json(Report("t", "q", {}, figures=figures))))
    assert json.loads(run("plot", tmp_path, "--json").stdout) == {"loss": "Loss", "b": "B"}
    done = run("plot", tmp_path, "loss", "--out", tmp_path / "loss.svg", "--json")
    assert json.loads(done.stdout)["series"]["a"]["y"] == [2, 1]
    assert (tmp_path / "loss.svg").read_bytes() == draw(figures[0]).svg


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["PAIRS", "group-size", "--out", "a.svg"], r"group-size: .* \(did you mean group-sizes\?\); "),
        (["PAIRS", "loss", "--out", "a.svg"], "loss: unknown figure; figures for .*: edit-distance, "),
        (["PAIRS", "other-pairs"], "other-pairs: unknown figure; "),
        (["PAIRS", "checks", "--out", "a.svg"], "has nothing to show in checks .*; it has: edit-distance, "),
        (["PAIRS", "group-sizes", "--out", "a.pdf"], r"a\.pdf: must end in \.svg or \.png"),
        (["PAIRS", "group-sizes", "--out", "svg"], "svg: must end in"),
        (["PAIRS", "group-sizes", "--out", "folder.svg"], r"folder\.svg: is a folder"),
        (["PAIRS", "group-sizes"], r"missing --out FILE, such as --out group-sizes\.svg"),
        (["PAIRS", "--out", "a.svg"], "missing the name of the figure; .* has: edit-distance, "),
        (["missing", "--json"], "missing: no such folder"),
        (["missing", "group-sizes", "--out", "a.svg"], "missing: no such folder"),
        ([".", "group-sizes", "--out", "a.svg"], "neither a dataset nor a run nor"),
        (["PAIRS", "PAIRS", "group-sizes", "--out", "a.svg"], "is a dataset; only runs"),
        (["PAIRS", "a\x1b[31m", "--out", "a.svg"], r"a\\x1b\[31m: unknown figure"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_sentence(
    words: list[str], message: str, run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.svg").mkdir()
    done = run("plot", *(str(pairs) if word == "PAIRS" else word for word in words))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert re.match(f"pairgen: .*{message}", done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]


def test_a_name_in_a_table_is_no_folder(run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "group-sizes").mkdir()
    assert run("plot", pairs, "group-sizes", "--json").exit_code == 0


def test_without_matplotlib_there_is_a_hint_and_there_are_numbers(
    run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == "matplotlib" else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    done = run("plot", pairs, "group-sizes", "--out", tmp_path / "a.svg")
    assert done.exit_code == 2
    assert "matplotlib, which is not installed" in done.stderr
    assert "pip install '.[plot]'" in done.stderr
    assert run("plot", pairs, "group-sizes", "--json").exit_code == 0
