"""The public names of the package: found, documented with examples that run, typed, and quick to import."""

import doctest
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import datasets
import pandas as pd
import pytest
from helpers.logged_runs import make_run

import pairgen
from pairgen import api
from pairgen.building.inspection.explain import explain
from pairgen.building.options import BuildOptions
from pairgen.errors import InvalidDataset, UsageError
from pairgen.evaluate.ches import ches
from pairgen.exchange import functions
from pairgen.pairs.dataset import open_pairs
from pairgen.train.config import Config

CURATION = (functions.import_pairs, functions.export, functions.mix, functions.dedup, functions.decontaminate)
EXAMPLES = (api.build, open_pairs, api.describe, api.plot, ches, explain, api.audit, *CURATION, api.train, api.compare)
"""Functions whose docstrings have an example, in the order in which the examples build on each other."""


@pytest.mark.parametrize("name", pairgen.__all__)
def test_public_name_exists_and_is_documented(name: str) -> None:
    assert name in dir(pairgen)
    assert getattr(pairgen, name).__doc__


@pytest.mark.slow
def test_examples_of_the_docstrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"pairgen": pairgen}
    for function in EXAMPLES:
        docstring = function.__doc__ or ""
        example = doctest.DocTestParser().get_doctest(docstring, names, function.__name__, None, None)
        assert example.examples
        report: list[str] = []
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
            example, out=report.append, clear_globs=False
        )
        assert not report, "".join(report)
        names |= example.globs


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pairgen' has no attribute 'bild'"):
        pairgen.bild  # noqa: B018


def test_public_names_do_not_import_torch() -> None:
    code = (
        "import sys, pairgen; [getattr(pairgen, name) for name in pairgen.__all__]; "
        "print(sorted({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_loads_no_submodule() -> None:
    code = "import sys, pairgen; print([name for name in sys.modules if name.startswith('pairgen.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCRIPT = """
import pairgen

pairs: pairgen.PairDataset = pairgen.build("arc", "arc-pairs", "sample:20", seed=1)
rejected: str = pairs["train"][0]["rejected"]
total: int = len(pairs)
means = pairgen.describe(pairs)["mean"].tolist()
run = pairgen.train(pairs, "runs/a", loss="dpop", steps=2, callbacks=[lambda metrics: print(metrics["step"])])
folder = run.folder.name.upper()
drawing: bytes = pairgen.plot("edit-distance", pairs, out="edit-distance.svg").svg
best: str = pairgen.compare("runs/a", "runs/b").index[0]
found = pairgen.explain("3 * 4 = 12")["steps"]
wrong: list[str] = pairgen.audit("rows.jsonl", columns={"solution": "rationale"})["text"].tolist()
mixed: int = len(pairgen.mix([pairs, "imported"], "mixed", weights=(0.5, 0.5), seed=1))
files: list[str] = pairgen.export(pairs, "exported", to="trl-chat")["train"].files
imported: pairgen.PairDataset = pairgen.import_pairs(["a.jsonl", "eval=b.jsonl"], "imported", license="mit")
options = pairgen.BuildOptions(("sample:20",), seed=1)
for pair in pairgen.open_pairs("arc-pairs"):
    print(pair["prompt"])
"""


@pytest.mark.slow
@pytest.mark.parametrize(("script", "accepted"), [(SCRIPT, True), (SCRIPT + "pairs.bild()\n", False)])
def test_a_script_passes_strict_type_checks(script: str, accepted: bool, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", str(tmp_path / "script.py")]
    root = Path(pairgen.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert (done.returncode == 0) is accepted, done.stdout


# ---------------------------------------------------------------- build


def test_build_takes_one_source_or_several(tmp_path: Path) -> None:
    built = pairgen.build("arc", tmp_path / "a", "sample:20")
    assert list(built.splits) == ["train", "eval"]
    assert [pair["pair_id"] for pair in pairgen.build("arc", tmp_path / "b", ["train=sample:20"])] == [
        pair["pair_id"] for pair in built["train"]
    ]
    frame = pd.DataFrame([{"query": "How many?", "response": "3 * 4 = 12 pens.\nThe answer is: 12"}])
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    assert len(pairgen.build("metamath", tmp_path / "c", tmp_path / "rows.jsonl")) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sead": 3}, "build: unknown option sead; available: source, seed"),
        ({"seed": "3"}, "build: seed must be an integer, got '3'"),
        ({"shots": -1}, "build: shots must be at least 0, got -1"),
    ],
)
def test_build_refuses_options_in_words(options: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        pairgen.build("arc", tmp_path / "a", "sample:20", **options)


@pytest.mark.parametrize(("function", "options"), [(api.build, BuildOptions), (api.train, Config)])
def test_signature_shows_the_options_of_the_command_line(function: Callable[..., object], options: type) -> None:
    parameters = inspect.signature(function).parameters
    for item in fields(options):
        assert item.name in parameters
        if item.name not in ("source", "data", "out"):
            assert parameters[item.name].default == item.default


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": "5"}, "train: steps must be an integer, got '5'"),
        ({"los": "dpo"}, "train: unknown option los; available: data, model"),
        ({"loss": "dpx"}, "train: loss must be one of dpop"),
    ],
)
def test_train_refuses_options_in_words(options: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        pairgen.train(tmp_path / "pairs", tmp_path / "run", **options)


def test_train_can_be_called_once_its_package_is_imported() -> None:
    importlib.import_module("pairgen.train.config")
    assert callable(pairgen.train)


def test_train_takes_datasets_and_calls_back(tmp_path: Path) -> None:
    pairs = pairgen.build("arc", tmp_path / "pairs", "train=sample:6")
    steps: list[float] = []
    phases: set[str] = set()
    options = {"steps": 2, "sft_steps": 1, "batch_size": 3}
    result = pairgen.train(
        [pairs],
        tmp_path / "run",
        callbacks=[lambda metrics: steps.append(metrics["step"])],
        progress=lambda phase, *_: phases.add(phase),
        **options,
    )
    assert steps == [1, 2]
    assert {"training", "SFT"} <= phases
    frame = pairgen.compare(result.folder)
    assert frame.loc["run", "loss"] == "dpop"
    with pytest.warns(UserWarning, match="--epochs has no effect with --steps 1"):
        pairgen.train(pairs.path, tmp_path / "other", steps=1, epochs=2.0, sft_steps=0)


# ---------------------------------------------------------------- datasets


def test_audit_is_a_data_frame_with_counts(tmp_path: Path) -> None:
    rows = [{"solution": "3 * 4 = 13"}, {"solution": None}, {"solution": "3 * 4 = 12"}]
    pd.DataFrame(rows).to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    with pytest.warns(UserWarning, match="row|line 2"):
        frame = pairgen.audit(tmp_path / "rows.jsonl")
    assert frame[["row", "text", "value"]].values.tolist() == [[0, "13", "12"]]
    assert (frame.attrs["rows"], frame.attrs["unreadable"], frame.attrs["false_share"]) == (3, 1, 0.5)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> pairgen.PairDataset:
    return pairgen.build("metamath", tmp_path_factory.mktemp("pairs") / "pairs", "sample:40", eval_size=0)


def test_dataset_is_a_sequence_of_pairs(pairs: pairgen.PairDataset) -> None:
    train = pairs["train"]
    rows = list(train)
    assert len(rows) == len(train) == len(pairs) == len(list(pairs))
    assert [train[index] for index in range(len(train))] == rows
    assert train[-1] == rows[-1]
    with pytest.raises(IndexError):
        train[len(train)]
    with pytest.raises(KeyError):
        pairs["eval"]


def test_dataset_repr_is_short(pairs: pairgen.PairDataset) -> None:
    assert repr(pairs) == "PairDataset('pairs': train 40 pairs)"


def test_dataset_converts_to_pandas_and_datasets(pairs: pairgen.PairDataset) -> None:
    rows = list(pairs)
    frame = pairs.to_pandas()
    assert list(frame["pair_id"]) == [row["pair_id"] for row in rows]
    assert set(frame["split"]) == {"train"}
    converted = pairs.to_datasets()
    assert isinstance(converted, datasets.DatasetDict)
    assert converted["train"].to_list() == rows
    assert pairs["train"].to_datasets().to_list() == rows


def test_open_pairs_names_a_newer_format(tmp_path: Path) -> None:
    (tmp_path / "pairgen.json").write_text('{"format": 99, "new": []}')
    with pytest.raises(InvalidDataset, match="has format 99, but this release reads formats 2 to 5; upgrade pairgen"):
        pairgen.open_pairs(tmp_path)
    with pytest.raises(InvalidDataset, match="is a file, not a folder"):
        pairgen.open_pairs(tmp_path / "pairgen.json")


# ---------------------------------------------------------------- statistics and runs


def test_plot_draws_datasets_and_runs_and_notebooks_show_it(pairs: pairgen.PairDataset, tmp_path: Path) -> None:
    drawing = pairgen.plot("edit-position", pairs, out=tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == drawing.png
    assert drawing._repr_svg_().encode() == drawing.svg
    run = make_run(tmp_path / "run")
    assert pairgen.plot("loss", run).svg != pairgen.plot("loss", run, make_run(tmp_path / "other")).svg
    with pytest.raises(UsageError, match="no folder to draw"):
        pairgen.plot("edit-position")


def test_describe_has_a_row_for_each_split_and_statistic(pairs: pairgen.PairDataset) -> None:
    frame = pairgen.describe(pairs.path)
    assert set(frame.index.get_level_values("statistic")) >= {"edit_distance", "prompt_length", "pairs_per_group"}
    assert frame.loc[("train", "edit_distance"), "count"] == 40
    assert frame.loc[("train", "edit_distance"), "mean"] == pytest.approx(pairs.to_pandas()["edit_distance"].mean())
    by = pairgen.describe(pairs, by="strategy")
    counts = by.xs("edit_distance", level="statistic")["count"]
    assert counts.sum() == 40
    assert set(counts.index.get_level_values("strategy")) == set(pairs.to_pandas()["strategy"].fillna("none"))
