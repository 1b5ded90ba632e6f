"""How much the corruption engine finds, proves and costs, on real rows.

    python tests/bench/bench_engine.py DATA [--corruptions K] [--corruption NAME]

DATA is a folder that holds ``gsm8k/train.jsonl`` and ``metamath/`` with GSM_AnsAug.json, GSM_FOBAR_like.jsonl and
MATH_solutions.jsonl. Prints, on one core:

- GSM8K with its marks stripped: marked results found at their exact span, and how much of what is found is marked or
  proved;
- per MetaMath file: rows that give pairs, pairs verified, by strategy and by reason, and rows a second.
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.labels import Unverified
from pairgen.arithmetic.reading.steps import Step
from pairgen.arithmetic.solution import Solution
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import CorruptionOptions
from pairgen.builders.metamath import BUILDER
from pairgen.builders.solutions import solution_of
from pairgen.pairs.record import DropRow

FILES = ("GSM_AnsAug.json", "GSM_FOBAR_like.jsonl", "MATH_solutions.jsonl")


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text("utf-8")
    return list(json.loads(text)) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


@dataclass
class Marks:
    """What the engine finds in GSM8K, whose marks it does not see."""

    marks: int = 0
    found_marks: int = 0
    found: int = 0
    right: int = 0
    """Found, and marked or proved."""


def is_verified(solution: Solution, step: Step) -> bool:
    try:
        solution.check(step)
    except Unverified:
        return False
    return True


def count_marks(file: Path) -> Marks:
    counted = Marks()
    for row in rows_of(file):
        text, marked = strip_annotations(row["answer"])
        spans = {(step.start, step.stop) for step in marked}
        solution = solution_of(text)
        found = {(step.start, step.stop): step for step in solution.steps}
        counted.marks += row["answer"].count("<<")
        counted.found_marks += len(spans & found.keys())
        counted.found += len(found)
        counted.right += sum(span in spans or is_verified(solution, step) for span, step in found.items())
    return counted


@dataclass
class Shares:
    """What became of the rows of one file."""

    rows: int = 0
    with_pairs: int = 0
    pairs: int = 0
    verified: int = 0
    strategies: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def count_shares(file: Path, wanted: CorruptionOptions = CorruptionOptions()) -> Shares:
    rows = rows_of(file)
    shares = Shares(len(rows))
    start = time.perf_counter()
    for index, row in enumerate(rows):
        try:
            made = BUILDER.reject(BUILDER.read(row), RowRng(str(index), 0), wanted)
        except DropRow as drop:
            shares.drops[drop.reason] += 1
            continue
        shares.with_pairs += 1
        shares.pairs += len(made)
        for provenance in (rejection.provenance for rejection in made):
            shares.verified += provenance.check == "verified"
            shares.strategies[f"{provenance.strategy} ({provenance.check})"] += 1
            shares.reasons[provenance.reason or "verified"] += 1
    shares.seconds = time.perf_counter() - start
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--corruptions", type=int, default=1)
    parser.add_argument("--corruption", default="near")
    arguments = parser.parse_args()
    marks = count_marks(arguments.data / "gsm8k" / "train.jsonl")
    print("## GSM8K train, marks stripped\n")
    print(
        f"- marked results found at their exact span: {marks.found_marks:,} of {marks.marks:,} "
        f"({marks.found_marks / marks.marks:.2%})"
    )
    print(
        f"- found results that are marked or proved: {marks.right:,} of {marks.found:,} "
        f"({marks.right / marks.found:.2%})"
    )
    wanted = CorruptionOptions(arguments.corruption, arguments.corruptions)
    for name in FILES:
        shares = count_shares(arguments.data / "metamath" / name, wanted)
        print(f"\n## {name}\n")
        print(
            f"- rows with pairs: {shares.with_pairs:,} of {shares.rows:,} ({shares.with_pairs / shares.rows:.2%}); "
            f"{shares.pairs / shares.rows:.2f} pairs a row"
        )
        print(
            f"- verified: {shares.verified:,} pairs, {shares.verified / shares.pairs:.2%} of the pairs, "
            f"{shares.verified / (shares.rows * arguments.corruptions):.2%} of what the rows could give"
        )
        print(f"- {shares.rows / shares.seconds:,.0f} rows a second on one core, from nothing kept")
        for title, counts in (("strategy", shares.strategies), ("reason", shares.reasons), ("dropped", shares.drops)):
            told = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
            print(f"- by {title}: {told or 'none'}")


if __name__ == "__main__":
    main()
