"""Builds that end early and are resumed: equal bytes in all files, and little is converted twice."""

import errno
import fcntl
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.folders import content
from helpers.sample_rows import row
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import Result

from pairgen import atomic
from pairgen.atomic import CHECKPOINT, SUFFIX
from pairgen.building import pipeline
from pairgen.building.convert import convert
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.errors import InvalidRow, OutputError, SourceError, UsageError
from pairgen.pairs.dataset import open_pairs
from pairgen.pairs.record import Pair, to_batch
from pairgen.pairs.writing import DatasetWriter, shards
from pairgen.sources import formats
from pairgen.stats import describe


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, record batches and shards of a few rows."""
    monkeypatch.setattr(formats, "BLOCK_BYTES", 2500)
    monkeypatch.setattr(shards, "BATCH_ROWS", 5)
    monkeypatch.setattr(shards, "SHARD_BYTES", 12_000)


def write(path: Path, rows: list[Any]) -> str:
    """Rows as JSON Lines; a string is a line as it is."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    path.write_text("".join(line + "\n" for line in lines), "utf-8")
    return str(path)


def rows_of(count: int) -> list[Any]:
    """Rows, some of them several times, some that yield no pair, and some that cannot be read."""
    rows: list[Any] = [row("metamath", index) for index in range(count)]
    rows += [*rows[:10], {**rows[0], "response": "None."}, "not JSON", *rows[:3]]
    rows[30:30] = ["not JSON", {**rows[0], "query": None}, rows[0]]
    return rows


LATE = 14
"""The number of a block of these rows, near the end."""


def hidden(parent: Path) -> list[Path]:
    return list(parent.glob(f".*{SUFFIX}"))


class Stop:
    """Counts the blocks that are converted, and raises an error at one of them."""

    def __init__(self, at: int | None = None, error: BaseException | None = None) -> None:
        self.at, self.error, self.blocks = at, error or KeyboardInterrupt(), 0

    def convert(self, *arguments: Any) -> Any:
        if self.blocks == self.at:
            raise self.error
        self.blocks += 1
        return convert(*arguments)


@contextmanager
def stopping(at: int | None = None, error: BaseException | None = None) -> Iterator[Stop]:
    stop = Stop(at, error)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "convert", stop.convert)
        yield stop


def stopped(out: Path, options: BuildOptions, at: int, error: BaseException | None = None) -> int:
    """Build until the block with number ``at``. Returns how many were converted."""
    with stopping(at, error) as stop, pytest.raises(type(stop.error)):
        build("metamath", out, options, overwrite=True)
    return stop.blocks


OPTIONS = {
    "plain": {},
    "splits": {"eval_size": 12, "pairs_per_row": 2},
    "shots": {"shots": 2, "shots_per_row": True, "limit": 40},
    "part": {"eval_size": 6, "shard": "1/2"},
}


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPTIONS)
def test_resumed_at_many_blocks(name: str, step: int, tmp_path: Path) -> None:
    """All files and the list of drops are those of one build, wherever it is stopped, and also if it is twice."""
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip", **OPTIONS[name])
    options = replace(options, drops=str(tmp_path / "drops.jsonl"))
    with stopping() as whole:
        out = build("metamath", tmp_path / "whole" / "out", options).path
    before, drops = content(out), (tmp_path / "drops.jsonl").read_bytes()
    assert sum(len(split["shards"]) for split in open_pairs(out).manifest["splits"].values()) > 3
    again = replace(options, resume=True)
    redone = []
    moments = range(2, whole.blocks, step)
    for at in moments:
        (tmp_path / "drops.jsonl").unlink()
        place = tmp_path / f"at{at}"
        done = stopped(place / "out", options, at)
        resumes = bool(hidden(place))
        if at % 3 == 0:
            done += stopped(place / "out", again, 1)
        with stopping() as rest:
            resumed = build("metamath", place / "out", again)
        assert content(resumed.path) == before
        assert (tmp_path / "drops.jsonl").read_bytes() == drops
        assert not hidden(place)
        if resumes:
            redone.append(done + rest.blocks - whole.blocks)
    assert len(redone) >= len(moments) / 2, "most of them were resumed"
    assert max(redone) <= 1 + blocks_of_a_shard(tmp_path, options), "the blocks of one shard, at most"


def blocks_of_a_shard(folder: Path, options: BuildOptions) -> int:
    """The most blocks between two checkpoints."""
    saved: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatasetWriter, "save", lambda _, note: saved.append(note["tally"]["blocks"]))
        build("metamath", folder / "again", options)
    return max(after - before for before, after in itertools.pairwise([0, *saved]))


def test_workers_may_change(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    whole = content(build("metamath", tmp_path / "whole" / "out", options).path)
    stopped(tmp_path / "out", options, LATE)
    assert hidden(tmp_path)
    resumed = build("metamath", tmp_path / "out", replace(options, resume=True, workers=2))
    assert content(resumed.path) == whole


def test_without_anything_to_resume_it_builds(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", rows_of(6))
    options = BuildOptions((source,), on_error="skip")
    warnings: list[str] = []
    resumed = build("metamath", tmp_path / "a" / "out", replace(options, resume=True), warn=warnings.append)
    assert content(resumed.path) == content(build("metamath", tmp_path / "b" / "out", options).path)
    assert not any(line.startswith("resuming") for line in warnings)
    stopped(tmp_path / "c" / "out", options, 1)
    assert not hidden(tmp_path / "c"), "no shard was complete, so nothing is kept"


@pytest.mark.parametrize("part", [None, "0/2"])
def test_a_complete_build_is_not_built_again(part: str | None, tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(12)),), on_error="skip", shard=part)
    again = replace(options, resume=True)
    before = build("metamath", tmp_path / "out", options).manifest
    warnings: list[str] = []
    with stopping() as stop:
        assert build("metamath", tmp_path / "out", again, warn=warnings.append).manifest == before
        with pytest.raises(OutputError, match="already exists"):
            build("metamath", tmp_path / "out", replace(again, seed=1))
        with pytest.raises(OutputError, match="already exists"):
            build("metamath", tmp_path / "out", replace(again, shard="1/2"))
        with pytest.raises(OutputError, match="already exists"):  # there would be no list
            build("metamath", tmp_path / "out", replace(again, drops=str(tmp_path / "drops.jsonl")))
    assert stop.blocks == 0
    assert warnings == [f"{tmp_path / 'out'} is complete"]
    write(tmp_path / "rows.jsonl", rows_of(13))
    with pytest.raises(OutputError, match="already exists"):
        build("metamath", tmp_path / "out", again)


def test_a_build_with_another_template_is_another_build(tmp_path: Path) -> None:
    template = tmp_path / "style.j2"
    template.write_text("{{ question }} -> ")
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(12)),), prompt_style=str(template), on_error="skip")
    before = build("metamath", tmp_path / "out", options).manifest
    assert build("metamath", tmp_path / "out", replace(options, resume=True)).manifest == before
    template.write_text("{{ question }} => ")
    with pytest.raises(OutputError, match="already exists"):
        build("metamath", tmp_path / "out", replace(options, resume=True))


# ---------------------------------------------------------------- stopped at other moments


def test_resumed_after_a_stop_while_statistics_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shards have their last names by then."""
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    whole = content(build("metamath", tmp_path / "whole" / "out", options).path)

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pairgen.stats.describe", interrupt)
        with pytest.raises(KeyboardInterrupt):
            build("metamath", tmp_path / "out", options)
    assert list(hidden(tmp_path)[0].glob(".new/train/data-*"))
    with stopping() as rest:
        assert content(build("metamath", tmp_path / "out", replace(options, resume=True)).path) == whole
    assert rest.blocks < 10


def test_resumed_after_the_disk_was_full(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    whole = content(build("metamath", tmp_path / "whole" / "out", options).path)
    write_batch = shards.SplitWriter._write_batch
    written = 0

    def full(*arguments: Any) -> None:
        nonlocal written
        written += 1
        if written == 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_batch(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards.SplitWriter, "_write_batch", full)
        with pytest.raises(OutputError) as raised:
            build("metamath", tmp_path / "out", options)
    words = "the disk is full; completed work is kept; free some space and continue with --resume"
    assert str(raised.value) == f"{tmp_path / 'out'}: {words}"
    assert content(build("metamath", tmp_path / "out", replace(options, resume=True)).path) == whole


def test_a_row_that_stops_a_build_can_be_skipped(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", [*rows_of(60)[33:], "not JSON"]),), on_error="skip")
    source = Path(options.source[0])
    source.write_text(source.read_text().replace("not JSON\n", "", 1))
    whole = content(build("metamath", tmp_path / "whole" / "out", options).path)
    warnings: list[str] = []
    with pytest.raises(InvalidRow, match="skip it with --on-error skip"):
        build("metamath", tmp_path / "out", replace(options, on_error="stop"), warn=warnings.append)
    how = "continue with --resume --on-error skip (other source files need a new build)"
    assert warnings == [f"{tmp_path / 'out'} is unfinished; completed work is kept; {how}"]
    warnings.clear()
    resumed = build("metamath", tmp_path / "out", replace(options, resume=True), warn=warnings.append)
    assert content(resumed.path) == whole
    assert warnings[0].startswith("resuming after ")


def test_a_source_that_cannot_be_read_for_a_while(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    whole = content(build("metamath", tmp_path / "whole" / "out", options).path)
    stopped(tmp_path / "out", options, LATE, SourceError("the network is unreachable"))
    assert content(build("metamath", tmp_path / "out", replace(options, resume=True)).path) == whole


def test_nothing_is_kept_where_a_split_has_no_pairs(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [row("metamath", index) for index in range(60)])
    held_out = write(tmp_path / "eval.jsonl", [{"query": "Why?", "response": "Because."}])
    with pytest.raises(SourceError, match="the eval split has no pairs"):
        build("metamath", tmp_path / "out", BuildOptions((f"train={train}", f"eval={held_out}")))
    assert not hidden(tmp_path)


# ---------------------------------------------------------------- what is kept, and for how long


def test_a_kept_build_stays_until_the_same_output_is_written(tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    stopped(tmp_path / "out", options, LATE)
    kept = hidden(tmp_path)
    assert len(kept) == 1
    build("metamath", tmp_path / "other", options)
    build("metamath", tmp_path / "third", replace(options, resume=True))
    assert hidden(tmp_path) == kept, "builds to other folders leave it"
    build("metamath", tmp_path / "out", options)
    assert not hidden(tmp_path)


def test_a_build_that_is_still_running_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "LOCK_SECONDS", 0.2)
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    stopped(tmp_path / "out", options, LATE)
    lock = os.open(hidden(tmp_path)[0], os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="out: another process is writing it; wait for it, or stop it first"):
        build("metamath", tmp_path / "out", replace(options, resume=True))
    os.close(lock)
    assert build("metamath", tmp_path / "out", replace(options, resume=True)).path.is_dir()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "--seed"),
        ({"eval_size": 4, "license": "mit"}, "--eval-size, --license"),
        ({"id_column": "key"}, "--id-column"),
        ({"shard": "0/2"}, "--shard"),
        ({"drops": "drops.jsonl"}, "--drops"),
        ({"on_error": "stop"}, "--on-error"),
        ({"prompt_style": "alpaca", "shots": 1}, "--prompt-style, --shots, blocks of rows"),
    ],
)
def test_other_options_are_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    stopped(tmp_path / "out", options, LATE)
    with pytest.raises(UsageError) as raised:
        build("metamath", tmp_path / "out", replace(options, resume=True, **changes))
    assert str(raised.value) == (
        f"{tmp_path / 'out'}: cannot be resumed, because the unfinished build differs in {words}; "
        "use the same options and files, or start over without --resume"
    )
    assert hidden(tmp_path), "a slip costs nothing"
    assert build("metamath", tmp_path / "out", replace(options, resume=True)).path.is_dir()


def test_other_rows_and_templates_are_refused(tmp_path: Path) -> None:
    style = tmp_path / "style.jinja"
    style.write_text("Q: {{ question }}")
    source = Path(write(tmp_path / "rows.jsonl", rows_of(60)))
    options = BuildOptions((str(source),), on_error="skip", prompt_style=str(style))
    stopped(tmp_path / "out", options, LATE)
    text = source.read_text()
    source.write_text(text.replace("not JSON", "no  JSON"))
    with pytest.raises(UsageError, match="differs in source rows;"):
        build("metamath", tmp_path / "out", replace(options, resume=True))
    source.write_text(text)
    style.write_text("A: {{ question }}")
    with pytest.raises(UsageError, match="differs in prompt template;"):
        build("metamath", tmp_path / "out", replace(options, resume=True))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_flip, Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:9])])
@pytest.mark.parametrize("pattern", [CHECKPOINT, ".new/train/00000.incomplete", ".new/train/00001.incomplete"])
def test_damage_is_one_message(pattern: str, damage: Callable[[Path], None], tmp_path: Path) -> None:
    options = BuildOptions((write(tmp_path / "rows.jsonl", rows_of(60)),), on_error="skip")
    stopped(tmp_path / "out", options, LATE)
    damage(hidden(tmp_path)[0] / pattern)
    if pattern == CHECKPOINT and damage is Path.unlink:  # then it is an ordinary leftover of a killed process
        assert build("metamath", tmp_path / "out", replace(options, resume=True)).path.is_dir()
        return
    with pytest.raises(OutputError, match=r"is damaged, so the build cannot be resumed; start over without --resume"):
        build("metamath", tmp_path / "out", replace(options, resume=True))
    assert build("metamath", tmp_path / "out", options).path.is_dir()
    assert not hidden(tmp_path)


def test_the_command_line_says_how_to_continue(tmp_path: Path, run: Callable[..., Result]) -> None:
    source = write(tmp_path / "rows.jsonl", [row("metamath", index) for index in range(70)])
    words = ["build", "metamath", "--source", source, "--out", tmp_path / "out", "--workers", "1", "--quiet"]
    with stopping(LATE):
        interrupted = run(*words)
    assert interrupted.exit_code == 130
    assert interrupted.stderr == "pairgen: interrupted; completed work is kept; continue with --resume\n"
    resumed = run(*words, "--resume")
    assert resumed.exit_code == 0
    assert resumed.stderr.startswith("resuming after ")
    manifest = open_pairs(tmp_path / "out").manifest
    assert "--resume" not in manifest["command"]


# ---------------------------------------------------------------- the writer alone


def pairs_of(groups: list[int]) -> list[Pair]:
    return [
        Pair(
            f"{'Why? ' * (number % 5 + 1)}",
            f" a{number}",
            f" b{number}",
            f"{number}-{index}",
            f"{number}",
            "test",
            1,
            2,
            2,
        )
        for number, count in enumerate(groups)
        for index in range(count)
    ]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_writer_goes_on_from_any_checkpoint(data: st.DataObject, tmp_path: Path) -> None:
    """Whatever was written after the checkpoint, and whatever is written next in which batches."""
    rows = pairs_of(data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=40)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), min_size=2, max_size=6)))
    batches = [to_batch(rows[start:stop]) for start, stop in itertools.pairwise([0, *cuts, len(rows)])]
    at = data.draw(st.integers(0, len(batches) - 1))
    beyond = data.draw(st.integers(at, len(batches)))
    size = data.draw(st.sampled_from([1, 3000, 1 << 20]))

    def write_all(writer: DatasetWriter, start: int, stop: int) -> None:
        for number in range(start, stop):
            writer.write("train" if number % 3 else "eval", batches[number])

    def fail() -> None:
        with DatasetWriter(tmp_path / "out", overwrite=True) as writer:
            write_all(writer, 0, at)
            writer.save({"batches": at})
            write_all(writer, at, beyond)
            if data.draw(st.booleans()):
                writer.commit({}, lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
            raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_BYTES", size)
        with DatasetWriter(tmp_path / "whole", overwrite=True) as writer:
            write_all(writer, 0, len(batches))
            whole = content(writer.commit({}, describe).path)
        with pytest.raises(ZeroDivisionError):
            fail()
        with DatasetWriter(tmp_path / "out", overwrite=True, resume=True) as writer:
            assert writer.note == {"batches": at}
            ids = [one for part in writer.pair_ids() for one in part.to_pylist()]
            assert sorted(ids) == sorted(one for batch in batches[:at] for one in batch["pair_id"].to_pylist())
            write_all(writer, at, len(batches))
            assert content(writer.commit({}, describe).path) == whole


# ---------------------------------------------------------------- SIGKILL

# A build as a process of its own. Every block that is converted adds a byte to a file.
BUILD = """
import os, sys
from pairgen.building import pipeline
from pairgen.building.convert import convert
from pairgen.building.options import BuildOptions
from pairgen.pairs.writing import shards
from pairgen.sources import formats

formats.BLOCK_BYTES, shards.BATCH_ROWS, shards.SHARD_BYTES = 20_000, 50, 200_000
source, out, log, workers = sys.argv[1:5]
file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def counted(*arguments):
    os.write(file, b".")
    return convert(*arguments)

pipeline.convert = counted
options = BuildOptions((source,), eval_size=300, drops=out + ".drops", workers=int(workers), resume=True)
print("ready", flush=True)
pipeline.build("metamath", out, options)
"""


def converted(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def start(source: str, out: Path, log: Path, workers: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", BUILD, source, str(out), str(log), str(workers)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def kill_and_resume(tmp_path: Path, rows: int, rounds: int, seed: int) -> None:
    """Kill a build at random moments until it survives, several times over, with one worker and with two."""
    draws = random.Random(seed)
    made: list[Any] = [row("metamath", index) for index in range(rows)]
    made[rows // 2 : rows // 2] = [*made[:50], {**made[0], "response": "None."}]
    source = write(tmp_path / "rows.jsonl", made)
    begun = time.monotonic()
    with start(source, tmp_path / "whole" / "out", tmp_path / "log", 1) as process:
        assert process.wait() == 0
    duration = time.monotonic() - begun
    whole, blocks = content(tmp_path / "whole"), converted(tmp_path / "log")
    shard = blocks // (len(list((tmp_path / "whole").rglob("*.arrow"))) - 2) + 1  # the last of each split is not full
    resumed = 0
    for number in range(rounds):
        place, log = tmp_path / f"round{number}", tmp_path / f"log{number}"
        workers = 1 + number % 2
        kills = 0
        while True:
            with start(source, place / "out", log, workers) as process:
                assert process.stdout
                assert process.stdout.readline() == "ready\n"
                try:
                    process.wait(draws.uniform(0, 0.8) * duration)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL
            kills += 1
            resumed += any((folder / CHECKPOINT).exists() for folder in hidden(place))
        assert content(place) == whole
        redone = converted(log) - blocks
        # With several workers, blocks that were converted and not yet written are lost, too: four for two workers.
        assert redone <= kills * (shard + 2 * workers), "at most one shard for each kill"
    assert resumed >= rounds / 2, "some of the kills left something to resume"


@pytest.mark.slow
def test_kill_and_resume(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, rows=6000, rounds=6, seed=1)


# Runs in a process of its own, which has one thread and can fork: for each number read, build in a child that kills
# itself before its change of the disk with that number, and answer whether the child got that far.
KILLER = """
import os, signal, sys, traceback
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.writing import shards
from pairgen.sources import formats

formats.BLOCK_BYTES, shards.BATCH_ROWS, shards.SHARD_BYTES = 2500, 5, 12_000
STEPS = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "ctypes.dlopen", "ctypes.dlsym")
source, out = sys.argv[1:]
for line in sys.stdin:
    at, resume = map(int, line.split())
    child = os.fork()
    if not child:
        steps = 0

        def hook(event, args):
            global steps
            writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in STEPS:
                steps += 1
                if steps == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            build("metamath", out, BuildOptions((source,), eval_size=6, on_error="skip", resume=bool(resume)))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print("died" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}", flush=True)
"""


@pytest.mark.slow
def test_killed_at_every_step_and_resumed(tmp_path: Path) -> None:
    """The first build is killed at each of its changes of the disk, and the one that resumes it at each of its own."""
    source = write(tmp_path / "rows.jsonl", rows_of(60))
    options = BuildOptions((source,), eval_size=6, on_error="skip", resume=True)
    whole = content(build("metamath", tmp_path / "whole" / "out", options).path)
    place = tmp_path / "place"
    words = [sys.executable, "-c", KILLER, source, str(place / "out")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killer:
        assert killer.stdin
        assert killer.stdout

        def died(at: int, resume: bool) -> bool:
            killer.stdin.write(f"{at} {int(resume)}\n")
            killer.stdin.flush()
            answer = killer.stdout.readline().strip()
            assert answer in ("died", "ended 0"), "the build failed without being killed"
            return answer == "died"

        resumed = 0
        for at in itertools.count(1):
            if not died(at, False):
                break
            resumed += any((folder / CHECKPOINT).exists() for folder in hidden(place))
            died(at, True)
            died(2 * at, True)
            assert content(build("metamath", place / "out", options).path) == whole
            assert not hidden(place)
            shutil.rmtree(place / "out")
        killer.stdin.close()
    assert at > 30
    assert resumed > at / 3
