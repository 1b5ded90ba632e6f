"""``--source``: files, folders, the sample and the Hub's cache, and messages for what cannot be found."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairgen.building.pipeline import build
from pairgen.errors import PairgenError, SourceError, SourceNotFound, UsageError, WrongColumns
from pairgen.pairs.dataset import open_pairs
from pairgen.sources import locate as sources
from pairgen.sources import sample
from pairgen.sources.formats import Columns
from pairgen.sources.locate import Hub
from pairgen.sources.origin import hashed_provenance

Row = dict[str, Any]
COLUMNS = frozenset({"query", "response"})
OPTIONAL = frozenset({"type", "original_question"})
HUB = Hub("meta-math/MetaMathQA", None, {"train": "train"})
TWO = Hub("owner/two", "main", {"train": "train", "eval": "validation"})


def rows_of(count: int, word: str = "pens") -> list[Row]:
    solution = "He buys 3 * 4 = 12 {0}.\nHe gives 5 away, so 12 - 5 = 7 are left.\n#### 7\nThe answer is: 7"
    return [
        {
            "query": f"How many {word}? (case {index})",
            "response": solution.format(word),
            "type": "GSM_AnsAug",
            "original_question": f"How many {word}? (case {index})",
        }
        for index in range(count)
    ]


def write(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def find(*given: str, hub: Hub = HUB, columns: frozenset[str] = COLUMNS) -> dict[str, list[Row]]:
    """The rows of every split that ``--source`` words name."""
    found = sources.resolve(given, "metamath", hub, Columns(columns, OPTIONAL))
    return {split: rows_in(source) for split, source in found.items()}


def rows_in(source: sources.Source) -> list[Any]:
    return [row for _, block in source.blocks() for _, row in block.rows()]


# ---------------------------------------------------------------- files and folders


def test_files_by_split(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.jsonl", rows_of(3)), write(tmp_path / "two.json", rows_of(2, "caps"))
    assert find(one) == {"train": rows_of(3)}
    assert find(f"train={one}", f"eval={two}") == {"train": rows_of(3), "eval": rows_of(2, "caps")}
    assert list(find(f"eval={two}", one)) == ["train", "eval"], "train comes first, however it was given"
    assert find(f"eval={two}") == {"eval": rows_of(2, "caps")}


def test_several_files_of_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("part-2.jsonl", "part-10.jsonl", "part-1.jsonl"):
        write(tmp_path / name, rows_of(2, name))
    write(tmp_path / "odd [1]*.jsonl", rows_of(1, "odd"))
    in_order = [row for name in ("part-1.jsonl", "part-10.jsonl", "part-2.jsonl") for row in rows_of(2, name)]
    assert find("part-*.jsonl") == {"train": in_order}
    assert find("eval=part-1*.jsonl", "train=part-2.jsonl") == {
        "train": rows_of(2, "part-2.jsonl"),
        "eval": in_order[:4],
    }
    assert find("part-1.jsonl", "part-10.jsonl", "part-2.jsonl") == {"train": in_order}
    assert find("odd [1]*.jsonl") == {"train": rows_of(1, "odd")}, "a file of that name comes before a pattern"


def test_rows_on_stdin(tmp_path: Path) -> None:
    rows = json.dumps(rows_of(3))
    command = [sys.executable, "-m", "pairgen", "build", "metamath", "--source", "-", "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, "--eval-size", "1"], input=rows, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "pairgen.json").read_text())
    assert {name: split["pairs"] for name, split in manifest["splits"].items()} == {"train": 2, "eval": 1}
    assert manifest["sources"]["train"]["files"] == ["stdin"]
    assert {pair["row"] for pair in open_pairs(tmp_path / "out")} == {f"stdin.json:{number}" for number in (1, 2, 3)}
    done = subprocess.run([*command, "--overwrite"], input="", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "pairgen: stdin: is empty; give a file with rows\n")


def test_file_name_with_equals_sign_or_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "lr=3.jsonl", rows_of(2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("lr=3.jsonl") == find("train=lr=3.jsonl") == find("~/lr=3.jsonl") == {"train": rows_of(2)}


def saved(path: Path, **splits: list[Row]) -> str:
    parts = {name: datasets.Dataset.from_list(rows) for name, rows in splits.items()}
    datasets.DatasetDict(parts).save_to_disk(path, num_shards=dict.fromkeys(parts, 2))
    return str(path)


def test_a_saved_dataset(tmp_path: Path) -> None:
    datasets.Dataset.from_list(rows_of(9)).save_to_disk(tmp_path / "saved", num_shards=3)
    assert find(str(tmp_path / "saved")) == {"train": rows_of(9)}
    assert find(f"eval={tmp_path / 'saved'}") == {"eval": rows_of(9)}


@pytest.mark.parametrize("held_out", ["eval", "validation", "test"])
def test_splits_of_a_saved_dictionary(held_out: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", **{"train": rows_of(5), held_out: rows_of(4, "caps"), "zoo": rows_of(2)})
    assert find(folder) == {"train": rows_of(5), "eval": rows_of(4, "caps")}
    assert find(f"train={folder}") == {"train": rows_of(5)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "its splits are red, zoo; none of them is train, eval"),
        ("train=", "has no split 'train'; available: red, zoo"),
    ],
)
def test_saved_dictionary_with_other_splits(given: str, words: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved", red=rows_of(2), zoo=rows_of(2))
    with pytest.raises(SourceNotFound, match=words):
        find(given + folder)


def test_a_file_is_hashed_for_the_manifest(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "rows.jsonl", rows_of(3)))
    source = sources.resolve([str(path)], "metamath", HUB, Columns(COLUMNS))["train"]
    assert source.files == (path,)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashed_provenance(source) == {"files": ["rows.jsonl"], "sha256": [digest]}


# ---------------------------------------------------------------- what cannot be found or read


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (["gone.jsonl"], SourceNotFound, "gone.jsonl: no such file; give a file"),
        (["some/where/gone.jsonl"], SourceNotFound, "some/where/gone.jsonl: no such file"),
        (["some/gone.csv"], SourceNotFound, "no such file"),
        (["train=gone"], SourceNotFound, "gone: no such file"),
        ([""], SourceNotFound, "no such file|not a save_to_disk folder"),
        (["test=rows.jsonl"], UsageError, "there is no split 'test'; write train=FILE or eval=FILE"),
        (["Train=rows.jsonl"], UsageError, "there is no split 'Train'"),
        (["rows.jsonl", "rows.jsonl"], UsageError, "rows.jsonl is named twice"),
        (["eval=rows.jsonl", "eval=rows*.jsonl"], UsageError, "rows.jsonl is named twice"),
        (["rows.jsonl", "sample:5"], UsageError, "only files can be combined in one split"),
        (["rows.jsonl", "eval=rows.jsonl"], UsageError, "is the source of both splits; .* --eval-size"),
        (["none-*.jsonl"], SourceNotFound, r"none-\*.jsonl: no file matches this pattern"),
        (["empty.jsonl"], SourceError, "empty.jsonl: is empty"),
        (["empty.parquet"], SourceError, "empty.parquet: is empty"),
        (["folder"], SourceNotFound, "folder: not a save_to_disk folder"),
        (["rows.txt"], UsageError, "unsupported file extension"),
        (
            ["wrong.parquet"],
            WrongColumns,
            "has the columns question, but not query, response; check that the file fits",
        ),
        (["wrong.csv"], WrongColumns, "has the columns question, but not query, response; check that the file fits"),
        (["garbage.parquet"], SourceError, "garbage.parquet: cannot be read"),
        (["garbage.arrow"], SourceError, "garbage.arrow: cannot be read"),
        (["garbage.json.gz"], SourceError, "garbage.json.gz: is damaged or ends too early"),
        (["loop.jsonl"], SourceNotFound, "loop.jsonl: no such file"),
    ],
)
def test_invalid_source_is_one_message(
    given: list[str], kind: type[PairgenError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rows.jsonl", rows_of(2))
    for name in ("empty.jsonl", "empty.parquet", "rows.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "wrong.csv").write_text("question\na\n")
    pq.write_table(pa.table({"question": ["a"]}), tmp_path / "wrong.parquet")
    for name in ("garbage.parquet", "garbage.arrow", "garbage.json.gz"):
        (tmp_path / name).write_bytes(b"no such thing" * 9)
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    with pytest.raises(PairgenError, match=words) as error:
        find(*given)
    assert type(error.value) is kind
    assert "\n" not in str(error.value)


def test_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "rows.jsonl", rows_of(2))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root, as tests often run, may read everything
    with pytest.raises(SourceError, match=r"rows\.jsonl: cannot be read \(Permission denied\)"):
        find(path)


# ---------------------------------------------------------------- the sample


@pytest.mark.parametrize("given", ["sample:x", "sample:1:2:3", "sample:", "sample:-5", "sample:5:", "sample:1.5"])
def test_sample_with_invalid_numbers(given: str) -> None:
    with pytest.raises(UsageError, match="expected sample, sample:ROWS or sample:ROWS:SEED"):
        find(given)


def test_sample_without_rows() -> None:
    with pytest.raises(SourceError, match="the number of rows must be at least 1"):
        find("sample:0")


def test_the_sample_fills_the_splits_of_its_dataset() -> None:
    found = sources.resolve(["sample"], "arc", TWO, Columns(frozenset()))
    assert {split: len(rows_in(source)) for split, source in found.items()} == {"train": 1000, "eval": 200}
    assert list(sources.resolve(["eval=sample:7:3"], "arc", TWO, Columns(frozenset()))) == ["eval"]


def test_the_sample_of_another_dataset() -> None:
    by_name = sources.resolve(["sample:truthy:7:3"], "import", None, Columns(frozenset()))["train"]
    assert rows_in(by_name) == [sample.row("truthy", "train", index, 3) for index in range(7)]
    own, named = (sources.resolve([given], "arc", TWO, Columns(frozenset())) for given in ("sample:4", "sample:arc:4"))
    assert own == named
    with pytest.raises(UsageError, match="expected sample, sample:ROWS or sample:ROWS:SEED"):
        find("sample:truthy:x")


def test_a_dataset_without_a_sample() -> None:
    with pytest.raises(
        UsageError, match=r"no built-in sample for outside; give sample:NAME, of metamath, .*, truthy, or a file"
    ):
        sources.resolve(["sample:40"], "outside", HUB, Columns(COLUMNS))


@pytest.mark.parametrize("name", sample.DATASETS)
def test_sample_rows_depend_only_on_seed_and_index(name: str) -> None:
    def texts(given: str) -> list[str]:
        return [json.dumps(row) for row in rows_in(sources.resolve([given], name, HUB, Columns(frozenset()))["train"])]

    few, many, other = texts("sample:40"), texts("sample:6000"), texts("sample:40:1")
    assert few == many[:40], "asking for more rows appends to them"
    assert len(many) == 6000
    assert len(set(few) & set(other)) < 5


# ---------------------------------------------------------------- the hub


def populate(cache: Path, owner_and_name: str, **splits: list[Row]) -> None:
    """Lay out what ``datasets`` keeps of a hub dataset that was loaded once."""
    folder = cache / owner_and_name / "default" / "0.0.0" / "0123456789abcdef"
    folder.mkdir(parents=True)
    name = owner_and_name.split("___")[1]
    info = {
        "builder_name": "json",
        "config_name": "default",
        "dataset_name": name,
        "features": {key: {"dtype": "string", "_type": "Value"} for key in next(iter(splits.values()))[0]},
        "splits": {
            split: {"name": split, "num_bytes": 1, "num_examples": len(rows), "dataset_name": name}
            for split, rows in splits.items()
        },
        "version": {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0},
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))
    for split, rows in splits.items():
        table = pa.Table.from_pylist(rows)
        with (
            pa.OSFile(str(folder / f"{name}-{split}.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return cache


def test_hub_rows_come_from_the_cache(offline: Path) -> None:
    populate(offline, "meta-math___meta_math_qa", train=rows_of(7))
    assert find() == {"train": rows_of(7)}
    source = sources.resolve([], "metamath", HUB, Columns(COLUMNS))["train"]
    about = hashed_provenance(source)
    assert (about["hub"], about["split"]) == ("meta-math/MetaMathQA", "train")
    assert str(offline) not in json.dumps(about), "no path of this machine is published"


def test_another_id_and_another_split_of_the_hub(offline: Path) -> None:
    populate(offline, "someone___math", train=rows_of(3), validation=rows_of(2, "caps"))
    two = Hub("meta-math/MetaMathQA", None, {"train": "train", "eval": "validation"})
    assert find("someone/math", hub=two) == {"train": rows_of(3), "eval": rows_of(2, "caps")}
    assert find("eval=someone/math", hub=two) == {"eval": rows_of(2, "caps")}


def test_hub_rows_with_other_columns_are_refused(offline: Path) -> None:
    populate(offline, "someone___math", train=[{"question": "a"}])
    with pytest.raises(
        WrongColumns, match="has the columns question, but not query, response; check that the file fits"
    ):
        find("someone/math")


@pytest.mark.parametrize("given", [[], ["meta-math/MetaMathQA"], ["eval=someone/nothing"]])
def test_unreachable_hub(given: list[str], offline: Path) -> None:
    assert not list(offline.iterdir())
    with pytest.raises(SourceNotFound, match="--source FILE, or use --source sample") as error:
        find(*given)
    assert "cannot be loaded from the Hub" in str(error.value)
    assert "\n" not in str(error.value)


def test_build_from_the_hub_holds_out_rows(offline: Path, tmp_path: Path) -> None:
    populate(offline, "meta-math___meta_math_qa", train=rows_of(1100))
    dataset = build("metamath", tmp_path / "out")
    assert {name: split.pairs for name, split in dataset.splits.items()} == {"train": 100, "eval": 1000}


def test_command_fails_fast_if_the_hub_is_unreachable(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    environment.pop("HF_DATASETS_CACHE", None)
    words = [sys.executable, "-m", "pairgen", "build", "metamath", "--out", str(tmp_path / "out")]
    start = time.monotonic()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert time.monotonic() - start < 20
    assert done.returncode == 1
    assert done.stdout == ""
    assert "--source FILE" in done.stderr
    assert "--source sample" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name != "home") == []
