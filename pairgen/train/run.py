"""Training runs: the folder, the SFT stage, training, the final model.

``pairgen.run_folder`` describes the folder.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairgen import run_folder
from pairgen.errors import RunFolderError, UsageError
from pairgen.options import flag
from pairgen.progress import Progress, Warn, ignore
from pairgen.train import config as configs
from pairgen.train import distributed
from pairgen.train.checks.caveats import check_best_is_measured
from pairgen.train.config import Config
from pairgen.train.context import Phase, RunContext
from pairgen.train.data.splits import open_datasets
from pairgen.train.distributed import World
from pairgen.train.interrupts import translate_out_of_memory
from pairgen.train.loop import Trainer, check_best, learning_rate
from pairgen.train.losses import LOSSES
from pairgen.train.losses.laws import check_loss
from pairgen.train.model import loading as models
from pairgen.train.output import checkpoint, model_card
from pairgen.train.output.metrics_log import check_tracker
from pairgen.train.output.run_output import Imports, check_shared, create_folder, located, removed_if_empty, staged
from pairgen.train.prepare import prepare
from pairgen.train.scores.metrics import metric_names


@dataclass(frozen=True)
class TrainResult:
    """A finished run."""

    folder: Path
    summary: dict[str, Any]
    """Final metrics, steps, pairs, dropped pairs by reason, and the folders of the run and its model."""


def train(
    config: Config,
    *,
    overwrite: bool = False,
    imports: Imports = MappingProxyType({}),
    progress: Progress = ignore,
    warn: Warn = ignore,
    train_pairs: int = 0,
) -> TrainResult:
    """Train a model on pair datasets, in a new folder.

    Args:
        overwrite: replace an existing run.
        imports: names in ``config.data`` that are not folders yet, and what writes each; they become part of the run.
        progress: progress callback; its phases are those of ``context.Phase``.
        warn: receives warnings, once each, in the main process.
        train_pairs: score so many of the first training pairs, too, for ``pairs.parquet``.

    Raises:
        UsageError: options that conflict.
        InvalidDataset: a dataset that is not complete.
        OutputExists: the folder is not empty.
        TrainingError: the model cannot be trained, the device is out of memory, or the loss is NaN.
    """
    names = set(imports)
    given, config = config, _with_absolute_paths(config.resolved(), names)
    run = Path(config.out)
    _check_names(config)
    others = [folder for folder in config.data if folder not in imports]
    if others or not imports:
        open_datasets(others, LOSSES[config.loss])
    _refuse_nesting(config, run, names)
    models.pick_device(config.device)
    if config.model != "tiny":
        models.load_tokenizer(config.model, config.trust_remote_code)
    for message in given.without_effect():
        warn(message)
    with distributed.join_world(config.device) as world:
        if world.is_main:
            with staged(imports, run) as folder:
                check_best_is_measured(config, open_datasets(located(config.data, names, folder), LOSSES[config.loss]))
                create_folder(run, overwrite)
                if imports:
                    shutil.move(folder, run / run_folder.IMPORTED)
        config = replace(config, data=located(config.data, names, run / run_folder.IMPORTED))
        with removed_if_empty(run, world):
            return _start(config, world, progress, warn, train_pairs)


def resume(
    out: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    progress: Progress = ignore,
    warn: Warn = ignore,
    train_pairs: int = 0,
) -> TrainResult:
    """Resume a run from its latest checkpoint, or from its start if it has none yet.

    Args:
        changes: options with new values; those that would have changed the steps so far are refused.
        progress, warn, train_pairs: as in ``train``.

    Raises:
        RunFolderError: there is no run, or a change of an option that must stay the same.
    """
    config = _resumed_config(Path(out).absolute(), changes or {})
    _check_names(config)
    check_best_is_measured(config, open_datasets(config.data, LOSSES[config.loss]))
    _warn_of_schedule(config, warn)
    with distributed.join_world(config.device) as world:
        return _start(config, world, progress, warn, train_pairs)


def _start(config: Config, world: World, progress: Progress, warn: Warn, train_pairs: int) -> TrainResult:
    run = Path(config.out)
    if world.is_main:
        configs.save(config, run / run_folder.CONFIG)
    world.barrier()
    world.agree(lambda: check_shared(run))
    warned: set[str] = set()

    def warn_once(message: str) -> None:
        if world.is_main and message not in warned:  # the SFT stage prepares the same data
            warned.add(message)
            warn(message)

    return _run(config, RunContext(run, run / run_folder.TOKENS, world, progress, warn_once, train_pairs=train_pairs))


# ---------------------------------------------------------------- config and folder


def _check_names(config: Config) -> None:
    """Raise UsageError for an unusable loss, an unknown metric in --best, or a tracker that is not installed."""
    check_loss(config)
    check_best(config.best, [run_folder.EVAL + name for name in metric_names(config)])
    check_tracker(config.report_to)


def _with_absolute_paths(config: Config, imports: Collection[str] = ()) -> Config:
    """Make paths absolute, so that the run can be resumed from another directory."""
    if not config.out:
        raise UsageError("missing --out, the folder of the run")
    model = run_folder.final_model(Path(config.model), "--model")
    return replace(
        config,
        out=str(Path(config.out).absolute()),
        data=tuple(folder if folder in imports else str(Path(folder).absolute()) for folder in config.data),
        model=str(model.absolute()) if model.exists() and config.model != "tiny" else config.model,
        reference_dir=str(Path(config.reference_dir).absolute()) if config.reference_dir else "",
    )


def _refuse_nesting(config: Config, run: Path, imports: Collection[str] = ()) -> None:
    """Raise UsageError for a run inside a dataset, or inputs inside the run, which --overwrite would remove."""
    datasets = [Path(folder) for folder in config.data if folder not in imports]
    for number, dataset in enumerate(datasets):
        if any(dataset.samefile(other) for other in datasets[:number]):
            raise UsageError(f"{dataset}: is named twice; name each dataset once")
        if run.resolve().is_relative_to(dataset.resolve()):
            raise UsageError(f"--out {run}: is inside the dataset {dataset}; choose another --out")
    for path in (*datasets, Path(config.model), *([Path(config.reference_dir)] if config.reference_dir else [])):
        if path.exists() and path.resolve().is_relative_to(run.resolve()):
            raise UsageError(f"--out {run}: contains {path}, which is an input of the run; choose another --out")


def _resumed_config(run: Path, changes: Mapping[str, Any]) -> Config:
    """The config of a run with changes. Raises RunFolderError for changes that a resumed run cannot make."""
    file = run / run_folder.CONFIG
    if not file.is_file():
        raise RunFolderError(f"{run}: no run to resume; start one without --resume")
    before = configs.saved(file, changes)
    changed = {name: value for name, value in changes.items() if value is not None and name != "out"}
    after = _with_absolute_paths(replace(before, **changed))
    for name, old in before.fixed().items():
        if (value := after.fixed()[name]) != old:
            was, given = (_shown(name, at) for at in (old, value))
            raise RunFolderError(f"{run}: was started with {was}, not {given}; keep that value, or start a new run")
    done = checkpoint.read_state(newest).step if (newest := checkpoint.newest(run)) else 0
    if after.steps and done > after.steps:
        raise RunFolderError(f"{run}: has already done {done} steps, more than --steps {after.steps}")
    return after


def _warn_of_schedule(config: Config, warn: Warn) -> None:
    """Warn if the learning rate rises again because a finished cosine schedule got more steps."""
    run = Path(config.out)
    if not (newest := checkpoint.newest(run)) or config.lr_schedule != "cosine" or not config.steps:
        return
    done = checkpoint.read_state(newest).step
    lines = run_folder.read_metrics(run / run_folder.METRICS) if (run / run_folder.METRICS).is_file() else []
    before = lines[-1].get("learning_rate") if lines else None
    after = learning_rate(config, done, config.steps) if done < config.steps else None
    if before is not None and after is not None and after > 1.5 * before and done > config.warmup_ratio * config.steps:
        warn(
            f"the learning rate rises from {before:.2g} to {after:.2g}: the cosine schedule now ends at step "
            f"{config.steps:,}; --lr-schedule constant or a new run avoids this"
        )


# ---------------------------------------------------------------- stages


def _run(config: Config, context: RunContext) -> TrainResult:
    """Run the stages of a run that are not done yet."""
    after_sft = _run_sft(config, context) if config.sft_steps else config
    with translate_out_of_memory():
        trainer = prepare(after_sft, context)
        if trainer.state.step >= trainer.data.steps and (context.folder / run_folder.FINAL).is_dir():
            context.warn(
                f"{context.folder}: already finished at step {trainer.state.step:,}; to train longer, raise --steps"
            )
        try:
            trainer.run()
            return _finish(config, trainer)
        finally:
            trainer.saver.close()
            trainer.log.close()


def _shown(name: str, value: Any) -> str:
    """An option as on the command line: ``--beta 0.1``, or the folders of datasets."""
    return f"the data {', '.join(value)}" if name == "data" else f"{flag(name)} {value}"


def _run_sft(config: Config, context: RunContext) -> Config:
    """Run the SFT stage, unless it is finished; returns the config of the stage after it."""
    run = context.folder / run_folder.SFT
    sft = replace(
        config,
        out=str(run),
        loss="sft",
        steps=config.sft_steps or 0,
        sft_steps=0,
        learning_rate=config.sft_learning_rate,
        best="none",
        eval_every=0,
        report_to="none",
    )
    if not (run / run_folder.FINAL).is_dir():
        if context.world.is_main:
            configs.save(sft, run / run_folder.CONFIG)
        context.world.barrier()
        _run(sft, replace(context, folder=run, phase=Phase.SFT, train_pairs=0))
    return replace(config, model=str(run / run_folder.FINAL), sft_steps=0)


def _finish(config: Config, trainer: Trainer) -> TrainResult:
    """Write the final model with its card."""
    run, pairs = Path(config.out), trainer.data.pairs
    final = run / run_folder.FINAL
    summary = {
        "out": str(run),
        "model": str(final),
        "loss": config.loss,
        "steps": trainer.state.step,
        "pairs": int(pairs.groups.pairs.sum()),
        "drops": dict(pairs.drops),
        "metrics": run_folder.read_metrics(run / run_folder.METRICS)[-1],
    }
    trainer.saver.model(final, model_card.render(config, summary))
    return TrainResult(run, summary)
