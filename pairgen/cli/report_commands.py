"""Commands that make something to look at outside the terminal: report, plot."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pairgen.cli.app import OutputConsole, command, print_json, print_stderr
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
    options = PageOptions(title, sample, pairs)
    given = {"--title": title, "--sample": sample, "--pairs": pairs}
    changed = [(name, str(value)) for name, value in given.items() if value != getattr(PageOptions, name[2:])]
    words = ["pairgen", "report", *map(str, folders), *(word for item in changed for word in item)]
    made = page(folders, options, pair_findings, shlex.join(words))
    write_text(out, made)
    print_stderr(f"Wrote {out} ({len(made.encode()) / 1e6:.1f} MB).")


@command(
    help="Draw one figure of a dataset, of training runs over one another, or of a study, as SVG or PNG. Without NAME, "
    "list the figures that there are.",
    examples=[
        "pairgen plot pairs  # list the figures of a dataset",
        "pairgen plot pairs edit-distance --out edit-distance.svg",
        "pairgen plot pairs edit-distance --json  # its numbers",
        "pairgen plot runs/dpo runs/dpop loss --out loss.png",
    ],
)
def plot(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR|RUN...|STUDY [NAME]",
            help="A dataset, one or more runs, or the report of a study; then the name of the figure.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="The picture, which ends in .svg or .png; an existing file is replaced."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers of the figure as JSON.")] = False,
) -> None:
    from pairgen.report.figures import picture
    from pairgen.report.figures.lookup import figure, split_words

    folders, name = split_words(words)
    if out is not None:
        picture.check(out)
    if name is None:
        _list(folders, out, as_json)
        return
    found = figure(folders, name)
    if out is None and not as_json:
        raise UsageError(f"plot: missing --out FILE, such as --out {name}.svg, or --json for the numbers")
    if out is not None:
        picture.draw_to(found, out)
        print_stderr(f"Wrote {out}.")
    if as_json:
        from pairgen.report.documents.bundle import figure_json

        print_json(figure_json(found))


def _list(folders: list[Path], out: Path | None, as_json: bool) -> None:
    from pairgen.report.figures.lookup import listed
    from pairgen.report.tables import facts

    found = listed(folders)
    names = shlex.join(map(str, folders))
    if out is not None:
        raise UsageError(f"plot: missing the name of the figure; {names} has: {', '.join(found) or 'none'}")
    if as_json:
        print_json(found)
    else:
        OutputConsole().print(facts(found.items()))
        print_stderr(f"Draw one with: pairgen plot {names} NAME --out NAME.svg")
