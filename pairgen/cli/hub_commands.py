"""Commands for the Hub: card, push."""

from pathlib import Path
from typing import Annotated

import typer

from pairgen.cli.app import Json, Quiet, command, print_json
from pairgen.cli.bars import progress_reporter
from pairgen.cli.dataset_commands import Dataset, Private
from pairgen.errors import count


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
