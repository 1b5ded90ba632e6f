"""Training commands: plan, train, watch, compare."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pairgen.cli.app import Json, OutputConsole, Quiet, command, print_json, rank
from pairgen.cli.bars import progress_reporter
from pairgen.cli.flags import with_options
from pairgen.errors import TrainingError, UsageError, install_hint
from pairgen.progress import Progress, Warn
from pairgen.train.config import PRESETS, Config, combine
from pairgen.train.losses import LOSSES
from pairgen.train.planning.request import PlanOptions

PANELS = {
    "model": "Run",
    "loss": "Loss",
    "steps": "Steps and batches",
    "sft_steps": "SFT before preference training",
    "learning_rate": "Optimizer",
    "max_length": "Tokenization",
    "lora": "Memory, speed and precision",
    "log_every": "Logging and checkpoints",
}
"""Headings of the help, each by the first option under it."""

PLAN_PANELS = {"model": "Model and machine", "precision": "Training", "data": "Pairs"}
"""The same for `plan`."""

PRINTED_HEIGHT = 48
"""Lines of the curves of a run that are not printed on a terminal."""

RENDEZVOUS = "--nproc-per-node 8 --rdzv-backend c10d"
LAUNCHES = (
    "torchrun --nproc-per-node 8 -m pairgen train pairs --model Qwen/Qwen3-4B --out run  # one node with eight GPUs",
    "accelerate launch --multi_gpu --num_processes 8 -m pairgen train pairs --model Qwen/Qwen3-4B --out run  # same",
    (
        f"torchrun --nnodes 2 {RENDEZVOUS} --rdzv-id 1 --rdzv-endpoint node-0:29500 "
        "-m pairgen train pairs --model Qwen/Qwen3-32B --out run  # on each of two nodes, the first of which is node-0"
    ),
    (
        "sbatch --nodes 2 --ntasks-per-node 1 --gpus-per-node 8 --wrap 'srun torchrun --nnodes $SLURM_NNODES "
        f"{RENDEZVOUS} --rdzv-id $SLURM_JOB_ID --rdzv-endpoint $(hostname):29500 "
        "-m pairgen train pairs --model Qwen/Qwen3-32B --out run'  # two nodes of a Slurm cluster"
    ),
)
"""How a run is started on several GPUs and nodes, each with a remark."""

EXTRA_PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")
"""Installed by the extra ``train`` only."""


@command(
    help="Train a model on preference pairs (DPOP by default, which keeps the chosen likelihood from falling).\n\n"
    "For several GPUs, start a process for each with torchrun or accelerate, as shown below. On several nodes, "
    "datasets, --out, --reference-dir and a --model that is a folder must be on a file system that all nodes share, "
    "under the same path; a model from the Hub is downloaded once by each node. --resume works with any number of "
    "processes.",
    examples=[
        "pairgen train pairs --out run  # a tiny model that runs on any machine",
        "pairgen train metamath arc --model Qwen/Qwen3-0.6B --preset smaug --out run",
        "pairgen train pairs --config run.toml --loss ipo --beta 0.1 --out ipo",
        "pairgen train --resume --out run",
        "pairgen train preferences.jsonl eval=held-out.jsonl --model my-model --out run  # TRL's layout, and others",
        *LAUNCHES,
    ],
)
@with_options(Config, PANELS)
def train(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA",
            help="Datasets to train on: folders that pairgen wrote; or files, folders or Hub datasets in a layout that "
            "`pairgen import` recognizes, such as TRL's, with eval=FILE for held-out rows.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML or YAML file of options. Flags take precedence: `--no-compile` overrides `compile = true`.",
            rich_help_panel=PANELS["model"],
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Published hyperparameters: {', '.join(PRESETS)}. --config and flags take precedence.",
            rich_help_panel=PANELS["model"],
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume the run in --out from its latest checkpoint.",
            rich_help_panel=PANELS["model"],
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing run.", rich_help_panel=PANELS["model"])
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Write nothing: show sizes, and one pair as the model sees it, with chat template and truncation.",
            rich_help_panel=PANELS["model"],
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **flags: Any,
) -> None:
    if data:
        flags["data"] = tuple(data)
    if dry_run:
        _preview(combine(flags, config, preset), quiet, as_json)
        return
    if resume:
        not_allowed = {"--config": config, "--preset": preset, "--overwrite": overwrite}
        for name in (name for name, value in not_allowed.items() if value):
            raise UsageError(f"--resume uses the options of the run; remove {name}")
        result = _resume(flags, quiet)
    else:
        result = _train(combine(flags, config, preset), overwrite, quiet)
    if rank():
        return
    if as_json:
        print_json({"out": str(result.folder), **result.summary})
        return
    from pairgen.report.run_tables import summary_table
    from pairgen.run_folder import open_run

    OutputConsole().print(summary_table(open_run(result.folder)))


def _preview(config: Config, quiet: bool, as_json: bool) -> None:
    if not config.data:
        raise UsageError("train: no dataset given; name at least one, as in `pairgen train pairs --dry-run`")
    with _training(config.out, quiet) as (progress, warn):
        from pairgen.train.preview import preview

        config, imports = _planned(config, progress, warn)
        found = preview(config, imports=imports, progress=progress, warn=warn)
    if as_json:
        print_json(found)
        return
    from pairgen.report.run_tables import preview_view

    OutputConsole().print(preview_view(found), "", "Nothing was written.", sep="\n")


def _train(config: Config, overwrite: bool, quiet: bool) -> Any:
    if not config.data:
        raise UsageError("train: no dataset given; name at least one, as in `pairgen train pairs --out run`")
    if not config.out:
        raise UsageError("train: missing --out, the folder of the run")
    with _training(config.out, quiet) as (progress, warn):
        from pairgen.train.run import train

        config, imports = _planned(config, progress, warn)
        return train(config, overwrite=overwrite, imports=imports, progress=progress, warn=warn)


def _planned(config: Config, progress: Progress, warn: Warn) -> tuple[Config, Any]:
    """The config with the datasets that the run will have, and how to import those that it does not have yet."""
    from pairgen.exchange.imports.for_training import Callbacks, plan

    sft = not LOSSES[config.loss].uses_rejected
    data, imports = plan(config.data, sft=sft, callbacks=Callbacks(progress, warn, warn))
    return replace(config, data=tuple(data)), imports


def _resume(changes: dict[str, Any], quiet: bool) -> Any:
    out = changes.pop("out", "")
    if not out:
        raise UsageError("train: --resume needs --out, the folder of the run")
    with _training(out, quiet) as (progress, warn):
        from pairgen.train.run import resume

        return resume(Path(out), changes, progress=progress, warn=warn)


@contextmanager
def training_packages() -> Iterator[None]:
    """Raise a TrainingError that says what to install if a package of the extra ``train`` is missing."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in EXTRA_PACKAGES:
            raise
        raise TrainingError(f"training needs {error.name}, which is not installed; {install_hint('train')}") from error


@contextmanager
def _training(out: str, quiet: bool) -> Iterator[tuple[Progress, Warn]]:
    """Callbacks for a run, and messages for a missing package and for an interrupt.

    OMP_WAIT_POLICY: by default OpenMP threads spin while they wait, and on a machine that does anything else at the
    same time a step takes several times as long. Sleeping threads cost a few percent on an idle machine.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with training_packages(), progress_reporter(quiet) as callbacks:
            yield callbacks
    except KeyboardInterrupt as interrupt:
        started = (Path(out) / "config.toml").is_file()
        hint = f"resume with: pairgen train --resume --out {shlex.quote(out)}" if started else "no run was started"
        raise KeyboardInterrupt(*interrupt.args, hint) from None


@command(
    help="Plan a training run on paper, from the model's config alone: memory by part, the micro-batch that fits, "
    "pairs per second, hours, and the smallest machine that would do.",
    examples=[
        "pairgen plan --model yi-34b --gpus 8 --gpu H100 --precision bf16-pure --steps 1000",
        "pairgen plan --model config.json --gpus 2 --gpu-memory 48 --lora 16 --tokens-per-pair 700 --pairs 100000",
        "pairgen plan --model my-model --data pairs --json  # counts the tokens of a pair dataset",
    ],
)
@with_options(PlanOptions, PLAN_PANELS)
def plan(quiet: Quiet = False, as_json: Json = False, **flags: Any) -> None:
    from pairgen.train.planning.plan import as_values, plan

    options = PlanOptions(**flags)
    with training_packages(), progress_reporter(quiet) as (progress, _):
        found = as_values(plan(options, progress))
    if as_json:
        print_json(found)
        return
    from pairgen.report.run_tables import plan_view

    OutputConsole().print(plan_view(found))


@command(
    help="Watch runs while they are trained: step, speed, time left, and curves in the terminal, "
    "until they are finished. q leaves.",
    examples=["pairgen watch run", "pairgen watch dpo dpop", "pairgen watch run --once"],
)
def watch(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders written by `pairgen train --out`.")],
    once: Annotated[bool, typer.Option("--once", help="Print the state and the curves once.")] = False,
) -> None:
    from pairgen.report.live.progress_view import plots, progress_view
    from pairgen.report.live.watcher import watches
    from pairgen.report.viewer.full_screen import is_interactive

    runs = watches(paths)
    found = [run.update()[0] for run in runs]
    if not once and is_interactive() and not all(run.is_finished for run in found):
        from pairgen.report.live.watcher import watch as watch_live

        try:
            found = watch_live(runs)
        except KeyboardInterrupt:
            return
        if not all(run.is_finished for run in found):
            return
    console = OutputConsole()
    height = console.height - 2 if console.is_terminal else PRINTED_HEIGHT
    console.print(progress_view(found, plots(found), console.width, height))


@command(
    help="Compare runs: metrics at the end in one table, and the chosen log-ratio over steps as a plot.",
    examples=["pairgen compare dpo ipo dpop", "pairgen compare runs/* --json"],
)
def compare(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders written by `pairgen train --out`.")],
    as_json: Json = False,
) -> None:
    from pairgen.report.comparison import compared, comparison
    from pairgen.run_folder import open_run

    runs = [open_run(path) for path in paths]
    if as_json:
        print_json(asdict(compared(runs)))
        return
    console = OutputConsole()
    console.print(comparison(runs, console.width))
