"""Commands that check solutions and datasets: audit, validate."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json, print_stderr
from pairgen.cli.bars import progress_reporter
from pairgen.cli.dataset_commands import Dataset
from pairgen.errors import UsageError, ValidationFailed, count

if TYPE_CHECKING:
    from pairgen.pairs.dataset import PairDataset

MAX_SHORTCUT = 0.6
"""How often a shortcut may be right in ``validate --strict``."""


def parse_share(text: str) -> float:
    """``0.5%`` or ``0.005`` as a number from 0 to 1. Raises UsageError."""
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--fail-over {text}: must be a share of solutions, such as 0.5% or 0.005")
    return share


@command(
    help="Find worked solutions that state a false calculation, such as 3 * 4 = 13. Only arithmetic of numbers alone "
    "is false; 500 / 15 = 33 is truncated, and an equation in an unknown is at most doubtful.",
    examples=[
        "pairgen audit MetaMathQA.jsonl",
        "pairgen audit pairs  # both completions of every pair",
        "pairgen audit rows.csv --columns question=problem,solution=rationale --fail-over 0.5%",
        "pairgen audit processbench.jsonl --steps --json",
    ],
)
def audit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR|ID",
            help="Rows in any format that build reads, a dataset folder, a Hub dataset, `sample`, or - for stdin.",
        ),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="OURS=THEIRS,...",
            help="What the columns are called: solution=rationale. Of several among solution, steps, chosen and "
            "rejected, all are audited.",
        ),
    ] = None,
    steps: Annotated[
        bool,
        typer.Option("--steps", help="Audit lists of steps, in `steps` or `completions`, and no other column."),
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", "--n", metavar="N", min=0, help="Maximum number of examples shown.")
    ] = 5,
    findings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all findings to a JSON Lines file.")
    ] = None,
    fail_over: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Exit with code 3 if more solutions than this share, such as 0.5%, have a false result. Rejected "
            "completions do not count.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per finding, one per line.")] = False,
    quiet: Quiet = False,
) -> None:
    from pairgen.building.inspection.audit import audit as audit_source
    from pairgen.building.inspection.audit import write_findings
    from pairgen.report.audit_view import audit_view

    allowed = None if fail_over is None else parse_share(fail_over)
    with progress_reporter(quiet) as (progress, warn):
        found = audit_source(source, columns, steps=steps, progress=progress, warn=warn)
    if findings is not None:
        write_findings(findings, found)
    if as_json:
        for one in found.found:
            print_json(one.to_json())
        if found.unreadable:
            print_stderr(f"pairgen: {source}: skipped {count(found.unreadable, 'row')} without a readable solution")
    else:
        shown = [one.to_json() | {"context": one.context} for one in found.found]
        OutputConsole().print(audit_view(found.summary(), shown, limit))
    if allowed is not None and found.false_share > allowed:
        raise ValidationFailed(
            f"{source}: {found.false_share:.2%} of the solutions have a false result, more than {allowed:.2%}"
        )


@command(
    help="Check every row of a dataset against the schema and its invariants; exit code 3 on violations.",
    examples=["pairgen validate pairs", "pairgen validate pairs --strict"],
)
def validate(
    path: Dataset,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help=f"Also fail if a shortcut (`pairgen stats`) is right more than {MAX_SHORTCUT:.0%}."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.pairs.invariants import INVARIANTS
    from pairgen.pairs.validate import shared_prompts, violations

    dataset = open_pairs(path)
    found = violations(dataset)
    pairs = len(dataset)
    strongest = _strongest_shortcuts(dataset) if strict and not found else {}
    if as_json:
        shortcuts = {"shortcuts": strongest} if strict else {}
        print_json({"pairs": pairs, "violations": [asdict(violation) for violation in found], **shortcuts})
    else:
        for violation in found:
            typer.echo(str(violation))
    if found:
        violated = f"{len(found)} {'invariant is' if len(found) == 1 else 'invariants are'} violated"
        raise ValidationFailed(f"{path}: {violated} in {count(pairs, 'pair')}; build the dataset again")
    if not as_json:
        typer.echo(f"{path}: {count(pairs, 'pair')}, all {len(INVARIANTS)} invariants hold")
    if shared := shared_prompts(dataset):
        print_stderr(f"pairgen: {path}: {count(shared, 'prompt')} in more than one split")
    _check_shortcuts(path, strongest)


def _strongest_shortcuts(dataset: "PairDataset") -> dict[str, dict[str, float | str]]:
    """The strongest shortcut of each split, and how often it, or its opposite, picks chosen."""
    from pairgen.stats.shortcuts import measure

    first = ((name, next(iter(measure(split).items()), None)) for name, split in dataset.splits.items())
    return {name: {"rule": found[0], "right": found[1].strength} for name, found in first if found}


def _check_shortcuts(path: Path, strongest: Mapping[str, Mapping[str, float | str]]) -> None:
    """Name the strongest shortcuts. Raises ValidationFailed for one that is right too often."""
    for split, shortcut in strongest.items():
        right = float(shortcut["right"])
        text = f"{path}: {split}: the strongest shortcut, {shortcut['rule']!r}, is right in {right:.1%} of pairs"
        if right > MAX_SHORTCUT:
            raise ValidationFailed(f"{text}, more than {MAX_SHORTCUT:.0%}; see `pairgen stats --shortcuts`")
        print_stderr(f"pairgen: {text}")
