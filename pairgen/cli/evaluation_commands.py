"""Commands that measure what training did: eval, study, run."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json, print_stderr
from pairgen.cli.bars import progress_reporter
from pairgen.cli.flags import with_options
from pairgen.cli.training_commands import training_packages
from pairgen.errors import UsageError
from pairgen.evaluate.options import EvaluationOptions
from pairgen.recipes import RECIPES
from pairgen.recipes.options import RecipeOptions
from pairgen.report.tables import Column, FittedTable
from pairgen.studies import STUDIES
from pairgen.studies.running.plan import StudyOptions

if TYPE_CHECKING:
    from pairgen.evaluate.outcome import Difference, Score
    from pairgen.recipes.arrangement import Arrangement
    from pairgen.report.documents.content import Report

PANELS = {"tasks": "Questions", "batch_size": "Answers", "device": "Model", "generate": "Answers for an outside judge"}
"""Headings of the help, each by the first option under it."""


@command(
    name="eval",
    help="Evaluate a model with lm-evaluation-harness, or compare two models on the same questions with paired tests.",
    examples=[
        "pairgen eval runs/dpop --tasks arc,hellaswag,gsm8k --leaderboard --out results",
        "pairgen eval runs/dpop --tasks gsm8k --source test.jsonl --source train=train.jsonl --limit 200",
        "pairgen eval runs/dpo runs/dpop --tasks arc --source ARC-Challenge-Dev.jsonl  # paired: McNemar, bootstrap",
        "pairgen eval results/dpo results/dpop  # saved results",
        "pairgen eval runs/dpop --generate mt_bench --questions question.jsonl --out answers",
    ],
)
@with_options(EvaluationOptions, PANELS)
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL [MODEL_B]",
            help="A run folder (its final model), a model or adapter folder, a GGUF file, a Hub id, or a folder of "
            "saved results.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Save results and samples here, in lm-evaluation-harness's own format; with --generate, the answers.",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    if len(models) > 2:
        raise UsageError(f"eval: {len(models)} models given; compare two at a time")
    options = EvaluationOptions(**flags)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in training: spinning threads would slow each other
    if options.generate:
        _generate(models, options, out, quiet, as_json)
        return
    from pairgen.evaluate.judging import evaluations
    from pairgen.evaluate.outcome import differences, table

    with progress_reporter(quiet) as (progress, warn):
        found = evaluations(models, options, out, progress, warn)
        compared = differences(found[0], found[1], warn, options.seed or 0) if len(found) == 2 else []
    if as_json:
        scores = {
            "models": [{"model": one.model, "scores": table(one.scores), "seconds": one.seconds} for one in found]
        }
        print_json(scores | ({"differences": table(compared)} if compared else {}))
    elif compared:
        OutputConsole().print(differences_view(compared, found[0].model, found[1].model))
    else:
        OutputConsole().print(scores_view(found[0].scores))
        for phase, seconds in found[0].seconds.items():
            print_stderr(f"{phase} took {seconds:,.1f} s")


def _generate(models: list[str], options: EvaluationOptions, out: Path | None, quiet: bool, as_json: bool) -> None:
    from pairgen.evaluate.judging import require_packages

    if len(models) > 1:
        raise UsageError("--generate: answers of one model at a time")
    if out is None:
        raise UsageError("--generate: missing --out, the folder for the answers")
    require_packages()
    with progress_reporter(quiet) as (progress, warn):
        from pairgen.evaluate.answers import answer_questions

        file, answers = answer_questions(models[0], options, out, progress, warn)
    if as_json:
        print_json({"file": str(file), "questions": answers})
    else:
        typer.echo(f"Wrote {answers:,} answers to {file}.")


def _metric(row: "Score | Difference") -> str:
    """``exact_match (strict-match)``: the metric, and how the answer was extracted."""
    return row.metric if row.filter == "none" else f"{row.metric} ({row.filter})"


def scores_view(scores: "list[Score]") -> FittedTable:
    """A table of the scores of one model."""
    table = FittedTable(
        Column("task", numeric=False),
        Column("metric", numeric=False),
        Column("value"),
        Column("stderr"),
        Column("questions"),
        Column("shots", hide=2),
    )
    for score in scores:
        stderr = "-" if score.stderr is None else f"{score.stderr:.4f}"
        table.add_row(
            *(score.task, _metric(score), f"{score.value:.4f}", stderr),
            *(f"{score.questions:,}", str(score.shots)),
        )
    return table


def differences_view(compared: "list[Difference]", a: str, b: str) -> FittedTable:
    """A table of the differences between two models."""
    tests = sorted({one.paired.test for one in compared})
    table = FittedTable(
        Column("task", numeric=False),
        Column("metric", numeric=False),
        Column("A"),
        Column("B", note=f"A: {a}\nB: {b}"),
        Column("B - A"),
        Column("95% interval", note="95% interval: paired bootstrap over questions"),
        Column("only A\nright", hide=2),
        Column("only B\nright", hide=2),
        Column("p", note=f"p: {' or '.join(tests)}, two-sided"),
        Column("questions", hide=3),
    )
    for one in compared:
        paired = one.paired
        low, high = paired.interval
        table.add_row(
            *(one.task, _metric(one), f"{paired.mean_a:.4f}", f"{paired.mean_b:.4f}"),
            *(f"{paired.difference:+.4f}", f"{low:+.3f} to {high:+.3f}"),
            *(f"{paired.only_a:,}", f"{paired.only_b:,}", f"{paired.p_value:.2g}", f"{paired.questions:,}"),
        )
    return table


# ---------------------------------------------------------------- study

STUDY_NAMES = "; ".join(f"{name}: {entry.about}" for name, entry in STUDIES.items()) + "."

STUDY_PANELS = {"scale": "Study", "seeds": "Runs"}
"""The same for `study`."""


@command(
    help="Run an experiment of many training runs, and report on it.\n\n"
    "Finished runs are reused, also by other studies with the same --out, and an interrupted study continues where it "
    "stopped. Each variant has the best of several learning rates.",
    examples=[
        "pairgen study loss-comparison",
        "pairgen study token-position --scale real --source MetaMathQA-395K.json",
        "pairgen study lambda --scale gpu --model Qwen/Qwen3-0.6B --out studies",
    ],
)
@with_options(StudyOptions, STUDY_PANELS)
def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help=STUDY_NAMES)],
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    if name not in STUDIES:
        raise UsageError(f"study {name}: unknown study; available: {', '.join(STUDIES)}")
    with training_packages(), progress_reporter(quiet) as (progress, warn):
        from pairgen.studies.writing import run_and_report

        report, files = run_and_report(name, StudyOptions(**flags), progress, warn)
    _show_report(report, files, as_json)


def _show_report(report: "Report", files: list[Path], as_json: bool) -> None:
    from pairgen.report.documents.bundle import report_json
    from pairgen.report.documents.terminal import report_view

    if as_json:
        print_json(report_json(report))
        return
    folder = next(file.parent for file in files if file.name == "report.md")
    OutputConsole().print(report_view(report, folder=str(folder)))
    print_stderr(f"Wrote {files[0]}")


# ---------------------------------------------------------------- run

RECIPE_PANELS = {"scale": "Recipe", "out": "Run"}
"""The same for `run`."""


@command(
    help="Run a recipe: build datasets, train in several stages, evaluate the model before and after each, and report "
    "on all of it.\n\n"
    "Finished stages are reused, as long as their settings and what they are made of stay the same, and an interrupted "
    "recipe continues where it stopped. A recipe of your own is a TOML file like those of the package.",
    examples=[
        "pairgen run --list",
        "pairgen run smaug  # sample rows and a tiny model",
        "pairgen run smaug --variant 7b --dry-run",
        "pairgen run smaug --scale real --source metamath-pairs=MetaMathQA.jsonl --source arc-pairs=ARC-Train.jsonl",
        "pairgen run smaug --scale full --launch 'torchrun --nproc-per-node 8' --out smaug-34b",
    ],
)
@with_options(RecipeOptions, RECIPE_PANELS)
def run(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE", help=f"A recipe of the package ({', '.join(RECIPES)}), or a TOML file."),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the recipes with their variants and scales.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing: print each stage and the command that does the same.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    if list_:
        _list_recipes(as_json)
        return
    if recipe is None:
        raise UsageError(f"run: no recipe given; available: {', '.join(RECIPES)}, or a TOML file")
    options = RecipeOptions(**flags)
    if dry_run:
        from pairgen.recipes.arrangement import arrange

        _show_stages(arrange(recipe, options), as_json)
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with training_packages(), progress_reporter(quiet) as (progress, warn):
            from pairgen.recipes.recipe_report import run_and_report

            report, files = run_and_report(recipe, options, progress, warn)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(*interrupt.args, "run the same command to continue") from None
    _show_report(report, files, as_json)


def _list_recipes(as_json: bool) -> None:
    from pairgen.recipes.recipe_file import find

    found = [find(name) for name in RECIPES]
    if as_json:
        layers = {one.name: {"variants": [*one.variants], "scales": [*one.scales]} for one in found}
        print_json({one.name: {"title": one.title, "about": one.about, **layers[one.name]} for one in found})
        return
    table = FittedTable(Column("recipe", numeric=False), Column("", numeric=False), Column("about", numeric=False))
    for one in found:
        table.add_row(one.name, "", one.about)
        for option, layers_of in (("--variant", one.variants), ("--scale", one.scales)):
            for name, layer in layers_of.items():
                table.add_row("", f"{option} {name}", layer.about)
    OutputConsole().print(table)
    folder = next(iter(RECIPES.values())).parent
    print_stderr(f"To make a recipe of your own, copy a file of {folder}; recipe_file.py there documents its keys.")


def _show_stages(found: "Arrangement", as_json: bool) -> None:
    if as_json:
        stages = [
            {"stage": one.name, "kind": one.kind, "done": one.is_done, "command": one.command()} for one in found.stages
        ]
        print_json({"out": str(found.out), "stages": stages, "left_out": list(found.left_out)})
        return
    for number, one in enumerate(found.stages, 1):
        typer.echo(f"# {number}. {one.name}{' (done)' if one.is_done else ''}\n{shlex.join(one.command())}")
    for text in found.left_out:
        typer.echo(f"# left out: {text}")
    for layer in (found.variant, found.scale):
        if layer.about:
            print_stderr(f"{layer.name}: {layer.about}.")
    print_stderr(f"{found.title}: {len(found.stages)} stages. Nothing was written.")
