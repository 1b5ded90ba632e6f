"""How well ``audit`` finds false results on real rows.

    python tests/bench/bench_audit.py DATA [--list]

DATA is the folder that ``bench_engine.py`` reads. Prints, and with ``--list`` also each text that is missed or flagged:

- the law: of each verified pair, ``rejected`` is flagged where the error is and ``chosen`` nowhere;
- recall on errors injected where GSM8K's annotations, which the audit does not see, say that a result is calculated,
  and after the equalities of numbers alone in LaTeX;
- what is flagged in texts as they are, most of which are right, so that every line is to be read.
"""

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pairgen.arithmetic.claims.findings import DOUBTFUL, FALSE, Finding
from pairgen.arithmetic.errors.rng import RowRng
from pairgen.arithmetic.exact.evaluate import evaluate_text
from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.exact.ratios import equal
from pairgen.arithmetic.exact.verification import is_one_number
from pairgen.arithmetic.labels import RESULT
from pairgen.builders import BUILDERS, CORRUPTIONS
from pairgen.builders.gsm8k import strip_annotations
from pairgen.builders.interface import CorruptionOptions
from pairgen.building.inspection.audit import findings_of
from pairgen.pairs.record import DropRow, Rejection

FILES = {
    "gsm8k/train.jsonl": "gsm8k",
    "metamath/GSM_AnsAug.json": "metamath",
    "metamath/GSM_FOBAR_like.jsonl": "metamath",
    "metamath/MATH_solutions.jsonl": "metamath",
}


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text("utf-8")
    return list(json.loads(text)) if file.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def solution_of(row: dict[str, Any]) -> str:
    return str(row.get("response") or row["answer"])


def excerpt(text: str, start: int, stop: int) -> str:
    return f"{text[max(0, start - 70) : start]}[{text[start:stop]}]{text[stop : stop + 30]}".replace("\n", " | ")


# ---------------------------------------------------------------- the law


class Broken(NamedTuple):
    """A pair of which the law does not hold."""

    reason: str
    text: str


def broken_law(chosen: str, rejection: Rejection) -> Broken | None:
    """Why the law does not hold for a pair: what is wrong in rejected must be found, and nothing in chosen.

    The results of equations in an unknown may be doubtful; they are corrupted under strategies of their own, except
    that the last result may be one.
    """
    stated = [finding for finding in findings_of(chosen) if finding.kind != DOUBTFUL]
    if stated:
        return Broken("chosen is flagged", excerpt(chosen, stated[0].start, stated[0].stop))
    changes = rejection.provenance.edits
    start = changes[0].rejected_start if changes else rejection.edit.start
    stop = changes[0].rejected_stop if changes else rejection.edit.rejected_stop
    kinds = {found.kind for found in findings_of(rejection.completion) if found.start < stop and start < found.stop}
    if kinds - {DOUBTFUL} or (kinds and rejection.provenance.strategy != RESULT):
        return None
    how = "doubtful" if kinds else "not found"
    return Broken(f"{rejection.provenance.strategy}: {how}", excerpt(rejection.completion, start, stop))


def law(rows: list[dict[str, Any]], builder: str, options: CorruptionOptions) -> tuple[int, list[Broken]]:
    """The number of verified pairs, and those of which the law does not hold."""
    pairs, broken = 0, []
    for index, row in enumerate(rows):
        try:
            example = BUILDERS[builder].read(row)
            rejections = BUILDERS[builder].reject(example, RowRng(str(index), 0), options)
        except DropRow:
            continue
        for rejection in rejections:
            if rejection.provenance.check == "verified":
                pairs += 1
                found = broken_law(example.answer, rejection)
                broken += [found] if found else []
    return pairs, broken


# ---------------------------------------------------------------- injected errors


class Injected(NamedTuple):
    """A text with one wrong result at ``start:stop``."""

    text: str
    start: int
    stop: int


def wrong_number(written: str, rng: random.Random) -> str:
    """Another number: off by a little, with another digit, two digits swapped, or a zero more or less."""
    digits = [at for at, character in enumerate(written) if character.isdigit()]
    at = rng.choice(digits)
    changed = [
        written[:at] + str((int(written[at]) + rng.randint(1, 9)) % 10) + written[at + 1 :],
        written[: digits[-1]] + str((int(written[digits[-1]]) + rng.choice([1, 9])) % 10) + written[digits[-1] + 1 :],
        written + "0" if not set(".,") & set(written) else written[: digits[-1]] + "7" + written[digits[-1] + 1 :],
        written[at] + written[:at] + written[at + 1 :] if "," not in written else written,
    ]
    new = rng.choice(changed)
    old, other = parse_literal(written), parse_literal(new)
    if old is None or other is None or equal(old.value, other.value):
        return wrong_number(written, rng)
    return new


def at_annotations(row: dict[str, Any], rng: random.Random) -> Injected | None:
    """An error at one of the results that GSM8K annotates."""
    text, steps = strip_annotations(row["answer"])
    steps = [step for step in steps if not is_one_number(step.calculation.strip()) and step.calculation]
    if not steps:
        return None
    step = rng.choice(steps)
    return _injected(text, step.start, step.stop, rng)


_LATEX_NUMBER = r"\d+(?:\.\d+)?"
_LATEX_EQUALITY = re.compile(
    rf"(?<![\w^_{{}}.)\\=*/+-])(?<![-+*/=] )({_LATEX_NUMBER}(?: *(?:[-+*/]|\\cdot|\\times) *{_LATEX_NUMBER})+) *= *"
    rf"({_LATEX_NUMBER})(?=[$,.]? |\.?\$|\n| *\\\\)"
)


def in_latex(row: dict[str, Any], rng: random.Random) -> Injected | None:
    """An error after an equality of numbers that holds, found by a pattern of its own."""
    text = solution_of(row)
    found = []
    for match in _LATEX_EQUALITY.finditer(text):
        value = evaluate_text(match[1].replace("\\cdot", "*").replace("\\times", "*"))
        literal = parse_literal(match[2])
        if value is not None and literal is not None and equal(value, literal.value):
            found.append(match.span(2))
    return _injected(text, *rng.choice(found), rng) if found else None


def _injected(text: str, start: int, stop: int, rng: random.Random) -> Injected | None:
    if "/" in text[start:stop]:
        return None
    wrong = wrong_number(text[start:stop], rng)
    return Injected(text[:start] + wrong + text[stop:], start, start + len(wrong))


def others_at(injected: Injected) -> list[Finding]:
    """The false results that are not the error."""
    found = [finding for finding in findings_of(injected.text) if finding.kind == FALSE]
    return [finding for finding in found if finding.stop <= injected.start or injected.stop <= finding.start]


def kind_at(injected: Injected) -> str | None:
    """The kind of the finding at the error."""
    for found in findings_of(injected.text):
        if found.start < injected.stop and injected.start < found.stop:
            return found.kind
    return None


# ---------------------------------------------------------------- report


def print_law(data: Path, *, listed: bool) -> None:
    print("## The law: verified pairs of which rejected is flagged where it is wrong, and chosen is not\n")
    cases = [(name, builder, CorruptionOptions()) for name, builder in FILES.items()]
    aug = "metamath/GSM_AnsAug.json"
    cases += [(aug, "metamath", CorruptionOptions(method)) for method in CORRUPTIONS if method != "near"]
    cases += [(aug, "metamath", CorruptionOptions("near", 1, carry)) for carry in ("results", "answer")]
    for name, builder, options in cases:
        pairs, broken = law(rows_of(data / name), builder, options)
        reasons = ", ".join(
            f"{reason} {times}" for reason, times in Counter(one.reason for one in broken).most_common()
        )
        holds = f"{pairs - len(broken):,} of {pairs:,} ({(pairs - len(broken)) / pairs:.2%})"
        print(f"- {name}, {options.method}, --carry {options.carry}: {holds}; {reasons}")
        for one in broken if listed else ():
            print(f"    - {one.reason}: {one.text}")


INJECTED = {
    "GSM8K, at annotated results": (at_annotations, "gsm8k/train.jsonl"),
    "MATH, equalities of numbers": (in_latex, "metamath/MATH_solutions.jsonl"),
}


def injected_errors(data: Path, title: str) -> list[Injected]:
    """One error in each text of a case that has a place for one."""
    inject, name = INJECTED[title]
    rng = random.Random(0)
    return [one for row in rows_of(data / name) if (one := inject(row, rng)) is not None]


def print_recall(data: Path, *, listed: bool) -> None:
    print("\n## Injected errors that are found\n")
    for title in INJECTED:
        injected = injected_errors(data, title)
        kinds = [kind_at(one) for one in injected]
        counts = Counter(kind or "not found" for kind in kinds)
        found = len(injected) - counts["not found"] - counts[DOUBTFUL]
        others = [(one.text, finding) for one in injected for finding in others_at(one)]
        print(f"- {title}: {found:,} of {len(injected):,} ({found / len(injected):.2%}); {dict(counts)}")
        print(f"  - precision: {found / (found + len(others)):.2%}, with {len(others)} other results called false")
        for text, finding in others if listed else ():
            print(f"    - other: {excerpt(text, finding.start, finding.stop)}")
        for one, kind in zip(injected, kinds, strict=True):
            if listed and kind in (None, DOUBTFUL):
                print(f"    - {kind}: {excerpt(*one)}")


def flagged(rows: list[dict[str, Any]]) -> Iterator[tuple[str, Finding]]:
    for row in rows:
        text = solution_of(row)
        question = row.get("query") or row.get("question") or ""
        for finding in findings_of(text, question):
            yield text, finding


def print_flags(data: Path, *, listed: bool) -> None:
    print("\n## Findings in texts as they are\n")
    for name in FILES:
        rows = rows_of(data / name)
        found = list(flagged(rows))
        counts = Counter(finding.kind for _, finding in found)
        print(f"- {name}, {len(rows):,} rows: {', '.join(f'{kind} {counts[kind]}' for kind in sorted(counts))}")
        for text, finding in found if listed else ():
            if finding.kind == FALSE:
                where = excerpt(text, finding.start, finding.stop)
                print(f"    - {where} ({finding.expression} is {finding.value})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--list", action="store_true", help="print each text that is missed or flagged")
    arguments = parser.parse_args()
    print_law(arguments.data, listed=arguments.list)
    print_recall(arguments.data, listed=arguments.list)
    print_flags(arguments.data, listed=arguments.list)


if __name__ == "__main__":
    main()
