"""A run from its config to its last file: the folder, SFT before it, the loop, the model at the end.

RUN/
  config.toml      every option, defaults filled in
  metrics.jsonl    one object per logged step; evaluation under eval/...
  checkpoints/     what --resume goes on from
  best/            the model when it was best at the chosen metric
  final/           the model at the end, for `from_pretrained`
  sft/             the run of --sft-steps, a run like any other
  tokens/          the pairs as tokens
  base/            where an adapter is trained on: the model it was merged into
  reference.json   hash of the reference model's weights; reference/, where the datasets cannot be written to
  not-finite-0.json  the pairs of the batch whose loss was no number, by process
  tensorboard/     with --report-to tensorboard
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pairgen.atomic import os_errors
from pairgen.errors import OutputExists, PairgenError, RunFolderError, UsageError
from pairgen.train import config as configs
from pairgen.train import distributed
from pairgen.train.config import Config, flag
from pairgen.train.data import load as data
from pairgen.train.distributed import World
from pairgen.train.interrupts import memory
from pairgen.train.loop import Loop
from pairgen.train.model import loading as models
from pairgen.train.output import checkpoint, trackers
from pairgen.train.output import model_card as card
from pairgen.train.prepare import Place, prepare

FILES = (
    *("config.toml", "metrics.jsonl", "checkpoints", "best", "final", "sft", "tokens", "base", "reference.json"),
    *("reference", "tensorboard"),
)
"""What a run writes, and --overwrite removes; and every ``not-finite-*.json``."""


@dataclass(frozen=True)
class Outcome:
    """A run that is done."""

    folder: Path
    summary: dict[str, Any]
    """What it came to: the last metrics, pairs, drops, where the model is."""


def train(
    config: Config,
    *,
    overwrite: bool = False,
    progress: Callable[..., None] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Train a model on pair datasets, in a new folder.

    Args:
        overwrite: remove a run that is in the folder.
        progress: told of progress.
        warn: takes sentences that a person should see.

    Raises:
        UsageError: options that cannot go together.
        InvalidDataset: a dataset that is not whole.
        OutputExists: the folder holds something already.
        TrainingError: the model cannot be trained, memory is full, or the loss is NaN.
    """
    config = _absolute(config.resolved())
    run = Path(config.out)
    datasets = data.open_datasets(config.data)
    _refuse_nesting(config, run, [dataset.path for dataset in datasets])
    trackers.check(config.report_to)
    models.pick_device(config.device)
    if config.model != "tiny":
        models.load_tokenizer(config.model, config.trust_remote_code)
    with distributed.world(config.device) as world:
        if world.main:
            _new_folder(run, overwrite)
            configs.save(config, run / "config.toml")
        world.wait()
        place = Place(run, run / "tokens", world, progress or (lambda *_: None), warn if world.main else lambda _: None)
        with _gone_if_nothing_began(run, world):
            return _run(config, place)


def resume(
    out: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    progress: Callable[..., None] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Go on with a run from its newest checkpoint, or from its beginning if it has none yet.

    Args:
        changes: options that were given anew; only those that leave the steps before as they were may differ.

    Raises:
        RunFolderError: there is no run, or it has another config.
    """
    run = Path(out).absolute()
    config = _continued(run, changes or {})
    trackers.check(config.report_to)
    with distributed.world(config.device) as world:
        if world.main:
            configs.save(config, run / "config.toml")
        world.wait()
        place = Place(run, run / "tokens", world, progress or (lambda *_: None), warn if world.main else lambda _: None)
        return _run(config, place)


def _absolute(config: Config) -> Config:
    """Paths that hold from any folder, since a run may go on from another."""
    if not config.out:
        raise UsageError("--out is missing: name the run's folder")
    model = Path(config.model)
    return config.replaced(
        out=str(Path(config.out).absolute()),
        data=tuple(str(Path(folder).absolute()) for folder in config.data),
        model=str(model.absolute()) if model.is_dir() and config.model != "tiny" else config.model,
        reference_dir=str(Path(config.reference_dir).absolute()) if config.reference_dir else "",
    )


def _refuse_nesting(config: Config, run: Path, datasets: list[Path]) -> None:
    """Raise UsageError where a run would lie in a dataset, or what it reads in the run, which --overwrite removes."""
    for dataset in datasets:
        if run.resolve().is_relative_to(dataset.resolve()):
            raise UsageError(f"--out {run}: is in the dataset {dataset}, which a new build removes; choose another")
    for read in (*datasets, Path(config.model), *([Path(config.reference_dir)] if config.reference_dir else [])):
        if read.exists() and read.resolve().is_relative_to(run.resolve()):
            raise UsageError(f"--out {run}: holds {read}, which the run reads; choose another --out")


@contextlib.contextmanager
def _gone_if_nothing_began(run: Path, world: World) -> Iterator[None]:
    """A run that fails before its first measurement leaves no folder, so that the corrected call can have it."""
    try:
        yield
    except (PairgenError, KeyboardInterrupt):
        if world.main and not list(run.rglob("metrics.jsonl")):
            _remove(run)
            with contextlib.suppress(OSError):
                run.rmdir()
        raise


def _continued(run: Path, changes: Mapping[str, Any]) -> Config:
    file = run / "config.toml"
    if not file.is_file():
        raise RunFolderError(f"{run}: holds no run to go on with; start one without --resume")
    before = configs.from_mapping({**configs.load(file), "out": str(run)}, str(file)).resolved()
    given = {name: value for name, value in changes.items() if value is not None and name != "out"}
    after = _absolute(before.replaced(**given))
    for name, value in after.fixed().items():
        was = before.fixed()[name]
        if value != was:
            raise RunFolderError(f"{run}: was started with {flag(name)} {was}, not {value}; leave it so, or start anew")
    if before.trust_remote_code and not changes.get("trust_remote_code"):
        raise UsageError(f"{run}: runs code that comes with the model; allow it again with --trust-remote-code")
    at = checkpoint.newest(run)
    if at and after.steps and checkpoint.read_state(at).step > after.steps:
        raise RunFolderError(f"{run}: has done {checkpoint.read_state(at).step} steps, more than --steps {after.steps}")
    return after


def _new_folder(run: Path, overwrite: bool) -> None:
    """Make the run's folder. Raises OutputExists where there is something else in it, or a run that shall stay."""
    with os_errors(run):
        if run.exists() and (not run.is_dir() or any(run.iterdir())):
            others = [path.name for path in run.iterdir()] if run.is_dir() else [run.name]
            others = [name for name in others if name not in FILES and not name.startswith(("not-finite-", "."))]
            if others or not (run / "config.toml").is_file():
                what = f" ({others[0]})" if others else ""
                raise OutputExists(f"{run}: holds files of something else{what}; choose another --out")
            if not overwrite:
                raise OutputExists(f"{run}: holds a run already; go on with --resume, or replace it with --overwrite")
            _remove(run)
        run.mkdir(parents=True, exist_ok=True)


def _remove(run: Path) -> None:
    """Remove what a run has written, its config last."""
    found = [run / name for name in FILES[1:]] + list(run.glob("not-finite-*.json")) + list(run.glob(".*"))
    for path in [*found, run / "config.toml"]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _run(config: Config, place: Place) -> Outcome:
    """All of a run but its folder: what is there already is taken up."""
    after = _after_sft(config, place) if config.sft_steps else config
    with memory():
        loop, pairs = prepare(after, place)
        try:
            loop.go()
        finally:
            loop.tracker.close()
        return _finish(config, loop, pairs, place.world)


def _after_sft(config: Config, place: Place) -> Config:
    """The config of the preference run that follows SFT; SFT is run first if its model is not there yet."""
    run = place.run / "sft"
    sft = config.replaced(
        out=str(run),
        loss="sft",
        steps=config.sft_steps,
        sft_steps=0,
        learning_rate=config.sft_learning_rate,
        best="none",
        eval_every=0,
        report_to="none",
    )
    if not (run / "final").is_dir():
        if place.world.main:
            with os_errors(run):
                run.mkdir(exist_ok=True)
            configs.save(sft, run / "config.toml")
        place.world.wait()

        def tell(phase: str, *rest: Any) -> None:
            place.tell("SFT" if phase == "train" else phase, *rest)

        _run(sft, replace(place, run=run, tell=tell))
    return config.replaced(model=str(run / "final"), sft_steps=0)


def _finish(config: Config, loop: Loop, pairs: data.TokenizedSplit, world: World) -> Outcome:
    """The model at the end with its card, and what the run came to."""
    run = Path(config.out)
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    summary = {
        "out": str(run),
        "model": str(run / "final"),
        "loss": config.loss,
        "steps": loop.state.step,
        "pairs": int(pairs.groups.pairs.sum()),
        "drops": dict(pairs.drops),
        "metrics": json.loads(lines[-1]),
    }
    loop.write_model("final", card.render(config, summary))
    world.wait()
    return Outcome(run, summary)
