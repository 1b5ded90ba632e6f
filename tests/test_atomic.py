"""Atomic writes: concurrent writers, what killed processes leave, errors of the operating system."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from pairgen import atomic
from pairgen.atomic import SUFFIX, new_folder, os_errors, remove_stale, write_text
from pairgen.errors import OutputError


def write(path: Path, text: str) -> None:
    with new_folder(path) as folder:
        (folder / "file").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("can_exchange", [True, False])
def test_new_folder_replaces_all_of_the_old_one(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    for text in ("first", "second"):
        write(tmp_path / "out", text)
        assert (tmp_path / "out" / "file").read_text() == text
        assert names(tmp_path / "out") == ["file"]
        assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, OSError])
def test_new_folder_leaves_nothing_after_an_error(kind: type[BaseException], tmp_path: Path) -> None:
    write(tmp_path / "out", "old")

    def interrupted() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "file").write_text("new")
            raise kind

    with pytest.raises((kind, OutputError)):
        interrupted()
    assert (tmp_path / "out" / "file").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_write_text_replaces_a_file(tmp_path: Path) -> None:
    for text in ("first", "zweite, länger"):
        write_text(tmp_path / "a" / "config.toml", text)
        assert (tmp_path / "a" / "config.toml").read_text("utf-8") == text
    assert names(tmp_path / "a") == ["config.toml"]


def test_concurrent_writers_do_not_disturb_each_other(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as slow:
        (slow / "file").write_text("slow")
        write(tmp_path / "out", "quick")
        write_text(tmp_path / "file", "text")
        assert (tmp_path / "out" / "file").read_text() == "quick"
    assert (tmp_path / "out" / "file").read_text() == "slow"
    assert names(tmp_path) == ["file", "out"]


def test_a_new_folder_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write(tmp_path / "out", "text")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


# ---------------------------------------------------------------- what killed processes leave


def left_behind(tmp_path: Path, name: str = f".out.12345678{SUFFIX}") -> Path:
    (tmp_path / name / ".new" / "train").mkdir(parents=True)
    (tmp_path / name / ".new" / "train" / "00000.incomplete").write_bytes(b"half a shard")
    return tmp_path / name


def test_stale_folders_are_removed_and_nothing_else(tmp_path: Path) -> None:
    left_behind(tmp_path)
    left_behind(tmp_path, f".[other]*.abcdefgh{SUFFIX}")
    others = [".out.12345678.other", f"out.12345678{SUFFIX}", ".hidden"]
    for name in others:
        left_behind(tmp_path, name)
    write(tmp_path / "out", "text")
    assert names(tmp_path) == sorted([*others, "out"])


def test_the_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    left = left_behind(tmp_path)
    code = (
        "import fcntl,os,sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(flush=True); input()"
    )
    words = [sys.executable, "-c", code, str(left)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout
        living.stdout.readline()
        write(tmp_path / "out", "first")
        assert names(tmp_path) == [left.name, "out"]
        living.communicate(b"\n")
    write(tmp_path / "out", "second")
    assert names(tmp_path) == ["out"]


def test_a_kill_between_two_renames_is_undone(tmp_path: Path) -> None:
    """Where two folders cannot be exchanged, the old one is out of place for a moment."""
    write(tmp_path / "my.out", "old")
    left = left_behind(tmp_path, f".my.out.12345678{SUFFIX}")
    (tmp_path / "my.out").rename(left / ".old")
    remove_stale(tmp_path)
    assert (tmp_path / "my.out" / "file").read_text() == "old"
    assert names(tmp_path) == ["my.out"]


def test_a_failed_rename_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "out", "old")
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name == ".new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="Input/output error"):
        write(tmp_path / "out", "new")
    assert (tmp_path / "out" / "file").read_text() == "old"
    assert names(tmp_path) == ["out"]


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (SafetensorError("I/O error: Permission denied"), "cannot be written (I/O error: Permission denied)"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be written (Permission denied)"),
        (OSError("without a number"), "cannot be written (without a number)"),
    ],
)
def test_os_errors_are_one_message(error: Exception, words: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as raised, os_errors(tmp_path):
        raise error
    assert str(raised.value).startswith(f"{tmp_path}: {words}")
    assert "no incomplete output was left behind" in str(raised.value)


def test_other_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(KeyError), os_errors(tmp_path):
        raise KeyError("a bug")
