"""Training on data in other layouts without a build: files, folders, from the command line and from Python."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import tiny_runs as runs

import pairgen
from pairgen.errors import PairgenError, SourceError, SourceNotFound, UsageError
from pairgen.exchange.imports.for_training import Callbacks, plan
from pairgen.options import read_values
from pairgen.pairs.dataset import open_pairs

Row = dict[str, Any]

SHORT = ("--steps", "1", "--sft-steps", "1", "--batch-size", "4", "--device", "cpu", "--quiet")
TOPICS = ("rain", "snow", "wind", "fog", "hail", "frost")


def text_row(topic: str) -> Row:
    return {"prompt": f"What is {topic}?", "chosen": f" A kind of {topic}.", "rejected": f" Not {topic}."}


def chat_row(topic: str) -> Row:
    row = text_row(topic)
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": row["prompt"]}]
    chosen, rejected = ([{"role": "assistant", "content": row[name].strip()}] for name in ("chosen", "rejected"))
    return {"prompt": asked, "chosen": chosen, "rejected": rejected}


def implicit_row(topic: str) -> Row:
    row = chat_row(topic)
    return {name: row["prompt"] + row[name] for name in ("chosen", "rejected")}


ROWS: dict[str, Callable[[str], Row]] = {"text": text_row, "messages": chat_row, "implicit": implicit_row}


def write_jsonl(rows: list[Row], file: Path) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def write_json(rows: list[Row], file: Path) -> Path:
    file.write_text(json.dumps(rows), "utf-8")
    return file


def write_csv(rows: list[Row], file: Path) -> Path:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: value if type(value) is str else json.dumps(value) for name, value in row.items()})
    return file


def write_parquet(rows: list[Row], file: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file


WRITERS: dict[str, Callable[[list[Row], Path], Path]] = {
    "jsonl": write_jsonl,
    "json": write_json,
    "csv": write_csv,
    "parquet": write_parquet,
}


def written(rows: list[Row], folder: Path, name: str = "data.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return WRITERS[name.rpartition(".")[2]](rows, folder / name)


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("ending", WRITERS)
def test_rows_of_each_layout_and_format_become_the_same_pairs(kind: str, ending: str, tmp_path: Path) -> None:
    file = written([ROWS[kind](topic) for topic in TOPICS], tmp_path, f"data.{ending}")
    lines: list[str] = []
    data, imports = plan([str(file)], sft=False, callbacks=Callbacks(tell=lines.append))
    assert data == list(imports) == ["data"]
    imports["data"](tmp_path / "found")
    found = open_pairs(tmp_path / "found")
    assert len(found["train"]) == len(TOPICS)
    for pair, topic in zip(found["train"], TOPICS, strict=True):
        assert pair["chosen"].strip() == f"A kind of {topic}."
        assert pair["rejected"].strip() == f"Not {topic}."
        assert pair["messages"] == (None if kind == "text" else chat_row(topic)["prompt"])
    (line,) = lines
    assert re.fullmatch(rf"{re.escape(str(file))}: layout (trl|trl-chat|chat) \(.+\), 6 pairs \(train\)", line)


def test_the_command_trains_on_a_file_and_says_what_was_dropped(run: Any, tmp_path: Path) -> None:
    same = {**chat_row("ice"), "rejected": chat_row("ice")["chosen"]}
    train = written([*map(chat_row, TOPICS), same], tmp_path, "chats.jsonl")
    held_out = written([chat_row("dew")], tmp_path, "held.parquet")
    out = tmp_path / "run"
    done = run("train", train, f"eval={held_out}", *SHORT, "--out", out)
    assert done.exit_code == 0, done.output
    (line,) = (line for line in done.stderr.splitlines() if "layout" in line)
    assert line.endswith("6 pairs (train) and 1 pair (eval); dropped 1 row: chosen and rejected are the same")
    assert f"{train} and 1 other file: layout trl-chat" in line
    assert read_values(out / "config.toml")["data"] == [str(out / "imported" / "chats")]
    assert (out / "best" / "model.safetensors").is_file(), "the eval split was evaluated"
    train.unlink()
    held_out.unlink()
    resumed = run("train", "--resume", "--steps", "2", "--quiet", "--out", out)
    assert resumed.exit_code == 0, resumed.output
    assert not list(tmp_path.glob(".pairgen-*"))


def test_a_dry_run_writes_nothing(run: Any, tmp_path: Path) -> None:
    file = written(list(map(text_row, TOPICS)), tmp_path)
    done = run("train", file, "--dry-run", "--json", "--quiet")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pairs"] == len(TOPICS)
    assert list(tmp_path.iterdir()) == [file]


def test_python_trains_on_files_and_datasets_together(tmp_path: Path) -> None:
    pairs = runs.dataset(tmp_path / "pairs", "arc", rows=6)
    file = written(list(map(implicit_row, TOPICS)), tmp_path, "pairs.json")
    phases: set[str] = set()

    def progress(phase: str, *_: object) -> None:
        phases.add(phase)

    options: dict[str, Any] = {"steps": 1, "sft_steps": 1, "eval_pairs": 4, "device": "cpu", "progress": progress}
    result = pairgen.train([pairs, file], tmp_path / "run", **options)
    names = [Path(folder).name for folder in read_values(tmp_path / "run" / "config.toml")["data"]]
    assert names == ["pairs", "pairs"]
    assert result.summary["pairs"] == len(open_pairs(pairs)["train"]) + len(TOPICS)
    assert "building pairs" in phases
    with pytest.warns(UserWarning, match="6 pairs .*dropped 1 row: rejected is empty"):
        pairgen.train(
            written([*map(text_row, TOPICS), {**text_row("ice"), "rejected": " "}], tmp_path),
            tmp_path / "warned",
            **options,
        )


def test_sft_trains_on_preferences_and_on_completions(run: Any, tmp_path: Path) -> None:
    completions = [{"prompt": f"What is {topic}?", "completion": f" A kind of {topic}."} for topic in TOPICS]
    for name, rows in {"both": list(map(text_row, TOPICS)), "alone": completions}.items():
        file = written(rows, tmp_path, f"{name}.jsonl")
        done = run("train", file, *SHORT, "--loss", "sft", "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
    done = run("train", file, *SHORT, "--out", tmp_path / "refused")
    assert done.exit_code == 2
    assert "matches no known layout of preference data" in done.stderr
    assert "`pairgen import` has these options" in done.stderr
    assert not (tmp_path / "refused").exists()


def test_folders_of_files_are_datasets_by_the_names_of_their_files(tmp_path: Path) -> None:
    """Shards and splits of one name are one dataset; other files are others; descriptions are left out."""
    folder = tmp_path / "preferences"
    for name, topics in {
        "data/train-00000-of-00002.parquet": TOPICS[:2],
        "data/train-00001-of-00002.parquet": TOPICS[2:3],
        "data/test-00000-of-00001.parquet": TOPICS[3:],
    }.items():
        written(list(map(chat_row, topics)), (folder / name).parent, Path(name).name)
    (folder / "dataset_infos.json").write_text("{}")
    data, imports = plan([str(folder)], sft=False)
    assert data == ["preferences"]
    imports["preferences"](tmp_path / "one")
    found = open_pairs(tmp_path / "one")
    assert {name: len(found[name]) for name in found.splits} == {"train": 3, "eval": 3}
    written(list(map(text_row, TOPICS)), folder, "other.csv")
    assert len(plan([str(folder)], sft=False).data) == 2


def test_a_folder_of_datasets_saves_to_disk_is_imported(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_list(list(map(chat_row, TOPICS))).save_to_disk(tmp_path / "saved")
    _, imports = plan([str(tmp_path / "saved")], sft=False)
    imports["saved"](tmp_path / "found")
    assert len(open_pairs(tmp_path / "found")["train"]) == len(TOPICS)


def test_names_are_planned_without_reading_anything(tmp_path: Path) -> None:
    file = written([text_row("rain")], tmp_path / "a", "data.jsonl")
    other = written([text_row("snow")], tmp_path / "b", "data.csv")
    pairs = str(runs.dataset(tmp_path / "pairs", rows=8))
    assert plan([str(file), str(other), pairs, "some-owner/name"], sft=False).data == ["data", "data-2", pairs, "name"]
    for missing in ("missing", str(tmp_path / "none"), f"{tmp_path.name}/x.jsonl"):
        assert plan([missing], sft=False) == ([missing], {})
    with pytest.raises(UsageError, match="is the eval split of the source before it"):
        plan([pairs, f"eval={file}"], sft=False)


def test_a_bad_file_is_refused_before_a_run_is_replaced(run: Any, tmp_path: Path) -> None:
    good = written(list(map(text_row, TOPICS)), tmp_path)
    out = tmp_path / "run"
    assert run("train", good, *SHORT, "--out", out).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    bad = written([{"question": "What?", "answer": "That."}], tmp_path, "bad.jsonl")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"prompt": "What?"\n', "utf-8")
    for file in (bad, broken):
        refused = run("train", file, *SHORT, "--overwrite", "--out", out)
        assert refused.exit_code in (1, 2)
        (line,) = refused.stderr.splitlines()
        assert line.startswith("pairgen: ")
        assert str(file) in line
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert run("train", good, *SHORT, "--out", out).exit_code == 1, "a run is replaced with --overwrite only"
    assert run("train", good, *SHORT, "--overwrite", "--out", out).exit_code == 0
    with pytest.raises((SourceError, SourceNotFound, UsageError)):
        pairgen.train(bad, tmp_path / "other", steps=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nobody/nothing", r"nobody/nothing: no such file or folder, and it cannot be loaded from the Hub \(.*\)$"),
        ("notes.txt", r"notes.txt: unsupported file extension; supported are [^:]*$"),
        ("other.jsonl", "other.jsonl: matches no known layout .*`pairgen import` has these options"),
        ("nowhere", "nowhere: no such folder; create a dataset with"),
        ("eval=other.jsonl", "eval=other.jsonl: is the eval split of the source before it"),
    ],
)
def test_what_cannot_be_read_gets_one_sentence(
    data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pairgen.hub_client.is_reachable", lambda endpoint: False)  # noqa: ARG005
    Path("notes.txt").write_text("notes", "utf-8")
    written([{"question": "What?"}], tmp_path, "other.jsonl")
    with pytest.raises(PairgenError, match=message):
        pairgen.train(data, "run", steps=1)
    assert not Path("run").exists()


def test_pair_datasets_in_a_folder_of_files_are_not_rows(tmp_path: Path) -> None:
    runs.dataset(tmp_path / "pairs", rows=8)
    written(list(map(text_row, TOPICS)), tmp_path, "mine.jsonl")
    assert [Path(name).name for name in plan([str(tmp_path)], sft=False).data] == [tmp_path.name]


@pytest.mark.slow
def test_real_preference_files_are_trained_on(real_data: Path, run: Any, tmp_path: Path) -> None:
    """Both files of the folder, of two layouts, in one run."""
    options = [*SHORT[:-1], "--max-length", "512", "--model", "tiny", "--json"]
    done = run("train", real_data / "preference", *options, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert len([line for line in done.stderr.splitlines() if ": layout " in line]) == 2
    summary = json.loads(done.stdout)
    assert summary["pairs"] + sum(summary["drops"].values()) > 350
