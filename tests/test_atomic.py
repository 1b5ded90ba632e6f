"""Atomic writes: concurrent writers, leftovers of killed processes, errors of the operating system."""

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
def test_new_folder_replaces_an_existing_folder(
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
def test_new_folder_keeps_the_old_folder_after_an_error(kind: type[BaseException], tmp_path: Path) -> None:
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


def test_new_folder_and_write_text_allow_concurrent_writers(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as slow:
        (slow / "file").write_text("slow")
        write(tmp_path / "out", "quick")
        write_text(tmp_path / "file", "text")
        assert (tmp_path / "out" / "file").read_text() == "quick"
    assert (tmp_path / "out" / "file").read_text() == "slow"
    assert names(tmp_path) == ["file", "out"]


def test_new_folder_has_default_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    write(tmp_path / "out", "text")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


# ---------------------------------------------------------------- leftovers of killed processes


def make_stale_folder(tmp_path: Path, name: str = f".out.12345678{SUFFIX}") -> Path:
    (tmp_path / name / ".new" / "train").mkdir(parents=True)
    (tmp_path / name / ".new" / "train" / "00000.incomplete").write_bytes(b"half a shard")
    return tmp_path / name


def test_new_folder_removes_stale_folders_only(tmp_path: Path) -> None:
    make_stale_folder(tmp_path)
    make_stale_folder(tmp_path, f".[other]*.abcdefgh{SUFFIX}")
    others = [".out.12345678.other", f"out.12345678{SUFFIX}", ".hidden"]
    for name in others:
        make_stale_folder(tmp_path, name)
    write(tmp_path / "out", "text")
    assert names(tmp_path) == sorted([*others, "out"])


def test_new_folder_keeps_the_folder_of_a_running_process(tmp_path: Path) -> None:
    stale = make_stale_folder(tmp_path)
    code = (
        "import fcntl,os,sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(stale)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        write(tmp_path / "out", "first")
        assert names(tmp_path) == [stale.name, "out"]
        process.communicate(b"\n")
    write(tmp_path / "out", "second")
    assert names(tmp_path) == ["out"]


def test_remove_stale_restores_a_folder_after_a_kill_between_renames(tmp_path: Path) -> None:
    """Without an atomic exchange, the old folder is moved away before the new one takes its name."""
    write(tmp_path / "my.out", "old")
    stale = make_stale_folder(tmp_path, f".my.out.12345678{SUFFIX}")
    (tmp_path / "my.out").rename(stale / ".old")
    remove_stale(tmp_path)
    assert (tmp_path / "my.out" / "file").read_text() == "old"
    assert names(tmp_path) == ["my.out"]


def test_new_folder_restores_the_old_folder_after_a_failed_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (SafetensorError("I/O error: Permission denied"), "cannot be written (I/O error: Permission denied)"),
        (OSError(errno.EACCES, "Permission denied"), "cannot be written (Permission denied)"),
        (OSError("no error number"), "cannot be written (no error number)"),
    ],
)
def test_os_errors_raises_one_message(error: Exception, message: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as raised, os_errors(tmp_path):
        raise error
    assert str(raised.value).startswith(f"{tmp_path}: {message}")
    assert "no incomplete output was left behind" in str(raised.value)


def test_os_errors_passes_other_errors_through(tmp_path: Path) -> None:
    with pytest.raises(KeyError), os_errors(tmp_path):
        raise KeyError("a bug")
