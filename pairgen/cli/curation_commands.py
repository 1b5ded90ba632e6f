"""Commands that derive a dataset from others: sample, split, mix, dedup, decontaminate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairgen.builders import BUILDERS
from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json
from pairgen.cli.bars import output_reporter
from pairgen.cli.dataset_commands import AtomicOut, Dataset, Overwrite, print_location
from pairgen.cli.flags import with_options
from pairgen.errors import UsageError, count
from pairgen.exchange.curation.curation_options import MATCHES, DedupOptions, OverlapOptions

if TYPE_CHECKING:
    from pairgen.exchange.curation.decontaminate import Contamination
    from pairgen.exchange.curation.deduplicate import Duplicates
    from pairgen.pairs.dataset import PairDataset

EVALUATION_SETS = [name for name, builder in BUILDERS.items() if builder.hub and "eval" in builder.hub.splits]
OptionalOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Output folder, created atomically. Default: report only."),
]
Seed = Annotated[int, typer.Option(help="Random seed.")]


def _written(dataset: "PairDataset", out: Path) -> dict[str, Any]:
    """What the last command of the history did, for --json."""
    return {"out": str(out), "splits": dataset.manifest["history"][-1]["splits"]}


def _print_written(dataset: "PairDataset", out: Path, as_json: bool) -> None:
    written = _written(dataset, out)
    if as_json:
        print_json(written)
        return
    for name, of_split in written["splits"].items():
        removed = ", ".join(f"{pairs:,} ({reason})" for reason, pairs in of_split["removed"].items())
        kept = count(of_split["pairs"], "pair")
        typer.echo(f"{name}: {kept} of {of_split['pairs_before']:,}{'; left out: ' + removed if removed else ''}")
    print_location(dataset, out)


@command(
    help="Write a random sample of the training pairs; other splits are copied.\n\n"
    "Groups (pairs that share prompt and chosen) are kept whole, so the sample has at most N pairs, usually exactly N.",
    examples=["pairgen sample pairs --pairs 1000 --out small"],
)
def sample(
    path: Dataset,
    pairs: Annotated[int, typer.Option("--pairs", metavar="N", min=1, help="Most pairs of train to keep.")],
    out: AtomicOut,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    from pairgen.exchange.curation.subsets import sample
    from pairgen.pairs.dataset import open_pairs

    with output_reporter(quiet, out) as (progress, _):
        written = sample(open_pairs(path), out, pairs, seed=seed, overwrite=overwrite, progress=progress)
    _print_written(written, out, as_json)


@command(
    help="Hold out pairs for evaluation: move at most N of them from train to a new eval split.\n\n"
    "Pairs with the same question (prompt without few-shot examples and system prompt) are never divided between the "
    "splits.",
    examples=["pairgen split pairs --eval-size 500 --out pairs-with-eval"],
)
def split(
    path: Dataset,
    eval_size: Annotated[int, typer.Option("--eval-size", metavar="N", min=1, help="Most pairs to hold out.")],
    out: AtomicOut,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    from pairgen.exchange.curation.subsets import split
    from pairgen.pairs.dataset import open_pairs

    with output_reporter(quiet, out) as (progress, _):
        written = split(open_pairs(path), out, eval_size, seed=seed, overwrite=overwrite, progress=progress)
    _print_written(written, out, as_json)


@command(
    help="Mix the pairs of several datasets, in proportion to weights; without weights, all of them.\n\n"
    "Training groups are chosen and put in order at random; other splits are appended whole. Training pairs whose "
    "prompt is in another split are left out.",
    examples=[
        "pairgen mix metamath arc hellaswag --out mixed",
        "pairgen mix metamath arc --weights 0.7,0.3 --pairs 10000 --seed 1 --out mixed",
    ],
)
def mix(
    paths: Annotated[list[Path], typer.Argument(metavar="DIR DIR...", help="Two or more datasets.")],
    out: AtomicOut,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="W,W", help="Share of each dataset in the pairs of train. Default: all pairs of every dataset."
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Pairs of train. Default: as many as the smallest dataset allows for these weights.",
        ),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    from pairgen.exchange.curation.curation_options import MixOptions
    from pairgen.exchange.curation.mixing import mix
    from pairgen.pairs.dataset import open_pairs

    options = MixOptions(_weights(weights), pairs, seed)
    datasets = [open_pairs(path) for path in paths]
    with output_reporter(quiet, out) as (progress, _):
        written = mix(datasets, out, options, overwrite=overwrite, progress=progress)
    _print_written(written, out, as_json)


def _weights(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(weight) for weight in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"--weights {text}: must be numbers separated by commas, such as 0.7,0.3") from None


@command(
    help="Find duplicate pairs and near-duplicate prompts; with --out, write the dataset without them.\n\n"
    "- Of pairs with the same prompt, chosen and rejected, the first stays.\n"
    "- Of prompts that are similar, all groups of the first stay, and those of the others are left out. Few-shot "
    "examples and system prompts are not compared.\n"
    "- Several answers to one prompt are no duplicates, unless --by question: then only the first stays.\n"
    "- Training pairs whose prompt is in eval, or similar to one there, are left out.",
    examples=[
        "pairgen dedup pairs  # report only",
        "pairgen dedup pairs --threshold 0.7 --out unique",
        "pairgen dedup pairs --exact --by question --out one-answer",
    ],
)
@with_options(DedupOptions, {})
def dedup(
    path: Dataset,
    out: OptionalOut = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    from pairgen.exchange.curation.deduplicate import dedup, find_duplicates
    from pairgen.pairs.dataset import open_pairs

    dataset, options, written = open_pairs(path), DedupOptions(**flags), None
    with output_reporter(quiet, out) as (progress, _):
        if out is None:
            found = find_duplicates(dataset, options, progress=progress)
        else:
            written, found = dedup(dataset, out, options, overwrite=overwrite, progress=progress)
    if as_json:
        print_json({**found.to_json(), **(_written(written, out) if written and out else {})})
        return
    _print_duplicates(found, len(dataset))
    if written and out:
        _print_written(written, out, False)


def _print_duplicates(found: "Duplicates", pairs: int) -> None:
    from pairgen.report.side_by_side import side_by_side

    if found.examples:
        rows = [(example.prompt, example.kept, example.reason) for example in found.examples]
        OutputConsole().print(side_by_side("left out", "kept", rows), "")
    for split, counts in found.pairs.items():
        for reason, number in counts.items():
            typer.echo(f"{split}: {count(number, 'pair')}: {reason}")
    left = f"{found.prompts_kept:,} of {count(found.prompts, 'distinct prompt')} stay"
    typer.echo(f"{found.total:,} of {count(pairs, 'pair')} are duplicates; {left}")


@command(
    help="Find pairs whose prompt overlaps with the questions of an evaluation set; with --apply, leave them out.\n\n"
    "- **question**: all words of a question in a row (one of fewer than N words: a line of its own)\n"
    "- **ngram**: N words of a question in a row\n"
    "- **masked**: the same once numbers, number words and the unknown x are masked\n\n"
    "Words are compared in lower case, without punctuation. Prompts are searched in full, few-shot examples included.",
    examples=[
        "pairgen decontaminate pairs --against gsm8k",
        "pairgen decontaminate pairs --against questions.jsonl --column text --json",
        "pairgen decontaminate pairs --against gsm8k --match ngram --apply --out clean",
    ],
)
@with_options(OverlapOptions, {})
def decontaminate(
    path: Dataset,
    against: Annotated[
        str,
        typer.Option(
            metavar="SET",
            help=f"Evaluation set: {', '.join(EVALUATION_SETS)} (from the Hub), a file, a folder or a Hub dataset.",
        ),
    ],
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the questions. Default: detected.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the pairs without overlap to --out.")] = False,
    out: OptionalOut = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    from pairgen.exchange.curation.decontaminate import decontaminate, find_overlaps
    from pairgen.exchange.curation.evaluation_sets import read_evaluation_set
    from pairgen.pairs.dataset import open_pairs

    if apply != (out is not None):
        raise UsageError("--apply and --out DIR belong together; without them, overlaps are only reported")
    dataset, options = open_pairs(path), OverlapOptions(**flags)
    written = None
    with output_reporter(quiet, out) as (progress, warn):
        questions = read_evaluation_set(against, column, warn)
        if out is None:
            found = find_overlaps(dataset, questions, options, progress=progress)
        else:
            written, found = decontaminate(dataset, out, questions, options, overwrite=overwrite, progress=progress)
    if as_json:
        print_json({**found.to_json(), **(_written(written, out) if written and out else {})})
        return
    _print_overlaps(found, options, len(dataset))
    if written and out:
        _print_written(written, out, False)


def _print_overlaps(found: "Contamination", options: OverlapOptions, pairs: int) -> None:
    from pairgen.report.side_by_side import side_by_side

    if found.examples:
        rows = [
            (example.prompt, example.question, options.describe(MATCHES[example.form])) for example in found.examples
        ]
        OutputConsole().print(side_by_side("prompt", f"question of {found.against}", rows), "")
    for name, form in MATCHES.items():
        if MATCHES[options.match] <= form:
            of_form = count(sum(counts[name] for counts in found.pairs.values()), "pair")
            prompts = count(found.prompts[name], "distinct prompt")
            found_questions = f"{found.questions[name]:,} of {count(found.size, 'question')} found"
            typer.echo(f"{options.describe(form)}: {of_form} ({prompts}); {found_questions}")
    typer.echo(f"{found.against}: overlaps with {found.total:,} of {count(pairs, 'pair')}")
