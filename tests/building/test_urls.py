"""Rows from URLs and datasets at URLs: the bytes of a build of the same files on disk."""

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from typer.testing import Result

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import OutputError, OutputExists, SourceError, SourceNotFound, UsageError
from pairgen.pairs.dataset import open_pairs
from pairgen.sources import sample
from pairgen.sources.urls import UrlFile, find_files, is_url, without_secrets

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def memory() -> Iterator[MemoryFileSystem]:
    """The file system of ``memory://``, empty."""
    files = fsspec.filesystem("memory")
    yield files
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


def rows_of(count: int, dataset: str = "metamath") -> list[Row]:
    return [sample.row(dataset, "train", index) for index in range(count)]


def as_arrow(rows: list[Row], path: Path) -> None:
    table = pa.Table.from_pylist(rows)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=20)


WRITERS: dict[str, Callable[[list[Row], Path], Any]] = {
    "rows.jsonl": lambda rows, path: path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8"),
    "rows.json": lambda rows, path: path.write_text(json.dumps(rows), "utf-8"),
    "rows.json.gz": lambda rows, path: path.write_bytes(gzip.compress(json.dumps(rows).encode())),
    "rows.parquet": lambda rows, path: pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=30),
    "rows.arrow": as_arrow,
}


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def in_memory(files: MemoryFileSystem, root: str) -> dict[str, bytes]:
    return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in sorted(files.find(root))}


@pytest.mark.parametrize("protocol", ["memory", "file"])
@pytest.mark.parametrize("name", WRITERS)
def test_rows_from_a_url(name: str, protocol: str, tmp_path: Path, memory: MemoryFileSystem) -> None:
    path = tmp_path / name
    WRITERS[name](rows_of(100), path)
    expected = content(build("metamath", tmp_path / "disk" / "out", BuildOptions((str(path),), eval_size=10)).path)
    url = f"memory://bucket/deep/{name}" if protocol == "memory" else path.as_uri()
    memory.pipe_file(f"/bucket/deep/{name}", path.read_bytes())
    for workers in (1, 2):
        options = BuildOptions((url,), eval_size=10, workers=workers)
        assert content(build("metamath", tmp_path / f"{workers}" / "out", options).path) == expected


def test_a_pattern_and_splits(tmp_path: Path, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(3):
        WRITERS["rows.jsonl"](rows_of(40)[number * 10 :], Path(f"in/part-{number}.jsonl"))
        memory.pipe_file(f"/bucket/part-{number}.jsonl", Path(f"in/part-{number}.jsonl").read_bytes())
    datasets = []
    for place in ("in", "memory://bucket"):
        sources = (f"train={place}/part-[01].jsonl", f"eval={place}/part-2.jsonl")
        datasets.append(build("metamath", tmp_path / place[:2] / "out", BuildOptions(sources)))
    assert datasets[0].manifest["sources"] == datasets[1].manifest["sources"]
    assert datasets[0].manifest["sources"]["train"]["files"] == ["part-0.jsonl", "part-1.jsonl"]
    assert [len(split) for split in datasets[1].splits.values()] == [
        len(split) for split in datasets[0].splits.values()
    ]


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_dataset_at_a_url(engine: str, tmp_path: Path, run: Callable[..., Result]) -> None:
    WRITERS["rows.jsonl"](rows_of(60), tmp_path / "rows.jsonl")
    source = (tmp_path / "rows.jsonl").as_uri()
    expected = content(build("metamath", tmp_path / "disk" / "out", BuildOptions((source,))).path)
    url = (tmp_path / "bucket" / "out").as_uri()
    words = ("build", "metamath", "--source", source, "--out", url, "--engine", engine, "--workers", 1)
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert content(tmp_path / "bucket" / "out") == expected
    assert result.stdout.splitlines()[-1] == f"Wrote {len(open_pairs(tmp_path / 'bucket' / 'out'))} pairs to {url}"
    assert run(*words).exit_code == 1
    assert run(*words, "--overwrite", "--seed", 1).exit_code == 0
    again = content(tmp_path / "bucket" / "out")
    assert again.keys() == expected.keys()
    assert again != expected


def test_the_manifest_comes_last_and_goes_first(memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    put = MemoryFileSystem.put_file
    names: list[str] = []

    def put_file(self: MemoryFileSystem, local: str, place: str, **options: Any) -> None:
        assert not memory.exists("/bucket/out/pairgen.json")
        names.append(place.removeprefix("/bucket/out/"))
        put(self, local, place, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    phases: list[tuple[str, int, int]] = []
    dataset = build(
        "arc", "memory://bucket/out", BuildOptions(("sample:20",)), progress=lambda *call: phases.append(call)
    )
    assert names[-1] == "pairgen.json"
    assert in_memory(memory, "/bucket/out") == content(dataset.path)
    assert phases[-1][0] == "uploading"
    assert phases[-1][1] == phases[-1][2] > 0
    memory.pipe_file("/bucket/out/train/data-00001-of-00002.arrow", b"of an earlier dataset")
    names.clear()
    second = build("arc", "memory://bucket/out", BuildOptions(("sample:10",)), overwrite=True)
    assert names[-1] == "pairgen.json"
    assert in_memory(memory, "/bucket/out") == content(second.path)


def test_an_upload_that_fails_leaves_nothing(memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    put = MemoryFileSystem.put_file

    def put_file(self: MemoryFileSystem, local: str, place: str, **options: Any) -> None:
        if place.endswith("pairgen.json"):
            raise RuntimeError("the store is gone")
        put(self, local, place, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    with pytest.raises(OutputError, match=r"memory://bucket/out: cannot be written \(the store is gone\)"):
        build("arc", "memory://bucket/out", BuildOptions(("sample:20",)))
    assert not memory.find("/bucket/out")


def test_a_url_that_is_taken(memory: MemoryFileSystem) -> None:
    memory.pipe_file("/bucket/mine/notes.txt", b"mine")
    for overwrite in (False, True):
        with pytest.raises(OutputExists, match="contains files that pairgen did not write"):
            build("arc", "memory://bucket/mine", BuildOptions(("sample:20",)), overwrite=overwrite)
    assert in_memory(memory, "/bucket/mine") == {"notes.txt": b"mine"}
    build("arc", "memory://bucket/out", BuildOptions(("sample:20",)))
    with pytest.raises(OutputExists, match="already exists; replace it with --overwrite"):
        build("arc", "memory://bucket/out", BuildOptions(("sample:20",)))


def test_what_a_url_cannot_do(run: Callable[..., Result]) -> None:
    with pytest.raises(UsageError, match="--resume needs an output folder on this machine"):
        build("arc", "memory://bucket/out", BuildOptions(("sample:20",), resume=True))
    result = run("build", "arc", "--source", "sample:20", "--out", "memory://bucket/out", "--push", "me/pairs")
    assert result.exit_code == 2
    assert "--push needs an output folder on this machine" in result.stderr


def refusal(source: str, tmp_path: Path) -> Exception:
    with pytest.raises((SourceError, UsageError)) as error:
        build("metamath", tmp_path / "out", BuildOptions((source,)))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
    return error.value


def test_urls_that_cannot_be_read(tmp_path: Path, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/bucket/rows.jsonl", b"")
    assert str(refusal("memory://bucket/gone.jsonl", tmp_path)) == "memory://bucket/gone.jsonl: no such file"
    missing = refusal("memory://bucket/gone-*.jsonl", tmp_path)
    assert type(missing) is SourceNotFound
    assert str(missing).endswith("gone-*.jsonl: no file matches this pattern")
    assert "is empty" in str(refusal("memory://bucket/rows.jsonl", tmp_path))
    assert "unsupported file extension" in str(refusal("memory://bucket/rows", tmp_path))
    assert "Protocol not known: nonsense" in str(refusal("nonsense://bucket/rows.jsonl", tmp_path))
    monkeypatch.setitem(sys.modules, "s3fs", None)
    without = refusal("s3://bucket/rows.jsonl", tmp_path)
    assert type(without) is UsageError
    assert str(without).startswith("s3:// needs a package that is not installed (Install s3fs")


def test_a_connection_that_breaks_is_one_sentence(
    tmp_path: Path, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS["rows.jsonl"](rows_of(40), tmp_path / "rows.jsonl")
    memory.pipe_file("/bucket/rows.jsonl", (tmp_path / "rows.jsonl").read_bytes())
    (tmp_path / "rows.jsonl").unlink()

    class Broken(MemoryFileSystem):
        def open(self, path: str, *arguments: Any, **options: Any) -> Any:
            file = super().open(path, *arguments, **options)

            def read(_: int) -> bytes:
                raise RuntimeError("the connection was lost")

            file.read = read
            return file

    monkeypatch.setattr("pairgen.sources.urls.filesystem", lambda url: (Broken(), url.removeprefix("memory:/")))
    text = str(refusal("memory://bucket/rows.jsonl", tmp_path))
    assert text.startswith("memory://bucket/rows.jsonl: is damaged or ends too early (RuntimeError: the connection was")


def test_urls_are_shown_without_secrets() -> None:
    assert without_secrets("https://me:word@host:8000/a/rows.jsonl?token=abc#x") == "https://host:8000/a/rows.jsonl"
    assert without_secrets("ftp://me:word@host/rows.jsonl") == "ftp://host/rows.jsonl"
    assert without_secrets("s3://bucket/a@b/rows.jsonl") == "s3://bucket/a@b/rows.jsonl"
    assert UrlFile("https://host/rows.jsonl.gz?token=a/b").suffixes == [".jsonl", ".gz"]
    assert find_files("https://host/rows.jsonl?token=abc") == [UrlFile("https://host/rows.jsonl?token=abc")]


def test_what_a_url_is() -> None:
    assert is_url("s3://bucket/rows.jsonl")
    assert is_url("HTTPS://host/rows.jsonl")
    for path in ("rows.jsonl", "/data/rows.jsonl", "owner/name", "a=s3://b", "s3:/b", "sample:10", "-"):
        assert not is_url(path)
