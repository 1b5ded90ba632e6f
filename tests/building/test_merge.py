"""``build --shard I/N`` and ``merge``: for every builder and any N, all files of one build, byte for byte."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from helpers.folders import content
from helpers.sample_rows import row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import Result

import pairgen
from pairgen.builders import BUILDERS
from pairgen.building.options import BuildOptions
from pairgen.building.parts.merging import merge
from pairgen.building.pipeline import build
from pairgen.cli import load_app
from pairgen.errors import InvalidDataset, PairgenError, SourceError, UsageError
from pairgen.exchange.functions import import_pairs
from pairgen.pairs.dataset import MANIFEST, open_pairs
from pairgen.pairs.validate import violations
from pairgen.pairs.writing import shards
from pairgen.sources import formats


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, record batches and shards of a few rows."""
    monkeypatch.setattr(formats, "BLOCK_BYTES", 3000)
    monkeypatch.setattr(shards, "BATCH_ROWS", 7)
    monkeypatch.setattr(shards, "SHARD_BYTES", 12_000)


def write(path: Path, rows: list[Any]) -> str:
    """Rows as JSON Lines; a string is a line as it is."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return str(path)


def rows_of(name: str, count: int) -> list[Any]:
    """Rows with some that occur twice or three times, far apart and close together."""
    rows = [row(name, index) for index in range(count)]
    return [*rows, rows[0], rows[0], *rows[: count // 3]]


def parts_of(name: str, folder: Path, options: BuildOptions, count: int) -> list[Path]:
    """All parts of a build, the last one first: the order does not matter."""
    for index in range(count):
        build(name, folder / f"{index}", replace(options, shard=f"{index}/{count}"), overwrite=True)
    return [folder / f"{index}" for index in reversed(range(count))]


def merged(name: str, folder: Path, options: BuildOptions, count: int) -> dict[str, bytes]:
    """All files of a dataset merged from parts."""
    out = folder / "merged" / "out"
    return content(merge(parts_of(name, folder / "parts", options, count), out, overwrite=True).path)


def in_one(name: str, folder: Path, options: BuildOptions) -> dict[str, bytes]:
    dataset = build(name, folder / "whole" / "out", options, overwrite=True)
    assert not violations(dataset)
    return content(dataset.path)


OF_BUILDERS: Mapping[str, dict[str, Any]] = {
    "metamath": {"eval_size": 5, "shots": 2, "pairs_per_row": 2},
    "gsm8k": {"shots": 1, "shots_per_row": True},
    "solutions": {"eval_size": 4, "error": "mixed"},
    "arc": {"limit": 30},
    "hellaswag": {"shots": 1},
    "choices": {"eval_size": 6},
}
"""Options to try with each builder."""


@pytest.mark.parametrize("counts", [(1, 3), pytest.param((2, 4, 5), marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BUILDERS)
def test_merged_parts_are_one_build(name: str, counts: tuple[int, ...], tmp_path: Path) -> None:
    rows = rows_of(name, 30)
    rows[20:20] = ["not JSON", {"other": 1}]
    train, held_out = write(tmp_path / "train.jsonl", rows), write(tmp_path / "eval.jsonl", rows_of(name, 9))
    sources = (train,) if "eval_size" in OF_BUILDERS[name] else (f"train={train}", f"eval={held_out}")
    options = BuildOptions(sources, on_error="skip", **OF_BUILDERS[name])
    whole = in_one(name, tmp_path, options)
    assert any(b"~3" in data for file, data in whole.items() if file.endswith(".arrow")), "there are duplicates"
    for count in counts:
        assert merged(name, tmp_path, options, count) == whole


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_rows_in_any_number_of_parts(data: st.DataObject, tmp_path: Path) -> None:
    """Few distinct rows in any order, so that most are duplicates, and some that yield no pair or cannot be read."""
    known: list[Any] = [row("metamath", index) for index in range(4)]
    known += ["{", {"query": "Why?", "original_question": "Why?", "response": "Because."}]
    drawn = data.draw(st.lists(st.sampled_from(range(len(known))), min_size=1, max_size=25))
    options = BuildOptions(
        (write(tmp_path / "rows.jsonl", [known[0], *(known[index] for index in drawn)]),), on_error="skip"
    )
    limit = data.draw(st.sampled_from([None, 3, 10]))
    options = replace(options, limit=limit)
    count = data.draw(st.integers(1, 9))
    assert merged("metamath", tmp_path, options, count) == in_one("metamath", tmp_path, options)


def test_parts_without_rows(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of("metamath", 3)),))
    parts = parts_of("metamath", tmp_path, options, 30)
    empty = [part for part in map(open_pairs, parts) if not len(part)]
    assert len(empty) > 20
    assert not any(violations(part) for part in empty)
    assert content(merge(parts, tmp_path / "merged" / "out").path) == in_one("metamath", tmp_path, options)


def test_parts_of_imported_data(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Name {index // 2}", "chosen": f"good {index}", "rejected": f"bad {index}"} for index in range(200)
    ]
    source = write(tmp_path / "rows.jsonl", [*rows, *rows[:50]])
    whole = import_pairs(source, tmp_path / "whole" / "out", eval_size=20)
    parts = [import_pairs(source, tmp_path / f"{index}", eval_size=20, shard=f"{index}/3") for index in range(3)]
    assert content(merge(parts, tmp_path / "merged" / "out").path) == content(whole.path)


def test_a_part_is_a_dataset_with_its_share_of_the_blocks(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of("metamath", 40)),), eval_size=6)
    parts = [open_pairs(part) for part in parts_of("metamath", tmp_path, options, 3)]
    assert not any(violations(part) for part in parts)
    for part in parts:
        info = part.manifest["shard"]
        assert {name: sum(pairs) for name, pairs in info["pairs"].items()} == {
            name: split.pairs for name, split in part.splits.items()
        }
        assert f"--shard {info['index']}/{info['of']}" in part.manifest["command"]
    blocks = [len(part.manifest["shard"]["pairs"]["train"]) for part in parts]
    assert max(blocks) - min(blocks) <= 1
    assert sum(len(part) for part in parts) == 40 + 2 + 13


# ---------------------------------------------------------------- input that does not fit


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of("metamath", 40)),))
    return parts_of("metamath", tmp_path, options, 3)[::-1]


Change = Callable[[list[Path], Path], list[Path]]


def _of_other_options(parts: list[Path], folder: Path) -> list[Path]:
    options = BuildOptions((str(folder / "rows.jsonl"),), seed=1, id_column="key", shard="1/3")
    return [parts[0], build("metamath", folder / "other", options).path, parts[2]]


def _of_another_id_column(parts: list[Path], folder: Path) -> list[Path]:
    options = BuildOptions((str(folder / "rows.jsonl"),), id_column="key", shard="1/3")
    return [parts[0], build("metamath", folder / "other", options).path, parts[2]]


def _of_other_rows(parts: list[Path], folder: Path) -> list[Path]:
    (folder / "new").mkdir()
    source = write(folder / "new" / "rows.jsonl", rows_of("metamath", 41))
    return [*parts[:2], build("metamath", folder / "other", BuildOptions((source,), shard="2/3")).path]


def _of_five(parts: list[Path], folder: Path) -> list[Path]:
    options = BuildOptions((str(folder / "rows.jsonl"),), shard="1/5")
    return [parts[0], build("metamath", folder / "other", options).path, parts[2]]


def _whole(parts: list[Path], folder: Path) -> list[Path]:
    return [*parts, build("metamath", folder / "other", BuildOptions((str(folder / "rows.jsonl"),))).path]


def _derived(parts: list[Path], folder: Path) -> list[Path]:
    from pairgen.exchange.curation.subsets import sample

    return [*parts[:2], sample(open_pairs(parts[2]), folder / "other", 3).path]


def _damaged(parts: list[Path], folder: Path) -> list[Path]:
    del folder
    shard = sorted((parts[1] / "train").glob("*.arrow"))[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    return parts


def _edited(parts: list[Path], folder: Path) -> list[Path]:
    del folder
    manifest = json.loads((parts[1] / MANIFEST).read_text())
    manifest["shard"]["pairs"]["train"][0] += 1
    (parts[1] / MANIFEST).write_text(json.dumps(manifest))
    return parts


def _no_dataset(parts: list[Path], folder: Path) -> list[Path]:
    (folder / "empty").mkdir()
    return [*parts, folder / "empty"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda parts, _: parts[:2], UsageError, "missing part 2/3; build it with --shard, and give all parts"),
        (lambda parts, _: parts[1:2], UsageError, "missing parts 0/3, 2/3; build them"),
        (lambda *_: [], UsageError, "name the parts to merge"),
        (lambda parts, _: [*parts, parts[1]], UsageError, "is part 1/3, as .* is; give each part once"),
        (_of_other_options, UsageError, "was built with different --seed from"),
        (_of_another_id_column, UsageError, "was built with different options from"),
        (_of_other_rows, UsageError, "was built with different source rows from"),
        (_of_five, UsageError, "is one of 5 parts, but .* is one of 3"),
        (_whole, UsageError, "other: not a part of a build; give the folders of `pairgen build --shard I/N`"),
        (_derived, UsageError, "other: not a part of a build"),
        (_damaged, InvalidDataset, "damaged; build this part again"),
        (_edited, InvalidDataset, "its manifest does not match its pairs; build this part again"),
        (_no_dataset, InvalidDataset, "contains no pairgen.json"),
    ],
)
def test_what_cannot_be_merged(
    change: Change, error: type[PairgenError], words: str, parts: list[Path], tmp_path: Path
) -> None:
    given_parts = change(parts, tmp_path)
    with pytest.raises(error, match=words):
        merge(given_parts, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_parts_without_any_pairs(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [{"query": "Why?", "response": "Because."}] * 3)
    with pytest.raises(SourceError, match="the train split has no pairs") as one:
        build("metamath", tmp_path / "whole", BuildOptions((source,)))
    with pytest.raises(SourceError) as other:
        merge(parts_of("metamath", tmp_path, BuildOptions((source,)), 2), tmp_path / "merged")
    assert str(one.value) == str(other.value)
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("text", ["3/3", "0/0", "-1/3", "1", "a/b", "1/3/5", "", "1 /3", "\u0661/3"])
def test_invalid_shard(text: str) -> None:
    with pytest.raises(UsageError, match="--shard must be I/N with I from 0 to N - 1, such as 0/3, got"):
        BuildOptions(shard=text)


def test_on_the_command_line(parts: list[Path], tmp_path: Path, run: Callable[..., Result]) -> None:
    done = run("merge", *parts, "--out", tmp_path / "merged")
    assert done.exit_code == 0
    assert f"Wrote 55 pairs to {tmp_path / 'merged'}" in done.stdout.replace("\n", "")
    again = run("merge", *parts, "--out", tmp_path / "merged", "--json", "--overwrite")
    assert json.loads(again.stdout)["train"]["pairs"] == 55
    failed = run("merge", *parts[1:], "--out", tmp_path / "merged")
    assert failed.exit_code == 2
    assert failed.stderr == "pairgen: missing part 0/3; build it with --shard, and give all parts\n"


def test_a_url_is_not_taken_for_a_folder(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="memory://bucket/x: only builds and imports write to URLs"):
        merge(parts, "memory://bucket/x")
    failed = run("merge", *parts, "--out", "memory://bucket/x")
    assert failed.exit_code == 2
    assert failed.stderr == (
        "pairgen: --out memory://bucket/x: this command does not write to URLs; choose a local folder\n"
    )
    assert list(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_the_line_for_slurm(tmp_path: Path, run: Callable[..., Result]) -> None:
    """The command that the help shows, run as each job of an array would run it, and again as if it were requeued."""
    shown = " ".join(typer.main.get_command(load_app()).commands["merge"].help.split())  # type: ignore[attr-defined]
    array, wrapped = re.findall(r"sbatch --array=0-(\d+) --wrap '([^']*)'", shown)[0]
    jobs = int(array) + 1
    assert f"--shard $SLURM_ARRAY_TASK_ID/{jobs} " in wrapped
    source = write(tmp_path / "rows.jsonl", rows_of("metamath", 40))
    script = wrapped.replace("pairgen", f"{shlex.quote(sys.executable)} -m pairgen", 1).replace(f"/{jobs} ", "/2 ")
    for index in (0, 1, 1):
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": str(index)}
        subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert run("merge", tmp_path / "part-0", tmp_path / "part-1", "--out", tmp_path / "merged").exit_code == 0
    whole = build("metamath", tmp_path / "whole", BuildOptions((source,)))
    assert open_pairs(tmp_path / "merged")["train"].table() == whole["train"].table()


def test_from_python(parts: list[Path], tmp_path: Path) -> None:
    calls: list[tuple[Any, ...]] = []
    dataset = pairgen.merge(map(open_pairs, parts), tmp_path / "merged", progress=lambda *call: calls.append(call))
    assert len(dataset) == 55
    assert {phase for phase, *_ in calls} == {"merging parts"}
    assert calls[-1][1:] == (55, 55)
