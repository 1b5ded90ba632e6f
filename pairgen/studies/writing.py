"""Studies from their options to their reports on disk."""

import shlex
from dataclasses import fields, replace
from pathlib import Path

from pairgen.atomic import new_folder
from pairgen.errors import OutputExists
from pairgen.options import flag
from pairgen.progress import Progress, Warn, ignore
from pairgen.report.documents.bundle import report_files
from pairgen.report.documents.content import Report
from pairgen.report.documents.markdown import FOLDER
from pairgen.studies import load
from pairgen.studies.running.plan import StudyOptions
from pairgen.studies.running.runner import run_study, setting_of

CONTENT = {"report.md", "report.json", FOLDER}

ONE_SEED = "Nothing: with one seed, a difference cannot be told from what another seed would change."


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write a report to a folder of its own, whole or not at all. Returns its files, ``report.md`` first.

    An earlier report there is replaced. Without matplotlib there are no figures; see ``bundle.undrawn``.

    Raises:
        OutputExists: ``folder`` is a file or has other files than those of a report.
        OutputError: the disk is full, or the folder cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputExists(f"{folder}: is a file or a symbolic link; choose another folder for the report")
    if folder.exists() and (others := {path.name for path in folder.iterdir()} - CONTENT):
        raise OutputExists(
            f"{folder}: contains files that are not of a report, such as {min(others)}; choose another folder"
        )
    files = report_files(report)
    with new_folder(folder) as new:
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
    return [folder / name for name in files]


def run_and_report(
    name: str, options: StudyOptions, progress: Progress = ignore, warn: Warn = ignore
) -> tuple[Report, list[Path]]:
    """Run a study, or what is left of it, and write its report to ``OUT/NAME-SCALE/``.

    Returns:
        The report and its files, ``report.md`` first.

    Raises:
        PairgenError: as in builds and training; finished runs are kept.
    """
    study, setting = load(name), setting_of(options)
    report = study.report(run_study(study, setting, progress, warn))
    if len(setting.seeds) < 2:
        report = replace(report, findings=[ONE_SEED])
    report = replace(report, setting={"command": _command(name, options), **report.setting})
    return report, write_report(report, setting.out / f"{name}-{setting.scale_name}")


def _command(name: str, options: StudyOptions) -> str:
    """The command that gives this report. Paths are shown by their last part."""
    words = ["pairgen", "study", name]
    for item in fields(options):
        value = getattr(options, item.name)
        if value != item.default and item.name not in ("out", "workers", "keep_models"):
            for one in value if isinstance(value, tuple) else [value]:
                words += [flag(item.name), Path(one).name if isinstance(one, str) else f"{one:g}"]
    return shlex.join(words)
