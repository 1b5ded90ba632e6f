"""Studies from their options to their reports on disk."""

from dataclasses import replace
from pathlib import Path

from pairgen.options import shown_command
from pairgen.progress import Progress, Warn, ignore
from pairgen.report.documents.content import Report
from pairgen.report.documents.report_folder import write_report
from pairgen.studies import load
from pairgen.studies.running.plan import StudyOptions
from pairgen.studies.running.runner import run_study, setting_of

ONE_SEED = "Nothing: with one seed, a difference cannot be told from what another seed would change."


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
    report = replace(
        report,
        setting={
            "command": shown_command(["study", name], options, without=("out", "workers", "keep_models")),
            **report.setting,
        },
    )
    return report, write_report(report, setting.out / f"{name}-{setting.scale_name}")
