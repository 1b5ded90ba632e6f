"""Pair datasets on disk: round trips, what may be replaced, faults at every step, damaged folders."""

import errno
import itertools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from helpers.disks import small_disk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pairgen import atomic
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import InvalidDataset, OutputError, OutputExists
from pairgen.pairs import dataset as store
from pairgen.pairs.dataset import MANIFEST, Manifest, PairDataset, file_hash, open_pairs
from pairgen.pairs.record import SCHEMA, Pair, Provenance, to_batch
from pairgen.pairs.validate import violations
from pairgen.pairs.writing import DatasetWriter
from pairgen.pairs.writing import shards as writing
from pairgen.stats import describe


def pairs_of(count: int, word: str = "old") -> list[Pair]:
    return [
        Pair(
            "Why?",
            f" {word} 2 {index} 😀",
            f" {word} 3 {index} 😀",
            f"{word}{index}-0",
            f"g{word}{index}",
            "test",
            len(word) + 2,
            len(word) + 3,
            len(word) + 3,
        )
        for index in range(count)
    ]


def write(out: Path, word: str = "old", overwrite: bool = False, shards: int = 2) -> Path:
    """A dataset of ``shards`` shards of five pairs."""
    with pytest.MonkeyPatch.context() as patch, DatasetWriter(out, overwrite) as writer:
        patch.setattr(writing, "BATCH_ROWS", 5)
        patch.setattr(writing, "SHARD_BYTES", 1)
        for number in range(shards):
            writer.write("train", to_batch(pairs_of(5, f"{word}{number}")))
        writer.commit(manifest_of(rows=5 * shards))
    return out


def manifest_of(rows: int) -> Manifest:
    return {"dataset": "metamath", "splits": {"train": {"rows": rows, "drops": {}}}}


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# ---------------------------------------------------------------- whole folders


def test_round_trip(tmp_path: Path) -> None:
    dataset = open_pairs(write(tmp_path / "out", shards=3))
    rows = [*pairs_of(5, "old0"), *pairs_of(5, "old1"), *pairs_of(5, "old2")]
    assert dataset.splits["train"].table().to_pylist() == to_batch(rows).to_pylist()
    assert dataset.splits["train"].pairs == 15
    assert dataset.splits["train"].table(["pair_id", "prompt"]).schema.names == ["pair_id", "prompt"]
    assert dataset.manifest["format"] == store.FORMAT
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["README.md", "dataset_dict.json", MANIFEST, "train"]


def hashes(folder: Path) -> dict[str, str]:
    return {name: file_hash(folder / name) for name in content(folder) if name.endswith(".arrow")}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    groups=st.lists(st.integers(1, 4), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 100), max_size=6),
    batch_rows=st.integers(1, 9),
    batch_bytes=st.sampled_from([300, 1 << 20]),
    shard_bytes=st.sampled_from([1, 9000, 1 << 20]),
)
def test_bytes_do_not_depend_on_the_batches_written(
    groups: list[int], cuts: list[int], batch_rows: int, batch_bytes: int, shard_bytes: int, tmp_path: Path
) -> None:
    rows = [
        pair._replace(
            pair_id=f"{number}-{index}",
            group_id=str(number),
            provenance=Provenance(correct="2" if number % 3 else None),
        )
        for number, count in enumerate(groups)
        for index, pair in enumerate(pairs_of(count))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "BATCH_ROWS", batch_rows)
        patch.setattr(writing, "BATCH_BYTES", batch_bytes)
        patch.setattr(writing, "SHARD_BYTES", shard_bytes)
        for name, ends in (("a", []), ("b", sorted(cuts))):
            with DatasetWriter(tmp_path / name, overwrite=True) as writer:
                for start, stop in itertools.pairwise([0, *(min(end, len(rows)) for end in ends), len(rows)]):
                    writer.write("train", to_batch(rows[start:stop]))
                dataset = writer.commit({})
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    written = [batch["group_id"].to_pylist() for batch in dataset.splits["train"].batches()]
    assert [group for batch in written for group in batch] == [row.group_id for row in rows]
    sizes = {row.pair_id: sum(len(text.encode()) for text in row[:3]) for row in rows}
    for batch, following in itertools.pairwise(dataset.splits["train"].batches()):
        ids, group_ids = batch["pair_id"].to_pylist(), batch["group_id"].to_pylist()
        full = next(n for n in range(1, len(ids) + 1) if n >= batch_rows or sum(map(sizes.get, ids[:n])) >= batch_bytes)
        assert group_ids[-1] != following["group_id"][0].as_py(), "a group is never divided"
        assert len(set(group_ids[full - 1 :])) == 1, "a batch ends at the first change of the group"


def test_shards_are_closed_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BATCH_ROWS", 10)
    monkeypatch.setattr(writing, "SHARD_BYTES", 20_000)
    with DatasetWriter(tmp_path / "out") as writer:
        writer.write("train", to_batch(pairs_of(300)))
        dataset = writer.commit({})
    sizes = [shard["bytes"] for shard in dataset.manifest["splits"]["train"]["shards"]]
    assert len(sizes) > 3
    assert all(20_000 <= size < 30_000 for size in sizes[:-1])
    assert sizes == [path.stat().st_size for path in dataset.splits["train"].shards]
    assert [path.name for path in dataset.splits["train"].shards] == sorted(content(dataset.path / "train"))[
        : len(sizes)
    ]


def test_a_split_without_rows_is_an_empty_shard(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        writer.write("train", to_batch(pairs_of(3)))
        dataset = writer.commit({"splits": {"eval": {"rows": 2, "drops": {"too long": 2}}}})
    assert {name: split.pairs for name, split in dataset.splits.items()} == {"eval": 0, "train": 3}
    assert dataset.splits["eval"].table().num_rows == 0
    assert datasets.load_from_disk(str(dataset.path))["eval"].num_rows == 0


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "out") as writer:
        writer.write("train", pa.record_batch({"prompt": ["Why?"]}))
        with pytest.raises(pa.ArrowInvalid):
            writer.commit({})
    assert names(tmp_path) == []


def test_statistics_are_computed_from_the_complete_rows(tmp_path: Path) -> None:
    def statistics(dataset: PairDataset) -> dict[str, Any]:
        assert not (tmp_path / "out").exists()
        assert dataset.splits["train"].table().num_rows == 7
        return describe(dataset)

    with DatasetWriter(tmp_path / "out") as writer:
        writer.write("train", to_batch(pairs_of(7)))
        dataset = writer.commit({}, statistics)
    assert dataset.manifest["statistics"]["train"]["edit_distance"]["count"] == 7
    assert open_pairs(tmp_path / "out").manifest == dataset.manifest


def test_datasets_opens_it(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    rows = open_pairs(out).splits["train"].table().to_pylist()
    assert datasets.load_from_disk(str(out))["train"].to_list() == rows
    assert datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"].to_list() == rows


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    assert content(write(tmp_path / "a")) == content(write(tmp_path / "b"))


def test_out_has_default_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert write(tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


# ---------------------------------------------------------------- what may be replaced


def make_file(out: Path) -> None:
    out.write_text("mine")


def make_link(out: Path) -> None:
    write(out.with_name("elsewhere"))
    out.symlink_to(out.with_name("elsewhere"))


def make_dead_link(out: Path) -> None:
    out.symlink_to(out.with_name("nowhere"))


def make_foreign(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")


def make_hidden(out: Path) -> None:
    out.mkdir()
    (out / ".keep").touch()


@pytest.mark.parametrize(
    ("make", "overwrite", "words"),
    [
        (write, False, "already exists; replace it with --overwrite"),
        *(
            (make, overwrite, words)
            for make, words in [
                (make_file, "is a file or a symbolic link"),
                (make_link, "is a file or a symbolic link"),
                (make_dead_link, "is a file or a symbolic link"),
                (make_foreign, "contains files that pairgen did not write"),
                (make_hidden, "contains files that pairgen did not write"),
            ]
            for overwrite in (False, True)
        ),
    ],
)
def test_out_is_not_replaced(make: Callable[[Path], object], overwrite: bool, words: str, tmp_path: Path) -> None:
    make(tmp_path / "out")
    before = content(tmp_path)
    with pytest.raises(OutputExists, match=words) as error:
        write(tmp_path / "out", "new", overwrite)
    assert str(error.value).startswith(str(tmp_path / "out"))
    assert content(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_out_may_be_an_empty_folder(overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", overwrite=overwrite)
    assert open_pairs(tmp_path / "out").splits["train"].pairs == 10
    assert names(tmp_path) == ["out"]


def test_overwrite_replaces_all_files(tmp_path: Path) -> None:
    write(tmp_path / "out", shards=4)
    (tmp_path / "out" / "notes.txt").write_text("goes with the old data")
    write(tmp_path / "out", "new", overwrite=True, shards=1)
    assert content(tmp_path / "out") == content(write(tmp_path / "fresh", "new", shards=1))
    assert names(tmp_path) == ["fresh", "out"]


def test_parent_folders_are_created(tmp_path: Path) -> None:
    assert open_pairs(write(tmp_path / "a" / "b" / "out")).splits["train"].pairs == 10


def test_out_created_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def race() -> None:
        with DatasetWriter(tmp_path / "out") as writer:
            write(tmp_path / "out", "quicker")
            writer.commit({})

    with pytest.raises(OutputExists, match="already exists"):
        race()
    assert open_pairs(tmp_path / "out").splits["train"].pairs == 10
    assert names(tmp_path) == ["out"]


def test_overwrite_works_where_folders_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out")
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    write(tmp_path / "out", "new", overwrite=True)
    assert content(tmp_path / "out") == content(write(tmp_path / "fresh", "new"))
    assert names(tmp_path) == ["fresh", "out"]


@pytest.mark.parametrize("name", ["x" * 300, "file/out"])
def test_out_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((OutputError, OSError)) as error:
        write(tmp_path / name)
    assert isinstance(error.value, OutputError), "an error of the operating system becomes one message"
    assert "\n" not in str(error.value)
    assert names(tmp_path) == ["file"]


# ---------------------------------------------------------------- faults at every step


class Trap:
    """Makes the ``at``-th operation that needs disk space fail, and all later ones if ``lasting``.

    Python calls audit hooks for every file it opens, names or renames; Arrow's own writes are counted by hand.
    """

    def __init__(self, folder: Path, at: int, lasting: bool) -> None:
        self.folder, self.at, self.lasting, self.steps = str(folder), at, lasting, 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.at or (self.lasting and self.steps > self.at):
            raise OSError(errno.ENOSPC, "No space left on device")

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in ("os.mkdir", "os.rename") or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR)):
            place = args[0] if isinstance(args[0], str | bytes | os.PathLike) else ""
            cleaning = event == "os.rename" and Path(os.fsdecode(args[1])).name.startswith(".")
            if os.fsdecode(place).startswith(self.folder) and not (cleaning and self.lasting):
                self.step()


Listener = Callable[[str, tuple[Any, ...]], None]
_listeners: list[Listener] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    for listener in _listeners:
        listener(event, args)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call ``listener`` at every audit event of Python."""
    if not hasattr(_hook, "added"):
        sys.addaudithook(_hook)  # cannot be removed; does nothing without a listener
        _hook.added = True  # type: ignore[attr-defined]
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def trapped(folder: Path, at: int, lasting: bool = False) -> Iterator[Trap]:
    trap = Trap(folder, at, lasting)
    steps = {name: getattr(writing.SplitWriter, name) for name in ("_open_shard", "_write_batch", "_close_shard")}

    def stepping(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any) -> Any:
            trap.step()
            return call(*args)

        return stepped

    with pytest.MonkeyPatch.context() as patch, listening(trap.hear):
        for name, call in steps.items():
            patch.setattr(writing.SplitWriter, name, stepping(call))
        yield trap


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_full_disk_at_every_step_keeps_the_old_dataset(there: bool, lasting: bool, tmp_path: Path) -> None:
    new = content(write(tmp_path / "new", "new"))
    refused = 0
    for at in range(1, 200):
        place = tmp_path / f"step{at}"
        place.mkdir()
        before = content(write(place / "out")) if there else {}
        with trapped(place, at, lasting) as trap:
            message = outcome(place / "out")
        if trap.steps < at:
            break
        refused += message is not None
        assert message is None or "the disk is full; no incomplete output was left behind" in message
        assert names(place) == (["out"] if there or message is None else [])
        if names(place):
            assert content(place / "out") == (new if message is None else before)
    assert message is None, "the last round met no fault"
    assert refused >= 14, "every step was tried"


def outcome(out: Path) -> str | None:
    """The message of a failed build; other exceptions propagate."""
    try:
        write(out, "new", overwrite=True)
    except OutputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
def test_errors_of_the_operating_system_are_one_message(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writing.SplitWriter, "_write_batch", refuse)
    with pytest.raises(OutputError) as error:
        write(tmp_path / "out")
    words = "the disk is full" if number in (errno.ENOSPC, errno.EDQUOT) else os.strerror(number)
    assert words in str(error.value)
    assert "no incomplete output was left behind" in str(error.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_any_exception_leaves_nothing_behind(kind: type[BaseException], tmp_path: Path) -> None:
    before = content(write(tmp_path / "out"))

    def interrupted() -> None:
        with DatasetWriter(tmp_path / "out", overwrite=True) as writer:
            writer.write("train", to_batch(pairs_of(5)))
            raise kind

    with pytest.raises(kind):
        interrupted()
    assert content(tmp_path / "out") == before
    assert names(tmp_path) == ["out"]


def source_of(path: Path, rows: int) -> str:
    solution = "He buys 3 * 4 = 12 pens.\nHe gives 5 away, so 12 - 5 = 7 are left.\n#### 7\nThe answer is: 7"
    lines = [json.dumps({"query": f"How many? ({index})", "response": solution}) + "\n" for index in range(rows)]
    path.write_text("".join(lines), "utf-8")
    return str(path)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("pages", [12, 16, 20, 40, 60, 100, 150])
def test_full_file_system(pages: int, workers: int, tmp_path: Path) -> None:
    few, many = source_of(tmp_path / "few.jsonl", 5), source_of(tmp_path / "many.jsonl", 2000)
    with small_disk(tmp_path / "disk", pages * 4096) as disk:
        old = build("metamath", disk / "out", BuildOptions((few,)))
        before = content(old.path)
        with pytest.raises(OutputError, match="the disk is full; no incomplete output was left behind"):
            build("metamath", disk / "out", BuildOptions((many,), workers=workers), overwrite=True)
        assert content(disk / "out") == before
        assert names(disk) == ["out"]
        assert not violations(open_pairs(disk / "out"))


# ---------------------------------------------------------------- half-written folders


def opens(folder: Path, cache: Path) -> bool:
    """Whether ``load_dataset`` or ``load_from_disk`` opens a folder."""
    try:
        datasets.load_dataset(str(folder), cache_dir=str(cache))
    except Exception:  # it raises a dozen kinds
        pass
    else:
        return True
    try:
        datasets.load_from_disk(str(folder))
    except Exception:
        return False
    return True


@pytest.mark.parametrize("overwrite", [False, True])
def test_no_tool_opens_a_hidden_folder_before_it_is_complete(overwrite: bool, tmp_path: Path) -> None:
    """At every change of the disk: neither the folder being written nor, later, the one being removed opens."""
    place, out = tmp_path / "place", tmp_path / "place" / "out"
    place.mkdir()
    before = content(write(out)) if overwrite else {}
    caches = (tmp_path / "cache" / str(number) for number in itertools.count())
    looking, looks = False, 0

    def look(event: str, args: tuple[Any, ...]) -> None:
        nonlocal looking, looks
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if looking or not (writes or event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir")):
            return
        looking = True
        for hidden in place.glob(".*"):
            assert not opens(hidden, next(caches))
            is_new = content(out) == before if out.exists() else not overwrite
            if is_new and opens(hidden / ".new", next(caches)):
                assert not violations(open_pairs(hidden / ".new"))
        looks += 1
        looking = False

    with listening(look):
        write(out, "new", overwrite)
    assert opens(out, next(caches)), "the check itself works"
    assert looks >= 15


# ---------------------------------------------------------------- damaged folders


def edit_manifest(**changes: Any) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        manifest = json.loads((out / MANIFEST).read_text())
        (out / MANIFEST).write_text(json.dumps({**manifest, **changes}))

    return change


def manifest_is(text: str | bytes) -> Callable[[Path], None]:
    return lambda out: (out / MANIFEST).write_bytes(text.encode() if isinstance(text, str) else text) and None


def shard_of(out: Path) -> Path:
    return out / "train" / "data-00000-of-00002.arrow"


def other_columns(out: Path) -> None:
    table = pa.table({"prompt": ["a"], "other": [1]})
    with pa.OSFile(str(shard_of(out)), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)


def manifest_is_a_folder(out: Path) -> None:
    (out / MANIFEST).unlink()
    (out / MANIFEST).mkdir()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda out: shutil.rmtree(out), "no such folder; create a dataset with `pairgen build NAME --out DIR`"),
        (lambda out: (out / MANIFEST).unlink(), "not a complete pairgen dataset; build it again"),
        (manifest_is_a_folder, "invalid manifest"),
        (manifest_is(""), "invalid manifest"),
        (manifest_is('{"format": 1'), "invalid manifest"),
        (manifest_is("[]"), "invalid manifest"),
        (manifest_is('"text"'), "invalid manifest"),
        (manifest_is("{}"), "invalid manifest"),
        (manifest_is(b"\xff\xfe"), "invalid manifest"),
        (manifest_is("[" * 100_000), "invalid manifest"),
        (edit_manifest(splits=None), "invalid manifest"),
        (edit_manifest(splits={"train": {"pairs": 1}}), "invalid manifest"),
        (edit_manifest(splits={"train": {"pairs": "many", "shards": []}}), "invalid manifest"),
        (edit_manifest(format=1), r"has format 1, but this release reads formats 2 to 5; build it again"),
        (lambda out: shard_of(out).unlink(), "listed in the manifest but missing; build the dataset again"),
        (lambda out: shutil.rmtree(out / "train"), "listed in the manifest but missing"),
        (lambda out: shard_of(out).write_bytes(b""), "cannot be read as pairs"),
        (lambda out: shard_of(out).write_bytes(b"garbage" * 99), "cannot be read as pairs"),
        (lambda out: os.truncate(shard_of(out), shard_of(out).stat().st_size // 2), "cannot be read as pairs"),
        (other_columns, "cannot be read as pairs"),
    ],
)
def test_damaged_dataset_is_one_message(harm: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    harm(out)
    with pytest.raises(InvalidDataset, match=words) as error:
        open_pairs(out).splits["train"].table()
    assert str(error.value).startswith(str(out))
    assert "\n" not in str(error.value)


def test_missing_column(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    other_columns(out)
    with pytest.raises(InvalidDataset, match="cannot be read as pairs"):
        list(open_pairs(out).splits["train"].batches(["chosen"]))


def test_batches_are_read_lazily(tmp_path: Path) -> None:
    batches = open_pairs(write(tmp_path / "out", shards=3)).splits["train"].batches()
    assert next(batches).num_rows == 5
    assert [batch.num_rows for batch in batches] == [5, 5]
    assert next(open_pairs(tmp_path / "out").splits["train"].batches()).schema == SCHEMA
