"""The store: whole or not at all. Round trips, what may be replaced, faults at every step, damaged folders."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

from pairgen.building.pipeline import build
from pairgen.errors import InvalidDataset, OutputError, OutputExists
from pairgen.pairs import dataset as store
from pairgen.pairs import writing as newfolder
from pairgen.pairs.dataset import MANIFEST, PartWriter, open_pairs, write_part
from pairgen.pairs.record import SCHEMA, Pair, to_batch
from pairgen.pairs.validate import violations
from pairgen.pairs.writing import NewFolder, sweep

README = (
    "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: train/*.arrow\n---\nPairs.\n"
)


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


def write(out: Path, word: str = "old", overwrite: bool = False, parts: int = 2) -> Path:
    """A dataset of ``parts`` shards of five pairs, straight through the store."""
    with NewFolder(out, overwrite) as folder:
        about = {
            number: write_part(folder.path, "train", number, [to_batch(pairs_of(5, f"{word}{number}"))])
            for number in range(parts)
        }
        splits = folder.name_parts({"train": {"rows": 5 * parts, "drops": {}, "parts": about}})
        folder.commit({"dataset": "metamath", "splits": splits}, README)
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# ---------------------------------------------------------------- whole folders


def test_round_trip(tmp_path: Path) -> None:
    dataset = open_pairs(write(tmp_path / "out", parts=3))
    rows = [*pairs_of(5, "old0"), *pairs_of(5, "old1"), *pairs_of(5, "old2")]
    assert dataset.splits["train"].table().to_pylist() == to_batch(rows).to_pylist()
    assert dataset.splits["train"].pairs == 15
    assert dataset.splits["train"].table(["pair_id", "prompt"]).schema.names == ["pair_id", "prompt"]
    assert dataset.manifest["format"] == store.FORMAT
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["README.md", "dataset_dict.json", MANIFEST, "train"]


def test_parts_are_named_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    with NewFolder(tmp_path / "out") as folder:
        about = {n: write_part(folder.path, "train", n, [to_batch(pairs_of(1, f"n{n}"))]) for n in (30, 4, 100)}
        splits = folder.name_parts({"train": {"rows": 3, "drops": {}, "parts": about}})
        folder.commit({"splits": splits}, README)
    ids = open_pairs(tmp_path / "out").splits["train"].table(["pair_id"]).column(0).to_pylist()
    assert ids == ["n40-0", "n300-0", "n1000-0"]


def test_other_tools_open_it(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    rows = open_pairs(out).splits["train"].table().to_pylist()
    assert datasets.load_from_disk(str(out))["train"].to_list() == rows
    assert datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"].to_list() == rows


def test_equal_data_is_equal_bytes(tmp_path: Path) -> None:
    assert content(write(tmp_path / "a")) == content(write(tmp_path / "b"))


def test_folders_have_the_rights_of_any_new_folder(tmp_path: Path) -> None:
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
        (write, False, "is there already; replace it with --overwrite"),
        *(
            (make, overwrite, words)
            for make, words in [
                (make_file, "is a file or a link"),
                (make_link, "is a file or a link"),
                (make_dead_link, "is a file or a link"),
                (make_foreign, "holds files that pairgen did not write"),
                (make_hidden, "holds files that pairgen did not write"),
            ]
            for overwrite in (False, True)
        ),
    ],
)
def test_what_is_never_replaced(make: Callable[[Path], object], overwrite: bool, words: str, tmp_path: Path) -> None:
    make(tmp_path / "out")
    before = content(tmp_path)
    with pytest.raises(OutputExists, match=words) as error:
        write(tmp_path / "out", "new", overwrite)
    assert str(error.value).startswith(str(tmp_path / "out"))
    assert content(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_folder_is_filled(overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", overwrite=overwrite)
    assert open_pairs(tmp_path / "out").splits["train"].pairs == 10
    assert names(tmp_path) == ["out"]


def test_overwrite_replaces_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "out", parts=4)
    (tmp_path / "out" / "notes.txt").write_text("goes with the old data")
    write(tmp_path / "out", "new", overwrite=True, parts=1)
    assert content(tmp_path / "out") == content(write(tmp_path / "fresh", "new", parts=1))
    assert names(tmp_path) == ["fresh", "out"]


def test_parents_are_made(tmp_path: Path) -> None:
    assert open_pairs(write(tmp_path / "a" / "b" / "out")).splits["train"].pairs == 10


def test_what_came_in_between_is_not_replaced(tmp_path: Path) -> None:
    def race() -> None:
        with NewFolder(tmp_path / "out") as folder:
            write(tmp_path / "out", "quicker")
            folder.commit({"splits": {}}, README)

    with pytest.raises(OutputExists, match="is there already"):
        race()
    assert open_pairs(tmp_path / "out").splits["train"].pairs == 10
    assert names(tmp_path) == ["out"]


def test_a_file_system_that_cannot_swap_keeps_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(write(tmp_path / "out"))
    monkeypatch.setattr(newfolder, "_exchange", lambda *_: False)
    with pytest.raises(OutputError, match="cannot swap two folders at once; remove the old one first"):
        write(tmp_path / "out", "new", overwrite=True)
    assert content(tmp_path / "out") == before
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["x" * 300, "file/out"])
def test_a_place_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((OutputError, OSError)) as error:
        write(tmp_path / name)
    assert isinstance(error.value, OutputError), "the operating system's refusal is put into one sentence"
    assert "\n" not in str(error.value)
    assert names(tmp_path) == ["file"]


# ---------------------------------------------------------------- faults at every step


class Trap:
    """Makes the operating system refuse the ``at``-th step that takes room on disk, and all later ones if ``lasting``.

    Python tells audit hooks of every file it opens, names or renames; Arrow's own writes are counted by hand.
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


_set: list[Trap] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    for trap in _set:
        trap.hear(event, args)


@contextmanager
def trapped(folder: Path, at: int, lasting: bool = False) -> Iterator[Trap]:
    if not hasattr(_hook, "added"):
        sys.addaudithook(_hook)  # it stays for the life of the process, and does nothing without a trap
        _hook.added = True  # type: ignore[attr-defined]
    trap = Trap(folder, at, lasting)
    enter, append, leave = PartWriter.__enter__, PartWriter.write, PartWriter.__exit__

    def stepping(call: Callable[..., Any], first: bool) -> Callable[..., Any]:
        def stepped(*args: Any) -> Any:
            if first:
                trap.step()
                return call(*args)
            answer = call(*args)
            trap.step()
            return answer

        return stepped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartWriter, "__enter__", stepping(enter, True))
        patch.setattr(PartWriter, "write", stepping(append, True))
        patch.setattr(PartWriter, "__exit__", stepping(leave, False))
        _set.append(trap)
        try:
            yield trap
        finally:
            _set.remove(trap)


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_at_any_step_leaves_the_old_and_nothing_else(there: bool, lasting: bool, tmp_path: Path) -> None:
    new = content(write(tmp_path / "new", "new"))
    refused = 0
    for at in range(1, 200):
        place = tmp_path / f"step{at}"
        place.mkdir()
        before = content(write(place / "out")) if there else {}
        with trapped(place, at, lasting) as trap:
            said = outcome(place / "out")
        if trap.steps < at:
            break
        refused += said is not None
        assert said is None or "the disk is full; nothing was left behind" in said
        assert names(place) == (["out"] if there or said is None else [])
        if names(place):
            assert content(place / "out") == (new if said is None else before)
    assert said is None, "the last round met no fault"
    assert refused >= 14, "every step was tried"


def outcome(out: Path) -> str | None:
    """What a build says that is not allowed to fail in another way."""
    try:
        write(out, "new", overwrite=True)
    except OutputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
def test_what_the_operating_system_refuses_is_one_sentence(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(PartWriter, "write", refuse)
    with pytest.raises(OutputError) as error:
        write(tmp_path / "out")
    words = "the disk is full" if number in (errno.ENOSPC, errno.EDQUOT) else os.strerror(number)
    assert words in str(error.value)
    assert "nothing was left behind" in str(error.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_whatever_ends_it_nothing_is_left(kind: type[BaseException], tmp_path: Path) -> None:
    before = content(write(tmp_path / "out"))

    def interrupted() -> None:
        with NewFolder(tmp_path / "out", overwrite=True) as folder:
            write_part(folder.path, "train", 0, [to_batch(pairs_of(5))])
            raise kind

    with pytest.raises(kind):
        interrupted()
    assert content(tmp_path / "out") == before
    assert names(tmp_path) == ["out"]


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    folder.mkdir()
    mount = shutil.which("mount")
    words = [mount or "", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if not mount or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def source_of(path: Path, rows: int) -> str:
    solution = "He buys 3 * 4 = 12 pens.\nHe gives 5 away, so 12 - 5 = 7 are left.\n#### 7\nThe answer is: 7"
    lines = [json.dumps({"query": f"How many? ({index})", "response": solution}) + "\n" for index in range(rows)]
    path.write_text("".join(lines), "utf-8")
    return str(path)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("pages", [12, 16, 20, 40, 60, 100, 150])
def test_a_disk_that_is_really_full(pages: int, workers: int, tmp_path: Path) -> None:
    few, many = source_of(tmp_path / "few.jsonl", 5), source_of(tmp_path / "many.jsonl", 2000)
    with small_disk(tmp_path / "disk", pages * 4096) as disk:
        old = build("metamath", disk / "out", [few])
        before = content(old.path)
        with pytest.raises(OutputError, match="the disk is full; nothing was left behind"):
            build("metamath", disk / "out", [many], workers=workers, overwrite=True)
        assert content(disk / "out") == before
        assert names(disk) == ["out"]
        assert not violations(open_pairs(disk / "out"))


# ---------------------------------------------------------------- what killed builds leave


def left_behind(tmp_path: Path, name: str = ".out.x1y2.building") -> Path:
    left = tmp_path / name
    (left / "train").mkdir(parents=True)
    (left / "train" / "00000000.part").write_bytes(b"half a part")
    return left


def test_leftovers_of_killed_builds_are_swept(tmp_path: Path) -> None:
    left_behind(tmp_path)
    left_behind(tmp_path, ".out.second.building")
    kept = ["..out.x.building", ".out.x.other", ".outer.x.building", ".other.x.building", "out.x.building"]
    for name in kept:
        left_behind(tmp_path, name)
    write(tmp_path / "out")
    assert names(tmp_path) == sorted([*kept, "out"])


def test_the_signs_of_patterns_in_a_name_are_taken_as_they_are(tmp_path: Path) -> None:
    left_behind(tmp_path, ".a[b]*.x.building")
    left_behind(tmp_path, ".abz.x.building")
    sweep(tmp_path / "a[b]*")
    assert names(tmp_path) == [".abz.x.building"]


def test_a_folder_that_a_living_build_holds_is_kept(tmp_path: Path) -> None:
    left = left_behind(tmp_path)
    code = (
        "import fcntl,os,sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(flush=True); input()"
    )
    words = [sys.executable, "-c", code, str(left)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout
        living.stdout.readline()
        write(tmp_path / "out")
        assert names(tmp_path) == [left.name, "out"]
        living.communicate(b"\n")
    write(tmp_path / "out", "new", overwrite=True)
    assert names(tmp_path) == ["out"]


def test_the_lock_is_given_back(tmp_path: Path) -> None:
    write(tmp_path / "out")
    descriptor = os.open(tmp_path / "out", os.O_RDONLY)
    try:
        assert fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB) is None
    finally:
        os.close(descriptor)


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


def test_no_tool_opens_a_half_written_folder(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    place = tmp_path / "place"
    place.mkdir()
    with NewFolder(place / "out") as folder:
        assert not opens(folder.path, cache)
        with PartWriter(folder.path, "train", 0) as writer:
            writer.write(to_batch(pairs_of(5)))
            assert not opens(folder.path, cache)
        assert not opens(folder.path, cache)
        about = {0: writer.about(), 1: write_part(folder.path, "train", 1, [to_batch(pairs_of(5, "more"))])}
        splits = folder.name_parts({"train": {"rows": 10, "drops": {}, "parts": about}})
        assert not opens(folder.path, cache), "data has its names, but there is no manifest"
        with pytest.raises(InvalidDataset):
            open_pairs(folder.path)
        manifest = {"dataset": "metamath", "splits": splits}
        newfolder._write_json(folder.path / MANIFEST, {"format": store.FORMAT, **manifest})
        assert not opens(folder.path, cache)
        folder.commit(manifest, README)
    assert opens(place / "out", cache), "the check itself works"
    assert names(place) == ["out"]


@pytest.mark.parametrize("splits", [("train",), ("train", "eval")])
def test_no_tool_opens_what_is_left_of_a_folder_being_removed(splits: tuple[str, ...], tmp_path: Path) -> None:
    """An old dataset is removed under its hidden name; at each step it opens whole, or not at all."""
    files = "".join(f"  - split: {split}\n    path: {split}/*.arrow\n" for split in splits)
    old = tmp_path / ".out.x.building"
    with NewFolder(tmp_path / "whole") as folder:
        described = folder.name_parts(
            {
                split: {
                    "rows": 5,
                    "drops": {},
                    "parts": {n: write_part(folder.path, split, n, [to_batch(pairs_of(5, f"{split}{n}"))])},
                }
                for n, split in enumerate(splits)
            }
        )
        readme = f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n"
        folder.commit({"dataset": "metamath", "splits": described}, readme)
    steps = 0

    def look() -> None:
        nonlocal steps
        steps += 1
        if old.is_dir() and opens(old, tmp_path / f"cache{steps}"):
            assert not violations(open_pairs(old))

    seen = {"busy": False}

    def hook(event: str, _: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.remove", "os.rmdir") and not seen["busy"] and active:
            seen["busy"] = True
            try:
                look()
            finally:
                seen["busy"] = False

    active = [True]
    sys.addaudithook(hook)
    shutil.copytree(tmp_path / "whole", old)
    try:
        newfolder._remove(old)
    finally:
        active.clear()
    assert not old.exists()
    assert steps > 5 * len(splits)


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
        (lambda out: shutil.rmtree(out), "no such folder; make one with `pairgen build NAME --out"),
        (lambda out: (out / MANIFEST).unlink(), "not a whole pairgen dataset; build it again"),
        (manifest_is_a_folder, "not a pairgen manifest"),
        (manifest_is(""), "not a pairgen manifest"),
        (manifest_is('{"format": 1'), "not a pairgen manifest"),
        (manifest_is("[]"), "not a pairgen manifest"),
        (manifest_is('"text"'), "not a pairgen manifest"),
        (manifest_is("{}"), "not a pairgen manifest"),
        (manifest_is(b"\xff\xfe"), "not a pairgen manifest"),
        (manifest_is("[" * 100_000), "not a pairgen manifest"),
        (edit_manifest(splits=None), "not a pairgen manifest"),
        (edit_manifest(splits={"train": {"pairs": 1}}), "not a pairgen manifest"),
        (edit_manifest(splits={"train": {"pairs": "many", "shards": []}}), "not a pairgen manifest"),
        (edit_manifest(format=1), r"written in format 1, this release reads 2; build it again"),
        (lambda out: shard_of(out).unlink(), "named in the manifest but not there; build the dataset again"),
        (lambda out: shutil.rmtree(out / "train"), "named in the manifest but not there"),
        (lambda out: shard_of(out).write_bytes(b""), "cannot be read as pairs"),
        (lambda out: shard_of(out).write_bytes(b"garbage" * 99), "cannot be read as pairs"),
        (lambda out: os.truncate(shard_of(out), shard_of(out).stat().st_size // 2), "cannot be read as pairs"),
        (other_columns, "cannot be read as pairs"),
    ],
)
def test_a_damaged_folder_is_one_sentence(harm: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    harm(out)
    with pytest.raises(InvalidDataset, match=words) as error:
        open_pairs(out).splits["train"].table()
    assert str(error.value).startswith(str(out))
    assert "\n" not in str(error.value)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    out = write(tmp_path / "out")
    other_columns(out)
    with pytest.raises(InvalidDataset, match="cannot be read as pairs"):
        list(open_pairs(out).splits["train"].batches(["chosen"]))


def test_an_open_dataset_reads_from_the_disk_as_it_goes(tmp_path: Path) -> None:
    batches = open_pairs(write(tmp_path / "out", parts=3)).splits["train"].batches()
    assert next(batches).num_rows == 5
    assert [batch.num_rows for batch in batches] == [5, 5]
    assert next(open_pairs(tmp_path / "out").splits["train"].batches()).schema == SCHEMA
