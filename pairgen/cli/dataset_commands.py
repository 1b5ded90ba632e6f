"""The commands build and merge, and what other commands that write datasets share with them."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairgen.builders import BUILDERS
from pairgen.building.options import BuildOptions
from pairgen.building.upload import is_remote, shown
from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json
from pairgen.cli.bars import output_reporter, progress_reporter
from pairgen.cli.flags import with_options
from pairgen.errors import OutputError, UsageError, count

if TYPE_CHECKING:
    from pairgen.builders import Builder
    from pairgen.pairs.dataset import PairDataset

Dataset = Annotated[Path, typer.Argument(metavar="DIR", help="A dataset: a folder that pairgen wrote.")]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Output folder, or a URL to upload it to (s3://...); required, except with --dry-run.",
    ),
]


def _local_folder(text: str) -> Path:
    """A folder on this machine; ``Path`` would take a URL for one. Raises UsageError."""
    if is_remote(text):
        raise UsageError(f"--out {text}: this command does not write to URLs; choose a local folder")
    return Path(text)


AtomicOut = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", help="Output folder, created atomically.", parser=_local_folder),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing dataset.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing: show the first pair of each split, and the expected size.")
]
Private = Annotated[
    bool, typer.Option("--private", help="Create a private repository, and refuse to push to a public one.")
]


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

    options = BuildOptions(**{"workers": 0, **flags})
    if dry_run:
        print_preview(name, options, quiet, as_json)
        return
    out = required(out)
    if private and not push_to:
        raise UsageError("--private needs --push REPO")
    if push_to and is_remote(out):
        raise UsageError("--push needs an output folder on this machine, not a URL")
    if push_to:
        from pairgen.exchange.publish import check_access

        check_access(push_to)
    with output_reporter(quiet, out) as (progress, warn):
        dataset = build(name, out, options, overwrite=overwrite, progress=progress, warn=warn)
    pushed = _push(out, push_to, private, quiet) if push_to else {}
    print_built(dataset, out, as_json, options.pairs_per_row, pushed)


@command(
    help="Combine the parts that `pairgen build --shard I/N` made, in any order, into the dataset that a single build "
    "would write, byte for byte.\n\nAn array of Slurm jobs builds them; an interrupted job resumes when requeued:\n\n"
    "`sbatch --array=0-7 --wrap 'pairgen build metamath --source rows.jsonl --resume --shard $SLURM_ARRAY_TASK_ID/8 "
    "--out part-$SLURM_ARRAY_TASK_ID'`",
    examples=["pairgen merge part-* --out pairs"],
)
def merge(
    paths: Annotated[list[Path], typer.Argument(metavar="DIR", help="All parts of a build.")],
    out: AtomicOut,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    from pairgen.building.parts.merging import merge

    with output_reporter(quiet, out) as (progress, _):
        dataset = merge(paths, out, overwrite=overwrite, progress=progress)
    print_built(dataset, out, as_json, dataset.manifest["options"].get("pairs_per_row", 1))


def required(out: str | None) -> str:
    """The output folder or URL. Raises UsageError if it is missing."""
    if out is None:
        raise UsageError("missing --out, the output folder")
    return out


def print_built(
    dataset: "PairDataset",
    out: str | Path,
    as_json: bool,
    pairs_per_row: int = 1,
    pushed: Mapping[str, str] | None = None,
) -> None:
    """The counts of a new dataset, and where it is; ``pushed`` may hold its ``url`` on the Hub."""
    results = {split: _build_result(dataset.manifest, split) for split in dataset.splits}
    if as_json:
        print_json({"out": shown(out), **(pushed or {}), **results})
        return
    from pairgen.report.dataset_tables import corruption_tables, split_summary

    for split, built in results.items():
        typer.echo(split_summary(split, built, pairs_per_row, is_sft=bool(dataset.manifest.get("sft"))))
        if "corruptions" in built:
            OutputConsole().print(corruption_tables(built["corruptions"]), "")
    print_location(dataset, out)
    if pushed:
        typer.echo(f"Pushed to {pushed['url']}")


def print_location(dataset: "PairDataset", out: str | Path) -> None:
    """Where a new dataset is, and how to look at it."""
    noun = "example" if dataset.manifest.get("sft") else "pair"
    hint = "" if is_remote(out) else f". Inspect them with: pairgen show {shlex.quote(str(out))}"
    typer.echo(f"Wrote {count(len(dataset), noun)} to {shown(out)}{hint}")


def _push(out: str, repo: str, private: bool, quiet: bool) -> dict[str, Any]:
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
