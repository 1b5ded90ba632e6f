"""Commands that look at a dataset or at rows: stats, show, explain."""

import itertools
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairgen.building.options import BuildOptions
from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json, print_stderr
from pairgen.cli.bars import progress_reporter
from pairgen.cli.dataset_commands import Dataset
from pairgen.errors import UsageError
from pairgen.pairs.edits import METRICS

if TYPE_CHECKING:
    from pairgen.pairs.dataset import PairDataset

_BUILD_HELP = {item.name: item.metadata["help"] for item in fields(BuildOptions)}
Corruption = Annotated[str, typer.Option(metavar="<name>", help=_BUILD_HELP["corruption"])]
Error = Annotated[str, typer.Option(metavar="<name>", help=_BUILD_HELP["error"])]
Carry = Annotated[str, typer.Option(metavar="<name>", help=_BUILD_HELP["carry"])]


@command(
    help="Print statistics of a dataset: edit distance, lengths, group sizes, verified corruptions, dropped rows; or "
    "shortcuts, rules that pick chosen without the calculation or the fact; or CHES, how similar a model's hidden "
    "states are for chosen and rejected.",
    examples=[
        "pairgen stats pairs --edit-distance",
        "pairgen stats pairs --edit-distance --metric hamming --unit word --by source",
        "pairgen stats pairs --edit-distance --unit token --tokenizer Qwen/Qwen3-0.6B --json",
        "pairgen stats pairs --shortcuts",
        "pairgen stats pairs --ches --model Qwen/Qwen3-0.6B --limit 1000 --by source",
    ],
)
def stats(
    path: Dataset,
    edit_distance: Annotated[bool, typer.Option("--edit-distance", help="Show only the edit distance.")] = False,
    metric: Annotated[str, typer.Option(metavar="<name>", help=f"Distance: {', '.join(METRICS)}.")] = "levenshtein",
    unit: Annotated[str, typer.Option(metavar="<char|word|token>", help="What the distance counts.")] = "char",
    tokenizer: Annotated[str | None, typer.Option(metavar="ID", help="Tokenizer for --unit token.")] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Group the edit distance and CHES by source, strategy, error, check or reason."
        ),
    ] = None,
    shortcuts: Annotated[bool, typer.Option("--shortcuts", help="Show only how often each shortcut is right.")] = False,
    ches: Annotated[
        bool,
        typer.Option(
            "--ches",
            help="Show only CHES and the edit distance. The higher CHES is, the more DPO is expected to lower the "
            "log-prob of chosen.",
        ),
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model for --ches: a folder, a GGUF file or a Hub id.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", "--n", metavar="N", min=1, help="CHES of the first N pairs of each split. Default: all."
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="<auto|cpu|cuda>", help="Device for --ches.")] = "auto",
    chat: Annotated[
        str, typer.Option(metavar="<auto|on|off>", help="Apply the chat template for --ches; auto: if there is one.")
    ] = "auto",
    max_length: Annotated[
        int, typer.Option(metavar="N", min=8, help="Most tokens of prompt and completion for --ches.")
    ] = 2048,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.stats import describe

    names = ["edit_distance"] if edit_distance or ches else None
    dataset = open_pairs(path)
    if ches != bool(model):
        raise UsageError("--ches needs --model MODEL" if ches else "--model is for --ches; add --ches")
    if ches and shortcuts:
        raise UsageError("--ches and --shortcuts show different tables; give one of them")
    if not ches and limit:
        raise UsageError("--limit is for --ches; add --ches --model MODEL")
    if shortcuts:
        _print_shortcuts(dataset, as_json)
        return
    if edit_distance and dataset.manifest.get("sft"):
        raise UsageError(f"{path}: has no rejected completions, so there is no edit distance")
    statistics = describe(dataset, metric=metric, unit=unit, tokenizer=tokenizer, by=by, names=names)
    if ches:
        options = {"model": model, "device": device, "chat": chat, "max_length": max_length}
        for name, found in _ches(dataset, options, limit, by, quiet).items():
            statistics[name] |= found
    if as_json:
        print_json(statistics)
        return
    from pairgen.report.dataset_tables import statistics_view

    OutputConsole().print(statistics_view(statistics, dataset.manifest.get("dataset")))


def _ches(
    dataset: "PairDataset", options: dict[str, Any], limit: int | None, by: str | None, quiet: bool
) -> dict[str, dict[str, Any]]:
    """Summaries of CHES, by split."""
    from pairgen.evaluate.ches import DEFINITIONS, SCALE, scores
    from pairgen.stats import measured
    from pairgen.train.config import Config

    config = Config(**options, precision="float32")
    with progress_reporter(quiet) as (progress, warn):
        found = scores(dataset, config, limit or 0, progress=progress, warn=warn)
    return {name: measured(dataset.splits[name], table, DEFINITIONS, SCALE, by) for name, table in found.items()}


def _print_shortcuts(dataset: "PairDataset", as_json: bool) -> None:
    from pairgen.report.dataset_tables import shortcuts_view
    from pairgen.stats.shortcuts import measure

    found = {
        name: {rule: strength.to_json() for rule, strength in measure(split).items()}
        for name, split in dataset.splits.items()
    }
    if as_json:
        print_json(found)
    else:
        OutputConsole().print(shortcuts_view(found))


@command(
    help="Show pairs with the edit marked: [-removed-] from chosen, {+inserted+} in rejected. On a terminal, one at a "
    "time, with search, filter and marks: press ? there for the keys.",
    examples=[
        "pairgen show pairs",
        "pairgen show pairs --marks marks.jsonl --where mark=none  # on with what was not marked yet",
        "pairgen show pairs --limit 2 --split eval --random --where check=verified",
        "pairgen show pairs --where 'edit_distance<0.002' --where 'source~FOBAR'",
    ],
)
def show(
    path: Dataset,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            "--n",
            metavar="N",
            min=1,
            help="Maximum number of pairs. Default: 5, or all with the pager.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="FILTER",
            help="Only pairs with column=value, column!=value, column<number, column>number or column~text (contains).",
        ),
    ] = None,
    pair_id: Annotated[str | None, typer.Option("--id", metavar="PAIR_ID", help="Only the pair with this id.")] = None,
    split: Annotated[str | None, typer.Option(metavar="NAME", help="Only this split. Default: all.")] = None,
    random: Annotated[bool, typer.Option("--random", help="Show pairs at random instead of the first ones.")] = False,
    seed: Annotated[int, typer.Option(help="Random seed for --random.")] = 0,
    full: Annotated[bool, typer.Option("--full", help="Do not shorten long texts.")] = False,
    marks: Annotated[
        Path | None,
        typer.Option(
            "--marks",
            metavar="FILE",
            help="JSON Lines file of your marks (good or bad) and notes. The pager adds to it, and --where can name "
            "the columns mark (good, bad, none) and note.",
        ),
    ] = None,
    no_pager: Annotated[bool, typer.Option("--no-pager", help="Print the pairs also on a terminal.")] = False,
    as_json: Json = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs

    dataset = open_pairs(path)
    conditions = [*(where or ()), *([f"pair_id={pair_id}"] if pair_id else [])]
    drawn = seed if random else None
    if not (no_pager or as_json):
        from pairgen.report.viewer.full_screen import is_interactive

        if is_interactive():
            from pairgen.report.viewer.reading import Options, read

            read(dataset, Options(tuple(conditions), split, limit, drawn, full, marks))
            return
    from pairgen.report.filter import select
    from pairgen.report.pair_view import pair_view
    from pairgen.report.viewer.marks import read_marks

    rows = select(dataset, limit or 5, conditions, split, drawn, read_marks(marks) if marks else None)
    if as_json:
        print_json(rows)
        return
    console = OutputConsole()
    for row in rows:
        console.print(pair_view(row, console.width, full=full))
    if not rows:
        print_stderr("no matching pairs")


@command(
    help="Explain a solution: the results found in it, how each was verified, where it is used, and which corruption a "
    "build could make.",
    examples=[
        "pairgen explain 'Ann has 4 * 6 = 24 jars, and 24 + 3 = 27 in all.'",
        "pairgen explain MetaMathQA.jsonl --limit 3 --error operator --carry answer",
        "pairgen explain solution.txt --json",
    ],
)
def explain(
    solution: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|FILE",
            help="A solution, a text file of one, a file of rows in any format that build reads (with the solutions in "
            "`response` or `answer`), or - for stdin.",
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", "--n", metavar="N", min=1, help="Maximum number of solutions. Default: all."),
    ] = None,
    corruption: Corruption = "near",
    error: Error = "result",
    carry: Carry = "none",
    seed: Annotated[int, typer.Option(help="Random seed of the error.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per solution, one per line.")] = False,
) -> None:
    from pairgen.building.inspection.explain import explain, solutions
    from pairgen.report.solution_view import explained_view

    console = OutputConsole()
    for item in itertools.islice(solutions(solution, print_stderr), limit):
        options = {"corruption": corruption, "error": error, "carry": carry, "seed": seed}
        explanation = explain(item.text, item.question, key=item.key, **options)
        if as_json:
            print_json(explanation)
        else:
            console.print(explained_view(explanation, console.width, item.where))
