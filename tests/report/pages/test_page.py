"""The whole page: one file that loads nothing, in which no text acts."""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from helpers.logged_runs import make_run
from helpers.rows import good_pairs, make_folder
from helpers.sample_rows import row
from helpers.studies_on_disk import study_files, write_study
from helpers.web_pages import Parsed, assert_inert, hostile
from hypothesis import HealthCheck, given, settings
from typer.testing import Result

from pairgen.building.inspection.audit import pair_findings
from pairgen.errors import InvalidReport, UsageError
from pairgen.pairs.dataset import MANIFEST, open_pairs
from pairgen.report.figures.dataset_figures import DATASET_FIGURES
from pairgen.report.figures.run_figures import RUN_FIGURES
from pairgen.report.pages import assembly
from pairgen.report.pages.assembly import PageOptions, page
from pairgen.report.pages.html.frame import Part, Section, document
from pairgen.report.pages.html.markup import Html, paragraphs
from pairgen.report.text import safe_text

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures, which take most of the time, are drawn only where a test names them."""
    tables: dict[str, Any] = {"DATASET_FIGURES": DATASET_FIGURES, "RUN_FIGURES": RUN_FIGURES}
    drawn = getattr(request, "param", ())
    for name, table in tables.items():
        monkeypatch.setattr(assembly, name, {key: plot for key, plot in table.items() if key in drawn})


def make(*folders: Path, **options: Any) -> Parsed:
    return assert_inert(page(folders, PageOptions(**options), pair_findings, "pairgen report x"))


def headings(found: Parsed) -> list[int]:
    return [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]


def test_page_of_a_built_dataset(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "pairs"
    run("build", "metamath", "--source", "sample:40", "--eval-size", 8, "--out", folder)
    found = make(folder, sample=20)
    for part in (
        *("MetaMath preference pairs", "synthetic", "apache-2.0", "32 pairs in train", "pairgen build metamath"),
        *("Hamming", "whitespace-separated words", "% verified", "used again", "with false results", "sample:40"),
        "20 of 40 pairs",
    ):
        assert part in found.text, part
    assert len([one for one in found.named("div") if one.get("class") == "pair"]) == 20
    assert all(label["aria-label"] for label in found.named("div") if label.get("role") == "region")


def test_page_of_choices_and_of_a_dataset_without_a_build(tmp_path: Path, run: Run) -> None:
    run("build", "arc", "--source", "sample:20", "--out", tmp_path / "arc")
    make_folder(tmp_path / "own", good_pairs(), drops={"no <number>": 3})
    make_folder(tmp_path / "empty", {"train": []})
    found = make(tmp_path / "arc", tmp_path / "own", tmp_path / "empty")
    assert "Report on 3 datasets" in found.text
    assert "no <number>" in found.text
    assert "The dataset has no pairs." in found.text
    assert "more words of the prompt" in found.text
    without = make(tmp_path / "own", sample=0)
    assert not [one for one in without.named("div") if one.get("class") in ("pair", "sample")]
    assert "Pairs" not in without.texts


def test_page_of_data_for_fine_tuning(tmp_path: Path, run: Run) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row("metamath", at)) + "\n" for at in range(5)), "utf-8")
    assert run("sft-data", rows, "--out", tmp_path / "sft").exit_code == 0
    found = make(tmp_path / "sft")
    assert "Edit distance" not in found.text
    assert not found.named("ins")


def test_page_of_a_study(tmp_path: Path) -> None:
    found = make(write_study(tmp_path / "study"), title="A </title> of mine")
    assert found.texts.count("A </title> of mine") == 2
    for part in (
        "Which loss?",
        "-1.0 (-2.0 to +2.0)",
        "Chosen falls with dpo.",
        "larger models",
        "A note.",
        "chosen (nats)",
    ):
        assert part in found.text, part
    drawings = found.named("svg")
    assert [one["aria-label"] for one in drawings] == ["Chosen. It falls.", "CHES.", "Accuracy."]
    assert len(found.named("details")) == 2  # a scatter plot has no table of numbers


def test_page_of_a_study_without_drawings(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    for file in folder.glob("figures/*"):
        file.unlink()
    found = make(folder)
    assert not found.named("svg")
    assert "made where matplotlib is not installed" in found.text
    assert "-1.5000" in found.text


def test_page_of_runs(tmp_path: Path) -> None:
    make_run(tmp_path / "dpo", "dpo", end=-14.2)
    make_run(tmp_path / "dpop", "dpop")
    found = make(tmp_path / "dpo", write_study(tmp_path / "study"), tmp_path / "dpop")
    assert [head for head in found.texts if head in ("Training runs", "Losses & <b>")][-2:] == [
        "Training runs",
        "Losses & <b>",
    ]
    for part in (
        "chosen log-ratio",
        "nats per token",
        "-13.69",
        "Report on 2 runs and 1 study",
        "reference",
        "45.0",
        "1 of 3 options differ: loss.",
    ):
        assert part in found.text, part
    assert found.text.count("has no pairs.parquet") == 2
    alone = make(tmp_path / "dpo", pairs=0)
    assert "token by token" not in alone.text
    assert alone.named("h1")
    assert alone.texts.count("dpo") > 1


def test_runs_may_be_called_anything(tmp_path: Path) -> None:
    name = "<script>alert(1)&quot; javascript:x"
    make_run(tmp_path / name / "run", "<b>\u202e")
    make_run(tmp_path / "run")
    found = make(tmp_path / name / "run", tmp_path / "run")
    assert name in found.text


@pytest.mark.parametrize("damage", ["{", "[]", '{"title": 1}', "{}"])
def test_a_damaged_study(tmp_path: Path, damage: str) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "report.json").write_text(damage)
    with pytest.raises(InvalidReport, match=r"report\.json: .*run the study again"):
        make(folder)
    write_study(folder)
    (folder / "figures" / "curve.svg").write_text("<svg")
    with pytest.raises(InvalidReport, match="the drawing of curve cannot be shown"):
        make(folder)


def test_other_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        make(tmp_path / "missing")
    with pytest.raises(UsageError, match="neither a dataset nor a run nor the report of a study"):
        make(tmp_path)


def test_headings_are_in_order_and_links_lead_somewhere(tmp_path: Path) -> None:
    make_folder(tmp_path / "own", good_pairs())
    found = make(tmp_path / "own", write_study(tmp_path / "study"))
    levels = headings(found)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in found.named("a")} <= {f"#{name}" for name in ids}
    assert all(head["scope"] in ("row", "col") for head in found.named("th"))


def test_the_policy_allows_this_script_only() -> None:
    made = document("t", [Part("study", "s", paragraphs("x"), [Section("y", Html("z"))])])
    policy = next(str(meta["content"]) for meta in Parsed(made).named("meta") if "http-equiv" in meta)
    script = re.search("<script>(.*)</script>", made, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_command(tmp_path: Path, run: Run) -> None:
    make_folder(tmp_path / "own", good_pairs())
    out = tmp_path / "new" / "page.html"
    result = run("report", tmp_path / "own", "--out", out, "--title", "Mine")
    assert result.exit_code == 0, result.output
    assert "Wrote" in result.stderr
    made = out.read_text("utf-8")
    assert "<h1>Mine</h1>" in made
    assert f"<code>pairgen report {tmp_path / 'own'} --title Mine</code>" in made
    for arguments, problem in (
        ([tmp_path / "own", "--out", tmp_path / "page.txt"], "must end in .html"),
        ([tmp_path, "--out", out], "neither a dataset"),
        ([], "Missing argument"),
    ):
        result = run("report", *arguments)
        assert result.exit_code == 2
        assert problem in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "own"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(hostile(), hostile(), hostile())
def test_any_manifest_stays_text(tmp_path: Path, one: str, two: str, three: str) -> None:
    folder = tmp_path / "pairs"
    if not folder.exists():
        make_folder(folder, good_pairs())
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    entry = {"command": one, "inputs": [two], "splits": {three: {"pairs_before": 2, "pairs": 1, "removed": {one: 1}}}}
    manifest |= {
        "title": one,
        "description": two,
        "license": three,
        "command": one,
        "options": {two: three, one: [two]},
    }
    manifest |= {"sources": {one: {"files": [two], "sha256": [three]}, two: {three: one}}, "versions": {one: two}}
    manifest |= {"dataset": one, "history": [entry]}
    manifest["splits"]["train"]["drops"] = {two: 3}
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert open_pairs(folder).manifest["title"] == one
    found = make(folder)
    assert all(safe_text(text).plain in found.text for text in (one, two, three))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(hostile(), hostile())
def test_any_study_stays_text(tmp_path: Path, one: str, two: str) -> None:
    folder = write_study(tmp_path / "study")
    saved = json.loads(study_files()["report.json"])
    saved |= {"title": one, "question": two, "findings": [one], "not_shown": [two], "setting": {one: two, two: one}}
    saved["tables"][0] |= {"title": one, "notes": [two]}
    saved["tables"][0]["columns"][0]["head"] = two
    saved["tables"][0]["rows"][0][0] = one
    saved["figures"][0] |= {
        "title": one,
        "note": two,
        "x_label": one,
        "series": {two: saved["figures"][0]["series"]["dpo"]},
    }
    (folder / "report.json").write_text(json.dumps(saved), "utf-8")
    found = make(folder)
    assert len(found.named("svg")) == 3
    assert all(safe_text(text).plain in found.text for text in (one, two))


@pytest.mark.parametrize("no_figures", [("edit-distance", "plane", "log-ratios")], indirect=True)
def test_without_matplotlib_there_are_tables(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("build", "arc", "--source", "sample:20", "--out", tmp_path / "arc")
    make_run(tmp_path / "run")
    drawn = make(tmp_path / "arc", tmp_path / "run")
    assert [str(one["aria-label"]).split(".")[0] for one in drawn.named("svg")] == [
        "Edit distance between chosen and rejected",
        "Log-ratios of chosen and rejected",
    ]
    assert drawn.source == make(tmp_path / "arc", tmp_path / "run").source
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    plain = make(tmp_path / "arc", tmp_path / "run")
    assert not plain.named("svg")
    assert "The figures were not drawn" in plain.text
    for title in ("Edit distance between chosen and rejected", "Log-ratios of chosen and rejected"):
        assert title in plain.text
    assert len(plain.named("table")) == len(drawn.named("table"))
