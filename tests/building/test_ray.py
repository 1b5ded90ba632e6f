"""``--engine ray`` gives the bytes of the local engine, whatever the blocks, and whatever dies meanwhile."""

import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pairgen.builders import Builder
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import InvalidRow, PairgenError, SourceError, UsageError
from pairgen.pairs.edits import span
from pairgen.pairs.record import Rejection
from pairgen.pairs.writing import shards
from pairgen.sources import formats, sample

Row = dict[str, Any]


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """A Ray that all builds of this module use, as a program that has started one does."""
    import ray

    settings = {"num_cpus": 2, "object_store_memory": 200 << 20, "include_dashboard": False, "log_to_driver": False}
    ray.init(address="local", **settings)
    yield
    ray.shutdown()


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a dataset."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def check_same(name: str | Builder, options: BuildOptions, folder: Path, blocks: tuple[int, ...] = (2, 7)) -> None:
    """Ray and local builds give the same files, warnings and, if asked for, drops."""

    def built(where: str, options: BuildOptions) -> tuple[dict[str, bytes], list[str], str]:
        warnings: list[str] = []
        drops = folder / f"{where}.drops.jsonl"
        dataset = build(name, folder / where / "pairs", replace(options, drops=str(drops)), warn=warnings.append)
        return content(dataset.path), warnings, drops.read_text("utf-8")

    expected = built("local", options)
    assert len(expected[0]) >= 6
    for count in blocks:
        assert built(f"ray-{count}", replace(options, engine="ray", ray_blocks=count)) == expected


def rows_of(dataset: str, count: int, split: str = "train") -> list[Row]:
    return [sample.row(dataset, split, index) for index in range(count)]


def lines(rows: list[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# ---------------------------------------------------------------- the same bytes


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("metamath", ["metamath/GSM_AnsAug.json"]),
        ("arc", ["train=arc/ARC-Challenge-Train.jsonl", "eval=arc/ARC-Challenge-Dev.jsonl"]),
        ("hellaswag", ["hellaswag/train_raw_first3368.jsonl.gz"]),
        ("hellaswag", ["hellaswag/hub_layout_validation"]),
    ],
)
def test_real_rows(name: str, files: list[str], real_data: Path, tmp_path: Path) -> None:
    sources = [f"{split}{equals}{real_data / path}" for split, equals, path in (file.rpartition("=") for file in files)]
    check_same(name, BuildOptions(tuple(sources)), tmp_path)


def as_csv(rows: list[Row], path: Path) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


WRITERS: dict[str, Callable[[list[Row], Path], Any]] = {
    "rows.jsonl": lambda rows, path: path.write_text(lines(rows), "utf-8"),
    "lines.json": lambda rows, path: path.write_text(lines(rows), "utf-8"),
    "list.json": lambda rows, path: path.write_text(json.dumps(rows), "utf-8"),
    "rows.jsonl.gz": lambda rows, path: path.write_bytes(gzip.compress(lines(rows).encode())),
    "rows.csv": as_csv,
    "rows.parquet": lambda rows, path: pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=50),
}
OPTIONS: list[Mapping[str, Any]] = [
    {},
    {"eval_size": 40, "shots": 2, "pairs_per_row": 3},
    {"shots": 2, "shots_per_row": True, "seed": 4},
    {"limit": 333, "carry": "results"},
]


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("name", WRITERS)
def test_every_format(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files, in which some rows are duplicates."""
    monkeypatch.setattr(formats, "BLOCK_BYTES", 50_000)
    rows = rows_of("metamath", 400)
    paths = [tmp_path / name, tmp_path / f"more-{name}"]
    WRITERS[name](rows, paths[0])
    WRITERS[name]([*rows[390:], *rows[:5], *rows_of("metamath", 20, "eval")], paths[1])
    options = OPTIONS[list(WRITERS).index(name) % len(OPTIONS)]
    check_same("metamath", BuildOptions(tuple(map(str, paths)), **options), tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("options", OPTIONS)
def test_every_choice_that_depends_on_all_rows(options: Row, tmp_path: Path) -> None:
    check_same("metamath", BuildOptions(("sample:700",), **options), tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_unreadable_rows_are_skipped_and_reported_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    some = lines(rows_of("metamath", 100))
    Path("rows.jsonl").write_text(f"{some}null\n\n{some[: len(some) // 2]}\n" + "[1]\n" * 7 + some, "utf-8")
    check_same("metamath", BuildOptions(("rows.jsonl",), on_error="skip"), tmp_path)


# ---------------------------------------------------------------- faults


def message_of(options: BuildOptions, out: Path, name: str | Builder = "metamath") -> tuple[type, str]:
    with pytest.raises(PairgenError) as error:
        build(name, out / "pairs", options)
    assert not out.exists() or not list(out.iterdir()), "nothing is left behind"
    return error.type, str(error.value)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("blocks", [2, 7])
@pytest.mark.parametrize("bad", ['{"query": "a", "resp', '{"query": "a"}'])
def test_an_invalid_row_stops_with_the_same_sentence(
    bad: str, blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    some = lines(rows_of("metamath", 150))
    Path("rows.jsonl").write_text(f"{some}{bad}\n{some}{bad}\n", "utf-8")
    local = message_of(BuildOptions(("rows.jsonl",)), tmp_path / "local")
    assert local[0] is InvalidRow
    assert local[1].startswith("rows.jsonl: line 151: ")
    assert message_of(BuildOptions(("rows.jsonl",), engine="ray", ray_blocks=blocks), tmp_path / "ray") == local


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("name", ["rows.jsonl.gz", "list.json"])
def test_a_damaged_file_stops_with_the_same_sentence(name: str, tmp_path: Path) -> None:
    WRITERS[name](rows_of("metamath", 300), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    options = BuildOptions((str(tmp_path / name),))
    local = message_of(options, tmp_path / "local")
    assert local[0] is SourceError
    assert message_of(replace(options, engine="ray", ray_blocks=2), tmp_path / "ray") == local


def outside(read: Callable[[Mapping[str, Any]], Example]) -> Builder:
    """A builder of another package."""

    def reject(example: Example, rng: Any, options: CorruptionOptions) -> list[Rejection]:
        del rng, options
        return [Rejection(example.detail, span(example.answer, example.detail))]

    columns = frozenset({"ask", "right", "wrong"})
    return Builder("outside", "Outside", "Of another package.", "outside", columns=columns, read=read, reject=reject)


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("name", ["rows.jsonl", "list.json"])
def test_a_worker_killed_in_mid_build_changes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows kill the process that reads them, once each, after it has handed on some of its results."""
    monkeypatch.setattr(formats, "BLOCK_BYTES", 2000)
    rows = [{"ask": f"What is {n}?", "right": f"{n}", "wrong": f"{n + 1}"} for n in range(2000)]
    WRITERS[name](rows, tmp_path / name)
    folder, own = str(tmp_path), os.getpid()

    def read(row: Mapping[str, Any]) -> Example:
        mark = os.path.join(folder, f"killed-{row['right']}")  # noqa: PTH118 - sent to other processes by value
        if row["right"] in ("700", "1700") and os.getpid() != own and not os.path.exists(mark):  # noqa: PTH110
            with open(mark, "w"):  # noqa: PTH123
                os.kill(os.getpid(), signal.SIGKILL)
        return Example(row["ask"], row["right"], "outside", row["ask"], row["ask"], row, row["wrong"])

    check_same(outside(read), BuildOptions((str(tmp_path / name),)), tmp_path, blocks=(2,))
    assert sorted(path.name for path in tmp_path.glob("killed-*")) == ["killed-1700", "killed-700"]


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_an_error_of_a_builder_is_raised_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(lines([{"ask": "a", "right": "b", "wrong": "c"}] * 50), "utf-8")

    def read(_: Mapping[str, Any]) -> Example:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug") as error:
        build(outside(read), tmp_path / "out", BuildOptions((str(tmp_path / "rows.jsonl"),), engine="ray"))
    assert "In a process of Ray" in error.value.__notes__[0]


@pytest.mark.slow
@pytest.mark.usefixtures("ray")
def test_no_checkpoint_is_kept_as_its_blocks_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 20_000)
    rows = [{"ask": f"What is {n}?", "right": f"{n}", "wrong": f"{n + 1}"} for n in range(20_000)]
    (tmp_path / "rows.jsonl").write_text(lines(rows), "utf-8")

    def read(row: Mapping[str, Any]) -> Example:
        if row["right"] == "19000":
            raise ZeroDivisionError("a bug")
        return Example(row["ask"], row["right"], "outside", row["ask"], row["ask"], row, row["wrong"])

    monkeypatch.setattr(formats, "BLOCK_BYTES", 50_000)
    left = []
    for engine in ("local", "ray"):
        with pytest.raises(ZeroDivisionError):
            build(
                outside(read), tmp_path / engine / "out", BuildOptions((str(tmp_path / "rows.jsonl"),), engine=engine)
            )
        left.append(bool(list((tmp_path / engine).iterdir())))
    assert left == [True, False]


def test_options_that_need_ray() -> None:
    with pytest.raises(UsageError, match="need --engine ray"):
        BuildOptions(address="auto")
    with pytest.raises(UsageError, match="need --engine ray"):
        BuildOptions(ray_blocks=2)
    for local in ({"resume": True}, {"shard": "0/2"}):
        with pytest.raises(UsageError, match="--resume and --shard are for --engine local"):
            BuildOptions(engine="ray", **local)


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"--engine ray needs Ray Data: .*pip install '\.\[ray\]'"):
        build("metamath", tmp_path / "out", BuildOptions(("sample:5",), engine="ray"))
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- a Ray of one's own


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pairgen", "build", "metamath", "--out", str(folder / "pairs"), *arguments]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A temporary folder for the commands of a test, whose path is short enough for the sockets of Ray."""
    folder = Path("/tmp") / os.urandom(3).hex()
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def processes_in(folder: Path) -> list[int]:
    """Processes that were told to use a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"{folder}/" in entry.read_bytes().decode(errors="replace"):
                found.append(int(entry.parent.name))
    return found


def wait_for(condition: Callable[[], Any], seconds: float = 180) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
    return found


@pytest.mark.slow
def test_the_command_starts_a_ray_and_leaves_nothing_of_it(tmp_path: Path, temporary: Path) -> None:
    outputs = []
    for engine in ("local", "ray"):
        folder = tmp_path / engine
        words = command(folder, "--source", "sample:400", "--engine", engine, "--workers", "2", "--quiet")
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=environment(temporary))
        assert (done.returncode, done.stderr) == (0, "")
        outputs.append((done.stdout.replace(str(folder), ""), content(folder / "pairs")))
    assert outputs[0] == outputs[1]
    assert not processes_in(temporary)
    assert not list(temporary.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_stopped_leaves_no_process(how: signal.Signals, tmp_path: Path, temporary: Path) -> None:
    """After SIGKILL the next build removes the folder of Ray."""
    words = command(tmp_path, "--source", "sample:100000", "--engine", "ray", "--workers", "2")
    running = subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment(temporary)
    )
    assert running.stderr is not None
    assert any("building pairs" in line and " 0%" not in line for line in iter(running.stderr.readline, ""))
    assert processes_in(temporary)
    os.kill(running.pid, how)
    _, error = running.communicate(timeout=180)
    wait_for(lambda: not processes_in(temporary))
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert error.splitlines()[-1] == f"pairgen: interrupted; nothing was written to {tmp_path / 'pairs'}"
        assert not list(tmp_path.iterdir())
    else:
        assert list(temporary.iterdir())
        words = command(tmp_path, "--source", "sample:20", "--engine", "ray", "--workers", "1")
        subprocess.run(words, capture_output=True, check=True, timeout=300, env=environment(temporary))
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_an_address_without_ray(tmp_path: Path) -> None:
    words = command(tmp_path, "--source", "sample:20", "--engine", "ray", "--address", "127.0.0.1:9")
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr.startswith("pairgen: --engine ray: cannot use Ray at 127.0.0.1:9 (")
    assert not list(tmp_path.iterdir())
