"""Commands that make something to look at outside the terminal: report."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pairgen.cli.app import command, print_stderr
from pairgen.errors import UsageError


@command(
    help="Make one HTML page about datasets, training runs and studies, to look at and to pass on: a single file that "
    "needs no network.",
    examples=[
        "pairgen report pairs --out pairs.html",
        "pairgen report pairs runs/dpo runs/dpop --title 'DPO and DPOP' --out report.html",
        "pairgen report runs/dpo runs/dpop --pairs 12  # twelve pairs, token by token",
    ],
)
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR|RUN|STUDY...", help="Folders of datasets, runs and studies, in this order."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page; an existing file is replaced.")] = Path(
        "report.html"
    ),
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Title of the page. Default: what it is about.")
    ] = None,
    sample: Annotated[
        int, typer.Option(metavar="N", min=0, max=2000, help="Maximum number of pairs shown of each dataset.")
    ] = 300,
    pairs: Annotated[
        int, typer.Option(metavar="N", min=0, max=100, help="Maximum number of pairs of runs shown token by token.")
    ] = 6,
) -> None:
    from pairgen.atomic import write_text
    from pairgen.building.inspection.audit import pair_findings
    from pairgen.report.pages.assembly import PageOptions, page

    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {out}: must end in .html")
    words = ["pairgen", "report", *map(str, folders)]
    made = page(folders, PageOptions(title, sample, pairs), pair_findings, shlex.join(words))
    write_text(out, made)
    print_stderr(f"Wrote {out} ({len(made.encode()) / 1e6:.1f} MB).")
