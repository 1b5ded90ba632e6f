"""Builds that are killed or interrupted at any moment: the old output stays; an incomplete one cannot be opened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from pairgen.atomic import SUFFIX
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.dataset import MANIFEST, open_pairs
from pairgen.pairs.validate import violations


@pytest.fixture(autouse=True)
def _no_progress_bars() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def source_of(path: Path, rows: int) -> Path:
    lines = []
    for index in range(rows):
        a, b = index + 2, index % 7 + 2
        question = f"Ann packs {a} boxes with {b} pens and finds one more. How many pens?"
        steps = f"She packs {a} * {b} = {a * b} pens.\nWith one more, {a * b} + 1 = {a * b + 1}."
        response = f"{steps}\n#### {a * b + 1}\nThe answer is: {a * b + 1}"
        lines.append(json.dumps({"query": question, "original_question": question, "response": response}) + "\n")
    path.write_text("".join(lines), "utf-8")
    return path


def start(source: Path, out: Path, *words: object, cache: Path) -> subprocess.Popen[str]:
    """A build as a person starts it, in a process group of its own."""
    command = [sys.executable, "-m", "pairgen", "build", "metamath", "--source", source, "--out", out, *words]
    return subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, "HF_DATASETS_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(out: Path) -> list[int]:
    """Processes that have the folder in their command line: a build, and the workers forked from it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:  # it ended meanwhile
                continue
            if os.fsencode(out) in words and state != "Z":
                found.append(int(entry.name))
    return found


def assert_all_end(out: Path, seconds: float = 10) -> None:
    """No worker survives its parent."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(out)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, "a worker outlived its parent"


def data_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.arrow"))}


def opens(folder: Path, cache: Path) -> bool:
    try:
        datasets.load_dataset(str(folder), cache_dir=str(cache))
    except Exception:  # it raises a dozen kinds
        return False
    return True


def assert_complete_or_unopenable(parent: Path, cache: Path) -> list[str]:
    """No folder that other tools open is an incomplete dataset. Returns the names of those that open."""
    opened = []
    for number, folder in enumerate(sorted(parent.iterdir())):
        if folder.is_dir() and opens(folder, cache / str(number)):
            assert not violations(open_pairs(folder)), f"{folder} opens, but is incomplete"
            opened.append(folder.name)
    return opened


# ---------------------------------------------------------------- SIGKILL at random moments


def kill_many(tmp_path: Path, kills: int, rows: int, seed: int) -> None:
    """Kill builds, in turn over an old output and beside it, with one worker and with two."""
    draws = random.Random(seed)
    source, place, cache = source_of(tmp_path / "rows.jsonl", rows), tmp_path / "place", tmp_path / "cache"
    complete = [
        data_of(build("metamath", tmp_path / f"complete{n}", BuildOptions((str(source),), seed=n)).path) for n in (0, 1)
    ]
    old = build("metamath", place / "old", BuildOptions((str(source),), seed=0)).path
    begun = time.monotonic()
    with start(source, tmp_path / "timed", "--workers", 2, cache=cache) as timed:
        assert timed.wait(120) == 0
    duration = time.monotonic() - begun
    killed = 0
    half_written: set[str] = set()
    for number in range(kills):
        over = number % 2 == 0
        out = old if over else place / "new"
        words = ["--seed", 1, "--workers", 1 + number // 2 % 2, *(["--overwrite"] if over else [])]
        with start(source, out, *words, cache=cache) as process:
            begun = time.monotonic()
            try:
                process.wait(draws.uniform(0.15, 1.1) * duration)  # before that, Python itself is starting
                duration = time.monotonic() - begun  # the machine is less busy than when this was measured
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        killed += process.returncode == -signal.SIGKILL
        assert_all_end(out)
        half_written |= {entry.name for entry in place.iterdir() if entry.name.endswith(SUFFIX)}
        opened = assert_complete_or_unopenable(place, cache / str(number))
        assert "old" in opened, "the old output stays complete"
        assert data_of(old) in complete
        if (place / "new").exists():
            assert data_of(place / "new") == complete[1], "a new output is complete as soon as it exists"
            (place / "new").rename(tmp_path / f"taken{number}")
        if data_of(old) == complete[1]:
            old.rename(tmp_path / f"taken{number}")
            build("metamath", old, BuildOptions((str(source),), seed=0))
    assert killed >= kills // 2, "most kills met a living build"
    assert len(half_written) >= max(1, kills // 8), "enough kills came in mid-write"
    for out in (old, place / "new"):
        build("metamath", out, BuildOptions((str(source),)), overwrite=True)
    assert sorted(entry.name for entry in place.iterdir()) == ["new", "old"], "later builds remove stale folders"


@pytest.mark.slow
def test_kill_at_a_few_random_times(tmp_path: Path) -> None:
    kill_many(tmp_path, kills=6, rows=2_000, seed=1)


@pytest.mark.slow
def test_kill_at_two_hundred_random_times(tmp_path: Path) -> None:
    kill_many(tmp_path, kills=200, rows=6_000, seed=2)


# ---------------------------------------------------------------- SIGKILL at every step

# Runs in a process of its own, which has one thread and can fork: for each number read, build in a child that kills
# itself before its change of the disk with that number, and answer whether the child got that far.
KILLER = """
import os, signal, sys, traceback
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build

STEPS = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "ctypes.dlopen", "ctypes.dlsym")
source, out = sys.argv[1:]
for line in sys.stdin:
    child = os.fork()
    if not child:
        steps = 0

        def hook(event, args):
            global steps
            writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in STEPS:
                steps += 1
                if steps == int(line):
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            build("metamath", out, BuildOptions((source,), seed=1, eval_size=4), overwrite=True)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print("died" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}", flush=True)
"""


@pytest.mark.slow
def test_kill_at_every_step(tmp_path: Path) -> None:
    source = source_of(tmp_path / "rows.jsonl", 20)
    options = [BuildOptions(seed=seed, eval_size=4) for seed in (0, 1)]
    complete = [
        data_of(build("metamath", tmp_path / f"complete{n}", replace(options[n], source=(str(source),))).path)
        for n in (0, 1)
    ]
    place = tmp_path / "place"
    out = place / "old"
    killer = subprocess.Popen(
        [sys.executable, "-c", KILLER, str(source), str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killer.stdin
    assert killer.stdout
    outcomes = []
    for at in range(1, 400):
        if not out.exists() or data_of(out) != complete[0]:
            build("metamath", out, replace(options[0], source=(str(source),)), overwrite=True)
        killer.stdin.write(f"{at}\n")
        killer.stdin.flush()
        answer = killer.stdout.readline().strip()
        assert answer in ("died", "ended 0"), "the build failed without being killed"
        died = answer == "died"
        opened = assert_complete_or_unopenable(place, tmp_path / "cache" / str(at))
        assert "old" in opened, "the old output stays complete"
        assert data_of(out) in complete
        if not died:
            break
        outcomes.append(data_of(out) == complete[1])
    killer.stdin.close()
    assert killer.wait(10) == 0
    assert not died, "the last round ran to its end"
    assert data_of(out) == complete[1]
    assert outcomes[0] is False
    assert outcomes[-1] is True, "some kills came after the swap, while the old data was cleared away"
    assert outcomes == sorted(outcomes), (
        "there is one moment before which everything is old and after which everything is new"
    )
    assert len(outcomes) > 20
    assert [entry.name for entry in place.iterdir()] == ["old"]


# ---------------------------------------------------------------- Ctrl-C


def wait_for_part(place: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size for part in place.glob(f".*{SUFFIX}/.new/train/*.incomplete")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("whole_group", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_interrupt_is_one_message_and_keeps_the_old_dataset(workers: int, whole_group: bool, tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to the whole group, ``kill -INT`` to the one process."""
    place = tmp_path / "place"
    build("metamath", place / "old", BuildOptions((str(source_of(tmp_path / "few.jsonl", 20)),)))
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    source = source_of(tmp_path / "rows.jsonl", 60_000)
    words = ["--workers", workers, "--overwrite"]
    with start(source, place / "old", *words, cache=tmp_path / "cache") as process:
        wait_for_part(place, process)
        if whole_group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == ""
    assert complained.splitlines()[-1].startswith("pairgen: interrupted; nothing was written to ")
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before
    assert [entry.name for entry in place.iterdir()] == ["old"]
    assert (place / "old" / MANIFEST).is_file()
    assert_all_end(place / "old")
