"""``build`` end to end: the same bytes however it is run, splits by question, shots, ids, what is counted."""

import gzip
import hashlib
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import Result

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders import Builder
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.building import planning
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import SourceError, UsageError
from pairgen.pairs.dataset import PairDataset, open_pairs
from pairgen.pairs.edits import span
from pairgen.pairs.record import Rejection
from pairgen.pairs.validate import violations
from pairgen.sources import formats, sample
from pairgen.sources.formats import text

Row = dict[str, Any]


def rows_of(count: int, answers: int = 2) -> list[Row]:
    """MetaMath-shaped rows; ``answers`` of them in turn share a question."""
    rows = []
    for index in range(count):
        case = index // answers
        a, b = case + 2, case % 7 + 2
        question = f"Ann packs {a} boxes with {b} pens and finds one more. How many pens? (case {case})"
        solution = f"She packs {a} * {b} = {a * b} pens.\nWith one more, {a * b} + 1 = {a * b + 1}, way {index}."
        rows.append(
            {
                "type": "GSM_AnsAug",
                "query": question,
                "original_question": question,
                "response": f"{solution}\n#### {a * b + 1}\nThe answer is: {a * b + 1}",
            }
        )
    return rows


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def arrow_bytes(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.arrow"))}


def pairs(dataset: PairDataset, split: str = "train") -> list[Row]:
    return dataset.splits[split].table().to_pylist()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "more.jsonl", rows_of(4))
    return write(tmp_path / "rows.jsonl", rows_of(300))


def test_bytes_depend_only_on_source_and_options(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = BuildOptions((str(source),), eval_size=20, shots=2)
    built = build("metamath", tmp_path / "one", options)
    first = arrow_bytes(built.path)
    assert not violations(built)
    for name, workers, size in (("two", 2, 9000), ("three", 3, 2000), ("again", 1, 1 << 20)):
        monkeypatch.setattr(formats, "BLOCK_BYTES", size)
        assert arrow_bytes(build("metamath", tmp_path / name, replace(options, workers=workers)).path) == first
    assert arrow_bytes(build("metamath", tmp_path / "other", replace(options, seed=1)).path) != first


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.jsonl.gz", "rows.json.gz"])
def test_progress_moves_with_the_bytes_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(text, "BUFFER_BYTES", 4096)
    rows = rows_of(3000)
    content = "".join(json.dumps(row) + "\n" for row in rows) if "jsonl" in name else json.dumps(rows)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    calls: list[tuple[str, int, int]] = []
    build(
        "metamath",
        tmp_path / "out",
        BuildOptions((str(path),)),
        progress=lambda *call: calls.append(call[:3]),
    )
    size = path.stat().st_size
    assert {(phase, total) for phase, _, total in calls} == {("building pairs", size)}
    done = [done for _, done, _ in calls]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, size)
    assert max(after - before for before, after in itertools.pairwise(done)) < size / 5


def read_outside(row: Mapping[str, Any]) -> Example:
    return Example(row["ask"], row["right"], "outside", f"{row['ask']}\0{row['right']}", row["ask"], row, row["wrong"])


def reject_outside(example: Example, rng: RowRng, options: CorruptionOptions) -> list[Rejection]:
    del rng, options
    return [Rejection(text, span(example.answer, text)) for text in example.detail]


@pytest.mark.parametrize("workers", [1, 2])
def test_builder_of_another_package(workers: int, tmp_path: Path) -> None:
    builder = Builder(
        name="outside",
        title="Outside pairs",
        description="A builder of another package.",
        summary="a builder of another package",
        columns=frozenset({"ask", "right", "wrong"}),
        read=lambda row: read_outside(row),  # a lambda cannot be pickled
        reject=reject_outside,
    )
    rows = [{"ask": f"What is {n}?", "right": f"{n}", "wrong": [f"{n + 1}", f"{n + 2}"]} for n in range(50)]
    source = write(tmp_path / "rows.jsonl", rows)
    dataset = build(builder, tmp_path / "out", BuildOptions((str(source),), workers=workers))
    assert dataset.splits["train"].pairs == 100
    assert dataset.manifest["dataset"] == "outside"
    assert not violations(dataset)


@pytest.mark.parametrize("name", sample.DATASETS)
def test_the_sample_builds_valid_pairs(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path / name, BuildOptions(("sample:60",)))
    assert not violations(dataset)
    assert all(split.pairs >= 60 for split in dataset.splits.values())
    assert dataset.manifest["license"] == "apache-2.0", "sample rows are those of pairgen"
    assert dataset.manifest.get("multiple_choice", False) is (name in ("arc", "hellaswag"))
    assert open_pairs(tmp_path / name).manifest == dataset.manifest


def test_pair_ids_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = rows_of(100)
    forward = build("metamath", tmp_path / "a", BuildOptions((str(write(tmp_path / "a.jsonl", rows)),)))
    backward = build("metamath", tmp_path / "b", BuildOptions((str(write(tmp_path / "b.jsonl", rows[::-1])),)))
    by_id = [{pair["pair_id"]: {**pair, "row": None} for pair in pairs(dataset)} for dataset in (forward, backward)]
    assert by_id[0] == by_id[1]
    assert len(by_id[0]) == 100


def test_duplicate_rows_get_numbered_ids_and_share_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "BLOCK_BYTES", 2000)
    rows = rows_of(60)
    dataset = build(
        "metamath",
        tmp_path / "out",
        BuildOptions((str(write(tmp_path / "r.jsonl", [*rows, rows[3], *rows[:5]])),)),
    )
    assert not violations(dataset)
    found = Counter(pair["pair_id"].partition("~")[0] for pair in pairs(dataset))
    assert sorted(found.values()) == [1] * 55 + [2] * 4 + [3]
    third = [pair for pair in pairs(dataset) if pair["pair_id"].endswith("~3")]
    assert len(third) == 1
    assert len({pair["group_id"] for pair in pairs(dataset)}) == 60


def test_eval_rows_are_held_out_by_question(source: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(source),), eval_size=40))
    train, held_out = ({pair["prompt"] for pair in pairs(dataset, split)} for split in ("train", "eval"))
    assert dataset.splits["eval"].pairs == 40
    assert dataset.splits["train"].pairs == 260
    assert len(held_out) == 20
    assert not train & held_out
    other = build("metamath", tmp_path / "other", BuildOptions((str(source),), eval_size=40, seed=5))
    assert {pair["prompt"] for pair in pairs(other, "eval")} != held_out


def test_fixed_shots_are_the_same_for_all_rows_except_their_own(source: Path, tmp_path: Path) -> None:
    plain = {
        pair["pair_id"]: pair["prompt"]
        for pair in pairs(build("metamath", tmp_path / "zero", BuildOptions((str(source),))))
    }
    dataset = build("metamath", tmp_path / "three", BuildOptions((str(source),), shots=3))
    prefixes: Counter[str] = Counter()
    for pair in pairs(dataset):
        question = plain[pair["pair_id"]]
        assert pair["prompt"].endswith("\n\n" + question)
        prefix = pair["prompt"].removesuffix(question)
        assert prefix.count("The answer is:") == 3
        assert question not in prefix, "no row sees its own answer"
        prefixes[prefix] += 1
    assert prefixes.most_common(1)[0][1] == 300 - 3 * 2, "two rows share each question of the set"
    assert len(prefixes) == 4


def test_shots_per_row_differ_and_never_come_from_eval(source: Path, tmp_path: Path) -> None:
    options = BuildOptions(shots=2, shots_per_row=True, eval_size=100)
    dataset = build("metamath", tmp_path / "out", replace(options, source=(str(source),)))
    held_out = {pair["prompt"].rsplit("\n\n", 1)[-1] for pair in pairs(dataset, "eval")}
    prefixes = set()
    for split in ("train", "eval"):
        for pair in pairs(dataset, split):
            prefix, _, own = pair["prompt"].rpartition("\n\n")
            assert prefix.count("The answer is:") == 2
            assert not any(question in prefix for question in held_out)
            assert own not in prefix
            prefixes.add(prefix)
    assert len(prefixes) > 250


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        ({"eval_size": 300}, ["rows.jsonl"], "choose a smaller --eval-size"),
        ({"eval_size": 1}, ["rows.jsonl"], "every question has at least 2 rows"),
        ({"eval_size": 2}, ["train=rows.jsonl", "eval=more.jsonl"], "drop one of the two"),
        ({"eval_size": 2}, ["eval=rows.jsonl"], "no training source"),
        ({"shots": 150}, ["rows.jsonl"], "only 150 questions"),
        ({"shots": 1}, ["eval=rows.jsonl"], "--source train=FILE"),
        ({"prompt_style": "nonsense"}, ["rows.jsonl"], "raw, lm-eval, alpaca"),
    ],
)
def test_conflicting_options(
    options: Row, given: list[str], words: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    with pytest.raises(UsageError, match=words):
        build("metamath", tmp_path / "out", BuildOptions(tuple(given), **options))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", [{"shots": -1}, {"eval_size": -1}, {"shots_per_row": True}])
def test_invalid_options(bad: Row) -> None:
    with pytest.raises(UsageError):
        BuildOptions(**bad)


def test_every_dropped_row_has_a_counted_reason(tmp_path: Path) -> None:
    good = rows_of(5)
    bad: list[Row] = [
        {**good[0], "query": None},
        {**good[0], "response": " "},
        {**good[0], "response": "No number in it at all."},
        {**good[0], "response": "x" * 200_000},
        {**good[0], "query": 7},
    ]
    source = write(tmp_path / "rows.jsonl", [*good, *bad])
    with source.open("a") as file:
        file.write('{"query": "a", "resp\n')
    warnings: list[str] = []
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(source),), on_error="skip"), warn=warnings.append)
    counts = dataset.manifest["splits"]["train"]
    assert counts["drops"] == {
        "no number to corrupt": 1,
        "query is not a string": 1,
        "query is null": 1,
        "response is empty": 1,
        "response is over 100,000 characters": 1,
        "unreadable row": 1,
    }
    assert (counts["rows"], counts["pairs"]) == (11, 5)
    assert warnings == [f"skipped: {source}: line 11: invalid JSON (unterminated string starting at)"]
    assert not violations(dataset)


def test_source_that_yields_no_pairs(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [{"query": "Why?", "response": "Because."}])
    with pytest.raises(SourceError, match="the train split has no pairs"):
        build("metamath", tmp_path / "out", BuildOptions((str(source),)))
    assert list(tmp_path.iterdir()) == [source]


def test_text_of_any_script_keeps_its_spans(tmp_path: Path) -> None:
    rows = [
        {"query": f"{word}?", "response": f"{word} 3 * 4 = 12 {word}.\nThen 12 + 1 = 13 {word}\nThe answer is: 13"}
        for word in ("naïve", "e\u0301tude", "😀👩‍👩‍👧", "नमस्ते", "עברית", "\u202eabc", "日本", "a\u0000b", "\ufeffab")
    ]
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(write(tmp_path / "rows.jsonl", rows)),)))
    assert not violations(dataset)
    for pair in pairs(dataset):
        assert pair["chosen"][pair["edit_start"] : pair["chosen_edit_stop"]] == "12" == pair["correct"]


def test_more_invalid_rows_than_are_reported_are_counted(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", rows_of(5))
    with source.open("a") as file:
        file.write("[]\n" * 12)
    warnings: list[str] = []
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(source),), on_error="skip"), warn=warnings.append)
    assert dataset.manifest["splits"]["train"]["drops"] == {"unreadable row": 12}
    assert warnings[0] == f"skipped: {source}: line 6: is not a JSON object"
    assert warnings[-1] == "skipped 7 more unreadable rows of train"
    assert len(warnings) == 6


def test_fewer_rows_are_held_out_if_questions_do_not_add_up(source: Path, tmp_path: Path) -> None:
    warnings: list[str] = []
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(source),), eval_size=7), warn=warnings.append)
    assert dataset.splits["eval"].pairs == 6
    assert warnings == ["held out 6 rows instead of 7: questions are not divided between splits"]


def test_the_manifest_records_how_the_dataset_was_built(source: Path, tmp_path: Path) -> None:
    manifest = build("metamath", tmp_path / "out", BuildOptions((f"train={source}",), seed=3)).manifest
    assert manifest["options"]["seed"] == 3
    assert manifest["command"] == "pairgen build metamath --out out --source train=rows.jsonl --seed 3"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert manifest["sources"] == {"train": {"files": ["rows.jsonl"], "sha256": [digest]}}
    assert manifest["statistics"]["train"]["edit_distance"]["count"] == 300
    assert str(tmp_path) not in json.dumps(manifest), "no path of this machine is published"


def test_the_recorded_command_builds_the_same_dataset(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = BuildOptions((source.name,), seed=2, shots=2, eval_size=20, pairs_per_row=2)
    first = build("metamath", "data/pairs", options)
    assert first.manifest["command"].startswith("pairgen build metamath --out data/pairs --source rows.jsonl --seed 2")
    before = arrow_bytes(first.path)
    assert run(*shlex.split(first.manifest["command"])[1:], "--overwrite").exit_code == 0
    assert arrow_bytes(first.path) == before


def test_rows_of_a_users_file_are_not_called_those_of_the_dataset(source: Path, tmp_path: Path) -> None:
    dataset = build("metamath", tmp_path / "out", BuildOptions((str(source),)))
    assert dataset.manifest["title"] == "Preference pairs from rows.jsonl"
    assert "license" not in dataset.manifest
    card = (dataset.path / "README.md").read_text()
    assert "MetaMath preference pairs" not in card
    assert card.startswith("---\nlicense: unknown\n")
    assert "The license is unknown" in card
    assert "mit" not in re.findall(r"\w+", card)
    assert "Prompts and completions are plain text, without a chat template." in card


def test_the_license_of_a_users_file_is_what_the_user_says(source: Path, tmp_path: Path) -> None:
    options = BuildOptions((source.name,), license="cc-by-4.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        dataset = build("metamath", tmp_path / "out", options)
    card = (dataset.path / "README.md").read_text()
    assert dataset.manifest["license"] == dataset.manifest["options"]["license"] == "cc-by-4.0"
    assert dataset.manifest["command"].endswith("--license cc-by-4.0")
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    assert "`cc-by-4.0`, as stated by whoever made this dataset" in card
    with pytest.raises(UsageError, match=r"the license of these rows is apache-2\.0"):
        build("metamath", tmp_path / "sample", BuildOptions(("sample:9",), license="cc-by-4.0"))
    with pytest.raises(UsageError, match=r"in lower case, such as cc-by-4\.0 or other, got 'MIT License'"):
        BuildOptions(license="MIT License")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("block_bytes", [300, 1 << 20])
def test_a_limit_reads_the_first_rows_of_each_split(
    workers: int, block_bytes: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "BLOCK_BYTES", block_bytes)
    first = tmp_path / "first" / source.name
    first.parent.mkdir()
    first.write_text("".join(source.read_text().splitlines(keepends=True)[:70]), "utf-8")
    with source.open("a") as file:
        file.write("broken\n")  # is never parsed
    options = BuildOptions((str(source),), eval_size=20, shots=2, limit=70, workers=workers)
    limited = build("metamath", tmp_path / "limited", options)
    whole = build("metamath", tmp_path / "whole", replace(options, source=(str(first),), limit=None, workers=1))
    assert arrow_bytes(limited.path) == arrow_bytes(whole.path)
    assert sum(split["rows"] for split in limited.manifest["splits"].values()) == 70
    assert limited.manifest["options"]["limit"] == 70
    assert "--limit 70" in limited.manifest["command"]


def test_large_few_shot_prompts_are_announced(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "LARGE_OUTPUT", 10_000)
    warnings: list[str] = []
    build("metamath", tmp_path / "out", BuildOptions((str(source),), shots=3), warn=warnings.append)
    assert len(warnings) == 1
    assert re.fullmatch(
        r"the prompts of 300 rows will take 0\.0 GB or more: 3 few-shot examples of \d+ characters each", warnings[0]
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_memory_of_many_few_shot_examples_is_bounded(workers: int, tmp_path: Path) -> None:
    """4,000 rows with 1,500 examples each are 2 GB of pairs; a batch of them once took several times as much memory."""
    script = (
        "import resource, sys; from pairgen.building.pipeline import build; "
        "from pairgen.building.options import BuildOptions; "
        f"build('metamath', sys.argv[1], BuildOptions(('train=sample:4000',), shots=1500, workers={workers})); "
        "print(sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "out")]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*.arrow")) > 1_500_000_000
    assert kilobytes < 1_500_000


@pytest.mark.parametrize("template", ["[{{ row.level }}] {{ question }}", "{{ row['level'] }} {{ question }}"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.parquet"])
def test_columns_of_a_template_are_read_from_every_format(name: str, template: str, tmp_path: Path) -> None:
    frame = pd.DataFrame([{**row, "level": "easy", "other": 1} for row in rows_of(6)])
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    elif name.endswith("jsonl"):
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    (tmp_path / "style.jinja").write_text(f"\ufeff{template}", "utf-8")
    options = BuildOptions((str(path),), prompt_style=str(tmp_path / "style.jinja"))
    found = pairs(build("metamath", tmp_path / "out", options))
    assert len(found) == 6
    assert all(pair["prompt"].startswith(("easy A", "[easy] A")) for pair in found)


@pytest.mark.parametrize("workers", [1, 2])
def test_pairs_point_to_their_rows(workers: int, tmp_path: Path) -> None:
    rows = [{**row, "key": index * 3} for index, row in enumerate(rows_of(40))]
    source = write(tmp_path / "own.jsonl", rows)
    options = BuildOptions((str(source),), eval_size=10, id_column="key", workers=workers)
    dataset = build("metamath", tmp_path / "out", options)
    lines = source.read_text().splitlines()
    found = [pair for split in dataset.splits for pair in pairs(dataset, split)]
    assert len(found) == 40
    for pair in found:
        name, _, number = pair["row"].partition(":")
        row = json.loads(lines[int(number) - 1])
        assert name == "own.jsonl"
        assert pair["prompt"] == row["query"]
        assert pair["row_id"] == str(row["key"])
    assert "--id-column key" in dataset.manifest["command"]


def test_dropped_rows_are_listed_in_a_file(tmp_path: Path) -> None:
    good = rows_of(3)
    source = write(tmp_path / "rows.jsonl", [good[0], {**good[1], "query": None}, good[2]])
    with source.open("a") as file:
        file.write("nothing\n")
    drops = tmp_path / "drops.jsonl"
    options = BuildOptions((str(source),), on_error="skip", drops=str(drops))
    dataset = build("metamath", tmp_path / "out", options, warn=lambda _: None)
    listed = [json.loads(line) for line in drops.read_text().splitlines()]
    assert listed == [
        {"split": "train", "row": "rows.jsonl:2", "reason": "query is null"},
        {"split": "train", "row": "rows.jsonl:4", "reason": "unreadable row"},
    ]
    assert Counter(row["reason"] for row in listed) == dataset.manifest["splits"]["train"]["drops"]
    assert str(drops) not in json.dumps(dataset.manifest)
