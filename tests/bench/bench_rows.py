"""What a build costs per row where no row is like another, in CPU time on one core.

    python tests/bench/bench_rows.py DATA [--repeats 5]

DATA is a folder as for ``bench_engine``. Its rows (GSM8K's training set without its annotations, and the three files of
``metamath/``) are built once each, shuffled, so that nothing is found in a cache that only repeated rows fill. Prints
the median of several rounds; each figure of a round is measured in a process of its own, after its imports:

- engine: reading and corrupting the rows of each file, and of all files;
- build: ``pairgen.build`` of all rows with one worker: pairs, edit distances, manifest and card;
- floor: reading the rows with pyarrow, plus writing the finished pairs with pyarrow;
- map: ``datasets.map`` that swaps one number per row without any check.
"""

import argparse
import contextlib
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_build import floor, map_seconds
from bench_engine import FILES, rows_of

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.metamath import BUILDER
from pairgen.building.options import BuildOptions
from pairgen.building.pipeline import build
from pairgen.pairs.record import DropRow

ALL = "all"


def distinct_rows(data: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each file, and all of them, shuffled."""
    gsm8k = [
        {
            "type": "GSM8K",
            "query": row["question"],
            "original_question": row["question"],
            "response": strip_annotations(row["answer"])[0],
        }
        for row in rows_of(data / "gsm8k" / "train.jsonl")
    ]
    files = {"gsm8k": gsm8k} | {Path(name).stem: rows_of(data / "metamath" / name) for name in FILES}
    files[ALL] = [row for rows in files.values() for row in rows]
    for rows in files.values():
        random.Random(0).shuffle(rows)
    return files


def engine(source: Path, _: Path) -> float:
    rows = rows_of(source)
    options = CorruptionOptions()
    gc.disable()  # as in a build
    start = time.process_time()
    for index, row in enumerate(rows):
        with contextlib.suppress(DropRow):
            BUILDER.reject(BUILDER.read(row), RowRng(str(index), 0), options)
    return time.process_time() - start


def whole_build(source: Path, folder: Path) -> float:
    build("metamath", folder / "first", BuildOptions(("sample:50",)), overwrite=True)  # imports what a build needs
    start = time.process_time()
    build("metamath", folder / "pairs", BuildOptions((str(source),), workers=1), overwrite=True)
    return time.process_time() - start


MEASURES: dict[str, Callable[[Path, Path], float]] = {
    "engine": engine,
    "build": whole_build,
    "floor": lambda source, folder: floor(source, folder / "pairs", time.process_time),
    "map": lambda source, folder: map_seconds(source, folder, time.process_time),
}


def measured(what: str, source: Path, folder: Path) -> float:
    """Seconds of CPU time in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, str(source), str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        what, source, folder = asked.measure
        print(MEASURES[what](Path(source), Path(folder)))
        return
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        counts = {}
        for file, rows in distinct_rows(asked.data).items():
            lines = (json.dumps(row) + "\n" for row in rows)
            (folder / f"{file}.jsonl").write_text("".join(lines), "utf-8")
            counts[file] = len(rows)
        parts = [*(("engine", file) for file in counts), ("build", ALL), ("floor", ALL), ("map", ALL)]
        found: dict[tuple[str, str], list[float]] = {part: [] for part in parts}
        for _ in range(asked.repeats):
            for what, file in parts:
                seconds = measured(what, folder / f"{file}.jsonl", folder)
                found[what, file].append(seconds / counts[file] * 1e6)
        median = {part: statistics.median(values) for part, values in found.items()}
        print(f"microseconds of CPU time per row, median of {asked.repeats} rounds (lowest)")
        for (what, file), values in found.items():
            print(f"{what}, {file}, {counts[file]:,} rows: {median[what, file]:.1f} ({min(values):.1f})")
        for other, target in (("floor", 12), ("map", 1)):
            ratio = median["build", ALL] / median[other, ALL]
            print(f"build / {other} = {ratio:.2f}   (wanted: at most {target})")


if __name__ == "__main__":
    main()
