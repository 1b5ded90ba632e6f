"""Commands for other people's data and trainers, and for the Hub: import, sft-data, export, card, push."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pairgen.building.options import BuildOptions
from pairgen.cli.app import Json, Quiet, command, print_json, print_stderr
from pairgen.cli.bars import output_reporter, progress_reporter
from pairgen.cli.dataset_commands import (
    AtomicOut,
    Dataset,
    DryRun,
    Out,
    Overwrite,
    Private,
    print_built,
    print_preview,
    required,
)
from pairgen.cli.flags import with_options
from pairgen.errors import count
from pairgen.exchange.exports.export_options import ExportOptions
from pairgen.exchange.exports.targets import TARGETS
from pairgen.exchange.functions import BUILD_ONLY
from pairgen.exchange.imports.detection import layouts

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files, a pattern of files, - for JSON on stdin, a `save_to_disk` folder, or a Hub dataset; "
        "eval=FILE for another split.",
    ),
]
LayoutName = Annotated[
    str | None,
    typer.Option("--layout", metavar="<name>", help="Layout of the rows. Default: recognized from their columns."),
]
ColumnNames = Annotated[
    str | None,
    typer.Option("--columns", metavar="OURS=THEIRS,...", help="Source columns by role, instead of a layout."),
]
PANELS = {"seed": "Rows and splits", "workers": "Speed"}


def _listed(sft: bool) -> str:
    return "\n".join(f"- **{name}**: {layout.summary}" for name, layout in layouts(sft).items())


@command(
    name="import",
    help="Import existing preference data: recognize its layout, and write pairs with groups, edit spans and "
    "distances. Conversations keep their messages.\n\n" + _listed(sft=False),
    examples=[
        "pairgen import preferences.jsonl --out pairs",
        "pairgen import train.parquet eval=test.parquet --layout trl --license cc-by-4.0 --out pairs",
        "pairgen import ratings.csv --columns prompt=question,chosen=better,rejected=worse --out pairs",
        "pairgen import HuggingFaceH4/ultrafeedback_binarized --limit 1000 --out ultrafeedback  # from the Hub",
    ],
)
@with_options(BuildOptions, PANELS, without=BUILD_ONLY)
def import_(
    sources: Sources,
    out: Out = None,
    layout: LayoutName = None,
    columns: ColumnNames = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    options = BuildOptions(source=tuple(sources), columns=columns, **{"workers": 0, **flags})
    _import(options, out, {"layout": layout, "sft": False}, overwrite, dry_run, quiet, as_json)


@command(
    name="sft-data",
    help="Import prompts with completions to imitate, for supervised fine-tuning with `pairgen train --loss sft`.\n\n"
    + _listed(sft=True),
    examples=[
        "pairgen sft-data MetaMathQA-395K.json --out metamath-sft",
        "pairgen sft-data sharegpt.json --layout sharegpt --out sharegpt-sft",
        "pairgen sft-data notes.csv --columns prompt=question,completion=reply --out notes-sft",
    ],
)
@with_options(BuildOptions, PANELS, without=BUILD_ONLY)
def sft_data(
    sources: Sources,
    out: Out = None,
    layout: LayoutName = None,
    columns: ColumnNames = None,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    options = BuildOptions(source=tuple(sources), columns=columns, **{"workers": 0, **flags})
    _import(options, out, {"layout": layout, "sft": True}, overwrite, dry_run, quiet, as_json)


def _import(
    options: BuildOptions,
    out: str | None,
    how: dict[str, Any],
    overwrite: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from pairgen.exchange.imports.importing import find_importer, import_pairs

    importer = find_importer(options, **how)
    print_stderr(f"layout {importer.layout}: {importer.builder.summary}")
    if dry_run:
        print_preview(importer.builder, options, quiet, as_json)
        return
    out = required(out)
    with output_reporter(quiet, out) as (progress, warn):
        dataset = import_pairs(importer, out, options, overwrite=overwrite, progress=progress, warn=warn)
    print_built(dataset, out, as_json)


@command(
    help="Export a dataset for other trainers, or as solutions with labelled steps.\n\nLayouts:\n\n"
    + "\n".join(f"- **{name}**: {target.summary}" for name, target in TARGETS.items()),
    examples=[
        "pairgen export pairs --to trl --out pairs-trl",
        "pairgen export pairs --to step-dpo --format parquet --out pairs-steps",
        "pairgen export pairs --to llama-factory --out LLaMA-Factory/data/pairs",
    ],
)
@with_options(ExportOptions, {"to": "Layout and files"})
def export(
    path: Dataset,
    out: AtomicOut,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing export.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    from pairgen.exchange.exports.exporting import export
    from pairgen.pairs.dataset import open_pairs

    options = ExportOptions(**flags)
    with output_reporter(quiet, out) as (progress, _):
        splits = export(open_pairs(path), out, options, overwrite=overwrite, progress=progress)
    if as_json:
        print_json({"out": str(out), "to": options.to, **{name: split._asdict() for name, split in splits.items()}})
        return
    for name, split in splits.items():
        left_out = count(split.without_steps, "pair")
        without = f"; left out {left_out} without a corrupted step" if split.without_steps else ""
        pairs, rows, files = count(split.pairs, "pair"), count(split.rows, "row"), count(len(split.files), "file")
        typer.echo(f"{name}: {pairs} as {rows} in {files}{without}")
    typer.echo(f"Exported to {out} in the layout {options.to}.")


@command(
    help="Render the card of a dataset (README.md) again: after an upgrade, or to set its license. "
    "What you wrote above or below its generated part is kept, and so are keys that you added to its YAML.",
    examples=[
        "pairgen card pairs",
        "pairgen card pairs --license cc-by-4.0",
        "pairgen card pairs --check  # for scripts: exit code 1 if the card is out of date",
    ],
)
def card(
    path: Dataset,
    license: Annotated[
        str | None,
        typer.Option(metavar="ID", help="License of the source rows, as a Hub identifier such as cc-by-4.0."),
    ] = None,
    croissant: Annotated[
        bool,
        typer.Option("--croissant", help="Also write croissant.json, which tells dataset searches what columns mean."),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if the card would change.")
    ] = False,
    as_json: Json = False,
) -> None:
    from pairgen.exchange.card_update import README, write_card

    changes = write_card(path, license, croissant=croissant, check=check)
    file = path / README
    if as_json:
        print_json({"card": str(file), "changed": changes})
    else:
        verb = "would change" if check else "updated"
        typer.echo(f"{file}: {f'{verb}: ' + ', '.join(changes) if changes else 'up to date'}")
    if check and changes:
        raise typer.Exit(1)


@command(
    help="Push a dataset to the Hub as Parquet files, or the final model of a training run, each with its card. "
    "Needs a token: log in with `hf auth login`, or set HF_TOKEN.",
    examples=[
        "pairgen push pairs ann/math-pairs --dry-run",
        "pairgen push pairs ann/math-pairs --private",
        "pairgen push runs/dpop ann/math-dpop",
    ],
)
def push(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="A dataset or a training run.")],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="owner/name of the repository, created if needed.")],
    private: Private = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Push nothing: list the files and their sizes.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    from pairgen.exchange import publish

    url: str | None = None
    try:
        with progress_reporter(quiet) as (progress, _):
            if dry_run:
                with publish.prepared(path, repo, progress) as upload:
                    sizes = upload.sizes()
            else:
                url, sizes = publish.push(path, repo, private=private, progress=progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"nothing was pushed to {repo}") from None
    if as_json:
        print_json({"repo": repo, "url": url, "files": sizes})
        return
    if dry_run:
        for name, size in sizes.items():
            typer.echo(f"{size:>15,}  {name}")
    total = f"{count(len(sizes), 'file')}, {sum(sizes.values()):,} bytes"
    typer.echo(f"Would push {total} to {repo}" if dry_run else f"Pushed {total} to {url}")
