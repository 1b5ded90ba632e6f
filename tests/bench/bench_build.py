"""How fast a full MetaMath-sized build is, as ratios measured in one run.

    python tests/bench/bench_build.py [--rows 395000] [--repeats 3] [--source GSM_AnsAug.json] [--memory] [--cpu]
        [--engine ray]

Prints the median of several rounds; in each round everything is measured once, in the same order:

- floor: reading the rows with pyarrow, plus writing the finished pairs with pyarrow, in a process of its own;
- map: a single-process ``datasets.map`` that swaps one number per row without any check;
- build: ``pairgen build`` in a process of its own, start to end: pairs, edit distances, manifest and card;
- stats: ``pairgen.stats.describe`` of the edit distance, against one bare ``rapidfuzz.process.cpdist``.

``--cpu`` measures CPU time of all processes instead of elapsed time: use it on a machine that others use too.
``--memory`` builds once with all rows and once with a tenth, and prints the times and the ratio of the peaks of memory;
``--repeats 0`` does nothing else. ``--engine ray`` builds with Ray Data, whose start of some seconds is timed, too;
its memory is that of all processes of Ray, what they share counted once.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from pairgen.pairs.dataset import open_pairs
from pairgen.sources import sample
from pairgen.stats import describe


def write_rows(path: Path, count: int, given: Path | None) -> None:
    """Write ``count`` JSON Lines rows: those of a file or the sample, repeated with numbered questions."""
    if given is not None:
        rows = json.loads(given.read_text("utf-8"))
    else:
        rows = [sample.row("metamath", "train", index) for index in range(4000)]
    with path.open("w", encoding="utf-8") as file:
        for index in range(count):
            row = dict(rows[index % len(rows)])
            row["query"] += f" [{index}]"
            row["original_question"] += f" [{index}]"
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


Clock = Callable[[], float]


def cpu_seconds() -> float:
    """CPU time of this process and of those it has waited for."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def timed(call: Callable[[], Any], clock: Clock) -> tuple[float, Any]:
    start = clock()
    result = call()
    return clock() - start, result


def floor(source: Path, pairs: Path, clock: Clock) -> float:
    """Seconds to read the rows and to write the finished pairs from memory to a new file, in this process."""
    table = pa.Table.from_batches([batch for split in open_pairs(pairs).splits.values() for batch in split.batches()])
    table = pa.ipc.open_stream(_in_memory(table)).read_all()
    target = pairs.with_name("floor.arrow")

    def write() -> None:
        with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)

    seconds = timed(lambda: pa.json.read_json(source), clock)[0] + timed(write, clock)[0]
    target.unlink()
    return seconds


def floor_in_its_own_process(source: Path, pairs: Path, flags: list[str]) -> float:
    """The same in a fresh process, as the build has one: memory is new there for both."""
    command = [sys.executable, __file__, "--floor", str(source), str(pairs), *flags]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _in_memory(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


_RESULT = re.compile(r"= \$?(\d+)")


def _swap(row: dict[str, Any]) -> dict[str, Any]:
    """One number after an equals sign made one larger: no check, no provenance, no distance."""
    return {
        "prompt": row["query"],
        "chosen": row["response"],
        "rejected": _RESULT.sub(
            lambda found: found.group()[: -len(found[1])] + str(int(found[1]) + 1), row["response"], count=1
        ),
    }


def map_seconds(source: Path, folder: Path, clock: Clock) -> float:
    """Seconds of a single-process ``datasets.map`` over the rows, in this process."""
    import datasets

    datasets.disable_progress_bars()
    cache = folder / "map"
    table = pa.json.read_json(source)
    loaded = datasets.Dataset(table)
    seconds = timed(
        lambda: loaded.map(_swap, remove_columns=loaded.column_names, cache_file_name=str(folder / "map.arrow")),
        clock,
    )[0]
    shutil.rmtree(cache, ignore_errors=True)
    (folder / "map.arrow").unlink()
    return seconds


def build(source: Path, out: Path, how: Sequence[str], clock: Clock, watch: bool = False) -> tuple[float, int]:
    """Seconds of one build and, if it is watched (which slows it), peak memory in bytes of all its processes."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "pairgen", "build", "metamath", "--source", str(source), "--out", str(out)]
    start = clock()
    running = subprocess.Popen([*command, *how], stdout=subprocess.DEVNULL)
    peak = 0
    while watch and running.poll() is None:
        peak = max(peak, _memory_of_family(running.pid))
        time.sleep(0.05 if "ray" not in how else 0.5)  # Ray has two dozen processes to look at
    if running.wait():
        raise SystemExit(f"the build failed with exit code {running.returncode}")
    return clock() - start, peak


def _memory_of_family(pid: int) -> int:
    """Memory of a process and its children, pages they share counted once (Linux; 0 elsewhere)."""
    total = 0
    for one in [pid, *children_of(pid)]:
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        found += direct + [below for child in direct for below in children_of(child)]
    return found


def stats_seconds(pairs: Path, clock: Clock) -> tuple[float, float]:
    """Describing the edit distance of a dataset, and one bare bulk call over the same texts."""
    table = pa.Table.from_batches([batch for split in open_pairs(pairs).splits.values() for batch in split.batches()])
    chosen, rejected = table["chosen"].to_pylist(), table["rejected"].to_pylist()
    bare = timed(lambda: process.cpdist(chosen, rejected, scorer=Levenshtein.normalized_distance, workers=-1), clock)[0]
    return timed(lambda: describe(open_pairs(pairs), names=("edit_distance",)), clock)[0], bare


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=395_000)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options.add_argument("--engine", choices=("local", "ray"), default="local")
    options.add_argument("--source", type=Path)
    options.add_argument("--memory", action="store_true")
    options.add_argument("--cpu", action="store_true")
    options.add_argument("--floor", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    clock, flags = (cpu_seconds, ["--cpu"]) if asked.cpu else (time.perf_counter, [])
    if asked.floor:
        print(floor(*asked.floor, clock))
        return
    how = ["--workers", str(asked.workers), "--engine", asked.engine]
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        source, pairs = folder / "rows.jsonl", folder / "pairs"
        write_rows(source, asked.rows, asked.source)
        rounds = []
        for _ in range(asked.repeats):
            seconds, _ = build(source, pairs, how, clock)
            lowest = floor_in_its_own_process(source, pairs, flags)
            described, bare = stats_seconds(pairs, clock)
            rounds.append((seconds, lowest, map_seconds(source, folder, clock), described, bare))
            print("  ".join(f"{value:.2f}" for value in rounds[-1]), file=sys.stderr)
        unit = "seconds of CPU time" if asked.cpu else "seconds"
        with_engine = f"{asked.workers} workers, engine {asked.engine}"
        if rounds:
            columns = zip(*rounds, strict=True)
            seconds, lowest, mapped, described, bare = (statistics.median(column) for column in columns)
            print(f"{asked.rows:,} rows, {with_engine}, {unit}, median of {asked.repeats} rounds")
            print(f"build {seconds:.2f} / (read + write) {lowest:.2f} = {seconds / lowest:.2f}   (wanted: at most 6)")
            print(f"build {seconds:.2f} / datasets.map {mapped:.2f} = {seconds / mapped:.2f}   (wanted: at most 1)")
            print(f"stats {described:.3f} / cpdist {bare:.3f} = {described / bare:.2f}   (wanted: at most 2)")
        if asked.memory:
            all_seconds, all_rows = build(source, pairs, how, clock, watch=True)
            write_rows(source, asked.rows // 10, asked.source)
            tenth_seconds, tenth = build(source, pairs, how, clock, watch=True)
            print(
                f"peak memory of all processes, {asked.rows:,} rows against {asked.rows // 10:,}, {with_engine}:",
                end=" ",
            )
            print(
                f"{all_rows / 1e6:.0f} MB / {tenth / 1e6:.0f} MB = {all_rows / tenth:.2f}   (wanted: at most 1.3);",
                end=" ",
            )
            print(f"{unit}: {all_seconds:.1f} and {tenth_seconds:.1f}")


if __name__ == "__main__":
    main()
