"""The study command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json, print_stderr
from pairgen.cli.bars import progress_reporter
from pairgen.cli.flags import with_options
from pairgen.cli.training_commands import training_packages
from pairgen.errors import UsageError
from pairgen.studies import STUDIES
from pairgen.studies.running.plan import StudyOptions

if TYPE_CHECKING:
    from pairgen.report.documents.content import Report

PANELS = {"scale": "Study", "seeds": "Runs"}
"""Headings of the help, each by the first option under it."""


@command(
    help="Run an experiment of many training runs, and report on it.\n\n"
    f"Studies: {', '.join(STUDIES)}. Finished runs are reused, also by other studies with the same --out, and an "
    "interrupted study continues where it stopped. Each variant has the best of several learning rates.",
    examples=[
        "pairgen study loss-comparison",
        "pairgen study token-position --scale real --source MetaMathQA-395K.json",
        "pairgen study lambda --scale gpu --model Qwen/Qwen3-0.6B --out studies",
    ],
)
@with_options(StudyOptions, PANELS)
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(STUDIES)}.")],
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    if name not in STUDIES:
        raise UsageError(f"study {name}: unknown study; available: {', '.join(STUDIES)}")
    with training_packages(), progress_reporter(quiet) as (progress, warn):
        from pairgen.studies.writing import run_and_report

        report, files = run_and_report(name, StudyOptions(**flags), progress, warn)
    _show(report, files, as_json)


def _show(report: "Report", files: list[Path], as_json: bool) -> None:
    from pairgen.report.documents.bundle import report_json
    from pairgen.report.documents.terminal import report_view

    if as_json:
        print_json(report_json(report))
        return
    OutputConsole().print(report_view(report, folder=str(files[0].parent)))
    print_stderr(f"Wrote {files[0]}")
