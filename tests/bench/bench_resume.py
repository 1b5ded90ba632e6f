"""Builds that are killed and resumed, or divided into parts and merged, against one uninterrupted build; and memory.

    python tests/bench/bench_resume.py [--rows 100000] [--source GSM_AnsAug.json] [--kills 3] [--shard-bytes B]
    python tests/bench/bench_resume.py --memory 400000 [--source GSM_AnsAug.json]

The first compares the hashes of all files, and prints times, rows that were converted more than once, and the rows of a
shard, which bound them. The second builds with that many rows and with a tenth of them, and prints the peak of memory
in all and by kind: what the process that reads and writes holds, what it has mapped of files, and what workers hold.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench_build import children_of, write_rows

from pairgen.building import pipeline
from pairgen.building.convert import convert
from pairgen.building.options import BuildOptions
from pairgen.building.parts.merging import merge
from pairgen.pairs.dataset import file_hash, open_pairs
from pairgen.pairs.writing import shards


class Counted:
    """``convert``, with a line in a file for each block: its number of rows."""

    def __init__(self, log: Path) -> None:
        self.file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def __call__(self, recipe: Any, split: str, rows: Any) -> Any:
        os.write(self.file, b"%d\n" % len(rows))
        return convert(recipe, split, rows)


def child(out: Path, log: Path, options: BuildOptions) -> None:
    """A build in this process, which may be killed."""
    pipeline.convert = Counted(log)
    pipeline.build("metamath", out, options, warn=lambda text: print(f"  {text}", flush=True))


def start(asked: argparse.Namespace, source: Path, out: Path, log: Path, part: str = "") -> subprocess.Popen[bytes]:
    words = [sys.executable, __file__, "--child", source, out, log, "--workers", asked.workers, "--part", part]
    words += ["--shard-bytes", asked.shard_bytes]
    return subprocess.Popen([str(word) for word in words])


def finished(process: subprocess.Popen[bytes]) -> None:
    if process.wait():
        raise SystemExit(f"a build failed with exit code {process.returncode}")


def rows_in(log: Path) -> int:
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def hashes(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file_hash(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def compare(asked: argparse.Namespace, folder: Path) -> None:
    """One build, a killed and resumed one, and parts that are merged."""
    source, draws = folder / "rows.jsonl", random.Random(asked.seed)
    write_rows(source, asked.rows, asked.source)
    begun = time.perf_counter()
    finished(start(asked, source, folder / "whole" / "out", folder / "log"))
    seconds = time.perf_counter() - begun
    whole = hashes(folder / "whole" / "out")
    splits = open_pairs(folder / "whole" / "out").manifest["splits"].values()
    sizes = [shard["pairs"] for split in splits for shard in split["shards"]]
    shutil.rmtree(folder / "whole")
    print(f"{asked.rows:,} rows, {asked.workers} workers; {len(sizes)} shards of at most {max(sizes):,} pairs")
    print(f"one build: {seconds:.1f} s, {len(whole)} files")

    kills, begun = 0, time.perf_counter()
    while True:
        target = rows_in(folder / "resumed.log") + draws.uniform(0.1, 0.4) * asked.rows
        process = start(asked, source, folder / "resumed" / "out", folder / "resumed.log")
        while process.poll() is None and kills < asked.kills:
            if rows_in(folder / "resumed.log") >= target:
                process.send_signal(signal.SIGKILL)
                kills += process.wait() == -signal.SIGKILL
            time.sleep(0.05)
        if process.wait() != -signal.SIGKILL:
            finished(process)
            break
    spent = time.perf_counter() - begun
    redone = rows_in(folder / "resumed.log") - rows_in(folder / "log")
    equal = hashes(folder / "resumed" / "out") == whole
    each = f"{redone:,} rows converted again ({redone // max(kills, 1):,} a kill)"
    print(f"killed {kills} times and resumed: {spent:.1f} s, {each}", end="")
    print(f"; all files are {'equal' if equal else 'NOT EQUAL'}")
    shutil.rmtree(folder / "resumed")

    times = []
    for index in range(asked.parts):
        begun = time.perf_counter()
        finished(start(asked, source, folder / f"part-{index}", folder / "parts.log", f"{index}/{asked.parts}"))
        times.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    shards.SHARD_BYTES = asked.shard_bytes
    merge([folder / f"part-{index}" for index in range(asked.parts)], folder / "merged" / "out")
    merging = time.perf_counter() - begun
    equal_parts = hashes(folder / "merged" / "out") == whole
    print(f"{asked.parts} parts: {', '.join(f'{part:.1f}' for part in times)} s, merged in {merging:.1f} s", end="")
    print(f"; all files are {'equal' if equal_parts else 'NOT EQUAL'}")
    if not (equal and equal_parts):
        raise SystemExit(1)


# ---------------------------------------------------------------- memory

KINDS = ("all", "parent, own", "parent, files", "workers")


def memory_of(pid: int) -> Counter[str]:
    """Proportional set sizes of a build and its workers, in bytes by ``KINDS`` (Linux)."""
    found: Counter[str] = Counter()
    for one in (pid, *children_of(pid)):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:  # it ended meanwhile
            continue
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss")}
        found["all"] += sizes["Pss"]
        if one == pid:
            found["parent, own"] += sizes["Pss_Anon"]
            found["parent, files"] += sizes["Pss_File"]
        else:
            found["workers"] += sizes["Pss"]
    return found


def peaks(asked: argparse.Namespace, rows: int, folder: Path) -> Counter[str]:
    """The largest of each kind while a build runs, in bytes."""
    write_rows(folder / "rows.jsonl", rows, asked.source)
    process = start(asked, folder / "rows.jsonl", folder / "out", folder / "log")
    peak: Counter[str] = Counter()
    while process.poll() is None:
        peak |= memory_of(process.pid)
        time.sleep(0.05)
    finished(process)
    shutil.rmtree(folder / "out")
    return peak


def compare_memory(asked: argparse.Namespace, folder: Path) -> None:
    few, many = (peaks(asked, rows, folder) for rows in (asked.memory // 10, asked.memory))
    print_row("peak of memory in MB", [f"{asked.memory // 10:,} rows", f"{asked.memory:,} rows", "ratio"])
    for kind in KINDS:
        print_row(kind, [f"{few[kind] / 1e6:.0f}", f"{many[kind] / 1e6:.0f}", f"{many[kind] / few[kind]:.2f}"])
    print("wanted: a ratio of at most 1.3 for all")


def print_row(name: str, cells: Iterable[str]) -> None:
    print(f"{name:<22}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--parts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard-bytes", type=int, default=shards.SHARD_BYTES)
    parser.add_argument("--memory", type=int, metavar="ROWS")
    parser.add_argument("--child", nargs=3, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        source, out, log = asked.child
        shards.SHARD_BYTES = asked.shard_bytes
        child(out, log, BuildOptions((str(source),), workers=asked.workers, resume=True, shard=asked.part or None))
        return
    with tempfile.TemporaryDirectory(dir=".") as name:
        (compare_memory if asked.memory else compare)(asked, Path(name).absolute())


if __name__ == "__main__":
    main()
