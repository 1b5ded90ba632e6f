"""Dataset commands: build, stats, show, explain, validate."""

import itertools
import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairgen.builders import BUILDERS
from pairgen.building.options import BuildOptions
from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json, print_stderr
from pairgen.cli.bars import progress_reporter
from pairgen.cli.flags import with_options
from pairgen.errors import OutputError, UsageError, ValidationFailed, count
from pairgen.pairs.edits import METRICS

if TYPE_CHECKING:
    from pairgen.builders import Builder
    from pairgen.pairs.dataset import PairDataset

Dataset = Annotated[Path, typer.Argument(metavar="DIR", help="A dataset: a folder written by `pairgen build`.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Output folder; required, except with --dry-run.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing dataset.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: show the first pair of each split, and the expected size.")
]
_BUILD_HELP = {item.name: item.metadata["help"] for item in fields(BuildOptions)}
Private = Annotated[
    bool, typer.Option("--private", help="Create a private repository, and refuse to push to a public one.")
]
Corruption = Annotated[str, typer.Option(metavar="<name>", help=_BUILD_HELP["corruption"])]


@command(
    help="Build a dataset of preference pairs from the Hub, local files or the built-in sample.\n\n"
    + "\n".join(f"- **{name}**: {builder.summary}" for name, builder in BUILDERS.items()),
    examples=[
        "pairgen build metamath --source sample --out pairs",
        "pairgen build metamath --source MetaMathQA.jsonl --eval-size 1000 --out pairs",
        "pairgen build arc --source train=Train.jsonl --source eval=Dev.jsonl --shots 25 --out arc",
        "pairgen build hellaswag --out hellaswag  # from the Hub",
    ],
)
@with_options(
    BuildOptions,
    {
        "source": "Rows and splits",
        "corruption": "Corruptions (metamath, gsm8k, solutions)",
        "prompt_style": "Prompts",
        "workers": "Speed",
    },
)
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(BUILDERS)}.")],
    out: Out = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    push_to: Annotated[
        str | None, typer.Option("--push", metavar="REPO", help="Push the dataset to this repository on the Hub.")
    ] = None,
    private: Private = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    from pairgen.building.pipeline import build
    from pairgen.exchange.publish import check_access

    options = BuildOptions(**{"workers": 0, **flags})
    if dry_run:
        print_preview(name, options, quiet, as_json)
        return
    out = required(out)
    if private and not push_to:
        raise UsageError("--private needs --push REPO")
    if push_to:
        check_access(push_to)
    try:
        with progress_reporter(quiet) as (progress, warn):
            dataset = build(name, out, options, overwrite=overwrite, progress=progress, warn=warn)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"nothing was written to {out}") from None
    pushed = _push(out, push_to, private, quiet) if push_to else {}
    print_built(dataset, out, as_json, options.pairs_per_row, pushed)


def required(out: Path | None) -> Path:
    """The output folder. Raises UsageError if it is missing."""
    if out is None:
        raise UsageError("missing --out, the output folder")
    return out


def print_built(
    dataset: "PairDataset", out: Path, as_json: bool, pairs_per_row: int = 1, pushed: Mapping[str, str] | None = None
) -> None:
    """The counts of a new dataset, and where it is; ``pushed`` may hold its ``url`` on the Hub."""
    results = {split: _build_result(dataset.manifest, split) for split in dataset.splits}
    if as_json:
        print_json({"out": str(out), **(pushed or {}), **results})
        return
    from pairgen.report.dataset_tables import corruption_tables, split_summary

    for split, built in results.items():
        typer.echo(split_summary(split, built, pairs_per_row, is_sft=bool(dataset.manifest.get("sft"))))
        if "corruptions" in built:
            OutputConsole().print(corruption_tables(built["corruptions"]), "")
    noun = "example" if dataset.manifest.get("sft") else "pair"
    typer.echo(f"Wrote {count(len(dataset), noun)} to {out}. Inspect them with: pairgen show {shlex.quote(str(out))}")
    if pushed:
        typer.echo(f"Pushed to {pushed['url']}")


def _push(out: Path, repo: str, private: bool, quiet: bool) -> dict[str, Any]:
    """Push a dataset that was just built. If that fails, the message says how to push it later."""
    from pairgen.exchange.publish import push

    try:
        with progress_reporter(quiet) as (progress, _):
            return {"url": push(out, repo, private=private, progress=progress).url}
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the dataset is in {out}, but was not pushed to {repo}") from None
    except OutputError as error:
        again = shlex.join(["pairgen", "push", str(out), repo, *(["--private"] if private else [])])
        raise OutputError(f"{error}. The dataset is in {out}: push it later with `{again}`") from error


def print_preview(builder: "str | Builder", options: BuildOptions, quiet: bool, as_json: bool) -> None:
    """What a build would give: the first pair of each split, and the expected size."""
    from pairgen.building.preview import preview
    from pairgen.report.dataset_tables import preview_summary
    from pairgen.report.pair_view import pair_view

    with progress_reporter(quiet) as (progress, warn):
        found = preview(builder, options, progress=progress, warn=warn)
    if as_json:
        print_json({split: part._asdict() for split, part in found.items()})
        return
    console = OutputConsole()
    for split, part in found.items():
        typer.echo(preview_summary(split, part._asdict()))
        if part.first:
            console.print(pair_view(part.first, console.width), "")
    typer.echo("Nothing was written.")


def _build_result(manifest: Mapping[str, Any], split: str) -> dict[str, Any]:
    """The counts of one split, for --json."""
    counts = manifest["splits"][split]
    result = {key: value for key, value in counts.items() if key != "shards"}
    corruptions = manifest["statistics"][split].get("corruptions")
    return {**result, "corruptions": corruptions} if corruptions else result


@command(
    help="Print statistics of a dataset: edit distance, lengths, group sizes, verified corruptions, dropped rows.",
    examples=[
        "pairgen stats pairs --edit-distance",
        "pairgen stats pairs --edit-distance --metric hamming --unit word --by source",
        "pairgen stats pairs --edit-distance --unit token --tokenizer Qwen/Qwen3-0.6B --json",
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
        typer.Option(metavar="COLUMN", help="Group the edit distance by source, strategy, check or reason."),
    ] = None,
    as_json: Json = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.stats import describe

    names = ["edit_distance"] if edit_distance else None
    dataset = open_pairs(path)
    if edit_distance and dataset.manifest.get("sft"):
        raise UsageError(f"{path}: has no rejected completions, so there is no edit distance")
    statistics = describe(dataset, metric=metric, unit=unit, tokenizer=tokenizer, by=by, names=names)
    if as_json:
        print_json(statistics)
        return
    from pairgen.report.dataset_tables import statistics_view

    OutputConsole().print(statistics_view(statistics, dataset.manifest.get("dataset")))


@command(
    help="Show pairs with the edit marked: [-removed-] from chosen, {+inserted+} in rejected.",
    examples=[
        "pairgen show pairs",
        "pairgen show pairs --limit 2 --split eval --random --where check=verified",
        "pairgen show pairs --where 'edit_distance<0.002' --where 'source~FOBAR'",
    ],
)
def show(
    path: Dataset,
    limit: Annotated[
        int, typer.Option("--limit", "-n", "--n", metavar="N", min=1, help="Maximum number of pairs.")
    ] = 5,
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
    as_json: Json = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.report.filter import select
    from pairgen.report.pair_view import pair_view

    conditions = [*(where or ()), *([f"pair_id={pair_id}"] if pair_id else [])]
    rows = select(open_pairs(path), limit, conditions, split, seed if random else None)
    if as_json:
        print_json(rows)
        return
    console = OutputConsole()
    for row in rows:
        console.print(pair_view(row, console.width, full=full))
    if not rows:
        print_stderr("no matching pairs")


@command(
    help="Explain a solution: the results found in it, how each was verified, and which corruption a build could make.",
    examples=[
        "pairgen explain 'Ann has 4 * 6 = 24 jars, and 24 + 3 = 27 in all.'",
        "pairgen explain MetaMathQA.jsonl --limit 3 --corruption digit",
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
    seed: Annotated[int, typer.Option(help="Random seed of the wrong value.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per solution, one per line.")] = False,
) -> None:
    from pairgen.building.explain import explain, solutions
    from pairgen.report.solution_view import explained_view

    console = OutputConsole()
    for item in itertools.islice(solutions(solution), limit):
        explanation = explain(item.text, item.question, corruption, seed, item.key)
        if as_json:
            print_json(explanation)
        else:
            console.print(explained_view(explanation, console.width, item.where))


@command(
    help="Check every row of a dataset against the schema and its invariants; exit code 3 on violations.",
    examples=["pairgen validate pairs"],
)
def validate(path: Dataset, as_json: Json = False) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.pairs.invariants import INVARIANTS
    from pairgen.pairs.validate import shared_prompts, violations

    dataset = open_pairs(path)
    found = violations(dataset)
    pairs = len(dataset)
    if as_json:
        print_json({"pairs": pairs, "violations": [asdict(violation) for violation in found]})
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
