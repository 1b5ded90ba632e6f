"""How many results the corruption engine finds and verifies on real rows, and how fast.

    python tests/bench/bench_engine.py DATA [--pairs-per-row K] [--corruption NAME]

DATA is a folder that holds ``gsm8k/train.jsonl`` and ``metamath/`` with GSM_AnsAug.json, GSM_FOBAR_like.jsonl and
MATH_solutions.jsonl. Prints, on one core:

- GSM8K with its annotations removed: annotated results found at their exact span, and how much of what is found is
  annotated or verified;
- per MetaMath file: rows that give pairs, pairs verified, by strategy and by reason, and rows per second.
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
from pairgen.builders.worked_solutions import solution_of
from pairgen.pairs.record import DropRow

FILES = ("GSM_AnsAug.json", "GSM_FOBAR_like.jsonl", "MATH_solutions.jsonl")


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text("utf-8")
    return list(json.loads(text)) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


@dataclass
class Annotated:
    """What the engine finds in GSM8K without seeing its annotations."""

    annotations: int = 0
    found_annotations: int = 0
    found: int = 0
    right: int = 0
    """Found, and annotated or verified."""


def is_verified(solution: Solution, step: Step) -> bool:
    try:
        solution.check(step)
    except Unverified:
        return False
    return True


def count_annotated(file: Path) -> Annotated:
    counted = Annotated()
    for row in rows_of(file):
        text, annotated = strip_annotations(row["answer"])
        spans = {(step.start, step.stop) for step in annotated}
        solution = solution_of(text)
        found = {(step.start, step.stop): step for step in solution.steps}
        counted.annotations += row["answer"].count("<<")
        counted.found_annotations += len(spans & found.keys())
        counted.found += len(found)
        counted.right += sum(span in spans or is_verified(solution, step) for span, step in found.items())
    return counted


@dataclass
class Shares:
    """Pairs and dropped rows of one file."""

    rows: int = 0
    with_pairs: int = 0
    pairs: int = 0
    verified: int = 0
    strategies: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def count_shares(file: Path, options: CorruptionOptions = CorruptionOptions()) -> Shares:
    rows = rows_of(file)
    shares = Shares(len(rows))
    start = time.perf_counter()
    for index, row in enumerate(rows):
        try:
            made = BUILDER.reject(BUILDER.read(row), RowRng(str(index), 0), options)
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
    parser.add_argument("--pairs-per-row", type=int, default=1)
    parser.add_argument("--corruption", default="near")
    arguments = parser.parse_args()
    found = count_annotated(arguments.data / "gsm8k" / "train.jsonl")
    print("## GSM8K train, annotations removed\n")
    print(
        f"- annotated results found at their exact span: {found.found_annotations:,} of {found.annotations:,} "
        f"({found.found_annotations / found.annotations:.2%})"
    )
    print(
        f"- found results that are annotated or verified: {found.right:,} of {found.found:,} "
        f"({found.right / found.found:.2%})"
    )
    options = CorruptionOptions(arguments.corruption, arguments.pairs_per_row)
    for name in FILES:
        shares = count_shares(arguments.data / "metamath" / name, options)
        print(f"\n## {name}\n")
        print(
            f"- rows with pairs: {shares.with_pairs:,} of {shares.rows:,} ({shares.with_pairs / shares.rows:.2%}); "
            f"{shares.pairs / shares.rows:.2f} pairs per row"
        )
        print(
            f"- verified: {shares.verified:,} pairs, {shares.verified / shares.pairs:.2%} of the pairs, "
            f"{shares.verified / (shares.rows * arguments.pairs_per_row):.2%} of the maximum"
        )
        print(f"- {shares.rows / shares.seconds:,.0f} rows per second on one core, with empty caches")
        for title, counts in (("strategy", shares.strategies), ("reason", shares.reasons), ("dropped", shares.drops)):
            listed = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
            print(f"- by {title}: {listed or 'none'}")


if __name__ == "__main__":
    main()
