"""The commands that make and look at datasets: build, stats, show, explain, validate."""

import itertools
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pairgen.builders import BUILDERS, CORRUPTIONS
from pairgen.cli.app import Json, app, print_json, say
from pairgen.cli.bars import bar
from pairgen.errors import ValidationFailed
from pairgen.pairs.edits import METRICS

Seed = Annotated[int, typer.Option(help="Every random choice follows from it and from the row.")]
Corruption = Annotated[
    str,
    typer.Option(
        metavar="WAY",
        help="How wrong values are drawn: "
        + "; ".join(f"{name}: {corruption.summary}" for name, corruption in CORRUPTIONS.items())
        + ".",
    ),
]
Dataset = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `pairgen build` wrote.")]


@app.command(
    help="Build a pair dataset from rows of the hub, of files, or of the built-in sample.\n\n"
    + "\n".join(f"- **{name}**: {builder.summary}" for name, builder in BUILDERS.items()),
    epilog="Examples:\n\n"
    "- `pairgen build metamath --source sample --out pairs`\n"
    "- `pairgen build metamath --source MetaMathQA.jsonl --eval-size 1000 --out pairs`\n"
    "- `pairgen build arc --source train=Train.jsonl --source eval=Dev.jsonl --shots 25 --out arc`\n"
    "- `pairgen build hellaswag --out hellaswag` (from the hub)",
)
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(BUILDERS)}.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write. It appears when it is whole.")],
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="[SPLIT=]WHERE",
            help="Where rows come from: a .json, .jsonl, .csv, .tsv (each also .gz), .parquet or .arrow file, a folder "
            "of save_to_disk, a hub id, sample[:ROWS[:SEED]]. Once per split. Default: the hub.",
        ),
    ] = None,
    seed: Seed = 0,
    corruption: Corruption = "near",
    corruptions: Annotated[
        int, typer.Option(metavar="K", help="Up to K different pairs of each row, in one group.")
    ] = 1,
    eval_size: Annotated[
        int | None,
        typer.Option(
            help="Rows taken off the training source for evaluation; no question is on both sides. "
            "Default: 1000 for metamath from the hub, else 0."
        ),
    ] = None,
    prompt_style: Annotated[
        str | None,
        typer.Option(
            metavar="STYLE", help="raw, lm-eval, alpaca, or a Jinja template file that sees `question` and `row`."
        ),
    ] = None,
    shots: Annotated[int, typer.Option(help="Worked examples in front of every question, one set for all.")] = 0,
    shots_per_row: Annotated[bool, typer.Option("--shots-per-row", help="Draw the shots anew for each row.")] = False,
    on_error: Annotated[str, typer.Option(metavar="stop|skip", help="What a row that cannot be read does.")] = "stop",
    workers: Annotated[int, typer.Option(help="Processes; 0 takes every core. The data is the same.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a dataset that is there.")] = False,
    as_json: Json = False,
) -> None:
    from pairgen.building.pipeline import Options
    from pairgen.building.pipeline import build as run

    if on_error not in ("stop", "skip"):
        raise typer.BadParameter("is stop or skip", param_hint="--on-error")
    options = Options(
        seed=seed,
        prompt_style=prompt_style,
        shots=shots,
        shots_per_row=shots_per_row,
        eval_size=eval_size,
        corruption=corruption,
        corruptions=corruptions,
        skip_broken=on_error == "skip",
    )
    given = source or []
    with bar() as progress:
        dataset = run(
            name,
            out,
            given,
            options,
            workers=workers,
            overwrite=overwrite,
            command=_rebuild(name, out, given, options),
            progress=progress,
            warn=say,
        )
    if as_json:
        print_json({"out": str(out), **{split: _built(dataset.manifest, split) for split in dataset.splits}})
        return
    from pairgen.report.terminal import built_sentence, corruption_tables

    for split in dataset.splits:
        found = _built(dataset.manifest, split)
        typer.echo(built_sentence(split, found, corruptions))
        if "corruptions" in found:
            Console().print(corruption_tables(found["corruptions"]), "")
    typer.echo(f"{out}: whole. Look at it with: pairgen show {shlex.quote(str(out))}")


def _built(manifest: Mapping[str, Any], split: str) -> dict[str, Any]:
    """What came out of one split."""
    about = manifest["splits"][split]
    found = {key: about[key] for key in ("rows", "pairs", "rows_with_fewer_pairs", "drops") if key in about}
    corruptions = manifest["statistics"][split].get("corruptions")
    return {**found, "corruptions": corruptions} if corruptions else found


def _rebuild(name: str, out: Path, given: list[str], options: Any) -> str:
    """The command line that builds the same data again."""
    words = ["pairgen", "build", name, *(word for text in given for word in ("--source", text)), "--out", out.name]
    words += ["--seed", str(options.seed)]
    if options.eval_size is not None:
        words += ["--eval-size", str(options.eval_size)]
    if options.corruption != "near":
        words += ["--corruption", options.corruption]
    if options.corruptions != 1:
        words += ["--corruptions", str(options.corruptions)]
    if options.prompt_style:
        words += ["--prompt-style", options.prompt_style]
    if options.shots:
        words += ["--shots", str(options.shots), *(["--shots-per-row"] if options.shots_per_row else [])]
    if options.skip_broken:
        words += ["--on-error", "skip"]
    return shlex.join(words)


@app.command(
    help="Statistics of a dataset: edit distance with its definition, lengths, groups, how corruptions were checked, "
    "drops.",
    epilog="Examples:\n\n- `pairgen stats pairs --edit-distance`\n"
    "- `pairgen stats pairs --edit-distance --metric hamming --unit word --by source`\n"
    "- `pairgen stats pairs --edit-distance --unit token --tokenizer Qwen/Qwen3-0.6B --json`",
)
def stats(
    path: Dataset,
    edit_distance: Annotated[bool, typer.Option("--edit-distance", help="Only the edit distance.")] = False,
    metric: Annotated[str, typer.Option(metavar="|".join(METRICS), help="Edit distance to measure.")] = "levenshtein",
    unit: Annotated[str, typer.Option(metavar="char|word|token", help="What is counted.")] = "char",
    tokenizer: Annotated[str | None, typer.Option(metavar="ID", help="Tokenizer for --unit token.")] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="One line per value of source, strategy, check or reason."),
    ] = None,
    as_json: Json = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.stats import describe

    names = ["edit_distance"] if edit_distance else None
    found = describe(open_pairs(path), metric=metric, unit=unit, tokenizer=tokenizer, by=by, names=names)
    if as_json:
        print_json(found)
        return
    from pairgen.report.terminal import statistics_table

    Console().print(statistics_table(found))


@app.command(
    help="Show pairs with the edit marked: [-taken out-] of chosen, {+put in+} rejected.",
    epilog="Examples:\n\n- `pairgen show pairs`\n- `pairgen show pairs --n 2 --split eval --where check=verified`\n"
    "- `pairgen show pairs --where 'edit_distance<0.002' --where 'source~FOBAR'`",
)
def show(
    path: Dataset,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="How many pairs.")] = 5,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="TEST", help="column=value, !=, <, >, or ~ for a part of the text."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Do not shorten long prompts.")] = False,
    as_json: Json = False,
) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.report.filter import select
    from pairgen.report.terminal import pair_view

    rows = select(open_pairs(path), n, where or (), split)
    if as_json:
        print_json(rows)
        return
    console = Console()
    for row in rows:
        console.print(pair_view(row, console.width, full=full))
    if not rows:
        say("no pair matches")


@app.command(
    help="Show what is found in a worked solution: its results, how each was checked, what would be drawn.",
    epilog="Examples:\n\n- `pairgen explain 'Ann has 4 * 6 = 24 jars, and 24 + 3 = 27 in all.'`\n"
    "- `pairgen explain MetaMathQA.jsonl --n 3 --corruption digit`\n"
    "- `pairgen explain solution.txt --json`",
)
def explain(
    given: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|FILE",
            help="A solution; or a file of one; or a .jsonl or .json file, one solution per row in `response` or "
            "`answer`; or - for stdin.",
        ),
    ],
    n: Annotated[int | None, typer.Option("--n", "-n", min=1, help="At most so many solutions. Default: all.")] = None,
    corruption: Corruption = "near",
    seed: Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per solution, one per line.")] = False,
) -> None:
    from pairgen.building.explain import explain as run
    from pairgen.building.explain import solutions
    from pairgen.report.solution_view import explained_view

    console = Console()
    for solution in itertools.islice(solutions(given), n):
        found = run(solution.text, solution.question, corruption, seed, solution.key)
        if as_json:
            print_json(found)
        else:
            console.print(explained_view(found, console.width, solution.where))


@app.command(
    help="Check every promise of the row contract on every row; exit 3 if any is broken.",
    epilog="Example:\n\n- `pairgen validate pairs`",
)
def validate(path: Dataset, as_json: Json = False) -> None:
    from pairgen.pairs.dataset import open_pairs
    from pairgen.pairs.invariants import PROMISES
    from pairgen.pairs.validate import violations

    dataset = open_pairs(path)
    found = violations(dataset)
    pairs = sum(split.pairs for split in dataset.splits.values())
    if as_json:
        print_json({"pairs": pairs, "violations": [asdict(violation) for violation in found]})
    else:
        for violation in found:
            typer.echo(str(violation))
    if found:
        raise ValidationFailed(f"{path}: {len(found)} kinds of violation in {pairs:,} pairs; build the dataset again")
    if not as_json:
        typer.echo(f"{path}: {pairs:,} pairs keep all {len(PROMISES)} promises")
