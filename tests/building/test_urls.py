"""Rows from URLs and datasets at URLs: the bytes of a build of the same files on disk."""

import gzip
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import Result

from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import OutputError, OutputExists, SourceError, SourceNotFound, UsageError
from pairgen.pairs.dataset import open_pairs
from pairgen.progress import BuildPhase
from pairgen.sources import sample
from pairgen.sources.urls import UrlFile, filesystem, find_files, is_url, secrets_removed, without_secrets

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
    with pytest.raises(OutputError, match=r"memory://bucket/out: cannot be written \(the store is gone\)") as error:
        build("arc", "memory://bucket/out", BuildOptions(("sample:20",)))
    assert not memory.find("/bucket/out")
    kept = kept_folder(error.value)
    assert kept.name == "out"
    assert len(open_pairs(kept)) > 0
    shutil.rmtree(kept.parent)


def kept_folder(error: BaseException) -> Path:
    found = re.search(r"the finished dataset is kept in (\S+): copy it to memory://bucket/out", str(error))
    assert found, error
    return Path(found[1])


def test_a_dataset_that_appears_meanwhile_is_not_replaced(memory: MemoryFileSystem) -> None:
    theirs = {"pairgen.json": b"{}", "train/data.arrow": b"theirs"}

    def meanwhile(phase: str, *_: int) -> None:
        if phase == BuildPhase.MAKING and not memory.exists("/bucket/out"):
            for name, data in theirs.items():
                memory.pipe_file(f"/bucket/out/{name}", data)

    with pytest.raises(OutputExists, match="already exists") as error:
        build("arc", "memory://bucket/out", BuildOptions(("sample:20",)), progress=meanwhile)
    assert in_memory(memory, "/bucket/out") == theirs
    shutil.rmtree(kept_folder(error.value).parent)


@pytest.mark.parametrize("same_names", [False, True])
def test_a_replacement_that_fails_at_the_first_file(
    same_names: bool, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old dataset stays, unless a file of it had to give way; nothing that is half replaced can be opened."""
    build("arc", "memory://bucket/out", BuildOptions(("sample:20",)))
    if not same_names:
        for path in memory.find("/bucket/out"):
            if not path.endswith("pairgen.json"):
                memory.mv(path, f"{path}.old")
    old = in_memory(memory, "/bucket/out")

    def put_file(*_: Any, **__: Any) -> None:
        assert not memory.exists("/bucket/out/pairgen.json")
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    with pytest.raises(KeyboardInterrupt, match="nothing was written to memory://bucket/out") as error:
        build("arc", "memory://bucket/out", BuildOptions(("sample:10",)), overwrite=True)
    assert in_memory(memory, "/bucket/out") == ({} if same_names else old)
    shutil.rmtree(kept_folder(error.value).parent)


def test_old_files_are_removed_after_the_new_ones_are_there(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    build("arc", "memory://bucket/out", BuildOptions(("sample:20",)))
    left = "/bucket/out/train/data-00001-of-00002.arrow"
    memory.pipe_file(left, b"of an earlier dataset")
    put = MemoryFileSystem.put_file

    def put_file(self: MemoryFileSystem, local: str, place: str, **options: Any) -> None:
        assert memory.exists(left)
        put(self, local, place, **options)

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_file)
    dataset = build("arc", "memory://bucket/out", BuildOptions(("sample:10",)), overwrite=True)
    assert in_memory(memory, "/bucket/out") == content(dataset.path)


def test_a_url_that_cannot_be_written_is_refused_before_the_build(
    memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def pipe_file(*_: Any, **__: Any) -> None:
        raise PermissionError(f"403 at http://me:pw@host/{'x' * 9}?X-Amz-Signature=SECRET")

    phases: list[str] = []
    folder = tmp_path / "bucket" / "out"
    build("arc", folder.as_uri(), BuildOptions(("sample:20",)))
    assert not [file for file in folder.rglob("*") if "probe" in file.name]
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_file)
    with pytest.raises(OutputError, match=r"cannot be written \(403 at http://host/x+\)"):
        build(
            "arc", "memory://bucket/out", BuildOptions(("sample:20",)), progress=lambda phase, *_: phases.append(phase)
        )
    assert not phases
    assert not memory.exists("/bucket/out")


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
    gone = str(refusal("memory://bucket/gone.jsonl", tmp_path))
    reasons = "no such file, access denied, or server unreachable"
    assert gone == f"memory://bucket/gone.jsonl: cannot be read ({reasons})"
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

            return SimpleNamespace(read=read, seekable=file.seekable, seek=file.seek, tell=file.tell, close=file.close)

    monkeypatch.setattr("pairgen.sources.urls.filesystem", lambda url: (Broken(), url.removeprefix("memory:/")))
    text = str(refusal("memory://bucket/rows.jsonl", tmp_path))
    assert text.startswith("memory://bucket/rows.jsonl: is damaged or ends too early (RuntimeError: the connection was")


def test_urls_are_shown_without_secrets() -> None:
    assert without_secrets("https://me:word@host:8000/a/rows.jsonl?token=abc#x") == "https://host:8000/a/rows.jsonl"
    assert without_secrets("ftp://me:word@host/rows.jsonl") == "ftp://host/rows.jsonl"
    assert without_secrets("s3://bucket/a@b/rows.jsonl") == "s3://bucket/a@b/rows.jsonl"
    assert UrlFile("https://host/rows.jsonl.gz?token=a/b").suffixes == [".jsonl", ".gz"]
    assert find_files("https://host/rows.jsonl?token=abc") == [UrlFile("https://host/rows.jsonl?token=abc")]


SECRETS = st.text(st.characters(codec="ascii", exclude_characters="/", min_codepoint=33, max_codepoint=126), min_size=1)
LOGINS = st.sampled_from(["{0}@", "me:{0}@", "{0}:x@", "me:a@{0}@"])


@given(
    SECRETS, SECRETS, LOGINS, st.sampled_from(["s3", "ftp", "sftp", "memory", "smb", "http", "HTTPS"]), st.booleans()
)
def test_no_secret_is_shown(word: str, value: str, login: str, protocol: str, is_chained: bool) -> None:
    word, value = f"W{word}W", f"V{value}V"
    url = f"{protocol}://{login.format(word)}host:80/d/rows.jsonl?token={value}"
    shown = without_secrets(f"zip://a.jsonl::{url}" if is_chained else url)
    assert word not in shown
    assert value not in shown
    assert "W" not in shown, "nor a part of it"
    assert "V" not in shown


@given(st.sampled_from(["s3", "ftp", "http"]), st.text("ab%+-_.~!:@", min_size=1), st.text("ab%+-_.~!&=/", min_size=1))
def test_no_secret_is_shown_in_texts(protocol: str, word: str, value: str) -> None:
    url = f"{protocol}://me:W{word}W@host/d/rows.jsonl?token=V{value}V"
    text = secrets_removed(f"403, message='Forbidden', url='{url}', or {url}")
    assert text == "403, message='Forbidden', url='{0}', or {0}".format(f"{protocol}://host/d/rows.jsonl")


@pytest.mark.parametrize(
    "url",
    [
        "github://org:repo@ref/d/rows.jsonl",
        "hf://datasets/owner/name@revision/rows.jsonl",
        "abfs://container@account.dfs.core.windows.net/rows.jsonl",
        "s3://bucket/part-?.jsonl",
        "http://[::1]:80/rows.jsonl",
        "zip://rows.jsonl::https://host/a.zip",
    ],
)
def test_what_is_no_secret_is_shown(url: str) -> None:
    assert without_secrets(url) == url


def test_a_signed_url_stays_out_of_every_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://me:WORD@host/rows.jsonl?X-Amz-Signature=SECRET"

    class Refusing(MemoryFileSystem):
        def size(self, _: str) -> int:
            raise RuntimeError(f"403, url='{url}'")

        def open(self, *_: Any, **__: Any) -> Any:
            raise PermissionError(f"403, url='{url}'")

    for source in (url, f"train={url}"):
        for kind in ("size", "open"):
            with monkeypatch.context() as patch:
                patch.setattr("pairgen.sources.urls.filesystem", lambda _: (Refusing(), "/rows.jsonl"))
                if kind == "open":
                    patch.setattr(Refusing, "size", lambda *_: 100)
                text = str(refusal(source, tmp_path))
            assert "403" in text
            assert "SECRET" not in text
            assert "WORD" not in text
    wrong = str(refusal(f"bad={url}", tmp_path))
    assert "there is no split 'bad'" in wrong
    assert "SECRET" not in wrong
    assert "WORD" not in wrong


def test_an_output_is_shown_without_its_login(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("build", "arc", "--source", "sample:20", "--out", "memory://me:WORD@bucket/out", "--overwrite")
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].endswith("to memory://bucket/out")
    assert json.loads(run(*words, "--json").stdout)["out"] == "memory://bucket/out"

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pairgen.building.pipeline.build", interrupted)
    stopped = run(*words)
    assert "nothing was written to memory://bucket/out" in stopped.stderr
    assert "WORD" not in stopped.output


class Served(MemoryFileSystem):
    """Like that of ftp: paths without the host."""

    protocol = "served"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        rest = path.partition("://")[2]
        return f"/{rest.partition('/')[2]}" if rest else path.rstrip("/")


def test_files_of_a_pattern_keep_host_and_login(memory: MemoryFileSystem) -> None:
    fsspec.register_implementation("served", Served, clobber=True)
    for name in ("x1.jsonl", "x2.jsonl", "y.jsonl"):
        memory.pipe_file(f"/d/e/{name}", b"{}")
    for pattern in ("d/e/x*.jsonl", "d/*/x?.jsonl", "*/e/x[12].jsonl"):
        found = find_files(f"served://me:p*w@host:21/{pattern}")
        assert [file.url for file in found] == [f"served://me:p*w@host:21/d/e/x{number}.jsonl" for number in (1, 2)]
    assert [file.url for file in find_files("memory://d/e/x*.jsonl")] == [
        "memory://d/e/x1.jsonl",
        "memory://d/e/x2.jsonl",
    ]


@pytest.mark.parametrize("error", [TypeError("org is missing"), ConnectionRefusedError(111, "Connection refused")])
def test_a_file_system_that_cannot_be_opened(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def url_to_fs(_: str) -> None:
        raise error

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    for name in ("rows.jsonl", "x*.jsonl"):
        refused = refusal(f"ftp://me:WORD@host/{name}", tmp_path)
        assert type(refused) is SourceNotFound
        assert str(refused).startswith(f"ftp://host/{name}: cannot be opened (")
    with pytest.raises(OutputError, match=r"^ftp://host/out: cannot be opened \("):
        build("arc", "ftp://me:WORD@host/out", BuildOptions(("sample:20",)))


def test_a_login_that_is_not_encoded() -> None:
    for url in (
        "sftp://me:pa/ss@host/rows.jsonl",
        "sftp://me:pa?ss@host/rows.jsonl",
        "sftp://me:pa#ss@host/rows.jsonl",
    ):
        assert without_secrets(url) == "sftp://***"
        with pytest.raises(UsageError, match="write / \\? # as %2F %3F %23"):
            filesystem(url)


def test_readers_of_a_file_do_not_move_each_other(memory: MemoryFileSystem) -> None:
    """Rows are read while a thread hashes the file."""
    memory.pipe_file("/bucket/rows.jsonl", bytes(range(100)))
    file = UrlFile("memory://bucket/rows.jsonl")
    with file.open(buffering=10) as first, file.open(buffering=10) as second:
        parts = [(first.read(10), second.read(10)) for _ in range(10)]
    assert b"".join(a for a, _ in parts) == b"".join(b for _, b in parts) == bytes(range(100))


def test_what_a_url_is() -> None:
    assert is_url("s3://bucket/rows.jsonl")
    assert is_url("HTTPS://host/rows.jsonl")
    for path in ("rows.jsonl", "/data/rows.jsonl", "owner/name", "a=s3://b", "s3:/b", "sample:10", "-"):
        assert not is_url(path)
