"""The report of a recipe: ``report/`` as Markdown and JSON, and ``report.html`` with datasets and runs as well."""

import os
from datetime import UTC, datetime
from pathlib import Path

from pairgen import __version__
from pairgen.atomic import write_text
from pairgen.errors import UsageError
from pairgen.evaluate.tasks import TASKS
from pairgen.options import shown_command
from pairgen.progress import Progress, Warn, ignore
from pairgen.recipes.arrangement import Arrangement, arrange
from pairgen.recipes.execution import run_stages
from pairgen.recipes.journal import Journal
from pairgen.recipes.options import RecipeOptions
from pairgen.recipes.score_tables import (
    Evaluated,
    Task,
    comparisons,
    comparisons_table,
    findings,
    scores_figure,
    scores_table,
)
from pairgen.recipes.stage_kinds import DATA, EVAL, TRAIN
from pairgen.recipes.stage_tables import (
    about_start,
    data_table,
    evaluated,
    time_table,
    training_figures,
    training_findings,
    training_table,
)
from pairgen.report.documents.content import Report
from pairgen.report.documents.report_folder import write_report
from pairgen.report.pages.assembly import PageOptions, page
from pairgen.run_folder import PAIRS
from pairgen.run_folder.described import machines

FOLDER, PAGE = "report", "report.html"

SHOWN_PAIRS = 30
"""Pairs of each dataset in the page."""

ONE_RUN = "What another seed would change: every stage is run once."


def run_and_report(
    name: str, options: RecipeOptions, progress: Progress = ignore, warn: Warn = ignore
) -> tuple[Report, list[Path]]:
    """Run a recipe, or what is left of it, and write its report to ``OUT/report.html`` and ``OUT/report/``.

    Returns:
        The report and its files, the page first.

    Raises:
        UsageError: also if it is started by torchrun, whose processes would all do everything.
        PairgenError: as in builds, training and evaluation; finished stages are kept.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("run: start a recipe once, and its training with --launch 'torchrun --nproc-per-node N'")
    arrangement = arrange(name, options)
    for text in arrangement.left_out:
        warn(f"left out: {text}")
    run_stages(arrangement, options.launch, progress, warn)
    command = shown_command(["run", name], options, without=("out", "launch"))
    report = report_of(arrangement, command)
    files = write_report(report, arrangement.out / FOLDER)
    return report, [_write_page(arrangement, command), *files]


def report_of(arrangement: Arrangement, command: str) -> Report:
    """The report of a recipe whose stages are done.

    Args:
        command: the command that gives it, to be shown.
    """
    stages = arrangement.stages
    trained = [stage for stage in stages if stage.kind == TRAIN]
    models = [Evaluated.read(*one) for one in evaluated(stages)]
    tasks = _tasks(arrangement)
    compared = comparisons(models, tasks)
    figures = [*([scores_figure(models, tasks)] if len(models) > 1 else []), *training_figures(stages)]
    setting = {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "pairgen": __version__,
        "machine": machines([file for stage in trained if (file := stage.folder / PAIRS).is_file()]) or "unknown",
        "variant": arrangement.variant.about,
        "scale": arrangement.scale.about,
        "model at the start": about_start(trained[0].model),
    }
    return Report(
        kind="recipe",
        title=arrangement.title,
        question=arrangement.recipe.about or "What does each stage change?",
        setting={name: value for name, value in setting.items() if value},
        tables=[
            *([scores_table(models, tasks)] if models else []),
            training_table(stages),
            data_table(stages, {name: one.get("source", ()) for name, one in arrangement.recipe.stages.items()}),
            *([comparisons_table(compared)] if compared else []),
            time_table(stages, Journal(arrangement.out).spent()),
        ],
        figures=figures,
        findings=[*findings(compared), *training_findings(stages)],
        not_shown=[*arrangement.recipe.not_shown, *arrangement.scale.not_shown, ONE_RUN, *arrangement.left_out],
    )


def _tasks(arrangement: Arrangement) -> list[Task]:
    stage = next((stage for stage in arrangement.stages if stage.kind == EVAL), None)
    data = {str(one.folder): one.name for one in arrangement.stages if one.kind in DATA}
    tasks = stage.options["tasks"] if stage else ()
    names = {name: task.name for name, task in TASKS.items()}
    return [Task(data.get(task, names.get(task, task)), data.get(task, task), task in data) for task in tasks]


def _write_page(arrangement: Arrangement, command: str) -> Path:
    """The page about the report, the datasets and the runs."""
    from pairgen.building.inspection.audit import pair_findings

    folders = [stage.folder for kinds in (DATA, (TRAIN,)) for stage in arrangement.stages if stage.kind in kinds]
    options = PageOptions(arrangement.title, sample=SHOWN_PAIRS)
    file = arrangement.out / PAGE
    write_text(file, page([arrangement.out / FOLDER, *folders], options, pair_findings, command))
    return file
