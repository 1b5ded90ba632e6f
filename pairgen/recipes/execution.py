"""Runs a recipe: whatever is not done yet, stage by stage, and then the report."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pairgen.building.options import BuildOptions
from pairgen.errors import PairgenError, TrainingError
from pairgen.evaluate.judging import require_packages
from pairgen.evaluate.options import EvaluationOptions
from pairgen.exchange.curation.curation_options import MixOptions
from pairgen.options import arguments
from pairgen.progress import Progress, Warn, ignore
from pairgen.recipes.arrangement import Arrangement
from pairgen.recipes.journal import Journal, Session, locked
from pairgen.recipes.stage_kinds import BUILD, EVAL, KINDS, MIX, SFT_DATA, TRAIN, Stage, train_config
from pairgen.train.config import Config

STAGES = "stages"
"""The phase that finished stages are reported under."""

BUILD_WORKERS = 0
"""Processes of a build: as many as there are cores, which changes nothing but the time."""

POLL = 5.0
"""Seconds between two looks at processes that train."""


@dataclass(frozen=True)
class Work:
    """How stages are done."""

    progress: Progress = ignore
    warn: Warn = ignore
    launch: str = ""
    """See ``RecipeOptions.launch``."""
    lock: int = -1
    """Descriptor of the lock of the recipe's folder; processes started here keep it."""
    beat: Callable[[], None] = lambda: None
    """Called every ``POLL`` seconds while processes that were started here train."""

    def do(self, stage: Stage) -> None:
        """Do a stage, or the rest of it. Raises PairgenError."""
        {BUILD: self._build, MIX: self._mix, TRAIN: self._train, EVAL: self._eval}.get(stage.kind, self._import)(stage)

    def _build(self, stage: Stage) -> None:
        from pairgen.building.pipeline import build

        resume = stage.options.get("engine", "local") == "local"
        options = BuildOptions(**stage.own("dataset"), workers=BUILD_WORKERS, resume=resume)
        build(stage.options["dataset"], stage.folder, options, progress=self.progress, warn=self.warn)

    def _import(self, stage: Stage) -> None:
        from pairgen.exchange.imports.importing import find_importer, import_pairs

        options = BuildOptions(**stage.own("layout"), workers=BUILD_WORKERS, resume=True)
        importer = find_importer(options, stage.options.get("layout") or None, sft=stage.kind == SFT_DATA)
        import_pairs(importer, stage.folder, options, progress=self.progress, warn=self.warn)

    def _mix(self, stage: Stage) -> None:
        from pairgen.exchange.curation.mixing import mix
        from pairgen.pairs.dataset import open_pairs

        datasets = [open_pairs(folder) for folder in stage.data]
        mix(datasets, stage.folder, MixOptions(**stage.options), progress=self.progress)

    def _eval(self, stage: Stage) -> None:
        from pairgen.evaluate.judging import evaluations

        options = EvaluationOptions(**stage.options)
        evaluations([stage.model], options, stage.folder, self.progress, self.warn)

    # ------------------------------------------------------------ training

    def _train(self, stage: Stage) -> None:
        from pairgen.train.continuing import train_or_continue

        config = train_config(stage)
        changes = {name: value for name, value in stage.options.items() if name in KINDS[TRAIN].unimportant}
        if self.launch:
            self._train_launched(config, changes)
        else:
            train_or_continue(config, changes, progress=self.progress, warn=self.warn)
        _tidy(stage)
        _free_memory()

    def _train_launched(self, config: Config, changes: Mapping[str, Any]) -> None:
        """Train in processes of their own, which keep the lock: they may outlive this one, if it is killed."""
        from pairgen.train.continuing import can_continue

        folder = Path(config.out)
        if can_continue(folder):
            words = ["--resume", *arguments(Config(**changes)), "--out", str(folder)]
        else:
            words = [*config.data, *arguments(replace(config, data=())), "--overwrite"]
        command = [*shlex.split(self.launch), "-m", "pairgen", "train", *words, "--quiet"]
        try:
            process = subprocess.Popen(command, stdout=sys.stderr, pass_fds=[self.lock] if self.lock >= 0 else [])
        except OSError as error:
            raise TrainingError(f"--launch {self.launch}: cannot be started ({error.strerror or error})") from error
        try:
            code = self._wait_for(process)
        except KeyboardInterrupt:  # the processes got it, too, and save a checkpoint
            process.wait()
            raise
        if code:
            raise TrainingError(f"--launch {self.launch}: training ended with exit code {code}; see the messages above")

    def _wait_for(self, process: "subprocess.Popen[bytes]") -> int:
        """The exit code of a process. Until it ends, the time is kept, which would be lost if this one were killed."""
        while True:
            try:
                return process.wait(POLL)
            except subprocess.TimeoutExpired:
                self.beat()


def _tidy(stage: Stage) -> None:
    """Remove what a finished stage no longer needs, also if the process was killed before it could."""
    if stage.kind == TRAIN:
        from pairgen.train.continuing import remove_leftovers

        remove_leftovers(stage.folder)


def _free_memory() -> None:
    """Give back what the last training held, before the next stage needs it."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class _Beating:
    """Progress that also keeps the journal."""

    def __init__(self, progress: Progress, session: Session) -> None:
        self._progress, self._session = progress, session

    def __call__(self, phase: str, done: int, total: int, fields: Mapping[str, Any] = MappingProxyType({}), /) -> None:
        self._session.beat()
        self._progress(phase, done, total, fields)


def run_stages(arrangement: Arrangement, launch: str = "", progress: Progress = ignore, warn: Warn = ignore) -> None:
    """Do the stages that are not done yet.

    Args:
        progress: called with stages, under the phase ``STAGES``, and with the phases of each.

    Raises:
        PairgenError: as in builds, training and evaluation, with the name of the stage; what is done is kept.
    """
    total, journal = len(arrangement.stages), Journal(arrangement.out)
    if any(stage.kind == EVAL and not stage.is_done for stage in arrangement.stages):
        require_packages()  # before hours of training, not after
    with locked(arrangement.out) as lock:
        for number, stage in enumerate(arrangement.stages):
            if stage.is_done:
                _tidy(stage)
                continue
            progress(STAGES, number, total, {"next": stage.name})
            with journal.session(stage.key) as session:
                try:
                    Work(_Beating(progress, session), warn, launch, lock, session.beat).do(stage)
                except PairgenError as error:
                    error.args = (f"{stage.name}: {error}",)
                    raise
        progress(STAGES, total, total, {})
